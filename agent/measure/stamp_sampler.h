// Which requests, or reads of streams, the kernel stamps.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "common/clock.h"

namespace tidemark {

// Chooses each request with the same chance: one of so many, or, so that stamps cost little and yet tell of slow points
// all, about kPerSecond a second. Choosing by time would favour what comes after a pause, and so would an interval that
// follows bursts: it is that of a second's rate. Threads: one worker.
class StampSampler {
 public:
  static constexpr double kPerSecond = 1'000;

  // None until Begin.
  StampSampler() = default;
  // One of `every`; 0: as the rate of requests demands, from `now` on.
  void Begin(std::int64_t every, std::uint64_t seed, Nanos now) {
    is_adaptive_ = every == 0;
    every_ = is_adaptive_ ? 1 : every;
    random_ = seed | 1;
    since_ = now;
    taken_ = 0;
    is_known_ = false;
    left_ = 1;
  }
  bool IsOn() const { return every_ != 0; }

  // Whether the next request is not one; most are not.
  bool Passes() { return --left_ > 0; }
  // Of a request that is one, at `now`.  REQUIRES: IsOn().
  void Take(Nanos now) {
    if (is_adaptive_) Adapt(now);
    left_ =
        1 + static_cast<std::int64_t>(Random() % static_cast<std::uint64_t>(2 * every_ - 1));  // `every_` on average
  }

 private:
  static constexpr Nanos kSpan = kSecond;
  static constexpr Nanos kFirstLook = 40 * kMillisecond;

  // The interval is that of the last second's rate. In the first one, and in one with far more requests than the last,
  // it is doubled when too many have been taken.
  void Adapt(Nanos now) {
    ++taken_;
    const Nanos passed = now - since_;
    const Nanos looked = is_known_ ? kSpan : std::max(passed, kFirstLook);
    if (passed >= kSpan) {
      const double rate = static_cast<double>(taken_ * every_) * 1e9 / static_cast<double>(passed);
      every_ = 1 + static_cast<std::int64_t>(rate / kPerSecond);
      since_ = now;
      taken_ = 0;
      is_known_ = true;
    } else if (static_cast<double>(taken_) * 1e9 >= kPerSecond * static_cast<double>(looked)) {
      every_ *= 2;
      taken_ /= 2;  // what was seen so far is the same in wider steps
    }
  }
  // xorshift64 (Marsaglia 2003).
  std::uint64_t Random() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_;
  }

  std::int64_t left_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t every_ = 0;
  std::int64_t taken_ = 0;
  Nanos since_ = 0;
  std::uint64_t random_ = 1;
  bool is_adaptive_ = false;
  bool is_known_ = false;  // the rate of the last second
};

}  // namespace tidemark
