#include "agent/control/session.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/guard/secrets.h"
#include "agent/host/machine.h"
#include "agent/net/aim.h"
#include "agent/net/resolver.h"
#include "agent/net/tunnel.h"
#include "common/plan/dialled.h"
#include "common/plan/durations.h"
#include "common/plan/limits.h"
#include "common/plan/plan_memory.h"
#include "common/plan/split.h"
#include "common/plan/sweep.h"
#include "common/plan/validate.h"
#include "common/stats/histogram_codec.h"
#include "common/stats/request_trace.h"
#include "common/status_macros.h"
#include "common/units.h"

namespace tidemark {
namespace {

constexpr int kThreadsPerCore = 4;
// Sets the random stream of a warm-up apart from its point's.
constexpr std::uint32_t kWarmupPoint = 1U << 31;
// ... and what is random in requests from arrivals.
constexpr std::uint64_t kOfRequests = std::uint64_t{1} << 40;

// What the machine counted since `before`.
void ToProto(const HostCounters& now, const HostCounters& before, proto::HostCounters* out) {
  out->set_cpu_ns(now.cpu_ns - before.cpu_ns);
  out->set_steal_ns(now.steal_ns - before.steal_ns);
  out->set_throttled_ns(now.throttled_ns - before.throttled_ns);
  out->set_dropped_packets(now.dropped_packets - before.dropped_packets);
  out->set_syn_retransmits(now.syn_retransmits - before.syn_retransmits);
  out->set_accept_overflows(now.accept_overflows - before.accept_overflows);
}

// Whether an open loop's `rate` of `what` a second, an agent's share, keeps within `ceiling` of it.
// Errors: PermissionDenied.
absl::Status CheckRate(double rate, double ceiling, bool is_constant, absl::string_view what, absl::string_view also) {
  const double needed = CeilingFor(rate, is_constant);
  constexpr double kRounding = 1 + 1e-9;
  if (ceiling == 0 || needed <= ceiling * kRounding) return absl::OkStatus();
  const std::string cap = absl::StrCat("but the agent's --allow-list caps it at ", WriteRate(ceiling));
  if (is_constant || rate > ceiling * kRounding)
    return absl::PermissionDeniedError(absl::StrCat("target refused: a share of ", WriteRate(rate), " ", what,
                                                    " per second", also, ", ", cap, "; add agents"));
  const double most = std::pow(std::sqrt(4 + ceiling) - 2, 2);  // which needs just the ceiling
  return absl::PermissionDeniedError(absl::StrCat("target refused: a share of ", WriteRate(rate), " ", what,
                                                  " per second", also, " that arrive at random needs a ceiling of ",
                                                  std::ceil(needed), " (the rate and four times its root), ", cap,
                                                  "; that is enough for ", WriteRate(std::floor(most * 1'000) / 1'000),
                                                  ", or give --arrivals constant, or add agents"));
}

// Errors: ResourceExhausted if the plan asks for more threads, or more memory, than an agent gives.
absl::Status CheckSize(const proto::Plan& plan, const PlanMemory& memory, std::int64_t workers,
                       std::int64_t connections) {
  const int most = kThreadsPerCore * UsableCores();
  if (plan.threads() > most)
    return absl::ResourceExhaustedError(absl::StrCat("threads: ", plan.threads(), ", but this agent may use ",
                                                     UsableCores(), " cores, and takes at most ", most));
  const std::int64_t need = memory.Of(workers, connections);
  const std::int64_t limit = UsableMemory() / 2;
  if (need <= limit) return absl::OkStatus();
  const auto bytes = [](std::int64_t count) { return FormatBytes(static_cast<double>(count)); };
  return absl::ResourceExhaustedError(absl::StrCat(
      "the plan takes ", bytes(need), " of this agent's memory: ", bytes(memory.shared), ", ", bytes(memory.per_worker),
      " for each of ", workers, " threads, and ", bytes(memory.per_connection), " for each of ", connections,
      " connections; it gives at most ", bytes(limit), ", half of what it has; send less, or add agents"));
}

proto::Open WithoutBodies(proto::Open open) {
  for (proto::Request& request : *open.mutable_plan()->mutable_requests()) request.clear_body();
  if (open.plan().has_web_socket()) open.mutable_plan()->mutable_web_socket()->clear_subscribe();
  return open;
}

// Takes what is large out of the plan, once for all workers.
void ShareBodies(absl::string_view run, Worker::Settings* settings) {
  proto::Plan& plan = settings->plan;
  settings->requests = SerializeAll(plan, settings->target, plan.sweep().new_connection(), run);
  if (plan.sweep().reconnect_after() != 0) settings->last_requests = SerializeAll(plan, settings->target, true, run);
  for (proto::Request& request : *plan.mutable_requests()) request.clear_body();
  if (!plan.has_web_socket()) return;
  settings->subscribe = MakeSubscriptions(plan);
  plan.mutable_web_socket()->clear_subscribe();
}

// The clock of the plan's target, read for the first time.
absl::StatusOr<std::unique_ptr<TargetClock>> StartTargetClock(const proto::Plan& plan, const TargetGuard& guard,
                                                              const TlsFiles& files, const Patience& patience,
                                                              const std::atomic<Nanos>* lease) {
  const proto::Listen& listen = plan.web_socket().listen();
  TIDEMARK_ASSIGN_OR_RETURN(Target target, ParseTarget(listen.clock().url()));
  TargetClock::Settings settings{.target = std::move(target),
                                 .pointer = listen.clock().time(),
                                 .unit = *ParseTimeUnit("time_unit", listen.clock().time_unit()),
                                 .every = FromProto(listen.clock().every()),
                                 .timeout = FromProto(plan.connect_timeout()),
                                 .lease = lease,
                                 .patience = patience};
  TIDEMARK_ASSIGN_OR_RETURN(Aim aim, TakeAim(settings.target, plan, guard, patience));
  settings.address = aim.addresses.front();
  settings.sends = guard.budgets().Of(Budgets::Kind::kSends, aim.ceiling.max_rate);
  settings.connects = guard.budgets().Of(Budgets::Kind::kConnects, aim.ceiling.max_connect_rate);
  if (settings.target.is_tls) {
    TIDEMARK_ASSIGN_OR_RETURN(settings.tls, MakeSslContext(plan.tls(), files, settings.target));
  }
  return TargetClock::Start(std::move(settings));
}

// Settles how the plan's proxy, if there is one, is asked: for each request where the target is plain HTTP, and else
// for a tunnel (RFC 9112 section 3.2).
absl::Status GoThroughProxy(const TargetGuard& guard, Worker::Settings* settings, std::vector<std::string>* secrets) {
  if (settings->plan.proxy().empty()) return absl::OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(Proxy proxy, ParseProxy(settings->plan.proxy()));
  TIDEMARK_RETURN_IF_ERROR(FillSecrets(guard, &proxy.credentials, secrets));
  const std::string authorization = ProxyAuthorization(proxy.credentials);
  if (!proxy.credentials.empty()) {
    secrets->push_back(proxy.credentials);
    // A password of a few letters is in many a word; what it authorises with is masked all the same.
    const std::string password =
        proxy.credentials.substr(std::min(proxy.credentials.find(':'), proxy.credentials.size() - 1) + 1);
    constexpr std::size_t kShortest = 4;
    if (password.size() >= kShortest) secrets->push_back(password);
  }
  Target& target = settings->target;
  if (target.is_tls || target.is_web_socket) {
    settings->tunnel = TunnelRequest(target, authorization);
  } else {
    target.absolute_prefix = absl::StrCat("http://", target.host_header);
    target.proxy_authorization = authorization;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const proto::Open& open, const TargetGuard& guard,
                                                       std::uint64_t incarnation, Emit emit, const Patience& patience,
                                                       const std::atomic<Nanos>* lease) {
  const proto::Plan& plan = open.plan();
  TIDEMARK_RETURN_IF_ERROR(ValidatePlan(plan));
  Worker::Settings settings{.plan = plan};
  TIDEMARK_ASSIGN_OR_RETURN(settings.target, ParseTarget(plan.target()));
  const int worker_count = plan.threads() > 0 ? plan.threads() : UsableCores();
  TIDEMARK_RETURN_IF_ERROR(CheckSize(plan, MemoryOf(plan), worker_count, 0));
  // Every address is checked, and no other is ever connected to.
  TIDEMARK_ASSIGN_OR_RETURN(Aim aim, TakeAim(settings.target, plan, guard, patience));
  settings.targets = aim.addresses;
  // The target's path has the same placeholders as a request's own.
  for (proto::Request& request : *settings.plan.mutable_requests()) {
    if (request.path().empty()) request.set_path(settings.target.path);
  }
  TlsFiles tls_files;
  if (settings.target.is_tls || plan.web_socket().listen().has_clock()) {
    TIDEMARK_ASSIGN_OR_RETURN(tls_files, ReadTlsFiles(plan.tls(), guard));
  }
  std::vector<std::string> secrets;
  TIDEMARK_RETURN_IF_ERROR(ResolveSecrets(guard, &settings.plan, &secrets));
  TIDEMARK_RETURN_IF_ERROR(GoThroughProxy(guard, &settings, &secrets));
  settings.masks = Masks(secrets, settings.plan);
  const proto::Open kept = WithoutBodies(open);
  ShareBodies(open.run(), &settings);
  if (!plan.trace_sample().empty()) settings.sample = *ParseSample(plan.trace_sample());  // the plan is valid
  settings.is_target_on_this_machine = IsOnThisMachine(settings.targets);
  for (const std::string& text : plan.source_addresses()) {
    TIDEMARK_ASSIGN_OR_RETURN(const SocketAddress address, ParseAddress("source_addresses", text));
    if (std::any_of(settings.targets.begin(), settings.targets.end(),
                    [&](const SocketAddress& target) { return target.family() != address.family(); })) {
      return absl::InvalidArgumentError(absl::StrCat("source_addresses: ", text, " cannot reach ",
                                                     settings.targets[0].ToString(), "; both must be IPv4, or IPv6"));
    }
    TIDEMARK_RETURN_IF_ERROR(CheckSource(address, text));
    settings.sources.push_back(address);
  }

  std::unique_ptr<Session> session(new Session(kept, incarnation, std::move(emit)));
  session->target_count_ = settings.targets.size();
  settings.target_indices = session->IndicesOf(settings.targets);
  session->source_count_ = std::max<std::size_t>(1, settings.sources.size());
  session->is_unix_ = !settings.target.unix_path.empty();
  session->is_web_socket_ = settings.target.is_web_socket;
  session->is_tunnelled_ = !settings.tunnel.empty();
  session->ceiling_ = aim.ceiling;
  session->memory_ = MemoryOf(plan);
  if (plan.web_socket().listen().has_clock()) {
    TIDEMARK_ASSIGN_OR_RETURN(session->target_clock_, StartTargetClock(plan, guard, tls_files, patience, lease));
    settings.target_clock = &session->target_clock_->offset();
  }
  settings.workers = worker_count;
  settings.lease = lease;
  settings.sends = guard.budgets().Of(Budgets::Kind::kSends, aim.ceiling.max_rate);
  settings.connects = guard.budgets().Of(Budgets::Kind::kConnects, aim.ceiling.max_connect_rate);
  const auto shared = std::make_shared<const Worker::Settings>(settings);
  for (int i = 0; i < worker_count; ++i) {
    SslContext tls;
    if (settings.target.is_tls) {
      TIDEMARK_ASSIGN_OR_RETURN(tls, MakeSslContext(plan.tls(), tls_files, settings.target));
    }
    if (patience.IsInterrupted()) return absl::CancelledError("the run ended while it was opened");
    session->workers_.push_back(std::make_unique<Worker>(
        i, shared, std::move(tls), [raw = session.get()](WorkerReport report) { raw->Deliver(std::move(report)); }));
  }
  session->up_.resize(session->workers_.size());
  session->sender_ = std::thread([raw = session.get()] { raw->SendEvents(); });
  session->WatchNames(kept.plan(), guard, settings.target, aim, patience);

  proto::Event event;
  event.mutable_opened()->set_incarnation(incarnation);
  event.mutable_opened()->set_version(TIDEMARK_VERSION);
  event.mutable_opened()->set_workers(worker_count);
  for (const SocketAddress& address : settings.targets)
    event.mutable_opened()->add_target_addresses(address.ToString());
  for (const SocketAddress& address : aim.left_out) event.mutable_opened()->add_left_out_addresses(address.ToString());
  event.mutable_opened()->set_permission(aim.ceiling.permission);
  event.mutable_opened()->set_max_rate(aim.ceiling.max_rate);
  event.mutable_opened()->set_max_connect_rate(aim.ceiling.max_connect_rate);
  session->emit_(event);
  return session;
}

Session::Session(const proto::Open& open, std::uint64_t incarnation, Emit emit)
    : open_(open), incarnation_(incarnation), emit_(std::move(emit)) {}

Session::Account Session::End() {
  {
    MutexLock lock(&mutex_);
    is_closing_ = true;
  }
  changed_.NotifyAll();
  if (sender_.joinable()) sender_.join();  // first, since it gives recorders back to the workers
  Account account{.point = latest_, .attempt = attempt_};
  for (const auto& worker : workers_) account.sent += worker->End();
  return account;
}

Session::~Session() {
  End();
  workers_.clear();  // joins their threads; their last reports stay in the mailbox
  names_.reset();    // last, since it may wait for the resolver
}

// This agent's part of an open loop's schedule, or of its warm-up's, dealt over the workers that have connections;
// nothing for a closed loop, or without a warm-up.
std::vector<std::optional<Arrivals>> Session::SplitArrivals(const proto::Prepare& prepare,
                                                            const std::vector<std::int64_t>& connections,
                                                            bool is_warmup) const {
  std::vector<std::optional<Arrivals>> arrivals(connections.size());
  const proto::Sweep& sweep = open_.plan().sweep();
  if (!IsOpenLoop(sweep) || (is_warmup && !sweep.has_warmup())) return arrivals;
  SweepPoint point = PointAt(sweep, static_cast<int>(prepare.point()));
  if (is_warmup) point.stages[0].duration = FromProto(sweep.warmup());
  const std::int64_t requests = is_warmup ? 0 : sweep.requests();
  const auto sharing = static_cast<std::uint64_t>(
      std::count_if(connections.begin(), connections.end(), [](std::int64_t count) { return count > 0; }));
  const auto stream = static_cast<std::uint64_t>(prepare.stream());
  const auto streams = static_cast<std::uint64_t>(prepare.streams());
  for (std::size_t i = 0; i < connections.size(); ++i) {
    // The agent's slots are stream, stream + streams, ...; of these its Kth worker has every sharing-th, from the Kth.
    const std::uint64_t first = stream + streams * i;
    const std::uint64_t stride = streams * sharing;
    const std::uint64_t limit = connections[i] == 0 || streams == 0 ? 0
                                : requests == 0                     ? Arrivals::kNoLimit
                                                                    : static_cast<std::uint64_t>(requests);
    if (limit == 0) {
      arrivals[i] = Arrivals::Constant({}, 0, 1, 0);
    } else if (sweep.arrivals() == "constant") {
      arrivals[i] = Arrivals::Constant(point.stages, first, stride, limit);
    } else {
      const std::uint64_t count = limit == Arrivals::kNoLimit ? limit
                                  : limit > first             ? (limit - first + stride - 1) / stride
                                                              : 0;
      arrivals[i] = Arrivals::Poisson(point.stages,
                                      StreamKey(static_cast<std::uint64_t>(sweep.seed()),
                                                prepare.point() | (is_warmup ? kWarmupPoint : 0), stream, i),
                                      stride, count);
    }
  }
  return arrivals;
}

// A closed loop is paced at the ceilings; a schedule that they cannot keep is refused.
// Errors: PermissionDenied if the share is more than the operator of this agent allows.
absl::Status Session::CheckCeiling(const proto::Prepare& prepare) const {
  // The target's clock is asked over one of its own.
  const std::int64_t asking = open_.plan().web_socket().listen().has_clock() && prepare.connections() > 0 ? 1 : 0;
  if (ceiling_.max_connections != 0 && prepare.connections() + asking > ceiling_.max_connections) {
    return absl::PermissionDeniedError(
        absl::StrCat("target refused: ", prepare.connections(), " connections", asking == 0 ? "" : " and the clock's",
                     ", but the agent's --allow-list caps it at ", ceiling_.max_connections));
  }
  const proto::Plan& plan = open_.plan();
  const proto::Sweep& sweep = plan.sweep();
  if (prepare.streams() == 0) return absl::OkStatus();
  std::int64_t highest = 0;
  for (const RateStage& stage : PointAt(sweep, static_cast<int>(prepare.point())).stages)
    highest = std::max({highest, stage.from, stage.to});
  const double share = PerSecond(highest) / static_cast<double>(prepare.streams());
  const bool is_constant = sweep.arrivals() == "constant";
  const std::int64_t served = sweep.new_connection() ? 1 : sweep.reconnect_after();  // requests on a connection
  const double asked = share * static_cast<double>(1 + plan.follow());  // each redirect is a request besides
  const double connects = served == 0 ? 0 : asked / static_cast<double>(served);
  // What opens a connection counts as well: the upgrade and the subscriptions, or a tunnel.
  double opening = is_tunnelled_ ? 1 : 0;
  if (is_web_socket_) opening += 1 + plan.web_socket().subscribe_size();
  const double sends = asked + connects * opening;
  std::string also = plan.follow() == 0 ? "" : absl::StrCat(", with up to ", plan.follow(), " redirects of each");
  const std::string hops = also;
  if (sends > asked) absl::StrAppend(&also, also.empty() ? ", with " : " and ", "what opens their connections");
  TIDEMARK_RETURN_IF_ERROR(CheckRate(sends, ceiling_.max_rate, is_constant, "requests", also));
  return CheckRate(connects, ceiling_.max_connect_rate, is_constant, "new connections", hops);
}

absl::Status Session::Prepare(const proto::Prepare& prepare) {
  const auto worker_count = static_cast<std::int64_t>(workers_.size());
  if (prepare.connections() < 0 || prepare.connections() > kMaxConnections || prepare.requests() < 0 ||
      prepare.requests() > kMaxRequestsPerPoint || prepare.connect_rate() < 0 || prepare.stream() < 0 ||
      prepare.streams() < 0 || prepare.stream() > prepare.streams() || prepare.streams() > kMaxConnections ||
      (prepare.connections() > 0 && prepare.stream() == prepare.streams()) ||
      prepare.point() >= static_cast<std::uint32_t>(PointCount(open_.plan().sweep())) ||
      prepare.first_connection() < 0 || prepare.first_connection() > kMaxConnections) {
    return absl::InvalidArgumentError("prepare: the share is out of range");
  }
  if (prepare.connections() > ConnectionLimit()) {
    return absl::ResourceExhaustedError(absl::StrCat(prepare.connections(), " connections, but this agent may hold ",
                                                     ConnectionLimit(), "; raise its limit (ulimit -n) or add agents"));
  }
  TIDEMARK_RETURN_IF_ERROR(CheckCeiling(prepare));
  TIDEMARK_RETURN_IF_ERROR(CheckSize(open_.plan(), memory_, worker_count, prepare.connections()));
  const std::int64_t ports = LocalPorts() * static_cast<std::int64_t>(source_count_ * target_count_);
  if (!is_unix_ && prepare.connections() > ports) {
    return absl::ResourceExhaustedError(absl::StrCat(prepare.connections(), " connections, but there are ", ports,
                                                     " local ports to this target; add --source addresses or agents"));
  }
  {
    MutexLock lock(&mutex_);
    if (point_) return absl::FailedPreconditionError("prepare: a point is still running");
    point_ = prepare.point();
    ++prepared_;
  }
  const std::vector<std::int64_t> connections = SplitEvenly(prepare.connections(), worker_count);
  // A total goes where the connections are; without any, the agent idles this point.
  std::vector<std::int64_t> requests(workers_.size());
  if (prepare.connections() > 0) requests = SplitByWeight(prepare.requests(), connections);
  const std::vector<std::optional<Arrivals>> arrivals = SplitArrivals(prepare, connections, false);
  const std::vector<std::optional<Arrivals>> warmup = SplitArrivals(prepare, connections, true);
  // The same at all agents: slots tell apart what is random.
  const auto seed = [&prepare, this](std::uint32_t phase) {
    return StreamKey(static_cast<std::uint64_t>(open_.plan().sweep().seed()), prepare.point() | phase,
                     static_cast<std::uint64_t>(prepare.attempt()), kOfRequests);
  };
  // Slots are dealt in turn: to the agents that have connections, and then to their workers that do.
  const auto sharing =
      std::count_if(connections.begin(), connections.end(), [](std::int64_t count) { return count > 0; });
  // What the plan leaves of what CheckSize allows it.
  const std::int64_t message_room = UsableMemory() / 2 - memory_.Of(worker_count, prepare.connections());
  host_at_start_ = ReadHostCounters();
  attempt_ = prepare.attempt();
  latest_ = prepare.point();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->Prepare(
        {.point = prepare.point(),
         .attempt = prepare.attempt(),
         .connections = connections[i],
         .first_connection = prepare.first_connection() + static_cast<std::int64_t>(i),
         .connection_stride = worker_count,
         .first_slot = static_cast<std::uint64_t>(prepare.stream() + prepare.streams() * static_cast<std::int64_t>(i)),
         .slot_stride = static_cast<std::uint64_t>(prepare.streams() * sharing),
         .requests = requests[i],
         .connecting = std::max<std::int64_t>(1, sharing),
         .message_room = message_room / worker_count,
         .connect_rate = prepare.connect_rate(),
         .arrivals = arrivals[i],
         .warmup = warmup[i],
         .seed = seed(0),
         .warmup_seed = seed(kWarmupPoint)});
  }
  return absl::OkStatus();
}

absl::Status Session::Arm(const proto::Arm& arm) {
  {
    MutexLock lock(&mutex_);
    if (!point_ || *point_ != arm.point()) return absl::FailedPreconditionError("arm: this point is not prepared");
  }
  const Nanos margin = std::max<Nanos>(0, arm.start_ns()) - MonotonicNow();
  host_at_start_ = ReadHostCounters();
  proto::Event event;
  event.mutable_armed()->set_point(arm.point());
  event.mutable_armed()->set_margin_ns(margin);
  // A start that has passed is none: what was due meanwhile would go out in a burst. The coordinator ends the point.
  if (margin >= 0) {
    for (const auto& worker : workers_) worker->Start(arm.start_ns());
  }
  emit_(event);
  return absl::OkStatus();
}

void Session::Stop(Nanos most) {
  const Nanos grace = std::min({most, kStopGrace, FromProto(open_.plan().timeout())});
  for (const auto& worker : workers_) worker->Stop(grace);
}

bool Session::IsIdle() {
  MutexLock lock(&mutex_);
  return prepared_ == told_;
}

void Session::Finish() {
  for (const auto& worker : workers_) worker->Finish();
}

void Session::WatchNames(const proto::Plan& plan, const TargetGuard& guard, const Target& target, const Aim& aim,
                         const Patience& patience) {
  if (!plan.has_resolve_every()) return;
  names_ = std::make_unique<NameWatch>(NameWatch::Settings{.target = target,
                                                           .plan = plan,
                                                           .guard = guard,
                                                           .aim = aim,
                                                           .has_sources = !plan.source_addresses().empty(),
                                                           .every = FromProto(plan.resolve_every()),
                                                           .patience = patience.WithoutDeadline()},
                                       [this](NameWatch::News news) {
                                         {
                                           MutexLock lock(&mutex_);
                                           news_.push_back(std::move(news));
                                         }
                                         changed_.NotifyAll();
                                       });
}

// Of each address the index in AddressTally; new ones join address_names_.
std::vector<std::uint32_t> Session::IndicesOf(absl::Span<const SocketAddress> addresses) {
  std::vector<std::uint32_t> indices;
  for (const SocketAddress& address : addresses)
    indices.push_back(AddressTally::IndexIn(address.ToString(), &address_names_));
  return indices;
}

// The target's name was looked up again.
void Session::Follow(const NameWatch::News& news) {
  const bool is_kept = news.addresses.empty();
  const std::vector<std::uint32_t> indices = IndicesOf(news.addresses);
  for (const auto& worker : workers_) {
    if (!is_kept) worker->UseTargets(news.addresses, indices);
  }
  workers_[0]->CountName(
      is_kept,
      is_kept ? absl::StrCat("the target's name was looked up again, and its old addresses are kept: ", news.why_kept)
              : "");
}

void Session::Deliver(WorkerReport report) {
  {
    MutexLock lock(&mutex_);
    mailbox_.push_back(std::move(report));
  }
  changed_.NotifyAll();
}

void Session::SendEvents() {
  while (true) {
    std::vector<WorkerReport> reports;
    std::vector<NameWatch::News> all_news;
    {
      MutexLock lock(&mutex_);
      while (mailbox_.empty() && news_.empty() && !is_closing_) changed_.Wait(&mutex_);
      if (is_closing_) return;
      reports.swap(mailbox_);
      all_news.swap(news_);
    }
    for (const NameWatch::News& news : all_news) Follow(news);
    for (WorkerReport& report : reports) Handle(std::move(report));
  }
}

void Session::Handle(WorkerReport report) {
  const auto worker = static_cast<std::size_t>(report.worker);
  up_[worker] = report.connections_up;
  for (const auto& [text, entry] : report.connect_errors.by_text) connect_errors_.by_text[text].Add(entry);
  switch (report.kind) {
    case WorkerReport::Kind::kProgress: {
      proto::Event event;
      event.mutable_progress()->set_connections_up(std::accumulate(up_.begin(), up_.end(), std::int64_t{0}));
      event.mutable_progress()->set_remark(report.remark);
      emit_(event);
      return;
    }
    case WorkerReport::Kind::kReady:
      before_start_.Add(*report.recorder);
      if (++ready_count_ == static_cast<int>(workers_.size())) SendReady();
      break;
    case WorkerReport::Kind::kWindow: {
      if (!shards_) {
        proto::ShardKey key;
        key.set_run(open_.run());
        key.set_point(report.point);
        key.set_agent(open_.agent());
        key.set_incarnation(incarnation_);
        key.set_attempt(attempt_);
        shards_.emplace(key, static_cast<int>(workers_.size()), &address_names_, IsOpenLoop(open_.plan().sweep()));
      }
      for (proto::Shard& shard : shards_->Add(report)) {
        const bool is_final = shard.is_final();
        if (is_final) {
          shards_.reset();
          MutexLock lock(&mutex_);
          point_.reset();
        }
        proto::Event event;
        ToProto(ReadHostCounters(), host_at_start_, shard.mutable_host());
        if (target_clock_ != nullptr) {
          const TargetClock::Reading reading = target_clock_->Latest();
          proto::TargetClockReading* const clock = shard.mutable_target_clock();
          clock->set_offset_ns(reading.bounds.offset());
          clock->set_error_ns(reading.bounds.error());
          clock->set_readings(reading.bounds.readings());
          clock->set_failures(reading.failures);
          clock->set_steps(reading.bounds.steps());
        }
        *event.mutable_shard() = std::move(shard);
        emit_(event);
        if (!is_final) continue;
        MutexLock lock(&mutex_);
        ++told_;
        break;
      }
      break;
    }
  }
  report.recorder->Clear();
  workers_[worker]->Recycle(std::move(report.recorder));
}

void Session::SendReady() {
  proto::Event event;
  proto::Ready* ready = event.mutable_ready();
  {
    MutexLock lock(&mutex_);
    ready->set_point(point_.value_or(0));
  }
  ready->set_connections_up(std::accumulate(up_.begin(), up_.end(), std::int64_t{0}));
  ToProto(before_start_.counters, Pending(), ready->mutable_warmup());
  before_start_.statuses.ToProto(ready->mutable_statuses());
  before_start_.addresses.ToProto(address_names_, ready->mutable_addresses());
  for (const Metric metric : kConnectionMetrics) {
    if (!before_start_[metric].IsEmpty())
      ToProto(before_start_[metric], static_cast<std::uint32_t>(metric), ready->add_connects());
  }
  for (const auto& [text, entry] : connect_errors_.by_text) {
    proto::ConnectError* error = ready->add_errors();
    error->set_text(entry.detail.empty() ? text : absl::StrCat(text, "; ", entry.detail));
    error->set_result(static_cast<std::uint32_t>(entry.result));
    error->set_count(entry.count);
  }
  connect_errors_.by_text.clear();
  before_start_.Clear();
  ready_count_ = 0;
  emit_(event);
}

}  // namespace tidemark
