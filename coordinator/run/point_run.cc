#include "coordinator/run/point_run.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/plan/split.h"
#include "common/plan/sweep.h"

namespace tidemark {
namespace {

constexpr int kPingCount = 8;
// T0 lies this far ahead: enough for every agent to hear of it, see DESIGN.md "A run".
constexpr Nanos kMinArmMargin = 50 * kMillisecond;
constexpr int kArmRoundTrips = 10;
constexpr Nanos kMaxArmMargin = 5 * kSecond;

const char* TlsRemedy(absl::string_view error, bool is_insecure) {
  if (absl::StrContains(error, "wrong version number")) return "what came is no TLS: http:// and ws:// go without";
  if (absl::StrContains(error, "unexpected eof")) return "does the target speak TLS at this port?";
  if (is_insecure) return "does the target speak TLS as it is asked to?";
  return "check the certificate and --cacert, or use --insecure";
}

}  // namespace

bool PointRun::Try(std::uint32_t index, PointResult* point) {
  run_->point.result = point;
  run_->point.start = run_->point.stopped_at = run_->point.stood_still = 0;
  Prepare(index, point);
  Nanos prepare_limit = 0;
  for (const AgentState& agent : run_->agents) {
    if (agent.is_lost) continue;
    prepare_limit = std::max(prepare_limit, run_->limits.answer + agent.part.claims->LongestPreparing());
  }
  bool is_going =
      waiting_->ForAll([](const AgentState& agent) { return agent.part.is_ready; }, prepare_limit, "preparing");
  for (const AgentState& agent : run_->agents) point->connections_up += agent.part.up;
  if (is_going) SayWhatIsNotUp(*point);
  if (is_going && index == 0 && !TargetAnswers(*point)) {
    is_going = false;
    run_->is_failed = true;
  }
  run_->point.is_running = is_going && Synchronise(point) && Arm(point);
  if (!run_->point.is_running) run_->StopAll();
  // Stopped or not, each agent that has prepared ends the point with a final shard.
  waiting_->ForAll([](const AgentState& agent) { return agent.part.is_final; }, 0, "the point's end");
  run_->point.is_running = false;
  End(point);
  return !run_->is_interrupted && !run_->is_failed;
}

void PointRun::Prepare(std::uint32_t index, PointResult* point) {
  run_->point.has_remark = false;
  run_->point.seconds_looked_at = 0;
  const proto::Sweep& sweep = run_->plan.sweep();
  std::vector<std::int64_t> living;  // 1, or 0 of an agent that was lost before
  for (const AgentState& agent : run_->agents) living.push_back(agent.is_lost ? 0 : 1);
  point->index = index;
  point->connections = PointAt(sweep, static_cast<int>(index)).connections;
  if (!sweep.rates().empty()) point->rate = sweep.rates(static_cast<int>(index));
  point->shares = SplitByWeight(point->connections, living);
  point->request_shares = RequestShares(sweep, point->shares);
  point->merger = MakeMerger(run_->plan, run_->agents.size());
  std::vector<std::uint64_t> incarnations;
  for (std::size_t i = 0; i < run_->agents.size(); ++i) {
    incarnations.push_back(run_->agents[i].incarnation);
    if (run_->agents[i].is_lost) point->merger->LeaveOut(i);
  }
  run_->point.ledger = std::make_unique<Ledger>(run_->result.run, index, point->attempt, incarnations);
  views_->BeginPoint();
  SendPrepare(*point);
  if (run_->journal != nullptr) run_->journal->BeginPoint(index, *point);
}

void PointRun::SendPrepare(const PointResult& point) {
  const proto::Sweep& sweep = run_->plan.sweep();
  // Of an open loop an agent is told the same number, which its part of the slots takes the place of.
  const std::vector<std::int64_t> requests = SplitByWeight(sweep.requests(), point.shares);
  const std::vector<std::int64_t> rates = SplitConnectRate(sweep.connect_rate(), point.shares);
  // The agents that have connections deal an open loop's slots among themselves in turn.
  const auto streams = std::count_if(point.shares.begin(), point.shares.end(), [](auto share) { return share > 0; });
  std::int64_t stream = 0;
  std::int64_t first_connection = 0;
  for (std::size_t i = 0; i < run_->agents.size(); ++i) {
    AgentState& agent = run_->agents[i];
    agent.part = AgentPart();
    agent.part.is_preparing = true;
    agent.part.prepared_at = MonotonicNow();
    agent.part.claims = std::make_unique<Claims>(
        run_->plan, ShareOf(point.index, point.shares, point.request_shares, i), agent.workers, agent.ceilings);
    agent.clock.BeginBurst();
    proto::Command command;
    proto::Prepare* prepare = command.mutable_prepare();
    prepare->set_point(point.index);
    prepare->set_attempt(point.attempt);
    prepare->set_connections(point.shares[i]);
    prepare->set_first_connection(first_connection);
    prepare->set_requests(requests[i]);
    prepare->set_connect_rate(rates[i]);
    prepare->set_stream(point.shares[i] > 0 ? stream : 0);
    prepare->set_streams(point.shares[i] > 0 ? streams : 0);
    stream += point.shares[i] > 0 ? 1 : 0;
    run_->SendTo(i, command);
    first_connection += point.shares[i];
  }
}

// The most frequent error of the connections that are not up; null if there is none.
const proto::ConnectError* PointRun::MostFrequentError() const {
  const proto::ConnectError* most = nullptr;
  for (const AgentState& agent : run_->agents) {
    for (const proto::ConnectError& error : agent.part.errors) {
      if (most == nullptr || error.count() > most->count()) most = &error;
    }
  }
  return most;
}

void PointRun::SayWhatIsNotUp(const PointResult& point) {
  const proto::ConnectError* const most = MostFrequentError();
  if (most == nullptr || point.connections_up == 0 || point.connections_up >= point.connections) return;
  views_->Say(absl::StrCat(point.connections - point.connections_up, " of ", point.connections,
                           " connections are not up when the point starts: ", most->text()));
}

// False if not one connection could be opened: then the target is at fault, and there is nothing to measure.
bool PointRun::TargetAnswers(const PointResult& point) {
  if (point.connections_up > 0 || point.warmup.sent > 0) return true;
  const proto::ConnectError* const most = MostFrequentError();
  if (most == nullptr) return true;
  const char* remedy = "is the server running, and the port right?";
  if (most->result() == static_cast<std::uint32_t>(ConnectResult::kTlsFailed))
    remedy = TlsRemedy(most->text(), run_->plan.tls().insecure());
  if (absl::StrContains(most->text(), kCertificateRequired.label)) remedy = kClientCertificateRemedy;
  if (most->result() == static_cast<std::uint32_t>(ConnectResult::kUpgradeFailed))
    remedy = "does it serve WebSockets at this path, with these headers?";
  if (absl::StartsWith(most->text(), "proxy ")) remedy = "does the proxy know CONNECT, and let this user through?";
  if (absl::StartsWith(most->text(), "subscribe: ")) remedy = "are web_socket.subscribe and web_socket.ack right?";
  // A text that says what to write needs no guess.
  const bool has_remedy = absl::StrContains(most->text(), "; write ");
  run_->result.Note(kExitTarget, absl::StrCat("target ", run_->plan.target(), ": ", most->text(),
                                              has_remedy ? "" : "; ", has_remedy ? "" : remedy));
  return false;
}

bool PointRun::Synchronise(PointResult* point) {
  for (int round = 0; round < kPingCount; ++round) {
    const std::uint64_t id = waiting_->PingAll();
    if (!waiting_->ForAll([id](const AgentState& agent) { return agent.clock.last_pong() >= id; }, run_->limits.answer,
                          "reading its clock"))
      return false;
  }
  Nanos error = 0;  // each offset is right within half of its shortest round trip
  for (std::size_t i = 0; i < run_->agents.size(); ++i) {
    if (run_->agents[i].is_lost) continue;
    const ClockOffset& clock = run_->agents[i].clock.offset();
    error = std::max(error, clock.round_trip() / 2);
    if (!clock.IsKnown()) continue;
    run_->result.agents[i].set_clock_error_us(static_cast<double>(clock.round_trip()) / 2e3);
    run_->result.agents[i].set_clock_offset_ns(clock.offset());
  }
  point->start_skew_bound = run_->agents.size() > 1 ? 2 * error : 0;
  return true;
}

bool PointRun::Arm(PointResult* point) {
  Nanos slowest = 0;
  for (const AgentState& agent : run_->agents) {
    if (!agent.is_lost) slowest = std::max(slowest, agent.clock.offset().slowest());
  }
  const Nanos start = MonotonicNow() + std::min(kMaxArmMargin, std::max(kMinArmMargin, kArmRoundTrips * slowest));
  point->is_started = true;
  run_->point.start = start;
  point->start_offset = start - run_->started;
  if (run_->journal != nullptr) run_->journal->Start(*point);
  for (std::size_t i = 0; i < run_->agents.size(); ++i) {
    AgentState& agent = run_->agents[i];
    proto::Command command;
    agent.part.is_arming = true;
    agent.part.last_shard = start;
    command.mutable_arm()->set_point(point->index);
    command.mutable_arm()->set_start_ns(start + agent.clock.offset().offset());
    run_->SendTo(i, command);
  }
  if (!waiting_->ForAll([](const AgentState& agent) { return agent.part.is_armed; }, run_->limits.answer,
                        "being armed"))
    return false;
  for (std::size_t i = 0; i < run_->agents.size(); ++i) {
    const AgentState& agent = run_->agents[i];
    if (agent.is_lost || agent.part.margin >= 0) continue;
    run_->result.Note(kExitAgents,
                      absl::StrCat("agent ", run_->found[i].address, " was armed ", -agent.part.margin / kMillisecond,
                                   " ms too late; the network or the host is overloaded"));
    run_->is_failed = true;
    return false;
  }
  views_->Start();
  return true;
}

void PointRun::End(PointResult* point) {
  RunResult& result = run_->result;
  point->is_interrupted = run_->is_interrupted;
  if (run_->redo.is_due && (run_->is_interrupted || run_->is_failed)) {
    run_->redo.is_due = false;
    for (std::string& note : result.notes)
      absl::StrReplaceAll({{run_->redo.phrase, "; the point is not made again"}}, &note);
  }
  ClosePoint(point, run_->redo.is_due ? kExitOk : kExitAccounting, &result);
  const Ledger& ledger = *run_->point.ledger;
  result.shards += ledger.accepted();
  result.duplicates += ledger.duplicates();
  result.rejected += ledger.rejected() + ledger.Waiting();
  if (run_->journal != nullptr) run_->journal->EndPoint(*point, run_->redo.is_due);
  views_->EndPoint();
}

}  // namespace tidemark
