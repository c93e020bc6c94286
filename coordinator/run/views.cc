#include "coordinator/run/views.h"

#include <cstdint>
#include <memory>

#include "common/plan/sweep.h"

namespace tidemark {
namespace {

// Adding up a thousand agents for each of a thousand shards a second would cost a fifth of a core.
constexpr Nanos kUpdateInterval = 100 * kMillisecond;

}  // namespace

void Views::BeginPoint() {
  const PointResult& point = *run_->point.result;
  last_update_ = 0;
  windows_told_ = 0;
  for (RunObserver* const observer : observers_)
    observer->BeginPoint({.index = point.index,
                          .count = static_cast<std::uint32_t>(PointCount(run_->plan.sweep())),
                          .connections = point.connections,
                          .rate = point.rate});
}

void Views::Update() {
  if (run_->point.result == nullptr) return;
  TellWindows();
  const Nanos now = MonotonicNow();
  if (now - last_update_ < kUpdateInterval) return;
  last_update_ = now;
  const PointSoFar so_far = SoFar();
  for (RunObserver* const observer : observers_) observer->Update(so_far);
}

void Views::EndPoint() {
  TellWindows();
  const PointSoFar so_far = SoFar();
  for (RunObserver* const observer : observers_) observer->EndPoint(so_far);
}

void Views::Say(const std::string& text) {
  for (RunObserver* const observer : observers_) observer->Say(text);
}

void Views::TellWindows() {
  const std::vector<WindowSum>& windows = run_->point.result->merger->windows();
  for (; windows_told_ < windows.size(); ++windows_told_) {
    const auto window = std::make_shared<const WindowSum>(windows[windows_told_]);
    for (RunObserver* const observer : observers_) observer->AddWindow(window);
  }
}

PointSoFar Views::SoFar() const {
  const Merger& merger = *run_->point.result->merger;
  std::int64_t up = 0;
  for (const AgentState& agent : run_->agents) up += agent.part.up;
  const Counters counters = merger.counters();
  const bool is_listening = run_->plan.web_socket().has_listen();
  std::optional<std::uint64_t> errors;
  if (!is_listening) errors = counters.OutcomeTotal() - counters.success + counters.NeverSentTotal();
  const Nanos running = merger.length();
  // Known once the first shard after the end has come.
  const Nanos length = PointLength(run_->plan.sweep());
  const bool is_over = length != 0 && running >= length;
  const Pending pending = merger.pending();
  return {.up = up,
          .done = is_listening ? counters.messages : counters.Complete(),
          .drained = is_listening ? counters.drained_messages : counters.drained,
          .left = is_over && !is_listening ? pending.waiting + pending.in_flight : 0,
          .errors = errors,
          .p99 = merger.histogram(merger.headline()).Quantile(99, 100),
          .running = running};
}

}  // namespace tidemark
