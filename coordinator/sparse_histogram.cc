#include "coordinator/sparse_histogram.h"

namespace tidemark {
namespace {

constexpr int kCountBits = 48;
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
  if (slots_.capacity() < merged.size()) slots_.reserve(merged.size() + merged.size() / 4);
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
