// Which requests of a worker's point are told one by one.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "agent/measure/recorder.h"
#include "common/clock.h"
#include "common/stats/request_trace.h"

namespace tidemark {

// The kSlowest slowest of the point so far, and a sample. What is told is in the recorders; here is only how slow a
// request must be to be among the slowest.
// Owner: a SlotBook.  Threads: one worker.
class Traces {
 public:
  static constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

  // Of a point from `start` on; of each `sample`-th request, 0: no sample.
  void Begin(Nanos start, bool is_open_loop, std::uint64_t sample);
  void End() { floor_ = kNever; }

  // A request that took less, from its due time on, is not to be told.
  Nanos floor() const { return sample_ != 0 && floor_ != kNever ? 0 : floor_; }
  // Tells of it if it is to be told; instants of this host.
  void Add(RequestTrace trace, Recorder* recorder);

 private:
  Nanos start_ = 0;
  Nanos floor_ = kNever;
  std::uint64_t sample_ = 0;
  bool is_open_loop_ = false;
  std::vector<Nanos> took_;  // of the slowest so far: a heap, the least on top
};

}  // namespace tidemark
