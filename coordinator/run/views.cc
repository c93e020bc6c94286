#include "coordinator/run/views.h"

#include <cstdint>
#include <memory>
#include <numeric>

#include "common/plan/sweep.h"
#include "coordinator/report/summary.h"
#include "protos/report.pb.h"

namespace tidemark {
namespace {

// Adding up a thousand agents for each of a thousand shards a second would cost a fifth of a core.
constexpr Nanos kUpdateInterval = 100 * kMillisecond;

}  // namespace

void Views::BeginPoint() {
  const PointResult& point = *run_->point.result;
  last_update_ = 0;
  windows_told_ = 0;
  const Nanos length = PointLength(run_->plan.sweep());
  const std::int64_t requests =
      length != 0 ? 0 : std::accumulate(point.request_shares.begin(), point.request_shares.end(), std::int64_t{0});
  for (RunObserver* const observer : observers_)
    observer->BeginPoint({.index = point.index,
                          .count = static_cast<std::uint32_t>(PointCount(run_->plan.sweep())),
                          .connections = point.connections,
                          .rate = point.rate,
                          .length = length,
                          .requests = static_cast<std::uint64_t>(requests)});
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

void Views::Start() {
  last_update_ = 0;
  Update();
}

void Views::EndPoint() {
  TellWindows();
  PointSoFar so_far = SoFar();
  so_far.judged = std::make_shared<const proto::Point>(SummarisePoint(run_->result, *run_->point.result, run_->plan));
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

std::vector<AgentSoFar> Views::Agents() const {
  const Merger& merger = *run_->point.result->merger;
  const bool is_listening = merger.IsListening();
  std::vector<AgentSoFar> agents;
  agents.reserve(run_->agents.size());
  for (std::size_t i = 0; i < run_->agents.size(); ++i) {
    const AgentState& state = run_->agents[i];
    const AgentSecond& last = merger.agents()[i].last;
    AgentSoFar& agent = agents.emplace_back(
        AgentSoFar{.up = state.part.up, .is_lost = state.is_lost, .p99 = last.p99, .lateness_p99 = last.lateness_p99});
    if (last.length <= 0) continue;
    const auto length = static_cast<double>(last.length);
    agent.per_s = static_cast<double>(is_listening ? last.messages : last.requests) * 1e9 / length;
    if (state.workers > 0) agent.cpu = static_cast<double>(last.cpu_ns) / length / state.workers;
  }
  return agents;
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
          .running = running,
          .p50 = merger.histogram(merger.headline()).Quantile(50, 100),
          .start = run_->point.start,
          .clock_error = run_->point.result->start_skew_bound,
          .failures = merger.failures(),
          .agents = std::make_shared<const std::vector<AgentSoFar>>(Agents())};
}

}  // namespace tidemark
