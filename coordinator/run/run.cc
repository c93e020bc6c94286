#include "coordinator/run/run.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/control/address.h"
#include "common/plan/sweep.h"
#include "common/units.h"
#include "coordinator/run/accounts.h"

namespace tidemark {
namespace {

std::string NewRunId(double wall_seconds) {
  std::random_device device;
  const std::string time = FormatWallTime(wall_seconds);  // 2026-11-23T12:00:00.000Z
  return absl::StrFormat("%s%s%sT%s%s%sZ-%06x", time.substr(0, 4), time.substr(5, 2), time.substr(8, 2),
                         time.substr(11, 2), time.substr(14, 2), time.substr(17, 2), device() & 0xffffff);
}

}  // namespace

Run::Run(const proto::Plan& plan, std::vector<FoundAgent> agents, RunEvents* events, RunObserver* observer,
         const RunLimits& limits)
    : state_{.plan = plan, .found = std::move(agents), .events = events, .limits = limits},
      views_(&state_),
      losses_(&state_),
      agent_events_(&state_, &losses_, &views_),
      waiting_(&state_, &agent_events_, &losses_),
      opening_(&state_, &waiting_, &losses_),
      point_run_(&state_, &waiting_, &views_) {
  state_.result.run = NewRunId(WallSeconds());
  if (observer != nullptr) views_.Add(observer);
}

RunResult Run::Execute() {
  RunResult& result = state_.result;
  state_.started = MonotonicNow();
  result.started_wall_s = WallSeconds();
  result.started_at = FormatWallTime(result.started_wall_s);
  if (opening_.Open()) {
    const int count = PointCount(state_.plan.sweep());
    result.points.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      if (!RunPoint(static_cast<std::uint32_t>(i))) break;
      if (!state_.is_last_point || i + 1 == count) continue;
      result.Note(kExitInterrupted,
                  absl::StrCat("ended after point ", i + 1, " of ", count, ", as asked: what follows was not run"));
      break;
    }
  }
  if (state_.is_interrupted) result.Note(kExitInterrupted, "interrupted: what follows was not run");
  Close();
  AskTheLost();
  NoteUnaccounted(state_.plan, &result);
  state_.events->EndRun();
  if (state_.journal != nullptr) state_.journal->End(result);
  return std::move(result);
}

// False if the run must end.
bool Run::RunPoint(std::uint32_t index) {
  std::vector<PointResult>& points = state_.result.points;
  for (std::uint32_t attempt = 0;; ++attempt) {
    PointResult& point = points.emplace_back();
    point.attempt = attempt;
    if (!point_run_.Try(index, &point)) return false;
    if (!state_.redo.is_due) return true;
    state_.redo.is_due = false;
    views_.Say(state_.redo.note);
    state_.result.abandoned.push_back(std::move(point));
    points.pop_back();
    state_.point.result = nullptr;
  }
}

// All are told before the first is waited for; who does not answer is not waited for at all.
void Run::Close() {
  proto::Command close;
  close.mutable_close();
  const RunLimits& limits = state_.limits;
  const Nanos close_by = MonotonicNow() + (state_.is_interrupted ? limits.interrupted_close : limits.close);
  for (std::size_t i = 0; i < state_.agents.size(); ++i) {
    AgentState& agent = state_.agents[i];
    state_.SendTo(i, close);
    if (!agent.stream.IsOpen()) continue;
    agent.stream.CloseBy(close_by);
    agent.is_lost ? agent.stream.Cancel() : agent.stream.Finish();
  }
  for (std::size_t i = 0; i < state_.agents.size(); ++i) {
    AgentState& agent = state_.agents[i];
    agent.stream.Drop();
    if (const auto drift = agent.clock.drift().Ppm()) state_.result.agents[i].set_clock_drift_ppm(*drift);
  }
}

// Who was cut off, or stood still, lives on, and knows what it had sent.
void Run::AskTheLost() {
  std::vector<LostAgent> lost;
  Nanos deadline = MonotonicNow() + state_.limits.account;
  for (std::size_t i = 0; i < state_.agents.size(); ++i) {
    const AgentState& agent = state_.agents[i];
    if (!agent.may_be_asked) continue;
    lost.push_back({.agent = i, .channel = state_.found[i].channel, .incarnation = agent.incarnation});
    deadline = std::max(deadline, agent.stream.last_heard() + kLeaseMillis * kMillisecond + state_.limits.account);
  }
  if (lost.empty() || state_.is_interrupted) return;
  views_.Say(lost.size() == 1 ? "asking the agent that was lost what it had sent"
                              : "asking the agents that were lost what they had sent");
  const auto answers = AskForAccounts(lost, state_.result.run, deadline, [this](Nanos length) {
    const std::optional<RunEvent> event = state_.events->Pop(MonotonicNow() + length);
    return !event || event->kind != RunEvent::Kind::kInterrupt;
  });
  for (std::size_t i = 0; i < lost.size(); ++i) {
    if (!answers[i] || !TakeAccount(state_.plan, lost[i].agent, *answers[i], &state_.result)) continue;
    if (state_.journal != nullptr) state_.journal->Account(lost[i].agent, *answers[i]);
  }
}

}  // namespace tidemark
