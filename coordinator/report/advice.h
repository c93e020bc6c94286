// What to do next, after a run.
#pragma once

#include <string>
#include <vector>

#include "protos/report.pb.h"

namespace tidemark {

// A few sentences, the most pressing first: what would make doubtful points good, where to look, what to ask next.
// Names of others are in them as they are.
// `is_explained`: all that is known stands there already.
std::vector<std::string> NextSteps(const proto::Report& report, bool is_explained);

}  // namespace tidemark
