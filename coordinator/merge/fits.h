// How much agents may say, so that no sum over all of them overflows.
#pragma once

#include <cstdint>

#include "common/stats/histogram.h"

namespace tidemark {

// Sums of all agents stay below it: counts are exact as doubles too.
inline constexpr std::uint64_t kMaxCount = std::uint64_t{1} << 53;

// Whether `delta`, whose 128-bit sum of times has room for kMaxCount of them, may be added to `sum`.
inline bool AddFits(const HistogramFacts& delta, const Histogram& sum) {
  return delta.count <= kMaxCount - sum.count() && delta.clock_error <= kMaxCount - sum.clock_error();
}

}  // namespace tidemark
