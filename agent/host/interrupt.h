// How waits end before their time.
#pragma once

#include <memory>

#include "common/clock.h"

namespace tidemark {

// Once triggered, it stays so.  Threads: any.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  void Trigger();
  bool IsTriggered() const;
  int fd() const { return fd_; }  // readable once it is triggered

 private:
  int fd_;
};

// How long something may be waited for: until `deadline`, and no longer than nobody interrupts.
// Threads: any, as copies.
class Patience {
 public:
  // Without an end.
  Patience() = default;
  Patience(std::shared_ptr<Interrupt> interrupt, Nanos deadline)
      : interrupt_(std::move(interrupt)), deadline_(deadline) {}

  // The same, but at most so long from now.
  Patience AtMost(Nanos limit) const;
  // The same without a deadline.
  Patience WithoutDeadline() const { return {interrupt_, kForever}; }
  // Whether nothing is waited for any more.
  bool IsOver() const { return IsInterrupted() || deadline_ <= MonotonicNow(); }
  bool IsInterrupted() const { return interrupt_ != nullptr && interrupt_->IsTriggered(); }

  // Waits until `fd` has one of poll's `events`; false if it has none in time. -1: waits for the end.
  bool WaitFor(int fd, short events) const;
  void Sleep(Nanos length) const { AtMost(length).WaitFor(-1, 0); }

 private:
  static constexpr Nanos kForever = INT64_MAX;
  std::shared_ptr<Interrupt> interrupt_;  // null: nobody interrupts
  Nanos deadline_ = kForever;
};

}  // namespace tidemark
