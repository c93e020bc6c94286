// A log-linear histogram of latencies with HdrHistogram's index: 3 significant digits, 1 ns to 1 h.
#pragma once

#include <sys/mman.h>

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <new>
#include <vector>

#include "absl/numeric/int128.h"
#include "common/clock.h"

namespace tidemark {

// Facts of the layout (source: HdrHistogram's index formulas, unit magnitude 0).
// A slot is at most 1/1024 of its value wide, so a quantile is at most 0.0977 % too high and never too low.
struct HistogramLayout {
  static constexpr int kSignificantDigits = 3;
  static constexpr Nanos kLowest = 1;
  static constexpr Nanos kHighest = 3600 * kSecond;
  static constexpr int kHalfCountBits = 10;  // 2^10 sub-buckets per power of two
  static constexpr std::uint32_t kHalfCount = 1u << kHalfCountBits;
  static constexpr std::uint32_t kSlotCount = 33 * kHalfCount;  // covers kHighest

  // The slot of `value`.  REQUIRES: 0 <= value <= HighestOf(kSlotCount - 1).
  static constexpr std::uint32_t SlotOf(std::uint64_t value) {
    const int bucket = 63 - kHalfCountBits - std::countl_zero(value | (2 * kHalfCount - 1));
    const auto sub = static_cast<std::uint32_t>(value >> bucket);
    return ((static_cast<std::uint32_t>(bucket) + 1) << kHalfCountBits) + sub - kHalfCount;
  }
  // Smallest and largest value that share slot `slot`.  REQUIRES: slot < kSlotCount.
  static constexpr Nanos LowestOf(std::uint32_t slot) {
    const std::uint32_t row = slot >> kHalfCountBits;
    if (row == 0) return slot;
    return static_cast<Nanos>((slot & (kHalfCount - 1)) + kHalfCount) << (row - 1);
  }
  static constexpr Nanos HighestOf(std::uint32_t slot) {
    const std::uint32_t row = slot >> kHalfCountBits;
    return LowestOf(slot) + ((Nanos{1} << (row == 0 ? 0 : row - 1)) - 1);
  }
};

// splitmix64's finaliser (Steele, Lea, Flood 2014): the weight of a slot in HistogramFacts::hash.
constexpr std::uint64_t Mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// What identifies a histogram's content in a few bytes. Adds under merging, in any order.
struct HistogramFacts {
  std::uint64_t count = 0;
  std::uint64_t hash = 0;                         // sum over slots of count[slot] * Mix64(slot), mod 2^64
  absl::uint128 sum = 0;                          // of the exact values, ns
  Nanos min = std::numeric_limits<Nanos>::max();  // exact; meaningful if count > 0
  Nanos max = 0;
  std::uint64_t overflow = 0;     // values above kHighest, counted in the last slot
  std::uint64_t clock_error = 0;  // negative values, not counted anywhere else

  void Add(const HistogramFacts& other);
  bool operator==(const HistogramFacts&) const = default;
};

// Takes zeroed memory straight from the kernel and leaves it untouched, so that a page of empty slots costs nothing.
template <typename T>
struct ZeroedAllocator {
  using value_type = T;
  T* allocate(std::size_t count) {
    void* const memory = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) { munmap(memory, count * sizeof(T)); }
  void construct(T*) {}  // zero already
  void construct(T* at, const T& value) { *at = value; }
  bool operator==(const ZeroedAllocator&) const = default;
};

// Exact counts per slot, exact sum, minimum and maximum. Nothing is dropped: what is too large is clamped into the
// last slot and counted in `overflow`, what is negative is counted in `clock_error`.
// Threads: one at a time.   Memory: 264 KiB, of which only touched pages are resident.
// Invariants: (1) count == sum of slots; (2) every non-zero slot lies in [first_slot_, last_slot_], so that walking,
// adding and clearing cost what was recorded, not what could be.
class Histogram {
 public:
  Histogram();
  // Here they would be compiled, a loop over all slots each, wherever one is used.
  ~Histogram();
  Histogram(const Histogram&);
  Histogram(Histogram&&) noexcept;
  Histogram& operator=(const Histogram&);
  Histogram& operator=(Histogram&&) noexcept;

  // Records one value. Never allocates.
  void Record(Nanos value) {
    if (value < 0) [[unlikely]] {
      ++clock_error_;
      return;
    }
    std::uint32_t slot = HistogramLayout::kSlotCount - 1;
    if (value <= HistogramLayout::kHighest) [[likely]] {
      slot = HistogramLayout::SlotOf(static_cast<std::uint64_t>(value));
    } else {
      ++overflow_;
    }
    ++slots_[slot];
    ++count_;
    // By hand: of a sum of absl::uint128 g++ 12 makes six instructions more.
    sum_low_ += static_cast<std::uint64_t>(value);
    sum_high_ += sum_low_ < static_cast<std::uint64_t>(value) ? 1 : 0;
    if (value < min_) {
      min_ = value;
      if (slot < first_slot_) first_slot_ = slot;
    }
    if (value > max_) {
      max_ = value;
      if (slot > last_slot_) last_slot_ = slot;
    }
  }

  // Adds every count, sum and counter of `other`: exact, commutative, associative.
  void Add(const Histogram& other);

  // Adds `count` to slot `slot` alone; sum, min and max come from AddFacts. For decoders.
  // REQUIRES: slot < kSlotCount.
  void AddSlot(std::uint32_t slot, std::uint64_t count) {
    slots_[slot] += count;
    count_ += count;
    if (slot < first_slot_) first_slot_ = slot;
    if (slot > last_slot_) last_slot_ = slot;
  }
  // Adds all of `facts` but count and hash, which AddSlot has brought.
  void AddFacts(const HistogramFacts& facts);

  void Clear();

  std::uint64_t count() const { return count_; }
  bool IsEmpty() const { return count_ == 0 && clock_error_ == 0; }
  std::uint64_t CountAt(std::uint32_t slot) const { return slots_[slot]; }
  std::uint64_t overflow() const { return overflow_; }
  std::uint64_t clock_error() const { return clock_error_; }
  Nanos min() const { return count_ == 0 ? 0 : min_; }
  Nanos max() const { return max_; }
  absl::uint128 sum() const { return absl::MakeUint128(sum_high_, sum_low_); }
  double Mean() const { return count_ == 0 ? 0 : static_cast<double>(sum()) / static_cast<double>(count_); }

  HistogramFacts Facts() const;

  // The value at quantile numerator/denominator by nearest rank: the smallest v such that at least
  // max(1, ceil(n * q)) values are <= v; the upper end of its slot, but never above max(). 0 if empty.
  // REQUIRES: 0 <= numerator <= denominator, 1 <= denominator.
  Nanos Quantile(std::uint64_t numerator, std::uint64_t denominator) const;

  // Calls visit(slot, count) for each non-zero slot, ascending.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (std::uint32_t slot = first_slot_; slot <= last_slot_; ++slot) {
      if (slots_[slot] != 0) visit(slot, slots_[slot]);
    }
  }

  bool operator==(const Histogram& other) const { return Facts() == other.Facts() && slots_ == other.slots_; }

 private:
  void AddSum(absl::uint128 more) {
    const absl::uint128 total = sum() + more;
    sum_low_ = absl::Uint128Low64(total);
    sum_high_ = absl::Uint128High64(total);
  }

  std::vector<std::uint64_t, ZeroedAllocator<std::uint64_t>> slots_;
  std::uint32_t first_slot_ = HistogramLayout::kSlotCount;  // above last_slot_: none
  std::uint32_t last_slot_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t sum_low_ = 0;
  std::uint64_t sum_high_ = 0;
  Nanos min_ = std::numeric_limits<Nanos>::max();
  Nanos max_ = 0;
  std::uint64_t overflow_ = 0;
  std::uint64_t clock_error_ = 0;
};

}  // namespace tidemark
