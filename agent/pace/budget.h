// What an agent may send, and how many connections it may open, under its operator's ceilings: the one gate.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"

namespace tidemark {

class Lifecycle;

// So many a second, for all workers of an agent together, over every point and every run.
// Any window of t seconds holds at most rate * t + Burst(rate): what has been put by for later, here and in the hands
// of workers, never exceeds that burst.  Threads: any; no locks.   Source: DESIGN.md "Ceilings".
class Budget {
 public:
  // REQUIRES: rate > 0, per second.
  explicit Budget(double rate);

  static double Burst(double rate) { return std::max(1.0, rate / 10); }

  // Takes up to `most` at `now`; returns how many.
  std::int64_t Take(std::int64_t most, Nanos now);
  // What was taken and is not used.
  void GiveBack(std::int64_t count);
  // When there is one, unless somebody else takes it before.
  Nanos ReadyAt() const;
  // How many each of `workers` takes at once: all of them together hold no more than is set apart for that. 1 may be
  // more than that: who takes one at a time keeps none.
  std::int64_t Slice(int workers) const;
  double rate() const { return rate_; }

 private:
  const double rate_;
  const double interval_;  // between two, in ns
  const Nanos room_;       // how much may lie here, in ns
  // Up to when the rate is spent: all lies here that fits once this has passed.
  std::atomic<Nanos> spent_until_;
};

// The budgets of an agent's life, by what they allow: those who obey the same figure share one, so that the end of a
// run or a connection to the coordinator gives nothing back.  Threads: any.
class Budgets {
 public:
  enum class Kind : std::uint8_t { kSends, kConnects };
  // Null: no ceiling. `rate` per second; 0: none.
  std::shared_ptr<Budget> Of(Kind kind, double rate);

 private:
  Mutex mutex_;
  std::map<std::pair<Kind, double>, std::shared_ptr<Budget>> all_ ABSL_GUARDED_BY(mutex_);
};

// A worker's share of a budget, and its connections that wait for one, first come first served. Each is in the queue
// once at most.  Threads: one worker.
class Gate {
 public:
  // Null: whoever asks may go.
  void Use(std::shared_ptr<Budget> budget, int workers) {
    budget_ = std::move(budget);
    slice_ = budget_ == nullptr ? 0 : budget_->Slice(workers);
  }
  bool IsOn() const { return budget_ != nullptr; }
  // Nobody waits; up to `connections` may.
  void Empty(std::size_t connections) {
    queue_.assign(IsOn() ? connections : 0, nullptr);
    first_ = size_ = 0;
  }

  // Takes one, unless there is none or others have waited for longer.  REQUIRES: IsOn().
  bool Take(Nanos now) {
    if ((size_ > 0 && !is_serving_) || !Fill(now)) return false;
    --in_hand_;
    return true;
  }
  void Wait(Lifecycle* connection) { queue_[(first_ + size_++) % queue_.size()] = connection; }
  bool IsWaitedFor() const { return size_ > 0; }
  // Calls go_on(connection) for those that wait, as long as there is one to take.
  template <typename GoOn>
  void Serve(Nanos now, GoOn go_on) {
    is_serving_ = true;
    while (size_ > 0 && Fill(now)) {
      Lifecycle* const connection = queue_[first_];
      first_ = (first_ + 1) % queue_.size();
      --size_;
      go_on(connection);
    }
    is_serving_ = false;
    // Those that waited may want no more.
    if (slice_ == 1 && in_hand_ > 0) budget_->GiveBack(std::exchange(in_hand_, 0));
  }
  // When Serve has something to do.
  Nanos ReadyAt() const {
    if (size_ == 0) return std::numeric_limits<Nanos>::max();
    return in_hand_ > 0 ? 0 : budget_->ReadyAt();
  }

 private:
  bool Fill(Nanos now) {
    if (in_hand_ == 0) in_hand_ = budget_->Take(slice_, now);
    return in_hand_ > 0;
  }

  std::shared_ptr<Budget> budget_;
  std::int64_t slice_ = 0;
  std::int64_t in_hand_ = 0;
  bool is_serving_ = false;
  std::vector<Lifecycle*> queue_;  // a ring
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace tidemark
