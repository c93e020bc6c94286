// What became of the target.
#pragma once

#include <string>
#include <vector>

#include "coordinator/verdict/reasons.h"
#include "coordinator/verdict/verdict.h"

namespace tidemark {

// Why the target failed its users; nothing if it did not. What the generator, or the end of the run, kept from being
// answered is no failure, and slots that found every connection busy are none: that is a limit.
std::vector<Reason> WhyFailing(const PointFacts& facts);

// Why it could not take all that was due (open loop); nothing if it could.
std::vector<Reason> WhyTargetLimited(const PointFacts& facts);

}  // namespace tidemark
