#include "coordinator/run/agent_events.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/check.h"
#include "common/plan/expectation.h"
#include "common/plan/sweep.h"
#include "common/units.h"
#include "coordinator/analysis/confidence.h"

namespace tidemark {
namespace {

// What an agent's clock, and its word on when it was armed, may be.
constexpr std::int64_t kMaxClock = std::int64_t{1} << 62;
constexpr Nanos kMaxMargin = 3600 * kSecond;
// By which an agent's clock may say that a point's time is over before ours does.
constexpr Nanos kEarly = 200 * kMillisecond;

// As an agent refuses a run when it has another one.
bool IsBusy(const proto::Failure& failure) {
  return failure.exit_code() == kExitAgents && absl::StartsWith(failure.message(), "the agent is busy with ");
}

}  // namespace

void AgentEvents::Handle(RunEvent event) {
  if (event.kind == RunEvent::Kind::kInterrupt) {
    if (std::exchange(run_->is_interrupted, true)) return;
    views_->Say("stopping: requests in flight may finish; press Ctrl-C again to leave at once");
    return run_->StopAll();
  }
  if (event.kind == RunEvent::Kind::kLastPoint) {
    run_->is_last_point = true;
    return;
  }
  if (!run_->agents[event.agent].stream.IsOf(event.link)) return;
  event.kind == RunEvent::Kind::kStreamEnd ? HandleStreamEnd(event.agent, event.reason)
                                           : HandleEvent(event.agent, std::move(event.event), event.received);
}

// The stream to an agent is gone; while its lease lasts, another may take its place.
void AgentEvents::HandleStreamEnd(std::size_t agent, const std::string& why) {
  AgentState& state = run_->agents[agent];
  if (state.is_lost) return;
  if (!state.stream.IsOpen() || !state.busy.empty()) return;  // given back, or refused
  if (!state.is_opened) return losses_->Lose(agent, kExitAgents, why, true);
  state.stream.BreakNow(why);
}

void AgentEvents::HandleEvent(std::size_t index, proto::Event event, Nanos received) {
  AgentState& agent = run_->agents[index];
  if (agent.is_lost) return;  // what was under way when it was given up
  const Inbox::Verdict verdict = agent.stream.Take(event, received);
  if (verdict == Inbox::Verdict::kRepeated) return;
  if (verdict == Inbox::Verdict::kGap) return losses_->Lose(index, kExitAccounting, "an event of it is missing");
  if (const absl::Status status = Check(agent, event); !status.ok())
    return losses_->Lose(index, kExitAccounting, std::string(status.message()));
  switch (event.kind_case()) {
    case proto::Event::kOpened:
      return HandleOpened(index, event.opened());
    case proto::Event::kProgress:
      agent.part.up = event.progress().connections_up();
      if (!event.progress().remark().empty() && !std::exchange(run_->point.has_remark, true))
        views_->Say(event.progress().remark());
      return views_->Update();
    case proto::Event::kReady:
      return HandleReady(index, event.ready());
    case proto::Event::kPong:
      return agent.clock.Pong(event.pong().id(), event.pong().agent_ns(), received);
    case proto::Event::kResumed:
      run_->result.agents[index].set_resumed_streams(run_->result.agents[index].resumed_streams() + 1);
      return agent.stream.TakeUp();
    case proto::Event::kArmed:
      agent.part.is_armed = true;
      agent.part.is_arming = false;
      agent.part.margin = event.armed().margin_ns();
      return;
    case proto::Event::kShard:
      return HandleShard(index, std::move(*event.mutable_shard()));
    case proto::Event::kFailure:
      return HandleFailure(index, event.failure());
    case proto::Event::KIND_NOT_SET:
      return losses_->Lose(index, kExitAgents, "it sent an unknown event");
  }
}

void AgentEvents::HandleOpened(std::size_t index, const proto::Opened& opened) {
  AgentState& agent = run_->agents[index];
  agent.is_opened = true;
  agent.incarnation = opened.incarnation();
  agent.workers = opened.workers();
  agent.ceilings = {.max_rate = opened.max_rate(), .max_connect_rate = opened.max_connect_rate()};
  proto::AgentInfo& info = run_->result.agents[index];
  info.set_version(opened.version());
  info.set_workers(opened.workers());
  info.set_permission(opened.permission());
  *info.mutable_target_addresses() = opened.target_addresses();
  *info.mutable_left_out_addresses() = opened.left_out_addresses();
}

void AgentEvents::HandleReady(std::size_t index, const proto::Ready& ready) {
  AgentPart& part = run_->agents[index].part;
  part.is_ready = true;
  part.is_preparing = false;
  part.up = ready.connections_up();
  part.errors.assign(ready.errors().begin(), ready.errors().end());
  const absl::Status status = AddWarmup(ready.warmup(), ready.connects(), ready.statuses(), ready.addresses(),
                                        static_cast<std::uint32_t>(index), run_->point.result);
  if (!status.ok()) return losses_->Lose(index, kExitAccounting, std::string(status.message()));
  views_->Update();
}

void AgentEvents::HandleFailure(std::size_t index, const proto::Failure& failure) {
  AgentState& agent = run_->agents[index];
  if (!agent.is_opened && IsBusy(failure)) {
    agent.busy = failure.message();
    return;
  }
  if (!IsFailureCode(failure.exit_code()))
    return losses_->Lose(
        index, kExitAccounting,
        absl::StrCat("it ended with exit code ", failure.exit_code(), ", which no agent sends: ", failure.message()));
  losses_->Lose(index, failure.exit_code(), failure.message(), true);
}

// Whether the event may come now, and what it says can be.
absl::Status AgentEvents::Check(const AgentState& agent, const proto::Event& event) const {
  const auto refuse = [](absl::string_view what) { return absl::DataLossError(what); };
  const AgentPart& part = agent.part;
  const PointState& point = run_->point;
  const bool is_of_point = part.claims != nullptr && point.result != nullptr && point.ledger != nullptr;
  switch (event.kind_case()) {
    case proto::Event::kOpened:
      return agent.is_opened ? refuse("it opened the run twice") : CheckOpened(event.opened(), run_->plan);
    case proto::Event::kFailure:
    case proto::Event::KIND_NOT_SET:
      return absl::OkStatus();
    case proto::Event::kPong:  // while it opens the run, its lease is kept too
      if (event.pong().agent_ns() < 0 || event.pong().agent_ns() > kMaxClock)
        return refuse(absl::StrCat("its clock reads ", event.pong().agent_ns(), " ns"));
      return absl::OkStatus();
    default:
      if (!agent.is_opened) return refuse("it spoke before it had opened the run");
  }
  switch (event.kind_case()) {
    case proto::Event::kProgress:
      if (!is_of_point) return refuse("it told of the progress of no point");
      return part.claims->CheckProgress(event.progress().connections_up());
    case proto::Event::kReady:
      if (!is_of_point || !part.is_preparing) return refuse("it was ready, though nothing was to be prepared");
      return part.claims->CheckReady(event.ready(), MonotonicNow() - part.prepared_at);
    case proto::Event::kResumed:
      return agent.stream.IsBroken() ? absl::OkStatus() : refuse("it resumed a stream that had not broken");
    case proto::Event::kArmed:
      if (!is_of_point || !part.is_arming) return refuse("it was armed, though nobody had asked for it");
      if (event.armed().point() != point.result->index)
        return refuse(
            absl::StrCat("it was armed for point ", event.armed().point(), ", not for ", point.result->index));
      if (event.armed().margin_ns() < -kMaxMargin || event.armed().margin_ns() > kMaxMargin)
        return refuse(absl::StrCat("it was armed ", event.armed().margin_ns(),
                                   " ns before the start, which lies within ", FormatDuration(kMaxMargin)));
      return absl::OkStatus();
    default:
      return is_of_point ? absl::OkStatus() : refuse("it sent a shard of no point");
  }
}

void AgentEvents::HandleShard(std::size_t index, proto::Shard shard) {
  PointState& point = run_->point;
  if (shard.key().agent() != index || point.ledger == nullptr) {
    return losses_->Lose(index, kExitAccounting, "it sent a shard in another agent's name");
  }
  for (proto::Shard& next : point.ledger->Offer(std::move(shard))) {
    AgentPart& part = run_->agents[index].part;
    if (!part.is_ready || (point.start == 0 && point.stopped_at == 0))
      return losses_->Lose(index, kExitAccounting, "it sent a shard of a point that has not begun");
    const Nanos now = MonotonicNow();
    const Nanos start = point.start != 0 ? point.start : point.stopped_at;
    if (const absl::Status status = part.claims->CheckShard(next, now - part.prepared_at, now - start); !status.ok())
      return losses_->Lose(index, kExitAccounting, std::string(status.message()));
    part.last_shard = now;
    if (run_->journal != nullptr) run_->journal->Add(&next);
    if (const absl::Status status = point.result->merger->Apply(next); !status.ok()) {
      return losses_->Lose(index, kExitAccounting, std::string(status.message()));
    }
    part.has_left_early = next.is_final() && IsEarly(index, next);
    part.is_final = next.is_final() && !part.has_left_early;
    if (part.has_left_early) point.result->early.insert(index);
  }
  FinishIfPrecise();
  views_->Update();
}

// Whether the agent ends its point, with this shard, though nobody told it to, and its part is not done.
bool AgentEvents::IsEarly(std::size_t index, const proto::Shard& last) const {
  const PointResult& point = *run_->point.result;
  const bool is_told = run_->point.stopped_at != 0 || point.is_precise;
  if (is_told || point.shares[index] == 0) return false;
  // By its own clock: we may have stood still meanwhile, and hear of it when the time would be over.
  if (const Nanos length = PointLength(run_->plan.sweep()); length != 0) return last.length_ns() < length - kEarly;
  Counters counters;
  Pending pending;
  FromProto(last.counters(), &counters, &pending);
  return counters.planned < static_cast<std::uint64_t>(point.request_shares[index]) ||
         counters[NeverSent::kStopped] != 0;
}

// Ends the point if the interval that the plan waits for is narrow enough. Looked at when another twentieth has come:
// then the batches of the interval are equal and whole.
void AgentEvents::FinishIfPrecise() {
  PointResult& point = *run_->point.result;
  const std::string& until = run_->plan.sweep().until();
  if (!run_->point.is_running || point.is_precise || until.empty()) return;
  const std::size_t seconds = point.merger->windows().size();
  if (seconds == run_->point.seconds_looked_at || seconds < 20 || seconds % std::max<std::size_t>(1, seconds / 20) != 0)
    return;
  run_->point.seconds_looked_at = seconds;
  const auto precision = ParsePrecision(until);
  CHECK(precision.ok());  // the plan is valid
  const auto interval = BatchInterval(SecondsOf(*point.merger), precision->numerator, precision->denominator);
  if (!interval || interval->high - interval->low > precision->half_width * (interval->high + interval->low)) return;
  point.is_precise = true;
  proto::Command command;
  command.mutable_finish();
  for (std::size_t i = 0; i < run_->agents.size(); ++i) run_->SendTo(i, command);
}

}  // namespace tidemark
