// When a worker last looked for what has come, and for how long it was kept from that.
#pragma once

#include <algorithm>

#include "agent/host/machine.h"
#include "common/clock.h"

namespace tidemark {

// Threads: the one worker that it is of.
class Attention {
 public:
  // The wait for events begins, and ends: a turn of the loop follows it.
  void BeginWait(Nanos now) {
    waited_since_ = waits_since_;
    waits_since_ = now;
  }
  void BeginTurn(Nanos now) {
    looked_at_ = turn_;
    turn_ = now;
  }
  // The wait, or the turn, that began at `from` was far longer than it should have been, up to `now`.
  void StandStill(Nanos from, Nanos now) {
    stood_still_from_ = from;
    stood_still_to_ = now;
    catches_up_until_ = now + kCatchUp;
  }
  // Whether something that came while it stood still may not have been read yet, at `now` in a turn; `is_full`: the
  // turn had as many events as it can have. It catches up within a second, or has more to do than it can.
  bool IsBehind(Nanos now, bool is_full) {
    if (now >= catches_up_until_) [[likely]]
      return false;
    if (stood_still_to_ >= turn_) return true;  // a wait may have found its events before it stood still
    if (is_full) stood_still_to_ = now;
    return is_full;
  }
  // Whether it stood still at that instant.
  bool StoodStillAt(Nanos instant) const { return stood_still_from_ <= instant && instant <= stood_still_to_; }
  // When a time is over that should have been at `limit`, if it goes on only while we do: that of the last standstill
  // does not count.
  Nanos Extended(Nanos limit) const {
    return StoodStillAt(limit) ? stood_still_to_ + limit - stood_still_from_ : limit;
  }
  Nanos stood_still_to() const { return stood_still_to_; }
  // When this turn began: what is read in it had come by then.
  Nanos turn() const { return turn_; }

  // Of what is read in this turn the last byte came at `came`: how long before that the first one may have come, and
  // lain unread. That is no longer than since the turn before looked, which it did some time in the wait before it, nor
  // than this thread has since been busy, without a core (since this was asked last), or stopped: while it slept the
  // first byte would have woken it. About a microsecond, once a turn.
  Nanos UnreadBefore(Nanos came) {
    const Nanos longest = came - looked_at_;
    // It was there before that turn began, and was not found: this thread was kept, with what it had found, since then.
    if (longest < 0) return std::max<Nanos>(0, came - waited_since_);
    if (longest <= kGlance) return longest;
    if (kept_in_ != turn_) {
      const Nanos delay = run_delay_.Read();
      if (kept_in_ == 0) run_delay_seen_ = delay;
      kept_ = std::max<Nanos>(0, waits_since_ - looked_at_) + delay - run_delay_seen_;
      if (stood_still_to_ >= turn_) kept_ += stood_still_to_ - stood_still_from_;
      run_delay_seen_ = delay;
      kept_in_ = turn_;
    }
    // In this turn it has been busy, or kept from a core, since it began.
    return std::min(longest, kept_ + std::max<Nanos>(0, came - turn_));
  }

 private:
  static constexpr Nanos kCatchUp = kSecond;
  // Less is not looked into.
  static constexpr Nanos kGlance = 200 * kMicrosecond;

  Nanos looked_at_ = 0;     // when the turn before this one began
  Nanos waits_since_ = 0;   // when it ended
  Nanos waited_since_ = 0;  // when the wait before it had begun
  Nanos turn_ = 0;
  Nanos stood_still_from_ = 0;
  Nanos stood_still_to_ = 0;
  Nanos catches_up_until_ = 0;
  OwnRunDelay run_delay_;
  Nanos run_delay_seen_ = 0;
  Nanos kept_in_ = 0;  // the turn that kept_ is of
  Nanos kept_ = 0;
};

}  // namespace tidemark
