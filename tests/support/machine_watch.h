// What other programs, and the hypervisor, did to this machine while ours ran.
#pragma once

#include <sys/types.h>

#include <string>

#include "common/clock.h"

namespace tidemark {

// What was seen since the watch began. Percentages are of one core's time, but for `busy_percent`.
struct Disturbance {
  double busy_percent = 0;    // of the time, in slices that were disturbed
  double others_percent = 0;  // CPU time of programs that are not ours
  double steal_percent = 0;   // taken by the hypervisor
  Nanos stall = 0;            // the canary slept longer than asked although it did not wait for a core
  double waited_percent = 0;  // our threads were ready without a core, added up; our own programs may have had it

  bool WasDisturbed() const { return busy_percent > 0; }
  std::string ToString() const;
};

// Watches in slices of half a second. In each it compares three records of the same time:
//   /proc/stat, all programs' CPU time and steal, minus the CPU time of ours, reaped children included. Interrupts are
//     left out: the kernel does not say whose they are, and our own packets make most of them.
//   the run-queue delay of our threads (/proc/PID/task/TID/schedstat).
//   a canary that sleeps for a millisecond and notes how late it woke, beyond its own run-queue delay: a pause of the
//     whole machine is in no account of CPU time.
// Ours are the process `root` and its descendants. The process that watches should be its subreaper
// (PR_SET_CHILD_SUBREAPER), so that orphans stay ours.
// Threads: one. It costs 2 % of a core, most of it for the canary.
class MachineWatch {
 public:
  static constexpr Nanos kSlice = 500 * kMillisecond;
  // A slice is disturbed by so much of a core's time, or so long a stall. A busy loop on each of two cores takes 150 to
  // 199 % of a core beside a test that spins, or sleeps.
  static constexpr double kDisturbedShare = 0.15;
  static constexpr Nanos kDisturbedFloor = 60 * kMillisecond;  // two accounts that are kept in ticks differ by less
  static constexpr Nanos kStall = 10 * kMillisecond;

  explicit MachineWatch(pid_t root);

  // The canary's sleep of 1 ms; ends the slice when it is due.
  void Sleep();
  // Ends the slice now.
  void EndSlice();
  const Disturbance& seen() const { return seen_; }

 private:
  struct Reading {
    Nanos at = 0;
    Nanos all = 0;  // CPU time of all programs
    Nanos steal = 0;
    Nanos ours = 0;
    Nanos waited = 0;  // run-queue delay of our threads
  };
  Reading Read() const;

  const pid_t root_;
  Reading last_;
  Nanos canary_waited_ = 0;
  Nanos slice_stall_ = 0;
  // Sums over slices.
  Nanos length_ = 0;
  Nanos disturbed_ = 0;
  Nanos others_ = 0;
  Nanos steal_ = 0;
  Nanos waited_ = 0;
  Disturbance seen_;
};

}  // namespace tidemark
