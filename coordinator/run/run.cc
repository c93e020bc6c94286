#include "coordinator/run/run.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/check.h"
#include "common/control/address.h"
#include "common/control/protocol_version.h"
#include "common/inert_text.h"
#include "common/plan/durations.h"
#include "common/plan/expectation.h"
#include "common/plan/limits.h"
#include "common/plan/schedule.h"
#include "common/plan/split.h"
#include "common/plan/sweep.h"
#include "common/stats/histogram_codec.h"
#include "common/units.h"
#include "coordinator/analysis/confidence.h"
#include "coordinator/report/phrases.h"
#include "coordinator/run/accounts.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

constexpr int kPingCount = 8;
constexpr std::size_t kMaxPingsUnderWay = 64;
// T0 lies this far ahead: enough for every agent to hear of it, see DESIGN.md "A run".
constexpr Nanos kMinArmMargin = 50 * kMillisecond;
constexpr int kArmRoundTrips = 10;
constexpr Nanos kMaxArmMargin = 5 * kSecond;
// Between two attempts to open an agent that is busy; a random part of it is added.
constexpr Nanos kBusyInterval = 100 * kMillisecond;
// What an agent's clock, and its word on when it was armed, may be.
constexpr std::int64_t kMaxClock = std::int64_t{1} << 62;
constexpr Nanos kMaxMargin = 3600 * kSecond;
constexpr Nanos kPollInterval = 100 * kMillisecond;
// A turn of the loop that takes so long was kept from its core, or stopped.
constexpr Nanos kStoodStill = kSecond;
// By which an agent's clock may say that a point's time is over before ours does.
constexpr Nanos kEarly = 200 * kMillisecond;
// An agent that ends says why with its last shard.
constexpr Nanos kLeave = kSecond;
constexpr Nanos kResumeInterval = 100 * kMillisecond;
constexpr std::uint32_t kMaxRedos = 1;  // of a point
constexpr std::size_t kManyAgents = 100;
constexpr std::uint64_t kTrimInterval = 2;  // heartbeats

std::string NewRunId(double wall_seconds) {
  std::random_device device;
  const std::string time = FormatWallTime(wall_seconds);  // 2026-11-23T12:00:00.000Z
  return absl::StrFormat("%s%s%sT%s%s%sZ-%06x", time.substr(0, 4), time.substr(5, 2), time.substr(8, 2),
                         time.substr(11, 2), time.substr(14, 2), time.substr(17, 2), device() & 0xffffff);
}

// As an agent refuses a run when it has another one.
bool IsBusy(const proto::Failure& failure) {
  return failure.exit_code() == kExitAgents && absl::StartsWith(failure.message(), "the agent is busy with ");
}

const char* TlsRemedy(absl::string_view error, bool is_insecure) {
  if (absl::StrContains(error, "wrong version number")) return "what came is no TLS: http:// and ws:// go without";
  if (absl::StrContains(error, "unexpected eof")) return "does the target speak TLS at this port?";
  if (is_insecure) return "does the target speak TLS as it is asked to?";
  return "check the certificate and --cacert, or use --insecure";
}

}  // namespace

Run::Run(const proto::Plan& plan, std::vector<FoundAgent> agents, RunEvents* events, Progress* progress,
         const RunLimits& limits)
    : plan_(plan), found_(std::move(agents)), events_(events), progress_(progress), limits_(limits) {
  result_.run = NewRunId(WallSeconds());
}

RunResult Run::Execute() {
  started_ = MonotonicNow();
  result_.started_wall_s = WallSeconds();
  result_.started_at = FormatWallTime(result_.started_wall_s);
  if (Open()) {
    const int count = PointCount(plan_.sweep());
    result_.points.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      if (!RunPoint(static_cast<std::uint32_t>(i))) break;
    }
  }
  if (is_interrupted_) result_.Note(kExitInterrupted, "interrupted: what follows was not run");
  // All are told before the first is waited for; who does not answer is not waited for at all.
  proto::Command close;
  close.mutable_close();
  const Nanos close_by = MonotonicNow() + (is_interrupted_ ? limits_.interrupted_close : limits_.close);
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    SendTo(i, close);
    if (agents_[i].link == nullptr) continue;
    agents_[i].link->CloseBy(close_by);
    agents_[i].is_lost ? agents_[i].link->Cancel() : agents_[i].link->Finish();
  }
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    agents_[i].link.reset();
    if (const auto drift = agents_[i].drift.Ppm()) result_.agents[i].set_clock_drift_ppm(*drift);
  }
  AskTheLost();
  NoteUnaccounted(plan_, &result_);
  events_->EndRun();
  if (journal_ != nullptr) journal_->End(result_);
  return std::move(result_);
}

bool Run::Open() {
  agents_ = std::vector<AgentState>(found_.size());
  result_.agents.resize(found_.size());
  for (std::size_t i = 0; i < found_.size(); ++i) {
    result_.agents[i].set_agent(static_cast<std::uint32_t>(i));
    result_.agents[i].set_address(found_[i].address);
    result_.agents[i].set_is_insecure_control(found_[i].description.is_insecure());
    SendOpen(i);
  }
  const bool is_open = OpenAll();
  if (journal_ != nullptr) journal_->Begin(result_, plan_);
  return is_open && HasPorts();
}

void Run::SendOpen(std::size_t agent) {
  AgentState& state = agents_[agent];
  state.is_opened = false;
  state.busy.clear();
  state.outbox = Outbox<proto::Command>();
  state.inbox = Inbox();
  state.last_heard = MonotonicNow();
  state.link = std::make_unique<AgentLink>(agent, found_[agent].channel, events_, ++state.link_id);
  proto::Command command;
  proto::Open* open = command.mutable_open();
  open->set_protocol_version(kProtocolVersion);
  open->set_run(result_.run);
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  open->set_coordinator(InertName(absl::StrCat(host, ", process ", getpid())));
  open->set_agent(static_cast<std::uint32_t>(agent));
  *open->mutable_plan() = plan_;
  SendTo(agent, command);
}

// Of two coordinators that want the same agents at the same moment one gets them all: the agents have an order, which
// is that of their incarnations. Who is refused by one gives back those behind it, and asks again for a moment.
bool Run::OpenAll() {
  std::vector<std::size_t> order(agents_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
    return found_[a].description.incarnation() < found_[b].description.incarnation();
  });
  const Nanos give_up = MonotonicNow() + kBusyPatience;
  std::random_device device;
  while (true) {
    const bool is_going = WaitForAll(
        [](const AgentState& agent) { return agent.is_opened || !agent.busy.empty() || agent.link == nullptr; },
        limits_.open, "opening the run");
    if (!is_going) return false;
    const auto first =
        std::find_if(order.begin(), order.end(), [this](std::size_t agent) { return !agents_[agent].is_opened; });
    if (first == order.end()) return true;
    const AgentState& state = agents_[*first];
    if (state.link == nullptr) {  // given back before
      for (auto next = first; next != order.end(); ++next) {
        if (agents_[*next].link == nullptr) SendOpen(*next);
      }
      continue;
    }
    if (MonotonicNow() >= give_up) {
      Lose(*first, kExitAgents, state.busy, true);
      return false;
    }
    Release({first, order.end()});
    if (!Pause(kBusyInterval + device() % kBusyInterval)) return false;
    SendOpen(*first);
  }
}

// Ends the streams of `agents`, which are then free for others.
void Run::Release(const std::vector<std::size_t>& agents) {
  proto::Command close;
  close.mutable_close();
  const Nanos close_by = MonotonicNow() + limits_.close;
  for (const std::size_t agent : agents) {
    if (agents_[agent].link == nullptr) continue;
    if (agents_[agent].is_opened) SendTo(agent, close);
    agents_[agent].link->CloseBy(close_by);
    agents_[agent].link->Finish();
  }
  for (const std::size_t agent : agents) {
    agents_[agent].link.reset();
    agents_[agent].is_opened = false;
    agents_[agent].busy.clear();
  }
}

// False if the run must end.
bool Run::Pause(Nanos length) {
  const Nanos end = MonotonicNow() + length;
  while (!IsEnding()) {
    std::optional<RunEvent> event = events_->Pop(end);
    if (!event) return true;
    Handle(std::move(*event));
  }
  return false;
}

// Whether each agent has a local port for each of its connections, at every point.
bool Run::HasPorts() {
  if (plan_.target().rfind("unix:", 0) == 0) return true;
  for (const std::int64_t connections : plan_.sweep().connections()) {  // an open loop has one count for all points
    const std::vector<std::int64_t> shares = SplitEvenly(connections, static_cast<std::int64_t>(agents_.size()));
    for (std::size_t i = 0; i < agents_.size(); ++i) {
      const std::int64_t pairs = std::max(plan_.source_addresses_size(), 1) * result_.agents[i].target_addresses_size();
      const std::int64_t ports = found_[i].description.local_ports() * pairs;
      if (shares[i] <= ports) continue;
      result_.Note(kExitUsage, absl::StrCat("sweep.connections: ", connections, " give agent ", found_[i].address, " ",
                                            shares[i], " connections, but it has ", ports,
                                            " local ports to this target; add --source addresses or agents"));
      return false;
    }
  }
  return true;
}

bool Run::RunPoint(std::uint32_t index) {
  for (std::uint32_t attempt = 0;; ++attempt) {
    PointResult& point = result_.points.emplace_back();
    point.attempt = attempt;
    if (!TryPoint(index, &point)) return false;
    if (!must_redo_) return true;
    must_redo_ = false;
    progress_->Say(redo_note_);
    result_.abandoned.push_back(std::move(point));
    result_.points.pop_back();
    point_ = nullptr;
  }
}

// False if the run must end with this point; with `must_redo_` it has lost an agent and is to be made again.
bool Run::TryPoint(std::uint32_t index, PointResult* point) {
  point_ = point;
  point_start_ = stopped_at_ = stood_still_ = 0;
  Prepare(index, point);
  Nanos prepare_limit = 0;
  for (const AgentState& agent : agents_) {
    if (!agent.is_lost) prepare_limit = std::max(prepare_limit, limits_.answer + agent.claims->LongestPreparing());
  }
  bool is_going = WaitForAll([](const AgentState& agent) { return agent.is_ready; }, prepare_limit, "preparing");
  for (const AgentState& agent : agents_) point->connections_up += agent.up;
  if (is_going) SayWhatIsNotUp(*point);
  if (is_going && index == 0 && !TargetAnswers(*point)) {
    is_going = false;
    is_failed_ = true;
  }
  is_running_ = is_going && SynchroniseAndArm(index, point);
  if (!is_running_) StopAll();
  // Stopped or not, each agent that has prepared ends the point with a final shard.
  WaitForAll([](const AgentState& agent) { return agent.is_final; }, 0, "the point's end");
  is_running_ = false;
  EndPoint(point);
  return !is_interrupted_ && !is_failed_;
}

void Run::Prepare(std::uint32_t index, PointResult* point) {
  has_remark_ = false;
  const proto::Sweep& sweep = plan_.sweep();
  seconds_looked_at_ = 0;
  std::vector<std::int64_t> living;  // 1, or 0 of an agent that was lost before
  for (const AgentState& agent : agents_) living.push_back(agent.is_lost ? 0 : 1);
  point->index = index;
  point->connections = PointAt(sweep, static_cast<int>(index)).connections;
  if (!sweep.rates().empty()) point->rate = sweep.rates(static_cast<int>(index));
  point->shares = SplitByWeight(point->connections, living);
  point->request_shares = RequestShares(sweep, point->shares);
  // Of an open loop an agent is told the same number, which its part of the slots takes the place of.
  const std::vector<std::int64_t> requests = SplitByWeight(sweep.requests(), point->shares);
  const std::vector<std::int64_t> rates = SplitConnectRate(sweep.connect_rate(), point->shares);
  point->merger = MakeMerger(plan_, agents_.size());
  std::vector<std::uint64_t> incarnations;
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    incarnations.push_back(agents_[i].incarnation);
    if (agents_[i].is_lost) point->merger->LeaveOut(i);
  }
  ledger_ = std::make_unique<Ledger>(result_.run, index, point->attempt, incarnations);
  progress_->BeginPoint(index, static_cast<std::uint32_t>(PointCount(sweep)), point->connections, point->rate);

  // The agents that have connections deal an open loop's slots among themselves in turn.
  const auto streams = std::count_if(point->shares.begin(), point->shares.end(), [](auto share) { return share > 0; });
  std::int64_t stream = 0;
  std::int64_t first_connection = 0;
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    AgentState& agent = agents_[i];
    agent.is_ready = agent.is_arming = agent.is_armed = agent.is_final = agent.has_left_early = false;
    agent.is_preparing = true;
    agent.prepared_at = MonotonicNow();
    agent.claims.emplace(plan_, ShareOf(index, point->shares, point->request_shares, i), agent.workers, agent.ceilings);
    agent.up = 0;
    agent.clock = ClockOffset();
    agent.errors.clear();
    proto::Command command;
    proto::Prepare* prepare = command.mutable_prepare();
    prepare->set_point(index);
    prepare->set_attempt(point->attempt);
    prepare->set_connections(point->shares[i]);
    prepare->set_first_connection(first_connection);
    prepare->set_requests(requests[i]);
    prepare->set_connect_rate(rates[i]);
    prepare->set_stream(point->shares[i] > 0 ? stream : 0);
    prepare->set_streams(point->shares[i] > 0 ? streams : 0);
    stream += point->shares[i] > 0 ? 1 : 0;
    SendTo(i, command);
    first_connection += point->shares[i];
  }
  if (journal_ != nullptr) journal_->BeginPoint(index, *point);
}

// The most frequent error of the connections that are not up; null if there is none.
const proto::ConnectError* Run::MostFrequentError() const {
  const proto::ConnectError* most = nullptr;
  for (const AgentState& agent : agents_) {
    for (const proto::ConnectError& error : agent.errors) {
      if (most == nullptr || error.count() > most->count()) most = &error;
    }
  }
  return most;
}

void Run::SayWhatIsNotUp(const PointResult& point) {
  const proto::ConnectError* const most = MostFrequentError();
  if (most == nullptr || point.connections_up == 0 || point.connections_up >= point.connections) return;
  progress_->Say(absl::StrCat(point.connections - point.connections_up, " of ", point.connections,
                              " connections are not up when the point starts: ", most->text()));
}

// False if not one connection could be opened: then the target is at fault, and there is nothing to measure.
bool Run::TargetAnswers(const PointResult& point) {
  if (point.connections_up > 0 || point.warmup.sent > 0) return true;
  const proto::ConnectError* const most = MostFrequentError();
  if (most == nullptr) return true;
  const char* remedy = "is the server running, and the port right?";
  if (most->result() == static_cast<std::uint32_t>(ConnectResult::kTlsFailed))
    remedy = TlsRemedy(most->text(), plan_.tls().insecure());
  if (absl::StrContains(most->text(), kCertificateRequired.label)) remedy = kClientCertificateRemedy;
  if (most->result() == static_cast<std::uint32_t>(ConnectResult::kUpgradeFailed))
    remedy = "does it serve WebSockets at this path, with these headers?";
  if (absl::StartsWith(most->text(), "proxy ")) remedy = "does the proxy know CONNECT, and let this user through?";
  if (absl::StartsWith(most->text(), "subscribe: ")) remedy = "are web_socket.subscribe and web_socket.ack right?";
  // A text that says what to write needs no guess.
  const bool has_remedy = absl::StrContains(most->text(), "; write ");
  result_.Note(kExitTarget, absl::StrCat("target ", plan_.target(), ": ", most->text(), has_remedy ? "" : "; ",
                                         has_remedy ? "" : remedy));
  return false;
}

bool Run::SynchroniseAndArm(std::uint32_t index, PointResult* point) {
  for (int round = 0; round < kPingCount; ++round) {
    ++last_ping_;
    for (std::size_t i = 0; i < agents_.size(); ++i) Ping(i, false);
    if (!WaitForAll([id = last_ping_](const AgentState& agent) { return agent.last_pong >= id; }, limits_.answer,
                    "reading its clock"))
      return false;
  }
  Nanos slowest = 0;
  Nanos error = 0;  // each offset is right within half of its shortest round trip
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    if (agents_[i].is_lost) continue;
    slowest = std::max(slowest, agents_[i].clock.slowest());
    error = std::max(error, agents_[i].clock.round_trip() / 2);
    if (!agents_[i].clock.IsKnown()) continue;
    result_.agents[i].set_clock_error_us(static_cast<double>(agents_[i].clock.round_trip()) / 2e3);
    result_.agents[i].set_clock_offset_ns(agents_[i].clock.offset());
  }
  const Nanos start = MonotonicNow() + std::min(kMaxArmMargin, std::max(kMinArmMargin, kArmRoundTrips * slowest));
  point->is_started = true;
  point_start_ = start;
  point->start_offset = start - started_;
  point->start_skew_bound = agents_.size() > 1 ? 2 * error : 0;
  if (journal_ != nullptr) journal_->Start(*point);
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    proto::Command command;
    agents_[i].is_arming = true;
    agents_[i].last_shard = start;
    command.mutable_arm()->set_point(index);
    command.mutable_arm()->set_start_ns(start + agents_[i].clock.offset());
    SendTo(i, command);
  }
  if (!WaitForAll([](const AgentState& agent) { return agent.is_armed; }, limits_.answer, "being armed")) return false;
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    if (agents_[i].is_lost || agents_[i].margin >= 0) continue;
    result_.Note(kExitAgents,
                 absl::StrCat("agent ", found_[i].address, " was armed ", -agents_[i].margin / kMillisecond,
                              " ms too late; the network or the host is overloaded"));
    is_failed_ = true;
    return false;
  }
  return true;
}

void Run::EndPoint(PointResult* point) {
  point->is_interrupted = is_interrupted_;
  if (must_redo_ && (is_interrupted_ || is_failed_)) {
    must_redo_ = false;
    for (std::string& note : result_.notes)
      absl::StrReplaceAll({{redo_phrase_, "; the point is not made again"}}, &note);
  }
  ClosePoint(point, must_redo_ ? kExitOk : kExitAccounting, &result_);
  result_.shards += ledger_->accepted();
  result_.duplicates += ledger_->duplicates();
  result_.rejected += ledger_->rejected() + ledger_->Waiting();
  if (journal_ != nullptr) journal_->EndPoint(*point, must_redo_);
  progress_->EndPoint(CountsNow());
}

// Who was cut off, or stood still, lives on, and knows what it had sent.
void Run::AskTheLost() {
  std::vector<LostAgent> lost;
  Nanos deadline = MonotonicNow() + limits_.account;
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    if (!agents_[i].may_be_asked) continue;
    lost.push_back({.agent = i, .channel = found_[i].channel, .incarnation = agents_[i].incarnation});
    deadline = std::max(deadline, agents_[i].last_heard + kLeaseMillis * kMillisecond + limits_.account);
  }
  if (lost.empty() || is_interrupted_) return;
  progress_->Say(lost.size() == 1 ? "asking the agent that was lost what it had sent"
                                  : "asking the agents that were lost what they had sent");
  const auto answers = AskForAccounts(lost, result_.run, deadline, [this](Nanos length) {
    const std::optional<RunEvent> event = events_->Pop(MonotonicNow() + length);
    return !event || event->kind != RunEvent::Kind::kInterrupt;
  });
  for (std::size_t i = 0; i < lost.size(); ++i) {
    if (!answers[i] || !TakeAccount(plan_, lost[i].agent, *answers[i], &result_)) continue;
    if (journal_ != nullptr) journal_->Account(lost[i].agent, *answers[i]);
  }
}

template <typename IsDone>
bool Run::WaitForAll(IsDone is_done, Nanos limit, absl::string_view what) {
  Nanos begin = MonotonicNow();
  Nanos turn = begin;
  const bool was_ending = IsEnding();
  while (true) {
    bool is_complete = true;
    for (const AgentState& agent : agents_) is_complete = is_complete && (agent.is_lost || is_done(agent));
    if (is_complete) return !IsEnding();
    if (!was_ending && IsEnding() && !is_running_) return false;
    const Nanos now = MonotonicNow();
    if (now - turn > kStoodStill) {
      // What came meanwhile has not been looked at: nobody is late for it.
      woke_at_ = now;
      stood_still_ += now - turn;
      begin += now - turn;
    }
    turn = now;
    if (now - last_heartbeat_ >= limits_.heartbeat) {
      last_heartbeat_ = now;
      ++last_ping_;
      for (std::size_t i = 0; i < agents_.size(); ++i) Ping(i, true);
      // Of many agents' connecting and reporting at the same time holes are left in the heap.
      if (agents_.size() > kManyAgents && last_ping_ % kTrimInterval == 0) malloc_trim(0);
    }
    for (std::size_t i = 0; i < agents_.size(); ++i) {
      if (!agents_[i].is_lost && !agents_[i].broken.empty()) Reconnect(i);
      if (!agents_[i].is_lost && !is_done(agents_[i])) LoseTheLate(begin, limit, i, what);
    }
    // All that has come, before all agents are looked at again: there may be a thousand of both.
    std::optional<RunEvent> event = events_->Pop(now + kPollInterval);
    for (std::size_t i = 0; event && i < agents_.size(); ++i) {
      Handle(std::move(*event));
      event = events_->Pop(0);
    }
    if (event) Handle(std::move(*event));
  }
}

// `limit` is that of the whole step, counted from its `begin`; 0: of the point, from its start or from when it was
// stopped. In a step that may be long the agent must be heard of all the time.
void Run::LoseTheLate(Nanos begin, Nanos limit, std::size_t agent, absl::string_view what) {
  const Nanos now = MonotonicNow();
  const bool is_long = limit == 0 || (limit > limits_.answer && agents_[agent].is_opened);
  const bool is_silent = is_long && now - std::max({agents_[agent].last_heard, begin, woke_at_}) > limits_.silence;
  const bool is_late = limit != 0 && now - begin > limit;
  if (is_silent || is_late) return Lose(agent, kExitAgents, absl::StrCat("did not answer in time: ", what));
  if (limit != 0) return;
  if (const std::string why = WhyLateAtTheEnd(agents_[agent], now); !why.empty()) Lose(agent, kExitAgents, why);
}

// Empty if it is not.
std::string Run::WhyLateAtTheEnd(const AgentState& agent, Nanos now) const {
  if (stopped_at_ != 0 && now - std::max(stopped_at_, woke_at_) > limits_.stop)
    return absl::StrCat("did not end the point within ", FormatDuration(limits_.stop), " of being told to stop");
  if (point_start_ == 0 || stopped_at_ != 0) return "";
  const Nanos last_shard = std::max(agent.last_shard, woke_at_);
  if (agent.has_left_early) return now - last_shard > kLeave ? "it ended the point before its time" : "";
  if (now - last_shard > limits_.shard)
    return absl::StrCat("answers, but has sent no shard for ", FormatDuration(limits_.shard),
                        ": did a worker of it stand still?");
  const Nanos longest = agent.claims->LongestRun() + stood_still_;
  if (now - point_start_ <= longest) return "";
  return absl::StrCat("did not end the point within ", FormatDuration(longest),
                      " of its start, which its length, its time-outs and its drain allow");
}

// With the id `last_ping_`. A heartbeat is not said again on a new stream, where a later one follows.
void Run::Ping(std::size_t agent, bool is_heartbeat) {
  AgentState& state = agents_[agent];
  if (state.is_lost || state.link == nullptr || !state.busy.empty()) return;
  state.pings.emplace_back(last_ping_, MonotonicNow());
  if (state.pings.size() > kMaxPingsUnderWay) state.pings.pop_front();
  proto::Command command;
  command.mutable_ping()->set_id(last_ping_);
  if (!is_heartbeat) return SendTo(agent, std::move(command));
  command.set_heard(state.inbox.last());
  if (state.broken.empty()) state.link->Send(command);
}

// The stream to an agent is gone; while its lease lasts, another may take its place.
void Run::Break(std::size_t agent, const std::string& why) {
  AgentState& state = agents_[agent];
  if (state.is_lost) return;
  if (state.link == nullptr || !state.busy.empty()) return;  // given back, or refused
  if (!state.is_opened) return Lose(agent, kExitAgents, why, true);
  if (state.broken.empty()) {
    state.broken = why;
    state.broken_at = MonotonicNow();
  } else {
    state.is_refused = true;
  }
  state.retry_at = MonotonicNow() + kResumeInterval;
}

void Run::Reconnect(std::size_t agent) {
  AgentState& state = agents_[agent];
  const Nanos now = MonotonicNow();
  if (now - std::max(state.last_heard, woke_at_) > limits_.resume) return Lose(agent, kExitAgents, state.broken);
  if (now < state.retry_at) return;
  state.retry_at = now + limits_.resume;  // until this attempt has ended
  state.link->CloseBy(now);
  state.link = std::make_unique<AgentLink>(agent, found_[agent].channel, events_, ++state.link_id);
  proto::Command command;
  command.mutable_resume()->set_run(result_.run);
  command.mutable_resume()->set_incarnation(state.incarnation);
  command.set_heard(state.inbox.last());
  state.link->Send(command);
}

void Run::Handle(RunEvent event) {
  switch (event.kind) {
    case RunEvent::Kind::kInterrupt:
      if (is_interrupted_) return;
      is_interrupted_ = true;
      progress_->Say("stopping: requests in flight may finish; press Ctrl-C again to leave at once");
      return StopAll();
    case RunEvent::Kind::kStreamEnd:
      if (event.link != agents_[event.agent].link_id) return;
      return Break(event.agent, event.reason);
    case RunEvent::Kind::kEvent:
      if (event.link != agents_[event.agent].link_id) return;
      return HandleEvent(&agents_[event.agent], event.agent, std::move(event.event), event.received);
  }
}

void Run::HandleEvent(AgentState* agent, std::size_t index, proto::Event event, Nanos received) {
  if (agent->is_lost) return;  // what was under way when it was given up
  agent->last_heard = received;
  agent->outbox.Heard(event.heard());
  const Inbox::Verdict verdict = agent->inbox.Offer(event.number());
  if (verdict == Inbox::Verdict::kRepeated) return;
  if (verdict == Inbox::Verdict::kGap) return Lose(index, kExitAccounting, "an event of it is missing");
  if (const absl::Status status = CheckState(*agent, event); !status.ok())
    return Lose(index, kExitAccounting, std::string(status.message()));
  switch (event.kind_case()) {
    case proto::Event::kOpened: {
      agent->is_opened = true;
      agent->incarnation = event.opened().incarnation();
      agent->workers = event.opened().workers();
      agent->ceilings = {.max_rate = event.opened().max_rate(), .max_connect_rate = event.opened().max_connect_rate()};
      proto::AgentInfo& info = result_.agents[index];
      info.set_version(event.opened().version());
      info.set_workers(event.opened().workers());
      info.set_permission(event.opened().permission());
      *info.mutable_target_addresses() = event.opened().target_addresses();
      *info.mutable_left_out_addresses() = event.opened().left_out_addresses();
      return;
    }
    case proto::Event::kProgress:
      agent->up = event.progress().connections_up();
      if (!event.progress().remark().empty() && !std::exchange(has_remark_, true))
        progress_->Say(event.progress().remark());
      return ShowProgress();
    case proto::Event::kReady: {
      agent->is_ready = true;
      agent->is_preparing = false;
      agent->up = event.ready().connections_up();
      agent->errors.assign(event.ready().errors().begin(), event.ready().errors().end());
      if (const absl::Status status =
              AddWarmup(event.ready().warmup(), event.ready().connects(), event.ready().statuses(),
                        event.ready().addresses(), static_cast<std::uint32_t>(index), point_);
          !status.ok())
        return Lose(index, kExitAccounting, std::string(status.message()));
      return ShowProgress();
    }
    case proto::Event::kPong:
      while (!agent->pings.empty() && agent->pings.front().first < event.pong().id()) agent->pings.pop_front();
      if (agent->pings.empty() || agent->pings.front().first != event.pong().id()) return;
      agent->clock.Add(agent->pings.front().second, event.pong().agent_ns(), received);
      agent->drift.Add(agent->pings.front().second, event.pong().agent_ns(), received);
      agent->pings.pop_front();
      agent->last_pong = event.pong().id();
      return;
    case proto::Event::kResumed:
      agent->broken.clear();
      agent->is_refused = false;
      result_.agents[index].set_resumed_streams(result_.agents[index].resumed_streams() + 1);
      for (const proto::Command& command : agent->outbox.unheard()) agent->link->Send(command);
      return;
    case proto::Event::kArmed:
      agent->is_armed = true;
      agent->is_arming = false;
      agent->margin = event.armed().margin_ns();
      return;
    case proto::Event::kShard:
      return HandleShard(index, std::move(*event.mutable_shard()));
    case proto::Event::kFailure:
      if (!agent->is_opened && IsBusy(event.failure())) {
        agent->busy = event.failure().message();
        return;
      }
      if (!IsFailureCode(event.failure().exit_code()))
        return Lose(index, kExitAccounting,
                    absl::StrCat("it ended with exit code ", event.failure().exit_code(),
                                 ", which no agent sends: ", event.failure().message()));
      return Lose(index, event.failure().exit_code(), event.failure().message(), true);
    case proto::Event::KIND_NOT_SET:
      return Lose(index, kExitAgents, "it sent an unknown event");
  }
}

// Whether the event may come now, and what it says can be.
absl::Status Run::CheckState(const AgentState& agent, const proto::Event& event) const {
  const auto refuse = [](absl::string_view what) { return absl::DataLossError(what); };
  const bool is_of_point = agent.claims.has_value() && point_ != nullptr && ledger_ != nullptr;
  switch (event.kind_case()) {
    case proto::Event::kOpened:
      return agent.is_opened ? refuse("it opened the run twice") : CheckOpened(event.opened(), plan_);
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
      return agent.claims->CheckProgress(event.progress().connections_up());
    case proto::Event::kReady:
      if (!is_of_point || !agent.is_preparing) return refuse("it was ready, though nothing was to be prepared");
      return agent.claims->CheckReady(event.ready(), MonotonicNow() - agent.prepared_at);
    case proto::Event::kResumed:
      return agent.broken.empty() ? refuse("it resumed a stream that had not broken") : absl::OkStatus();
    case proto::Event::kArmed:
      if (!is_of_point || !agent.is_arming) return refuse("it was armed, though nobody had asked for it");
      if (event.armed().point() != point_->index)
        return refuse(absl::StrCat("it was armed for point ", event.armed().point(), ", not for ", point_->index));
      if (event.armed().margin_ns() < -kMaxMargin || event.armed().margin_ns() > kMaxMargin)
        return refuse(absl::StrCat("it was armed ", event.armed().margin_ns(),
                                   " ns before the start, which lies within ", FormatDuration(kMaxMargin)));
      return absl::OkStatus();
    default:
      return is_of_point ? absl::OkStatus() : refuse("it sent a shard of no point");
  }
}

void Run::HandleShard(std::size_t index, proto::Shard shard) {
  if (shard.key().agent() != index || ledger_ == nullptr) {
    return Lose(index, kExitAccounting, "it sent a shard in another agent's name");
  }
  for (proto::Shard& next : ledger_->Offer(std::move(shard))) {
    AgentState& agent = agents_[index];
    if (!agent.is_ready || (point_start_ == 0 && stopped_at_ == 0))
      return Lose(index, kExitAccounting, "it sent a shard of a point that has not begun");
    const Nanos now = MonotonicNow();
    const Nanos start = point_start_ != 0 ? point_start_ : stopped_at_;
    if (const absl::Status status = agent.claims->CheckShard(next, now - agent.prepared_at, now - start); !status.ok())
      return Lose(index, kExitAccounting, std::string(status.message()));
    agent.last_shard = now;
    if (journal_ != nullptr) journal_->Add(&next);
    if (const absl::Status status = point_->merger->Apply(next); !status.ok()) {
      return Lose(index, kExitAccounting, std::string(status.message()));
    }
    agent.has_left_early = next.is_final() && IsEarly(index, next);
    agent.is_final = next.is_final() && !agent.has_left_early;
    if (agent.has_left_early) point_->early.insert(index);
  }
  FinishIfPrecise();
  ShowProgress();
}

// Whether the agent ends its point, with this shard, though nobody told it to, and its part is not done.
bool Run::IsEarly(std::size_t index, const proto::Shard& last) const {
  const bool is_told = stopped_at_ != 0 || point_->is_precise;
  if (is_told || point_->shares[index] == 0) return false;
  // By its own clock: we may have stood still meanwhile, and hear of it when the time would be over.
  if (const Nanos length = PointLength(plan_.sweep()); length != 0) return last.length_ns() < length - kEarly;
  Counters counters;
  Pending pending;
  FromProto(last.counters(), &counters, &pending);
  return counters.planned < static_cast<std::uint64_t>(point_->request_shares[index]) ||
         counters[NeverSent::kStopped] != 0;
}

// Ends the point if the interval that the plan waits for is narrow enough. Looked at when another twentieth has come:
// then the batches of the interval are equal and whole.
void Run::FinishIfPrecise() {
  if (!is_running_ || point_->is_precise || plan_.sweep().until().empty()) return;
  const std::size_t seconds = point_->merger->windows().size();
  if (seconds == seconds_looked_at_ || seconds < 20 || seconds % std::max<std::size_t>(1, seconds / 20) != 0) return;
  seconds_looked_at_ = seconds;
  const auto precision = ParsePrecision(plan_.sweep().until());
  CHECK(precision.ok());  // the plan is valid
  const auto interval = BatchInterval(SecondsOf(*point_->merger), precision->numerator, precision->denominator);
  if (!interval || interval->high - interval->low > precision->half_width * (interval->high + interval->low)) return;
  point_->is_precise = true;
  proto::Command command;
  command.mutable_finish();
  for (std::size_t i = 0; i < agents_.size(); ++i) SendTo(i, command);
}

Progress::Counts Run::CountsNow() const {
  std::int64_t up = 0;
  for (const AgentState& agent : agents_) up += agent.up;
  const Counters counters = point_->merger->counters();
  const bool is_listening = plan_.web_socket().has_listen();
  std::optional<std::uint64_t> errors;
  if (!is_listening) errors = counters.OutcomeTotal() - counters.success + counters.NeverSentTotal();
  const Nanos running = point_->merger->length();
  // Known once the first shard after the end has come.
  const Nanos length = PointLength(plan_.sweep());
  const bool is_over = length != 0 && running >= length;
  const Pending pending = point_->merger->pending();
  return {.up = up,
          .done = is_listening ? counters.messages : counters.Complete(),
          .drained = is_listening ? counters.drained_messages : counters.drained,
          .left = is_over && !is_listening ? pending.waiting + pending.in_flight : 0,
          .errors = errors,
          .p99 = point_->merger->histogram(point_->merger->headline()).Quantile(99, 100),
          .running = running};
}

void Run::ShowProgress() {
  if (point_ != nullptr && progress_->IsDue()) progress_->Update(CountsNow());
}

// Kept until the agent has heard it; a broken stream comes back as kStreamEnd.
void Run::SendTo(std::size_t agent, proto::Command command) {
  AgentState& state = agents_[agent];
  if (state.is_lost || state.link == nullptr) return;
  command.set_heard(state.inbox.last());
  state.outbox.Add(&command);
  if (state.broken.empty()) state.link->Send(command);
}

void Run::StopAll() {
  if (stopped_at_ == 0) stopped_at_ = MonotonicNow();
  proto::Command command;
  command.mutable_stop();
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    if (agents_[i].link != nullptr) SendTo(i, command);
  }
}

// Until when the agent, which is lost `now`, may have sent requests.
Departure Run::DepartureOf(const AgentState& agent, Nanos now, bool has_left) const {
  constexpr Nanos kLease = kLeaseMillis * kMillisecond;
  // Far beyond any point, and no sum overflows.
  constexpr Nanos kNever = 2 * kMaxDuration;
  if (has_left) return {.likely = now - started_, .latest = now + kSecond - started_};
  // Its process is gone if its host refuses other streams; else its lease ends it.
  if (!agent.broken.empty() && agent.is_refused)
    return {.likely = agent.broken_at - started_, .latest = now + kLease + kSecond - started_};
  // It hears the Close; if it is slow, later.
  if (agent.broken.empty() && now - agent.last_heard < limits_.silence)
    return {.likely = now - started_, .latest = now + kLease + kSecond - started_};
  // Cut off, or stopped: then it may go on when it wakes, until it finds that its lease has run out.
  return {.likely = agent.last_heard + kLease - started_, .latest = kNever};
}

// What the agent delivered is kept. Unless the plan says that the run ends here, the others make the point again, or go
// on without it.
void Run::Lose(std::size_t agent, int exit_code, const std::string& why, bool has_left) {
  AgentState& state = agents_[agent];
  if (state.is_lost) return;
  const Departure departure = DepartureOf(state, MonotonicNow(), has_left);
  if (state.link != nullptr) {
    // If it hears that, it need not go on until its lease runs out.
    proto::Command close;
    close.mutable_close();
    SendTo(agent, close);
    state.link->Finish();
  }
  state.is_lost = true;
  result_.agents[agent].set_lost(why);
  if (point_ != nullptr && point_->merger != nullptr) {
    point_->merger->Lose(agent);
    point_->departures[agent] = departure;
    // The word of one that has lied is worth nothing.
    state.may_be_asked = exit_code != kExitAccounting && state.is_opened;
  }
  const auto left =
      std::count_if(agents_.begin(), agents_.end(), [](const AgentState& other) { return !other.is_lost; });
  const bool is_its_fault = exit_code == kExitAgents || exit_code == kExitAccounting;
  const bool can_go_on =
      !is_failed_ && is_its_fault && point_ != nullptr && left > 0 && plan_.on_agent_loss() != "fail";
  const bool is_redo = can_go_on && plan_.on_agent_loss() == "redo" && point_->attempt < kMaxRedos && !is_interrupted_;
  std::string note = absl::StrCat("agent ", found_[agent].address, ": ", why);
  if (is_its_fault && point_ != nullptr && !point_->is_started && !agents_[agent].is_ready)
    absl::StrAppend(&note, "; what it sent to warm up is not counted");
  if (stood_still_ != 0) {
    absl::StrAppend(&note, "; this coordinator stood still itself, for ", FormatDuration(stood_still_),
                    ": an agent that hears nothing for ", kLeaseMillis / 1'000, "s ends its part");
  }
  if (is_redo) {
    redo_phrase_ = absl::StrCat("; the point of ", point_->connections, " connections is made again, split over ", left,
                                left == 1 ? " agent" : " agents");
    absl::StrAppend(&note, redo_phrase_);
    if (!must_redo_) redo_note_ = note;  // the first says it all
    exit_code = kExitOk;
  }
  const bool has_ended_early = point_ != nullptr && point_->early.count(agent) != 0;
  if (journal_ != nullptr) journal_->Lose(agent, why, exit_code, note, departure, has_ended_early);
  result_.Note(exit_code, std::move(note));
  if (is_redo) {
    must_redo_ = true;
  } else if (can_go_on || is_failed_) {
    return;
  } else {
    is_failed_ = true;
  }
  StopAll();
}

}  // namespace tidemark
