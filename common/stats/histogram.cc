#include "common/stats/histogram.h"

#include <algorithm>

namespace tidemark {

static_assert(HistogramLayout::SlotOf(0) == 0);
static_assert(HistogramLayout::SlotOf(2047) == 2047);
static_assert(HistogramLayout::SlotOf(HistogramLayout::kHighest) < HistogramLayout::kSlotCount);

void HistogramFacts::Add(const HistogramFacts& other) {
  count += other.count;
  hash += other.hash;
  sum += other.sum;
  min = std::min(min, other.min);
  max = std::max(max, other.max);
  overflow += other.overflow;
  clock_error += other.clock_error;
}

Histogram::Histogram() : slots_(HistogramLayout::kSlotCount) {}
Histogram::~Histogram() = default;
Histogram::Histogram(const Histogram&) = default;
Histogram::Histogram(Histogram&&) noexcept = default;
Histogram& Histogram::operator=(const Histogram&) = default;
Histogram& Histogram::operator=(Histogram&&) noexcept = default;

void Histogram::Add(const Histogram& other) {
  for (std::uint32_t slot = other.first_slot_; slot <= other.last_slot_; ++slot) slots_[slot] += other.slots_[slot];
  first_slot_ = std::min(first_slot_, other.first_slot_);
  last_slot_ = std::max(last_slot_, other.last_slot_);
  count_ += other.count_;
  AddSum(other.sum());
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  overflow_ += other.overflow_;
  clock_error_ += other.clock_error_;
}

void Histogram::AddFacts(const HistogramFacts& facts) {
  AddSum(facts.sum);
  min_ = std::min(min_, facts.min);
  max_ = std::max(max_, facts.max);
  if (facts.min <= facts.max) {  // as Record would have; what lies above the range is in the last slot
    const auto slot_of = [](Nanos value) {
      return HistogramLayout::SlotOf(
          static_cast<std::uint64_t>(std::clamp<Nanos>(value, 0, HistogramLayout::kHighest)));
    };
    first_slot_ = std::min(first_slot_, slot_of(facts.min));
    last_slot_ = std::max(last_slot_, slot_of(facts.max));
  }
  overflow_ += facts.overflow;
  clock_error_ += facts.clock_error;
}

void Histogram::Clear() {
  if (first_slot_ <= last_slot_) std::fill(slots_.begin() + first_slot_, slots_.begin() + last_slot_ + 1, 0);
  first_slot_ = HistogramLayout::kSlotCount;
  last_slot_ = 0;
  count_ = 0;
  sum_low_ = sum_high_ = 0;
  min_ = std::numeric_limits<Nanos>::max();
  max_ = 0;
  overflow_ = 0;
  clock_error_ = 0;
}

HistogramFacts Histogram::Facts() const {
  HistogramFacts facts{
      .count = count_, .sum = sum(), .min = min_, .max = max_, .overflow = overflow_, .clock_error = clock_error_};
  ForEach([&facts](std::uint32_t slot, std::uint64_t count) { facts.hash += count * Mix64(slot); });
  return facts;
}

Nanos Histogram::Quantile(std::uint64_t numerator, std::uint64_t denominator) const {
  if (count_ == 0) return 0;
  const absl::uint128 product = absl::uint128(count_) * numerator;
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>((product + denominator - 1) / denominator));
  std::uint64_t seen = 0;
  for (std::uint32_t slot = first_slot_; slot <= last_slot_; ++slot) {
    seen += slots_[slot];
    // The last slot also holds what overflowed: its upper end is the largest value seen.
    if (seen >= rank) {
      return slot + 1 == slots_.size() ? max_ : std::min(HistogramLayout::HighestOf(slot), max_);
    }
  }
  return max_;
}

}  // namespace tidemark
