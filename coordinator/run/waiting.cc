#include "coordinator/run/waiting.h"

#include <malloc.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/units.h"

namespace tidemark {
namespace {

constexpr Nanos kPollInterval = 100 * kMillisecond;
// A turn of the loop that takes so long was kept from its core, or stopped.
constexpr Nanos kStoodStill = kSecond;
// An agent that ends says why with its last shard.
constexpr Nanos kLeave = kSecond;
constexpr std::size_t kManyAgents = 100;
constexpr std::uint64_t kTrimInterval = 2;  // heartbeats

}  // namespace

bool Waiting::ForAll(const std::function<bool(const AgentState&)>& is_done, Nanos limit, absl::string_view what) {
  Nanos begin = MonotonicNow();
  Nanos turn = begin;
  const bool was_ending = run_->IsEnding();
  std::vector<AgentState>& agents = run_->agents;
  while (true) {
    const bool is_complete = std::all_of(agents.begin(), agents.end(),
                                         [&](const AgentState& agent) { return agent.is_lost || is_done(agent); });
    if (is_complete) return !run_->IsEnding();
    if (!was_ending && run_->IsEnding() && !run_->point.is_running) return false;
    const Nanos now = MonotonicNow();
    if (now - turn > kStoodStill) {
      // What came meanwhile has not been looked at: nobody is late for it.
      run_->point.woke_at = now;
      run_->point.stood_still += now - turn;
      begin += now - turn;
    }
    turn = now;
    Heartbeat(now);
    for (std::size_t i = 0; i < agents.size(); ++i) {
      if (!agents[i].is_lost && agents[i].stream.IsBroken()) Reconnect(i);
      if (!agents[i].is_lost && !is_done(agents[i])) LoseTheLate(begin, limit, i, what);
    }
    // All that has come, before all agents are looked at again: there may be a thousand of both.
    std::optional<RunEvent> event = run_->events->Pop(now + kPollInterval);
    for (std::size_t i = 0; event && i < agents.size(); ++i) {
      agent_events_->Handle(std::move(*event));
      event = run_->events->Pop(0);
    }
    if (event) agent_events_->Handle(std::move(*event));
  }
}

bool Waiting::For(Nanos length) {
  const Nanos end = MonotonicNow() + length;
  while (!run_->IsEnding()) {
    std::optional<RunEvent> event = run_->events->Pop(end);
    if (!event) return true;
    agent_events_->Handle(std::move(*event));
  }
  return false;
}

std::uint64_t Waiting::PingAll() {
  ++last_ping_;
  for (std::size_t i = 0; i < run_->agents.size(); ++i) Ping(i, false);
  return last_ping_;
}

void Waiting::Heartbeat(Nanos now) {
  if (now - last_heartbeat_ < run_->limits.heartbeat) return;
  last_heartbeat_ = now;
  ++last_ping_;
  for (std::size_t i = 0; i < run_->agents.size(); ++i) Ping(i, true);
  // Of many agents' connecting and reporting at the same time holes are left in the heap.
  if (run_->agents.size() > kManyAgents && last_ping_ % kTrimInterval == 0) malloc_trim(0);
}

// In a step that may be long the agent must be heard of all the time.
void Waiting::LoseTheLate(Nanos begin, Nanos limit, std::size_t agent, absl::string_view what) {
  const Nanos now = MonotonicNow();
  const AgentState& state = run_->agents[agent];
  const bool is_long = limit == 0 || (limit > run_->limits.answer && state.is_opened);
  const bool is_silent =
      is_long && now - std::max({state.stream.last_heard(), begin, run_->point.woke_at}) > run_->limits.silence;
  const bool is_late = limit != 0 && now - begin > limit;
  if (is_silent || is_late) return losses_->Lose(agent, kExitAgents, absl::StrCat("did not answer in time: ", what));
  if (limit != 0) return;
  if (const std::string why = WhyLateAtTheEnd(state, now); !why.empty()) losses_->Lose(agent, kExitAgents, why);
}

// Empty if it is not.
std::string Waiting::WhyLateAtTheEnd(const AgentState& agent, Nanos now) const {
  const PointState& point = run_->point;
  const RunLimits& limits = run_->limits;
  if (point.stopped_at != 0 && now - std::max(point.stopped_at, point.woke_at) > limits.stop)
    return absl::StrCat("did not end the point within ", FormatDuration(limits.stop), " of being told to stop");
  if (point.start == 0 || point.stopped_at != 0) return "";
  const Nanos last_shard = std::max(agent.part.last_shard, point.woke_at);
  if (agent.part.has_left_early) return now - last_shard > kLeave ? "it ended the point before its time" : "";
  if (now - last_shard > limits.shard)
    return absl::StrCat("answers, but has sent no shard for ", FormatDuration(limits.shard),
                        ": did a worker of it stand still?");
  const Nanos longest = agent.part.claims->LongestRun() + point.stood_still;
  if (now - point.start <= longest) return "";
  return absl::StrCat("did not end the point within ", FormatDuration(longest),
                      " of its start, which its length, its time-outs and its drain allow");
}

void Waiting::Reconnect(std::size_t agent) {
  AgentState& state = run_->agents[agent];
  if (MonotonicNow() - std::max(state.stream.last_heard(), run_->point.woke_at) > run_->limits.resume)
    return losses_->Lose(agent, kExitAgents, state.stream.broken().why);
  state.stream.TryAgain(run_->result.run, state.incarnation, run_->limits.resume);
}

// With the id `last_ping_`. A heartbeat is not said again on a new stream, where a later one follows.
void Waiting::Ping(std::size_t agent, bool is_heartbeat) {
  AgentState& state = run_->agents[agent];
  if (state.is_lost || !state.stream.IsOpen() || !state.busy.empty()) return;
  state.clock.Ping(last_ping_, MonotonicNow());
  proto::Command command;
  command.mutable_ping()->set_id(last_ping_);
  is_heartbeat ? state.stream.SendOnce(std::move(command)) : state.stream.Send(std::move(command));
}

}  // namespace tidemark
