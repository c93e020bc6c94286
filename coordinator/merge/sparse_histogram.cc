#include "coordinator/merge/sparse_histogram.h"

#include <algorithm>

namespace tidemark {
namespace {

constexpr int kCountBits = 48;
// Enough for most, so that a thousand of them do not leave holes in the heap as they grow; what is not used is not
// resident.
constexpr std::size_t kFirstRoom = 4'096;
static_assert(HistogramLayout::kSlotCount <= 1u << (64 - kCountBits));

}  // namespace

void SparseHistogram::Add(const Histogram& other, std::vector<std::uint64_t>* scratch) {
  facts_.Add(other.Facts());
  std::vector<std::uint64_t>& merged = *scratch;
  merged.clear();
  auto mine = slots_.begin();
  other.ForEach([&](std::uint32_t slot, std::uint64_t count) {
    for (; mine != slots_.end() && *mine >> kCountBits < slot; ++mine) merged.push_back(*mine);
    if (mine != slots_.end() && *mine >> kCountBits == slot) count += *mine++ & kMaxCount;
    merged.push_back(std::uint64_t{slot} << kCountBits | count);
  });
  merged.insert(merged.end(), mine, slots_.end());
  if (slots_.capacity() < merged.size()) slots_.reserve(std::max(kFirstRoom, merged.size() + merged.size() / 4));
  slots_.assign(merged.begin(), merged.end());
}

Histogram SparseHistogram::ToHistogram() const {
  Histogram histogram;
  for (const std::uint64_t slot : slots_)
    histogram.AddSlot(static_cast<std::uint32_t>(slot >> kCountBits), slot & kMaxCount);
  histogram.AddFacts(facts_);
  return histogram;
}

}  // namespace tidemark
