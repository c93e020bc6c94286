#include "coordinator/run.h"

#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/control_address.h"
#include "common/expectation.h"
#include "common/histogram_codec.h"
#include "common/plan.h"
#include "common/split.h"
#include "coordinator/analysis/confidence.h"

namespace tidemark {
namespace {

constexpr int kPingCount = 8;
constexpr std::uint64_t kHeartbeatId = 0;  // of pings that only say that we live
// T0 lies this far ahead: enough for every agent to hear of it, see DESIGN.md "A run".
constexpr Nanos kMinArmMargin = 50 * kMillisecond;
constexpr int kArmRoundTrips = 10;
// An agent answers a heartbeat and sends a shard each second; one that is silent for longer is lost.
constexpr Nanos kSilenceLimit = 5 * kSecond;
constexpr Nanos kOpenLimit = 30 * kSecond;  // includes the agent's name resolution
constexpr Nanos kAnswerLimit = 10 * kSecond;
constexpr Nanos kPollInterval = 100 * kMillisecond;

std::string NewRunId(double wall_seconds) {
  std::random_device device;
  const std::string time = FormatWallTime(wall_seconds);  // 2026-11-23T12:00:00.000Z
  return absl::StrFormat("%s%s%sT%s%s%sZ-%06x", time.substr(0, 4), time.substr(5, 2), time.substr(8, 2),
                         time.substr(11, 2), time.substr(14, 2), time.substr(17, 2), device() & 0xffffff);
}

}  // namespace

int GraverExit(int a, int b) {
  constexpr int kOrder[] = {kExitInternal, kExitAccounting,  kExitInterrupted, kExitAgents,
                            kExitTarget,   kExitExpectation, kExitStrict,      kExitUsage};
  for (const int code : kOrder) {
    if (a == code || b == code) return code;
  }
  return a != 0 ? a : b;
}

Run::Run(const proto::Plan& plan, std::vector<FoundAgent> agents, RunEvents* events, Progress* progress)
    : plan_(plan), found_(std::move(agents)), events_(events), progress_(progress) {}

RunResult Run::Execute() {
  started_ = MonotonicNow();
  result_.started_wall_s = WallSeconds();
  result_.started_at = FormatWallTime(result_.started_wall_s);
  result_.run = NewRunId(result_.started_wall_s);
  if (Open()) {
    const int count = PointCount(plan_.sweep());
    result_.points.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      if (!RunPoint(static_cast<std::uint32_t>(i))) break;
    }
  }
  if (is_interrupted_) Note(kExitInterrupted, "interrupted: what follows was not run");
  for (AgentState& agent : agents_) agent.link.reset();
  events_->EndRun();
  return std::move(result_);
}

bool Run::Open() {
  agents_.resize(found_.size());
  result_.agents.resize(found_.size());
  for (std::size_t i = 0; i < found_.size(); ++i) {
    result_.agents[i].address = found_[i].address;
    result_.agents[i].is_insecure = found_[i].description.is_insecure();
    agents_[i].last_heard = MonotonicNow();
    agents_[i].link = std::make_unique<AgentLink>(i, found_[i].channel, events_);
    proto::Command command;
    proto::Open* open = command.mutable_open();
    open->set_protocol_version(kProtocolVersion);
    open->set_run(result_.run);
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    open->set_coordinator(absl::StrCat(host, ", process ", getpid()));
    open->set_agent(static_cast<std::uint32_t>(i));
    *open->mutable_plan() = plan_;
    SendTo(i, command);
  }
  return WaitForAll([](const AgentState& agent) { return agent.is_opened; }, kOpenLimit, "opening the run") &&
         HasPorts();
}

// Whether each agent has a local port for each of its connections, at every point.
bool Run::HasPorts() {
  if (plan_.target().rfind("unix:", 0) == 0) return true;
  for (const std::int64_t connections : plan_.sweep().connections()) {  // an open loop has one count for all points
    const std::vector<std::int64_t> shares = SplitEvenly(connections, static_cast<std::int64_t>(agents_.size()));
    for (std::size_t i = 0; i < agents_.size(); ++i) {
      const std::int64_t pairs = std::max(plan_.source_addresses_size(), 1) *
                                 static_cast<std::int64_t>(result_.agents[i].target_addresses.size());
      const std::int64_t ports = found_[i].description.local_ports() * pairs;
      if (shares[i] <= ports) continue;
      Note(kExitUsage, absl::StrCat("sweep.connections: ", connections, " give agent ", found_[i].address, " ",
                                    shares[i], " connections, but it has ", ports,
                                    " local ports to this target; add --source addresses or agents"));
      return false;
    }
  }
  return true;
}

bool Run::RunPoint(std::uint32_t index) {
  PointResult& point = result_.points.emplace_back();
  point_ = &point;
  Prepare(index, &point);
  const Nanos ramp = plan_.sweep().connect_rate() == 0 ? 0 : point.connections * kSecond / plan_.sweep().connect_rate();
  Nanos prepare_limit = ramp + FromProto(plan_.connect_timeout()) + FromProto(plan_.timeout()) + kAnswerLimit;
  if (plan_.sweep().has_warmup()) prepare_limit += FromProto(plan_.sweep().warmup()) + FromProto(plan_.timeout());
  bool is_going = WaitForAll([](const AgentState& agent) { return agent.is_ready; }, prepare_limit, "preparing");
  for (const AgentState& agent : agents_) point.connections_up += agent.up;
  if (is_going && index == 0 && !TargetAnswers(point)) {
    is_going = false;
    is_failed_ = true;
  }
  is_running_ = is_going && SynchroniseAndArm(index, &point);
  if (!is_running_) StopAll();
  // Stopped or not, each agent that has prepared ends the point with a final shard.
  WaitForAll([](const AgentState& agent) { return agent.is_final; }, 0, "the point's end");
  is_running_ = false;
  FinishPoint(&point);
  return !is_interrupted_ && !is_failed_;
}

void Run::Prepare(std::uint32_t index, PointResult* point) {
  const proto::Sweep& sweep = plan_.sweep();
  seconds_looked_at_ = 0;
  std::vector<std::int64_t> living;  // 1, or 0 of an agent that was lost before
  for (const AgentState& agent : agents_) living.push_back(agent.is_lost ? 0 : 1);
  point->connections = PointAt(sweep, static_cast<int>(index)).connections;
  if (!sweep.rates().empty()) point->rate = sweep.rates(static_cast<int>(index));
  point->shares = SplitByWeight(point->connections, living);
  point->request_shares = SplitByWeight(sweep.requests(), point->shares);
  const std::vector<std::int64_t> rates = SplitByWeight(sweep.connect_rate() * 1000, point->shares);
  point->merger = std::make_unique<Merger>(agents_.size(), IsOpenLoop(sweep) ? Metric::kResponse : Metric::kService);
  std::vector<std::uint64_t> incarnations;
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    incarnations.push_back(agents_[i].incarnation);
    if (agents_[i].is_lost) point->merger->LeaveOut(i);
  }
  ledger_ = std::make_unique<Ledger>(result_.run, index, incarnations);
  progress_->BeginPoint(index, static_cast<std::uint32_t>(PointCount(sweep)), point->connections, point->rate);

  // The agents that have connections deal an open loop's slots among themselves in turn.
  const auto streams = std::count_if(point->shares.begin(), point->shares.end(), [](auto share) { return share > 0; });
  std::int64_t stream = 0;
  std::int64_t first_connection = 0;
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    AgentState& agent = agents_[i];
    agent.is_ready = agent.is_armed = agent.is_final = false;
    agent.up = 0;
    agent.pongs = 0;
    agent.clock = ClockOffset();
    agent.errors.clear();
    proto::Command command;
    proto::Prepare* prepare = command.mutable_prepare();
    prepare->set_point(index);
    prepare->set_connections(point->shares[i]);
    prepare->set_first_connection(first_connection);
    prepare->set_requests(point->request_shares[i]);
    prepare->set_connect_rate_millis(rates[i]);
    prepare->set_stream(point->shares[i] > 0 ? stream : 0);
    prepare->set_streams(point->shares[i] > 0 ? streams : 0);
    stream += point->shares[i] > 0 ? 1 : 0;
    SendTo(i, command);
    first_connection += point->shares[i];
    if (sweep.requests_per_connection() != 0)
      point->request_shares[i] = point->shares[i] * sweep.requests_per_connection();
  }
}

// False if not one connection could be opened: then the target is at fault, and there is nothing to measure.
bool Run::TargetAnswers(const PointResult& point) {
  if (point.connections_up > 0 || point.warmup.sent > 0) return true;
  const proto::ConnectError* most = nullptr;
  for (const AgentState& agent : agents_) {
    for (const proto::ConnectError& error : agent.errors) {
      if (most == nullptr || error.count() > most->count()) most = &error;
    }
  }
  if (most == nullptr) return true;
  const bool is_tls = most->result() == static_cast<std::uint32_t>(ConnectResult::kTlsFailed);
  Note(kExitTarget, absl::StrCat("target ", plan_.target(), ": ", most->text(), "; ",
                                 is_tls ? "check the certificate and --cacert, or use --insecure"
                                        : "is the server running, and the port right?"));
  return false;
}

bool Run::SynchroniseAndArm(std::uint32_t index, PointResult* point) {
  for (int round = 1; round <= kPingCount; ++round) {
    for (std::size_t i = 0; i < agents_.size(); ++i) {
      proto::Command command;
      command.mutable_ping()->set_id(static_cast<std::uint64_t>(round));
      agents_[i].ping_sent = MonotonicNow();
      SendTo(i, command);
    }
    if (!WaitForAll([round](const AgentState& agent) { return agent.pongs >= round; }, kAnswerLimit,
                    "reading its clock"))
      return false;
  }
  Nanos slowest = 0;
  Nanos error = 0;  // each offset is right within half of its shortest round trip
  for (const AgentState& agent : agents_) {
    slowest = std::max(slowest, agent.clock.slowest());
    error = std::max(error, agent.clock.round_trip() / 2);
  }
  const Nanos start = MonotonicNow() + std::max(kMinArmMargin, kArmRoundTrips * slowest);
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    proto::Command command;
    command.mutable_arm()->set_point(index);
    command.mutable_arm()->set_start_ns(start + agents_[i].clock.offset());
    SendTo(i, command);
  }
  if (!WaitForAll([](const AgentState& agent) { return agent.is_armed; }, kAnswerLimit, "being armed")) return false;
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    if (agents_[i].margin >= 0) continue;
    Note(kExitAgents, absl::StrCat("agent ", found_[i].address, " was armed ", -agents_[i].margin / kMillisecond,
                                   " ms too late; the network or the host is overloaded"));
    is_failed_ = true;
    return false;
  }
  point->start_offset = start - started_;
  point->start_skew_bound = agents_.size() > 1 ? 2 * error : 0;
  return true;
}

void Run::FinishPoint(PointResult* point) {
  point->is_interrupted = is_interrupted_;
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    const AgentSum& sum = point->merger->agents()[i];
    if (sum.is_final) continue;
    point->is_partial = true;
    const auto share = static_cast<std::uint64_t>(point->request_shares[i]);
    const std::uint64_t unplanned = share > sum.counters.planned ? share - sum.counters.planned : 0;
    const std::uint64_t lost = unplanned + sum.pending.waiting + sum.pending.in_flight;
    point->unaccounted_max += lost;
    Note(kExitAccounting,
         absl::StrCat("point ", point->connections, ": agent ", found_[i].address, " delivered ", sum.shards,
                      " shards; ", share == 0 ? "an unknown number of" : absl::StrCat("0 to ", lost),
                      " requests after them are unaccounted for"));
  }
  if (const absl::Status status = point->merger->Finish(); !status.ok())
    Note(kExitAccounting, std::string(status.message()));
  result_.shards += ledger_->accepted();
  result_.duplicates += ledger_->duplicates();
  result_.rejected += ledger_->rejected() + ledger_->Waiting();
  progress_->EndPoint();
}

template <typename IsDone>
bool Run::WaitForAll(IsDone is_done, Nanos limit, absl::string_view what) {
  const Nanos begin = MonotonicNow();
  const bool was_stopping = is_interrupted_ || is_failed_;
  while (true) {
    bool is_complete = true;
    for (const AgentState& agent : agents_) is_complete = is_complete && (agent.is_lost || is_done(agent));
    if (is_complete) return !is_failed_ && !is_interrupted_;
    if (!was_stopping && (is_interrupted_ || is_failed_) && !is_running_) return false;
    const Nanos now = MonotonicNow();
    if (now - last_heartbeat_ >= kHeartbeatMillis * kMillisecond) {
      last_heartbeat_ = now;
      proto::Command heartbeat;
      heartbeat.mutable_ping()->set_id(kHeartbeatId);
      for (std::size_t i = 0; i < agents_.size(); ++i) SendTo(i, heartbeat);
    }
    for (std::size_t i = 0; i < agents_.size(); ++i) {
      AgentState& agent = agents_[i];
      if (agent.is_lost || is_done(agent)) continue;
      const bool is_silent = limit == 0 && now - std::max(agent.last_heard, begin) > kSilenceLimit;
      const bool is_late = limit != 0 && now - begin > limit;
      if (is_silent || is_late) Lose(i, kExitAgents, absl::StrCat("did not answer while ", what));
    }
    if (std::optional<RunEvent> event = events_->Pop(now + kPollInterval)) Handle(std::move(*event));
  }
}

void Run::Handle(RunEvent event) {
  switch (event.kind) {
    case RunEvent::Kind::kInterrupt:
      if (is_interrupted_) return;
      is_interrupted_ = true;
      progress_->Say("stopping: requests in flight may finish; press Ctrl-C again to leave at once");
      return StopAll();
    case RunEvent::Kind::kStreamEnd:
      return Lose(event.agent, kExitAgents, event.reason);
    case RunEvent::Kind::kEvent:
      return HandleEvent(&agents_[event.agent], event.agent, std::move(event.event), event.received);
  }
}

void Run::HandleEvent(AgentState* agent, std::size_t index, proto::Event event, Nanos received) {
  agent->last_heard = received;
  switch (event.kind_case()) {
    case proto::Event::kOpened: {
      agent->is_opened = true;
      agent->incarnation = event.opened().incarnation();
      AgentFacts& facts = result_.agents[index];
      facts.version = event.opened().version();
      facts.workers = event.opened().workers();
      facts.target_addresses.assign(event.opened().target_addresses().begin(), event.opened().target_addresses().end());
      facts.left_out_addresses.assign(event.opened().left_out_addresses().begin(),
                                      event.opened().left_out_addresses().end());
      return;
    }
    case proto::Event::kProgress:
      agent->up = event.progress().connections_up();
      return ShowProgress();
    case proto::Event::kReady: {
      agent->is_ready = true;
      agent->up = event.ready().connections_up();
      agent->errors.assign(event.ready().errors().begin(), event.ready().errors().end());
      Counters warmup;
      Pending pending;
      if (!FromProto(event.ready().warmup(), &warmup, &pending) || !BrokenIdentity(warmup, pending).empty()) {
        return Lose(index, kExitAccounting, "its warm-up does not add up");
      }
      point_->warmup.Add(warmup);
      Histogram decoded;
      for (const proto::HistogramDelta& delta : event.ready().connects()) {
        const bool is_tls = delta.summary().metric() == static_cast<std::uint32_t>(Metric::kTls);
        if (!DecodeDelta(delta, &decoded).ok())
          return Lose(index, kExitAccounting, "its connect times cannot be decoded");
        (is_tls ? point_->warmup_tls : point_->warmup_connect).Add(decoded);
      }
      return ShowProgress();
    }
    case proto::Event::kPong:
      if (event.pong().id() == kHeartbeatId) return;
      ++agent->pongs;
      agent->clock.Add(agent->ping_sent, event.pong().agent_ns(), received);
      return;
    case proto::Event::kArmed:
      agent->is_armed = true;
      agent->margin = event.armed().margin_ns();
      return;
    case proto::Event::kShard:
      return HandleShard(index, std::move(*event.mutable_shard()));
    case proto::Event::kFailure:
      return Lose(index, event.failure().exit_code(), event.failure().message());
    case proto::Event::KIND_NOT_SET:
      return Lose(index, kExitAgents, "it sent an unknown event");
  }
}

void Run::HandleShard(std::size_t index, proto::Shard shard) {
  if (shard.key().agent() != index || ledger_ == nullptr) {
    return Lose(index, kExitAccounting, "it sent a shard in another agent's name");
  }
  for (const proto::Shard& next : ledger_->Offer(std::move(shard))) {
    if (const absl::Status status = point_->merger->Apply(next); !status.ok()) {
      return Lose(index, kExitAccounting, std::string(status.message()));
    }
    agents_[index].is_final = next.is_final();
  }
  FinishIfPrecise();
  ShowProgress();
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

void Run::ShowProgress() {
  if (point_ == nullptr) return;
  std::int64_t up = 0;
  for (const AgentState& agent : agents_) up += agent.up;
  const Counters counters = point_->merger->counters();
  progress_->Update({.up = up,
                     .done = counters.Complete(),
                     .errors = counters.OutcomeTotal() - counters.success + counters.NeverSentTotal(),
                     .p99 = is_running_ ? point_->merger->histogram(point_->merger->headline()).Quantile(99, 100) : 0,
                     .running = point_->merger->last_done()});
}

void Run::SendTo(std::size_t agent, const proto::Command& command) {
  if (!agents_[agent].is_lost) agents_[agent].link->Send(command);  // a broken stream comes back as kStreamEnd
}

void Run::StopAll() {
  proto::Command command;
  command.mutable_stop();
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    if (agents_[i].link != nullptr) SendTo(i, command);
  }
}

// What the agent delivered is kept. The run goes no further without it, unless the plan says that the others go on.
void Run::Lose(std::size_t agent, int exit_code, const std::string& why) {
  if (agents_[agent].is_lost) return;
  agents_[agent].is_lost = true;
  result_.agents[agent].lost = why;
  Note(exit_code, absl::StrCat("agent ", found_[agent].address, ": ", why));
  if (point_ != nullptr && point_->merger != nullptr) point_->merger->Lose(agent);
  const bool is_last = std::all_of(agents_.begin(), agents_.end(), [](const AgentState& a) { return a.is_lost; });
  if (is_failed_ || (plan_.on_agent_loss() == "continue" && point_ != nullptr && !is_last)) return;
  is_failed_ = true;
  StopAll();
}

void Run::Note(int exit_code, std::string text) {
  result_.exit_code = GraverExit(result_.exit_code, exit_code);
  result_.notes.push_back(std::move(text));
}

}  // namespace tidemark
