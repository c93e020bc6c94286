#include "agent/engine/windows.h"

#include <algorithm>
#include <utility>

#include "absl/numeric/int128.h"
#include "agent/host/machine.h"

namespace tidemark {
namespace {

constexpr Nanos kWindow = kSecond;
// Made while preparing, so that a window's end costs no page faults.
constexpr std::size_t kSpareRecorders = 3;

}  // namespace

std::unique_ptr<Recorder> Windows::Make() const {
  auto recorder = std::make_unique<Recorder>();
  recorder->requests.resize(requests_);
  return recorder;
}

std::unique_ptr<Recorder> Windows::Exchange() {
  if (spare_.empty()) return std::exchange(recorder_, Make());
  std::unique_ptr<Recorder> next = std::move(spare_.back());
  spare_.pop_back();
  return std::exchange(recorder_, std::move(next));
}

void Windows::Prepare() {
  while (spare_.size() < kSpareRecorders) spare_.push_back(Make());
  Exchange();
}

void Windows::Begin(Nanos start) {
  start_ = counted_to_ = start;
  length_ = last_end_ = 0;
  number_ = 0;
  sent_ = responses_ = 0;
  is_draining_ = false;
  cpu_ = ThreadCpuTime();
  run_delay_ = ThreadRunDelay();
  // Streams have not waited for the start.
  recorder_->counters.early_messages = recorder_->counters.messages;
  recorder_->counters.early_message_bytes = recorder_->counters.message_bytes;
  recorder_->named.ClearStreams();
}

Nanos Windows::End() const { return start_ + (static_cast<Nanos>(number_) + 1) * kWindow; }

void Windows::LimitLength(Nanos end) { length_ = std::max<Nanos>(1, end - start_); }

void Windows::BeginDraining() {
  is_draining_ = true;
  number_ = std::max(number_, static_cast<std::uint32_t>((length_ + kWindow - 1) / kWindow));
}

// What the thread has spent since that was last counted: up to the end of the duration, which may have passed.
void Windows::CountSpent(Nanos now) {
  const Nanos passed = now - counted_to_;
  const Nanos counted = (length_ != 0 ? start_ + length_ : now) - counted_to_;
  const auto within = [passed, counted](Nanos spent) {
    if (counted < passed) spent = static_cast<Nanos>(absl::int128(spent) * std::max<Nanos>(0, counted) / passed);
    return static_cast<std::uint64_t>(std::clamp<Nanos>(spent, 0, std::max<Nanos>(0, counted)));
  };
  counted_to_ = now;
  const Nanos cpu = ThreadCpuTime();
  recorder_->counters.cpu_ns += within(cpu - std::exchange(cpu_, cpu));
  const Nanos run_delay = ThreadRunDelay();
  recorder_->counters.run_delay_ns += within(run_delay - std::exchange(run_delay_, run_delay));
}

Windows::Closed Windows::Close(Nanos now, bool is_final) {
  Counters& counters = recorder_->counters;
  if (is_draining_) {
    counters.drained = counters.Complete();
    counters.drained_sent = counters.sent;
    counters.drained_success = counters.success;
    counters.drained_messages = counters.messages;
    counters.drained_bytes = counters.bytes_received;
    counters.drained_busy_ns = counters.busy_ns;
    recorder_->stood_still = 0;
  } else {
    CountSpent(now);
    if (recorder_->last_end != 0) last_end_ = recorder_->last_end;
  }
  sent_ += counters.RequestsSent();
  responses_ += counters.Complete();
  Closed closed{.number = number_};
  closed.length = length_ != 0 ? length_ : (is_final && last_end_ != 0 ? last_end_ : now) - start_;
  closed.recorder = Exchange();
  number_ = std::max(number_ + 1, static_cast<std::uint32_t>((now - start_) / kWindow));
  return closed;
}

}  // namespace tidemark
