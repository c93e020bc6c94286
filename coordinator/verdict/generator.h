// The generator's own part in what was measured.
#pragma once

#include <string>
#include <vector>

#include "coordinator/verdict/reasons.h"
#include "coordinator/verdict/verdict.h"

namespace tidemark {

// Shares of the workers' time: that in which they computed, and that in which they were ready to but had no core.
struct WorkerTime {
  double computed = 0;
  double waited = 0;
};
WorkerTime WorkerTimeOf(const PointFacts& facts);

// Slots that were due and never sent, since a ceiling or the rate of new connections kept their connections back.
std::uint64_t KeptBack(const PointFacts& facts);
// Open loop: of the slots that we did not keep back, the share that found no free connection when they were due.
double ShareThatWaited(const PointFacts& facts);
// Whether connections, which requests needed, were made as fast as the plan allows.
bool IsAtConnectRate(const PointFacts& facts);

// Whether the kernel stamped enough requests, so that the generator's part is measured.
bool IsStamped(const PointFacts& facts);
// Whether those may stand for all: some requests are never stamped. Of streams any read is, and events that lay unread
// together differ from others by more than the standard error of single ones.  REQUIRES: there are some of both.
bool StampedAreLikeAll(const PointFacts& facts);

// Why the figures are not the target's own; nothing if they are. What is beyond a gate without much effect becomes a
// note.
std::vector<Reason> WhyLimited(const PointFacts& facts, std::vector<std::string>* notes);

// Whether the generator also slowed a closed loop down by more than kMaxBias: the mean time tells, since each
// connection sends its next request when it has the answer. A few late answers may move a p99 and leave the throughput
// as it is.
bool SlowedTheLoop(const PointFacts& facts);

}  // namespace tidemark
