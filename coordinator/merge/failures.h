// What did not succeed, in the classes that a picture tells apart.
#pragma once

#include <cstdint>

#include "common/plan/status_set.h"
#include "common/stats/outcome.h"
#include "common/stats/status_counts.h"

namespace tidemark {

// Each request that did not succeed is in one of them. Adding is exact.
struct Failures {
  std::uint64_t status_4xx = 0;  // without 429
  std::uint64_t status_429 = 0;
  std::uint64_t status_5xx = 0;
  std::uint64_t other_status = 0;  // of any other class; 2xx too, where the plan says that it is no success
  std::uint64_t timed_out = 0;
  std::uint64_t no_answer = 0;  // closed early, reset, malformed, over limit or cut off
  std::uint64_t never_sent = 0;

  void Add(const Failures& other);
  std::uint64_t Total() const;
  bool operator==(const Failures&) const = default;
};

// The class of what ended so and is no success.
std::uint64_t Failures::*FailureClassOf(Outcome outcome);

// Those of what was counted in `delta`, whose complete responses had `statuses`; `success`: the statuses that are.
// REQUIRES: StatusCounts::Check is OK of them.
Failures FailuresOf(const Counters& delta, const StatusCounts::Rows& statuses, const StatusSet& success);

}  // namespace tidemark
