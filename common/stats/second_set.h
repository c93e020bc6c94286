// A set of seconds in little room.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>

namespace tidemark {

// Of up to kBins seconds each is known; of more, each pair, of twice as many each four, and so on: a bin is in the set
// if any of its seconds is. The same seconds, in whatever order they are added, give the same set.
// Threads: one.
class SecondSet {
 public:
  static constexpr std::size_t kBins = 1'024;

  void Add(std::uint32_t second) {
    WidenFor(second);
    bins_.set(second >> shift_);
  }
  void Add(const SecondSet& other) {
    SecondSet same = other;
    while (same.shift_ < shift_) same.Widen();
    while (shift_ < same.shift_) Widen();
    bins_ |= same.bins_;
  }

  bool IsEmpty() const { return bins_.none(); }
  // The seconds of a bin.
  std::uint32_t width() const { return std::uint32_t{1} << shift_; }
  // The second after the last bin of the set; 0 if it is empty.
  std::uint32_t End() const {
    std::size_t bin = kBins;
    while (bin > 0 && !bins_.test(bin - 1)) --bin;
    return static_cast<std::uint32_t>(bin) << shift_;
  }
  // The longest time without any of its seconds before End(), seconds.
  std::uint32_t LongestGap() const {
    const std::uint32_t end = End() >> shift_;
    std::uint32_t gap = 0;
    std::uint32_t longest = 0;
    for (std::uint32_t bin = 0; bin < end; ++bin) {
      gap = bins_.test(bin) ? 0 : gap + 1;
      longest = std::max(longest, gap);
    }
    return longest << shift_;
  }
  bool operator==(const SecondSet&) const = default;

 private:
  void WidenFor(std::uint32_t second) {
    while ((second >> shift_) >= kBins) Widen();
  }
  void Widen() {
    std::bitset<kBins> wider;
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      if (bins_.test(bin)) wider.set(bin / 2);
    }
    bins_ = wider;
    ++shift_;
  }

  std::bitset<kBins> bins_;
  int shift_ = 0;
};

}  // namespace tidemark
