// What time it is at the target, by its own word.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/host/interrupt.h"
#include "agent/host/periodic.h"
#include "agent/net/tls.h"
#include "agent/net/transport.h"
#include "agent/pace/budget.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/plan/target.h"

namespace tidemark {

// What a clock shows more than ours, from answers that took some time and show whole units.
// An answer that was asked for at `sent` and came at `received` shows the clock of some instant between, rounded down:
// the offset lies in [shown - received, shown + unit - sent]. All answers together leave what these intervals have in
// common (Marzullo 1984), which is never wider than that of the quickest answer, and with answers at different parts of
// a unit narrower than the unit. Intervals widen by 100 ppm with their age, as much as two clocks may drift apart.
class ClockBounds {
 public:
  // Instants are of our wall clock.  REQUIRES: sent <= received.
  // `unit`: what the clock shows is a multiple of it.
  void Add(Nanos sent, Nanos received, Nanos shown, Nanos unit);

  Nanos offset() const { return low_ + (high_ - low_) / 2; }
  Nanos error() const { return (high_ - low_ + 1) / 2; }  // the true offset lies within that
  std::uint64_t readings() const { return readings_; }
  std::uint64_t steps() const { return steps_; }  // answers that none of those before agreed with: a clock was set

 private:
  Nanos low_ = 0;
  Nanos high_ = 0;
  Nanos at_ = 0;  // of the last answer
  std::uint64_t readings_ = 0;
  std::uint64_t steps_ = 0;
};

// Asks a URL for the time, in a thread of its own, a few times at first and then at intervals.
// Threads: any.
class TargetClock {
 public:
  struct Settings {
    Target target = {};
    SocketAddress address = {};
    SslContext tls = nullptr;   // null for a plain target
    std::string pointer;        // JSON pointer to the time in the answer
    Nanos unit = kMillisecond;  // of the time; kRfc3339
    Nanos every = 0;
    Nanos timeout = 0;
    std::shared_ptr<Budget> sends = nullptr;  // of the agent, as in Worker::Settings
    std::shared_ptr<Budget> connects = nullptr;
    const std::atomic<Nanos>* lease = nullptr;  // as in Worker::Settings
    Patience patience = {};                     // with the first answers; later ones end with its interrupt alone
  };

  // Blocks for the first answers, and no more than one time-out if none comes.  Errors: NotFound saying why there was
  // none that could be used.
  static absl::StatusOr<std::unique_ptr<TargetClock>> Start(Settings settings);
  ~TargetClock();  // waits for an answer that is under way, unless the patience is interrupted

  struct Reading {
    ClockBounds bounds = {};
    std::uint64_t failures = 0;
  };
  Reading Latest();
  // The offset, for those who have no time to ask. It lives as long as this object.
  const std::atomic<Nanos>& offset() const { return offset_; }

 private:
  class Line;
  explicit TargetClock(Settings settings);
  absl::Status Ask();

  Settings settings_;
  const std::unique_ptr<Line> line_;  // to the target; of the thread that asks
  std::atomic<Nanos> offset_ = 0;
  Mutex mutex_;
  Reading reading_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Periodic> questions_;  // after the first ones
};

}  // namespace tidemark
