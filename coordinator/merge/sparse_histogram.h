// A histogram that takes memory for what it holds: one per agent, of which there may be a thousand.
#pragma once

#include <cstdint>
#include <vector>

#include "common/stats/histogram.h"

namespace tidemark {

// The non-zero slots of a Histogram, ascending, 8 bytes each.  Threads: one at a time.
class SparseHistogram {
 public:
  // Slot and count share 64 bits.
  static constexpr std::uint64_t kMaxCount = (std::uint64_t{1} << 48) - 1;

  // Exact, as Histogram::Add. Walks all slots of both. `scratch` is room to work in, which many may share: with a
  // thousand agents, memory of its own for each merge would leave the heap full of holes.
  // REQUIRES: the sum of all counts is at most kMaxCount.
  void Add(const Histogram& other, std::vector<std::uint64_t>* scratch);
  Histogram ToHistogram() const;

 private:
  std::vector<std::uint64_t> slots_;  // slot << 48 | count
  HistogramFacts facts_;
};

}  // namespace tidemark
