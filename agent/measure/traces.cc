#include "agent/measure/traces.h"

#include <algorithm>
#include <functional>

namespace tidemark {

void Traces::Begin(Nanos start, bool is_open_loop, std::uint64_t sample) {
  start_ = start;
  is_open_loop_ = is_open_loop;
  sample_ = sample;
  took_.clear();
  took_.reserve(kSlowest + 1);
  floor_ = 0;
}

void Traces::Add(RequestTrace trace, Recorder* recorder) {
  if (floor_ == kNever) return;
  trace.due -= start_;
  trace.sent -= start_;
  trace.done -= start_;
  if (sample_ != 0 && IsSampled(trace.slot, sample_)) recorder->AddSampled(trace);
  const Nanos took = trace.Took(is_open_loop_);
  if (took_.size() == kSlowest && took <= took_.front()) return;
  took_.push_back(took);
  std::push_heap(took_.begin(), took_.end(), std::greater<>());
  if (took_.size() > kSlowest) {
    std::pop_heap(took_.begin(), took_.end(), std::greater<>());
    took_.pop_back();
  }
  if (took_.size() == kSlowest) floor_ = took_.front();
  recorder->AddSlow(trace, is_open_loop_);
}

}  // namespace tidemark
