#include "coordinator/run/losses.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/control/address.h"
#include "common/plan/limits.h"
#include "common/units.h"

namespace tidemark {
namespace {

constexpr std::uint32_t kMaxRedos = 1;  // of a point

}  // namespace

// Until when the agent, which is lost `now`, may have sent requests.
Departure Losses::DepartureOf(const AgentState& agent, Nanos now, bool has_left) const {
  constexpr Nanos kLease = kLeaseMillis * kMillisecond;
  // Far beyond any point, and no sum overflows.
  constexpr Nanos kNever = 2 * kMaxDuration;
  const Nanos started = run_->started;
  const AgentStream& stream = agent.stream;
  if (has_left) return {.likely = now - started, .latest = now + kSecond - started};
  // Its process is gone if its host refuses other streams; else its lease ends it.
  if (stream.IsBroken() && stream.broken().is_refused)
    return {.likely = stream.broken().at - started, .latest = now + kLease + kSecond - started};
  // It hears the Close; if it is slow, later.
  if (!stream.IsBroken() && now - stream.last_heard() < run_->limits.silence)
    return {.likely = now - started, .latest = now + kLease + kSecond - started};
  // Cut off, or stopped: then it may go on when it wakes, until it finds that its lease has run out.
  return {.likely = stream.last_heard() + kLease - started, .latest = kNever};
}

void Losses::Lose(std::size_t agent, int exit_code, const std::string& why, bool has_left) {
  AgentState& state = run_->agents[agent];
  PointResult* const point = run_->point.result;
  if (state.is_lost) return;
  const Departure departure = DepartureOf(state, MonotonicNow(), has_left);
  if (state.stream.IsOpen()) {
    // If it hears that, it need not go on until its lease runs out.
    proto::Command close;
    close.mutable_close();
    state.stream.Send(close);
    state.stream.Finish();
  }
  state.is_lost = true;
  run_->result.agents[agent].set_lost(why);
  if (point != nullptr && point->merger != nullptr) {
    point->merger->Lose(agent);
    point->departures[agent] = departure;
    // The word of one that has lied is worth nothing.
    state.may_be_asked = exit_code != kExitAccounting && state.is_opened;
  }
  const auto left =
      std::count_if(run_->agents.begin(), run_->agents.end(), [](const AgentState& other) { return !other.is_lost; });
  const bool is_its_fault = exit_code == kExitAgents || exit_code == kExitAccounting;
  const bool can_go_on =
      !run_->is_failed && is_its_fault && point != nullptr && left > 0 && run_->plan.on_agent_loss() != "fail";
  const bool is_redo =
      can_go_on && run_->plan.on_agent_loss() == "redo" && point->attempt < kMaxRedos && !run_->is_interrupted;
  std::string note = absl::StrCat("agent ", run_->found[agent].address, ": ", why);
  if (is_its_fault && point != nullptr && !point->is_started && !state.part.is_ready)
    absl::StrAppend(&note, "; what it sent to warm up is not counted");
  if (run_->point.stood_still != 0) {
    absl::StrAppend(&note, "; this coordinator stood still itself, for ", FormatDuration(run_->point.stood_still),
                    ": an agent that hears nothing for ", kLeaseMillis / 1'000, "s ends its part");
  }
  if (is_redo) {
    run_->redo.phrase = absl::StrCat("; the point of ", point->connections, " connections is made again, split over ",
                                     left, left == 1 ? " agent" : " agents");
    absl::StrAppend(&note, run_->redo.phrase);
    if (!run_->redo.is_due) run_->redo.note = note;  // the first says it all
    exit_code = kExitOk;
  }
  const bool has_ended_early = point != nullptr && point->early.count(agent) != 0;
  if (run_->journal != nullptr) run_->journal->Lose(agent, why, exit_code, note, departure, has_ended_early);
  run_->result.Note(exit_code, std::move(note));
  if (is_redo) {
    run_->redo.is_due = true;
  } else if (can_go_on || run_->is_failed) {
    return;
  } else {
    run_->is_failed = true;
  }
  run_->StopAll();
}

}  // namespace tidemark
