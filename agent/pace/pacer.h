// When a connection may send its next request.
#pragma once

#include <cstdint>
#include <limits>

#include "common/clock.h"
#include "common/plan/schedule.h"

namespace tidemark {

// The closed loop: a connection's next request is due when its last one is answered, until a count is used up, an
// instant has passed, or the run is stopped. Threads: one worker.
class ClosedLoop {
 public:
  // Every connection has a quota of its own.
  void LimitEach() { *this = ClosedLoop(); }
  // All connections of the worker share `requests`.
  void LimitTotal(std::uint64_t requests) {
    *this = ClosedLoop();
    is_pooled_ = true;
    pool_ = requests;
  }
  // Connections go on until `end`; quotas do not count.
  void LimitTime(Nanos end) {
    *this = ClosedLoop();
    end_ = end;
  }
  void Stop() { is_stopped_ = true; }

  // Takes one slot that is due at `due`, from the connection's own `quota` or the pool; false: nothing left.
  bool Take(std::uint64_t* quota, Nanos due) {
    if (is_stopped_ || due >= end_) return false;
    if (IsTimed()) return true;
    std::uint64_t* const left = is_pooled_ ? &pool_ : quota;
    if (*left == 0) return false;
    --*left;
    return true;
  }

  // Whether Take would succeed.
  bool MayTake(std::uint64_t quota, Nanos due) const {
    return !is_stopped_ && due < end_ && (IsTimed() || (is_pooled_ ? pool_ : quota) > 0);
  }

  bool IsTimed() const { return end_ != std::numeric_limits<Nanos>::max(); }
  bool IsStopped() const { return is_stopped_; }
  Nanos end() const { return end_; }

  // Takes all that is left of the pool, to be counted as never sent.
  std::uint64_t DrainPool() {
    const std::uint64_t left = pool_;
    pool_ = 0;
    return left;
  }

 private:
  std::uint64_t pool_ = 0;
  Nanos end_ = std::numeric_limits<Nanos>::max();
  bool is_pooled_ = false;
  bool is_stopped_ = false;
};

// The open loop: slots are due on a schedule that nothing the target does can move. A slot that finds no free
// connection waits; how many may wait is not limited, since those that wait are told by two places in the schedule, of
// the last one that fell due and of the last one taken, and cost no memory. Threads: one worker.
class OpenLoop {
 public:
  explicit OpenLoop(const Arrivals& arrivals, Nanos start) : start_(start), due_(arrivals), taken_(arrivals) {
    Advance();
  }

  // The instant at which the next slot falls due; kNeverDue if there is none.
  Nanos next_due() const { return next_due_; }
  // The slot at next_due() falls due and waits; returns its due time counted from the start.
  Nanos Release() {
    const Nanos due = next_due_ - start_;
    last_due_ = next_due_;
    ++waiting_;
    Advance();
    return due;
  }
  bool HasWaiting() const { return waiting_ > 0; }
  // Takes the oldest slot that waits; returns its due instant.  REQUIRES: HasWaiting().
  Nanos Take() {
    --waiting_;
    return start_ + taken_.Next();
  }
  bool IsExhausted() const { return next_due_ == kNeverDue; }
  // The instant at which the last slot so far fell due.
  Nanos last_due() const { return last_due_; }
  // Ends the schedule early; returns how many of a limited number of slots have not fallen due, 0 if there is no limit.
  std::uint64_t Cancel() {
    const std::uint64_t left = due_.left() == Arrivals::kNoLimit || IsExhausted() ? 0 : due_.left() + 1;
    next_due_ = kNeverDue;
    return left;
  }

 private:
  void Advance() {
    const Nanos next = due_.Next();
    next_due_ = next == kNeverDue ? kNeverDue : start_ + next;
  }

  Nanos start_;
  Arrivals due_;
  Arrivals taken_;
  Nanos next_due_ = kNeverDue;
  Nanos last_due_ = 0;
  std::uint64_t waiting_ = 0;
};

}  // namespace tidemark
