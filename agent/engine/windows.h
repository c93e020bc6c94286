// The windows of a worker's point, one recorder each: which is recorded into now, and what the worker spent meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "agent/measure/recorder.h"
#include "common/clock.h"

namespace tidemark {

// Use: Prepare, TakePrepared; then Begin, Close once a window, CutDuration once, Close for what is drained; Forget.
// Owner: the worker, on whose thread all but the constructor is called.
class Windows {
 public:
  // `requests`: of a mix, that are counted apart; 0: none are.
  explicit Windows(std::size_t requests) : requests_(requests) {}

  // What is recorded into; null between two points.
  Recorder* recorder() const { return recorder_.get(); }
  // A recorder to be used again.  REQUIRES: it is cleared.
  void Recycle(std::unique_ptr<Recorder> recorder) { spare_.push_back(std::move(recorder)); }

  // A point is prepared.
  void Prepare();
  // What was recorded before the start; the next recorder takes its place.
  std::unique_ptr<Recorder> TakePrepared() { return Exchange(); }
  // The point began at `start`. What streams have said since TakePrepared was early.
  void Begin(Nanos start);
  // When the window that is recorded into ends.
  Nanos End() const;
  // The duration of the point ended at `end`, and the window of that was closed: what comes from now on is drained.
  void BeginDraining();
  bool IsDraining() const { return is_draining_; }
  // The point is as long as up to `end`.
  void LimitLength(Nanos end);

  struct Closed {
    std::uint32_t number = 0;
    Nanos length = 0;  // see Shard.length_ns
    std::unique_ptr<Recorder> recorder = nullptr;
  };
  // The window is over at `now`, and the next one begins. `is_final`: nothing more is done in this point.
  Closed Close(Nanos now, bool is_final);
  void Forget() { recorder_.reset(); }

  // Requests that were sent in the windows of the latest point that were closed; complete responses since T0.
  std::uint64_t closed_sent() const { return sent_; }
  std::uint64_t responses() const { return responses_ + recorder_->counters.Complete(); }

 private:
  std::unique_ptr<Recorder> Make() const;
  std::unique_ptr<Recorder> Exchange();
  void CountSpent(Nanos now);

  const std::size_t requests_;
  std::unique_ptr<Recorder> recorder_;
  std::vector<std::unique_ptr<Recorder>> spare_;
  Nanos start_ = 0;
  Nanos length_ = 0;    // of the point, once its duration has ended; 0: not yet
  Nanos last_end_ = 0;  // instant at which a slot last ended within the duration
  std::uint32_t number_ = 0;
  std::uint64_t sent_ = 0;  // in the windows of this point that were closed ...
  std::uint64_t responses_ = 0;
  Nanos counted_to_ = 0;  // ... up to when both of these are counted:
  Nanos cpu_ = 0;
  Nanos run_delay_ = 0;
  bool is_draining_ = false;
};

}  // namespace tidemark
