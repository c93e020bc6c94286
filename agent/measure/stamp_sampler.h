// Which requests, or reads of streams, the kernel stamps.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "common/clock.h"
#include "common/stats/histogram.h"

namespace tidemark {

// Chooses each request with the same chance: one of so many, or, so that stamps cost little and yet tell of slow points
// all, about kPerSecond a second. Choosing by time would favour what comes after a pause, and so would an interval that
// follows bursts: it is that of a second's rate.
// While the kernel stamps what arrives it does so for every packet of the machine, which costs a fast point more than
// the sample itself. So a point with more than kBusy requests a second is looked at in windows, one in each cycle, at
// places that do not depend on it and are the same for all workers of a machine: WantsReceipts() says when. A window
// lasts until its last request is answered, whenever that is; who is slow is not left out.
// Threads: one worker.
class StampSampler {
 public:
  static constexpr double kPerSecond = 1'000;
  static constexpr double kBusy = 20'000;
  static constexpr Nanos kCycle = 200 * kMillisecond;
  static constexpr Nanos kWindow = 20 * kMillisecond;

  // None until Begin.
  StampSampler() = default;
  // One of `every`; 0: as the rate of requests demands, from `now` on, in windows where that may be.
  void Begin(std::int64_t every, bool may_close, std::uint64_t seed, Nanos now) {
    is_adaptive_ = every == 0;
    may_close_ = is_adaptive_ && may_close;
    random_ = seed | 1;
    state_ = State::kAlways;
    under_way_ = 0;
    every_ = is_adaptive_ ? 1 : every;
    Count(now);
    is_known_ = false;
    left_ = interval_ = 1;
  }
  bool IsOn() const { return every_ != 0; }

  // Whether the next request is not one; most are not.
  bool Passes() { return --left_ > 0; }
  // Whether a request at `now` that did not pass is one.  REQUIRES: IsOn().
  bool Take(Nanos now) {
    seen_ += interval_;
    ++taken_;
    if (state_ == State::kShut) {
      Draw(kNever);
      return false;
    }
    if (state_ == State::kAlways && is_adaptive_) Adapt(now);
    Draw(state_ == State::kShut ? kNever : 2 * every_ - 1);
    return true;
  }
  // One that was taken is on its way, at an instant of the wall clock.
  void Send() { ++under_way_; }
  // It is over, and its answer has a stamp or not. False if it does not count, since the kernel may have stamped then
  // just what came late.
  bool Settle(Nanos sent, bool is_stamped) {
    --under_way_;
    if (state_ == State::kProbing && is_stamped) {
      state_ = State::kOpen;
      counts_from_ = WallNow();
    }
    return state_ == State::kAlways || sent >= counts_from_;
  }

  // Whether the kernel should stamp what arrives.
  bool WantsReceipts() const { return IsOn() && (state_ != State::kShut || under_way_ > 0); }
  // Opens and shuts windows. Called every some milliseconds.
  void OnTick(Nanos now) {
    if (state_ == State::kAlways) return;
    const bool is_inside = now >= opens_ && now < opens_ + kWindow;
    if (state_ == State::kShut) {
      if (now >= opens_ + kWindow) Plan(now);  // this thread slept through it
      if (!is_inside) return;
      Count(now);
      if (under_way_ > 0) {  // for those of the last one the kernel has gone on
        state_ = State::kOpen;
      } else {
        state_ = State::kProbing;
        counts_from_ = std::numeric_limits<Nanos>::max();
      }
      return Draw(2 * every_ - 1);
    }
    if (is_inside) return;
    const double rate = Rate(now);
    if (rate < kBusy / 2) {
      Count(now);
      is_known_ = true;
      every_ = EveryAt(rate);
      state_ = State::kAlways;
      return Draw(2 * every_ - 1);
    }
    Shut(rate, now);
    Draw(kNever);
  }

 private:
  enum class State : std::uint8_t {
    kAlways,   // there are no windows
    kShut,     // between two
    kProbing,  // one has begun, and the kernel has not stamped a receipt yet
    kOpen,
  };
  static constexpr Nanos kSpan = kSecond;
  static constexpr Nanos kFirstLook = 40 * kMillisecond;
  static constexpr std::int64_t kNever = std::int64_t{1} << 40;

  void Count(Nanos now) {
    since_ = now;
    seen_ = taken_ = 0;
  }
  double Rate(Nanos now) const {
    const std::int64_t seen = seen_ + (interval_ - std::max<std::int64_t>(0, left_));
    return static_cast<double>(seen) * 1e9 / static_cast<double>(std::max<Nanos>(1, now - since_));
  }
  static std::int64_t EveryAt(double rate) { return 1 + static_cast<std::int64_t>(rate / kPerSecond); }

  // The interval is that of the last second's rate. In the first one, and in one with far more requests than the last,
  // it is doubled when too many have been taken.
  void Adapt(Nanos now) {
    const Nanos passed = now - since_;
    const Nanos looked = is_known_ ? kSpan : std::max(passed, kFirstLook);
    const double rate = static_cast<double>(seen_) * 1e9 / static_cast<double>(std::max<Nanos>(1, passed));
    const bool is_second_over = passed >= kSpan;
    if (may_close_ && rate > kBusy && (is_second_over || passed >= kFirstLook / 2)) return Shut(rate, now);
    if (is_second_over) {
      every_ = EveryAt(rate);
      Count(now);
      is_known_ = true;
    } else if (static_cast<double>(taken_) * 1e9 >= kPerSecond * static_cast<double>(looked)) {
      every_ *= 2;
      taken_ /= 2;  // what was seen so far is the same in wider steps
    }
  }
  // In its windows a point has as many taken as it would have had all the time.
  void Shut(double rate, Nanos now) {
    state_ = State::kShut;
    every_ = EveryAt(rate * static_cast<double>(kWindow) / static_cast<double>(kCycle));
    Plan(now);
  }
  // When the next window opens: one a cycle, in the clock's own time.
  void Plan(Nanos now) {
    const Nanos cycle = now / kCycle + 1;
    const auto place = static_cast<Nanos>(Mix64(static_cast<std::uint64_t>(cycle)) % (kCycle - kWindow));
    opens_ = cycle * kCycle + place;
  }
  // The next is taken after 1 to `most`, on average half of that.
  void Draw(std::int64_t most) {
    left_ = interval_ =
        most == kNever ? kNever : 1 + static_cast<std::int64_t>(Random() % static_cast<std::uint64_t>(most));
  }
  // xorshift64 (Marsaglia 2003).
  std::uint64_t Random() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_;
  }

  std::int64_t left_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t interval_ = 0;  // what left_ began with
  std::int64_t every_ = 0;
  std::int64_t seen_ = 0;  // requests since since_, up to the last that was taken ...
  std::int64_t taken_ = 0;
  Nanos since_ = 0;
  Nanos opens_ = 0;        // the next window, or this one
  Nanos counts_from_ = 0;  // on the wall clock: the kernel has stamped since
  std::int64_t under_way_ = 0;
  std::uint64_t random_ = 1;
  State state_ = State::kAlways;
  bool is_adaptive_ = false;
  bool may_close_ = false;
  bool is_known_ = false;  // the rate of the last second
};

}  // namespace tidemark
