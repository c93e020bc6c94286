#include "agent/engine/worker.h"

#include <sys/prctl.h>

#include <algorithm>
#include <random>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "agent/host/machine.h"
#include "agent/host/wipe_stack.h"
#include "common/check.h"
#include "common/plan/authority.h"
#include "common/plan/durations.h"
#include "common/plan/measured.h"
#include "common/plan/schedule.h"
#include "common/plan/sweep.h"
#include "common/stats/histogram.h"

namespace tidemark {
namespace {

// One read serves this much; what a header leaves over is kept in front of it.
constexpr std::size_t kReadBytes = 64 << 10;
// Connections opened before the peer has answered on them, per tick: fewer than an accept queue holds, since a full
// one makes the kernel drop the SYN and retry it a second later. Each first answer allows one more.
constexpr int kOpenCredits = 32;
constexpr Nanos kWindow = kSecond;
constexpr Nanos kProgressInterval = 200 * kMillisecond;
// Made while preparing, so that a window's end costs no page faults.
constexpr std::size_t kSpareRecorders = 3;
// How long a running worker without events sleeps before it looks at its time-outs. Longer than the kernel's own tick,
// so that falling asleep does not program the hardware timer anew, which costs a microsecond or more in a guest.
constexpr Nanos kRunningWake = 50 * kMillisecond;
// How long before a slot is due a spinning worker stops sleeping: a timer's usual lateness.
constexpr Nanos kSpin = 50 * kMicrosecond;
constexpr Nanos kIdleWake = 10 * kSecond;
// A worker that neither read nor waited for so long stood still: what did not come meanwhile may have been there.
constexpr Nanos kStoodStill = 100 * kMillisecond;
// An ack that has not come for so long is worth a remark.
constexpr Nanos kLongAck = 5 * kSecond;
// A worker that has not read for longer was behind: what its streams lack then may be its own fault.
constexpr Nanos kStall = 150 * kMillisecond;
// No ceiling makes preparing wait for longer.
constexpr Nanos kMaxPacedPreparing = 24 * 3600 * kSecond;

// Without a coordinator there is no lease that could end.
constexpr std::atomic<Nanos> kEndless = kNeverDue;
// Requests of one turn that go out between two looks at the lease.
constexpr std::size_t kSendsAtOnce = 8;

ListenRules RulesOf(const proto::Listen& listen) {
  ListenRules rules{.streams = StreamRules::Of(listen)};
  if (listen.has_hold()) rules.hold = FromProto(listen.hold());
  if (listen.has_storm()) {
    rules.delay = FromProto(listen.storm().delay());
    if (listen.storm().jitter() == "fixed") rules.jitter = ListenRules::Jitter::kFixed;
    if (listen.storm().jitter() == "full") rules.jitter = ListenRules::Jitter::kFull;
  }
  return rules;
}

}  // namespace

Worker::Worker(int index, std::shared_ptr<const Settings> settings, SslContext tls, Report report)
    : index_(index),
      shared_(std::move(settings)),
      settings_(*shared_),
      tls_(std::move(tls)),
      report_(std::move(report)),
      lease_(settings_.lease == nullptr ? &kEndless : settings_.lease),
      wheel_(MonotonicNow()) {
  const proto::Plan& plan = settings_.plan;
  context_.loop = &loop_;
  context_.wheel = &wheel_;
  context_.is_single_use = plan.sweep().new_connection();
  if (settings_.target.is_web_socket) {
    std::random_device device;
    context_.random = std::uint64_t{device()} << 32 | device();
    context_.subprotocols = absl::StrJoin(plan.web_socket().subprotocols(), ", ");
    if (plan.web_socket().deflate()) context_.deflate = std::make_unique<MessageDeflate>();
    context_.upgrade =
        SerializeUpgrade(plan.requests(0), settings_.target, context_.subprotocols, plan.web_socket().deflate());
    context_.reply_id = plan.web_socket().reply_id();
    context_.json = std::make_unique<JsonPointers>();
    const proto::WebSocket& web_socket = plan.web_socket();
    context_.subscribe = settings_.subscribe;
    context_.ack = Match::Of(web_socket.ack());
    context_.pipeline = static_cast<std::size_t>(std::max<std::int64_t>(1, web_socket.pipeline()));
    if (web_socket.control_rate() != 0) context_.control_interval = static_cast<Nanos>(1e9 / web_socket.control_rate());
    context_.target_clock = settings_.target_clock;
    if (web_socket.has_listen()) context_.listen = RulesOf(web_socket.listen());
    context_.ping_every = FromProto(web_socket.ping().every());
    context_.ping_text = web_socket.ping().text();
    context_.ping_reply = web_socket.ping().reply();
    if (absl::StartsWith(context_.ping_reply, "/")) context_.ping_match = Match::Of(context_.ping_reply);
    wants_ticks_ = web_socket.listen().has_storm() || web_socket.listen().has_hold() ||
                   web_socket.listen().silence_factor() != 0 || context_.control_interval != 0;
  }
  context_.reconnect_after = plan.sweep().reconnect_after();
  std::vector<RequestBytes> requests = settings_.requests;
  std::vector<RequestBytes> last_requests = settings_.last_requests;
  for (RequestBytes& request : requests) request.mask_seed = context_.NextRandom();
  std::vector<std::int64_t> weights;
  for (const proto::Request& request : plan.requests()) weights.push_back(std::max<std::int64_t>(1, request.weight()));
  context_.requests = RequestMix(std::move(requests), weights);
  if (!last_requests.empty()) context_.last_requests = RequestMix(std::move(last_requests), weights);
  const auto is_last = [](const RequestBytes& request) { return request.is_last; };
  const bool is_continued = context_.requests.HasAny([](const RequestBytes& r) { return r.head_bytes != 0; });
  context_.book.TellApart(context_.requests.IsMixed() ? &context_.requests : nullptr);
  context_.success = *ParseStatusSet(plan.expect_status());
  context_.masks = &settings_.masks;
  context_.first_answers = FirstAnswers(false, static_cast<std::uint32_t>(index_), &settings_.masks);
  context_.first_refusals = FirstAnswers(true, static_cast<std::uint32_t>(index_), &settings_.masks);
  context_.limits.max_body_bytes = static_cast<std::uint64_t>(plan.max_response_bytes());
  context_.timeout = FromProto(plan.timeout());
  context_.connect_timeout = FromProto(plan.connect_timeout());
  context_.think_time = FromProto(plan.sweep().think_time());
  context_.follow = plan.follow();
  context_.drain = plan.sweep().has_drain() ? FromProto(plan.sweep().drain()) : context_.timeout;
  context_.stamp_every = plan.kernel_timestamps();
  context_.has_stamps = HasStamps(plan, settings_.target);
  context_.sends.Use(settings_.sends, settings_.workers);
  context_.connects.Use(settings_.connects, settings_.workers);
  const bool is_paced = context_.sends.IsOn() || context_.connects.IsOn();
  wants_ticks_ = wants_ticks_ || is_paced;
  context_.is_plain_send = !is_continued && !is_paced;
  context_.targets = settings_.targets;
  context_.target_indices = settings_.target_indices;
  context_.sources = settings_.sources;
  context_.tunnel = settings_.tunnel;
  context_.is_proxied = !plan.proxy().empty();
  context_.tls = tls_.get();
  context_.is_lasting = context_.reconnect_after == 0 && !context_.requests.HasAny(is_last);
  context_.is_plain_reuse = context_.is_lasting && context_.tls == nullptr;
  context_.is_one_request = context_.reconnect_after == 0 && !context_.requests.IsMixed() && context_.follow == 0;
  context_.server_name = ServerName(settings_.target.host);
  context_.buffer.resize(kReadBytes + ResponseLimits::kMaxHeaderBytes);
  thread_ = std::thread([this] {
    Run();
    WipeStack();
  });
}

Worker::~Worker() { End(); }

std::uint64_t Worker::End() {
  if (thread_.joinable()) {
    loop_.Post([this] { is_quitting_ = true; });
    thread_.join();
    if (state_ == State::kRunning) sent_ += recorder_->counters.RequestsSent();
  }
  return sent_;
}

void Worker::Recycle(std::unique_ptr<Recorder> recorder) {
  loop_.Post([this, recorder = std::move(recorder)]() mutable { spare_.push_back(std::move(recorder)); });
}

std::unique_ptr<Recorder> Worker::MakeRecorder() const {
  auto recorder = std::make_unique<Recorder>();
  if (context_.requests.IsMixed()) recorder->requests.resize(context_.requests.size());
  return recorder;
}

std::unique_ptr<Recorder> Worker::TakeRecorder() {
  if (spare_.empty()) return MakeRecorder();
  std::unique_ptr<Recorder> recorder = std::move(spare_.back());
  spare_.pop_back();
  return recorder;
}

// The longest that Prepare may take.
Nanos Worker::PrepareLimit() const {
  const proto::Sweep& sweep = settings_.plan.sweep();
  const std::int64_t connections = share_.connections * share_.connection_stride;  // of all workers, nearly
  const std::int64_t requests = sweep.warmup_requests_per_connection();
  const Nanos ramp = share_.connect_rate == 0 ? 0 : DueAt(connections, share_.connect_rate);
  const Nanos pauses = std::min(kMaxPacedPreparing, context_.think_time) * requests;
  // What a ceiling makes them wait; what opens a connection counts at it too.
  const std::int64_t opening = (context_.tunnel.empty() ? 0 : 1) +
                               (context_.upgrade ? 1 + static_cast<std::int64_t>(context_.subscribe.size()) : 0);
  double paced = 0;
  if (settings_.connects != nullptr) paced += static_cast<double>(connections) / settings_.connects->rate();
  if (settings_.sends != nullptr)
    paced += static_cast<double>(connections) * static_cast<double>(opening + requests) / settings_.sends->rate();
  paced = std::min(paced * 1e9, static_cast<double>(kMaxPacedPreparing));
  return ramp + std::min(kMaxPacedPreparing, pauses) + static_cast<Nanos>(paced) + context_.connect_timeout +
         context_.timeout;
}

void Worker::Run() {
  prctl(PR_SET_TIMERSLACK, 1);
  if (settings_.plan.pin_threads()) PinToCore(index_);
  Nanos busy_since = context_.ReadClock();
  const auto look_for_standstill = [this, &busy_since] {
    if (context_.now - busy_since <= kStoodStill) [[likely]]
      return;
    StandStill(busy_since, context_.now - busy_since);
    busy_since = context_.now;
  };
  while (!is_quitting_) {
    const Nanos turn_end = context_.ReadClock();
    look_for_standstill();
    const Nanos wake = std::max(turn_end, NextWake());
    context_.attention.BeginWait(turn_end);
    const std::span<epoll_event> events = loop_.Wait(turn_end, wake);
    const Nanos turn_start = busy_since = context_.ReadClock();
    context_.attention.BeginTurn(turn_start);
    if (turn_start - wake > kStoodStill) [[unlikely]]
      StandStill(turn_end, turn_start - wake);
    if (turn_start >= duration_end_) [[unlikely]]
      CutDuration();
    if (HasLease()) [[likely]] {
      // All responses of a turn are read before the next requests go out: a send between two reads would delay the
      // second one's time stamp, and wake the target for each request instead of once.
      context_.is_in_turn = true;
      for (const epoll_event& event : events) static_cast<Connection*>(event.data.ptr)->OnEvents(event.events);
      context_.is_in_turn = false;
      SendDue();
    }
    // Who was frozen finds here that nobody wants this load any more, before any of it goes out.
    if (!HasLease()) [[unlikely]]
      StopNow(0);
    loop_.RunPosted();
    look_for_standstill();  // nothing times out before what came meanwhile is read
    AfterTurn();
    if (!events.empty() && recorder_ != nullptr) (*recorder_)[Metric::kLoopLag].Record(context_.now - turn_start);
  }
  connections_.clear();
}

// What the turn's responses have made due. It may be long, and the freeze fall into it.
void Worker::SendDue() {
  std::vector<Connection*>& to_send = context_.to_send;
  for (std::size_t first = 0; first < to_send.size() && HasLease(); first += kSendsAtOnce) {
    const std::size_t end = std::min(first + kSendsAtOnce, to_send.size());
    for (std::size_t i = first; i < end; ++i) to_send[i]->Send();
  }
  to_send.clear();
}

// For `length`, up to now, this thread read nothing, although it should have; what has come since `from` may have lain
// unread.
void Worker::StandStill(Nanos from, Nanos length) {
  if (length > kStall) context_.behind_at = context_.now;
  context_.attention.StandStill(from, context_.now);
  if (recorder_ == nullptr) return;
  recorder_->stood_still = std::max(recorder_->stood_still, length);
  if (state_ != State::kRunning || is_draining_) return;
  const Nanos counted = std::min(context_.now, duration_end_) - std::max(context_.now - length, phase_start_);
  recorder_->counters.stood_still_ns += static_cast<std::uint64_t>(std::max<Nanos>(0, counted));
}

Nanos Worker::NextWake() const {
  if (state_ == State::kVacant) return context_.now + kIdleWake;
  if (state_ == State::kReady && start_) return std::min(*start_, next_tick_);
  Nanos wake = kNeverDue;
  if (context_.open_loop) {
    const Nanos due = context_.open_loop->next_due();
    wake = due != kNeverDue && settings_.plan.sweep().pace() == "spin" ? due - kSpin : due;
  }
  if (state_ != State::kRunning || context_.think_time > 0 || context_.ping_every > 0 || wants_ticks_ ||
      context_.short_of_room > 0 || context_.connect_interval != 0) {
    if (context_.has_held) wake = std::min({wake, context_.sends.ReadyAt(), context_.connects.ReadyAt()});
    return std::min(next_tick_, wake);
  }
  if (context_.open_loop) return std::min({context_.now + kRunningWake, WindowEnd(), wake, duration_end_, cut_off_at_});
  const Nanos end = context_.pacer.IsStopped() ? cut_off_at_ : context_.pacer.end();
  return std::min({context_.now + kRunningWake, WindowEnd(), end});
}

Nanos Worker::WindowEnd() const { return phase_start_ + (static_cast<Nanos>(window_) + 1) * kWindow; }

// What is due by now, whatever the events were.
void Worker::AfterTurn() {
  if (state_ == State::kVacant) return;
  // What came while this thread stood still is read before anything times out.
  if (context_.now >= next_tick_ && !context_.attention.IsBehind(context_.now, loop_.IsFull())) {
    next_tick_ = context_.now - context_.now % TimeoutWheel::kTick + TimeoutWheel::kTick;
    context_.open_credits = kOpenCredits;
    context_.stamps.OnTick(context_.now);
    context_.stamp_switch.Set(context_.stamps.WantsReceipts());
    wheel_.Advance(context_.now, [this](TimeoutWheel::Node* node) {
      if (HasLease()) [[likely]]
        static_cast<Connection*>(node)->OnDeadline();
    });
  }
  if (context_.has_held) [[unlikely]]
    ServeHeld();
  if (state_ == State::kPreparing || state_ == State::kWarming) {
    if (state_ == State::kPreparing) {
      OpenConnections();
      const bool is_over = context_.settled == share_.connections || context_.now >= phase_limit_;
      // A target that nobody reaches is not warmed up.
      if (is_over) return settings_.plan.sweep().has_warmup() && context_.up > 0 ? BeginWarmup() : FinishPreparing();
    } else {
      if (context_.open_loop) ReleaseDue();
      if (IsWarm() || context_.now >= phase_limit_) return FinishPreparing();
    }
    if (context_.now - last_progress_ >= kProgressInterval) {
      last_progress_ = context_.now;
      report_({.kind = WorkerReport::Kind::kProgress,
               .worker = index_,
               .point = share_.point,
               .connections_up = context_.up,
               .remark = RemarkOnAcks()});
    }
    return;
  }
  if (state_ == State::kReady && start_ && context_.now >= *start_) StartPoint(false);
  if (state_ != State::kRunning) return;
  if (context_.pacer.IsTimed() && !context_.pacer.IsStopped() && context_.now >= context_.pacer.end())
    EndPoint(context_.drain, NeverSent::kStopped);
  if (context_.open_loop) {
    ReleaseDue();
    // A request that has found no connection for as long as a time-out after the last one fell due is given up. Those
    // in flight end by their own time-outs, or with the drain.
    const OpenLoop& open_loop = *context_.open_loop;
    const bool is_cut = context_.drain < context_.timeout;
    if (open_loop.IsExhausted() && !context_.pacer.IsStopped() &&
        context_.now >= open_loop.last_due() + std::min(context_.drain, context_.timeout)) {
      EndPoint(is_cut ? 0 : context_.timeout + kSecond, NeverSent::kCap);
    }
  }
  if (context_.now >= cut_off_at_) {
    for (Connection& connection : connections_) connection.CutOff();
  }
  const bool is_over = context_.open_loop ? context_.open_loop->IsExhausted() && context_.book.waiting() == 0 &&
                                                context_.book.in_flight() == 0
                                          : context_.settled == share_.connections;
  if (is_over && duration_end_ == TimeoutWheel::kNever) return FinishPoint();
  if (storm_at_ != 0 && context_.now >= storm_at_) Storm();
  if (context_.ping_every != 0) PingDue();
  if (core_sharing_.IsOn())
    core_sharing_.Review(context_.now, responses_before_window_ + recorder_->counters.Complete());
  if (context_.now >= WindowEnd()) HandOver(false);
}

// The ceilings let those go on that have waited longest.
void Worker::ServeHeld() {
  if (state_ == State::kWarming && context_.pacer.IsTimed() && context_.now >= context_.pacer.end()) {
    for (Connection& connection : connections_) connection.DropHeld();
  }
  const Nanos now = context_.now;
  context_.connects.Serve(now, [](Connection* connection) { connection->GoOnConnecting(); });
  context_.sends.Serve(now, [](Connection* connection) { connection->GoOn(); });
  context_.has_held = context_.connects.IsWaitedFor() || context_.sends.IsWaitedFor();
}

// Once in a point, if a connection waits for its ack for long: what came instead. Else empty.
std::string Worker::RemarkOnAcks() {
  if (has_remarked_ || context_.ack.pointer.empty()) return "";
  for (const Connection& connection : connections_) {
    const std::string text = connection.LacksAckSince(context_.now - kLongAck);
    if (text.empty()) continue;
    has_remarked_ = true;
    return text;
  }
  return "";
}

// Open loop: slots that have fallen due wait, and free connections take them.
void Worker::ReleaseDue() {
  OpenLoop& open_loop = *context_.open_loop;
  // What falls due meanwhile goes out at once, unless so much time has gone by that the lease is over.
  while (open_loop.next_due() <= context_.now && HasLease()) {
    const Nanos until = context_.now;
    while (open_loop.next_due() <= until) {
      const bool is_first = !open_loop.HasWaiting();
      context_.book.FallDue(open_loop.Release());
      if (context_.backing_off > 0 && context_.first_free == nullptr) ++recorder_->counters.waited_for_back_off;
      while (open_loop.HasWaiting() && context_.first_free != nullptr) context_.first_free->ServeWaiting(is_first);
    }
  }
}

// Closes a share of the connections, spread evenly over them.
void Worker::Storm() {
  storm_at_ = 0;
  const std::int64_t percent = settings_.plan.web_socket().listen().storm().percent();
  std::int64_t sum = 0;
  for (Connection& connection : connections_) {
    sum += percent;
    if (sum < 100) continue;
    sum -= 100;
    connection.Storm();
  }
}

// Pings are spread evenly over their interval.
void Worker::PingDue() {
  const auto count = static_cast<Nanos>(connections_.size());
  while (count > 0 && HasLease() && phase_start_ + context_.ping_every * (pinged_ + count) / count <= context_.now) {
    connections_[static_cast<std::size_t>(pinged_++ % count)].Ping();
  }
}

void Worker::Prepare(const WorkerShare& share) {
  loop_.Post([this, share] {
    CHECK(state_ == State::kVacant);
    share_ = share;
    state_ = State::kPreparing;
    opened_ = 0;
    start_.reset();
    phase_start_ = context_.ReadClock();
    wheel_.SkipTo(phase_start_);
    phase_limit_ = phase_start_ + PrepareLimit();
    last_progress_ = next_tick_ = phase_start_;
    has_remarked_ = false;
    while (spare_.size() < kSpareRecorders) spare_.push_back(MakeRecorder());
    recorder_ = TakeRecorder();
    context_.RecordInto(recorder_.get());
    context_.BeginAnswers();
    context_.pacer.LimitEach();
    context_.is_preparing = true;
    context_.is_over = false;
    // From the warm-up on, so that the rate of requests is known at the start.
    if (context_.has_stamps) {
      // Of a read nobody knows beforehand, so that those of a window's begin would favour what comes alone.
      context_.stamps.Begin(context_.stamp_every, !context_.listen.has_value(), context_.NextRandom(), phase_start_);
      context_.stamp_switch.Set(true);
    }
    context_.book.Number(share_.first_slot, share_.slot_stride);
    context_.message_room = share_.message_room;
    context_.settled = 0;
    context_.may_connect_at = context_.connect_interval = 0;
    if (share_.connect_rate != 0) {
      context_.connect_interval = DueAt(share_.connecting, share_.connect_rate);
      context_.may_connect_at = phase_start_ + DueAt(index_ % share_.connecting, share_.connect_rate);
    }
    context_.sends.Empty(static_cast<std::size_t>(share_.connections));
    context_.connects.Empty(static_cast<std::size_t>(share_.connections));
    context_.has_held = false;
    context_.open_credits = kOpenCredits;
    context_.connect_errors.by_text.clear();
    context_.last_refusal = NeverSent::kCount;
    const auto warmup = static_cast<std::uint64_t>(settings_.plan.sweep().warmup_requests_per_connection());
    for (std::int64_t i = 0; i < share_.connections; ++i) {
      connections_.emplace_back().Init(&context_, share_.first_connection + i * share_.connection_stride, warmup);
    }
  });
}

// Opens as many connections as the ramp and the peer's accept queue allow.
void Worker::OpenConnections() {
  while (opened_ < connections_.size() && context_.open_credits > 0 && HasLease()) {
    if (context_.may_connect_at > context_.now) return;
    --context_.open_credits;
    connections_[opened_++].Open();
  }
}

// The point's load for a time, in whatever loop it has.
void Worker::BeginWarmup() {
  const Nanos length = FromProto(settings_.plan.sweep().warmup());
  state_ = State::kWarming;
  phase_limit_ = context_.now + length + context_.timeout + kSecond;
  context_.settled = 0;
  context_.first_free = nullptr;
  if (share_.warmup) {
    context_.BeginOpenLoop(*share_.warmup, context_.now);
  } else {
    context_.pacer.LimitTime(context_.now + length);
  }
  BeginConnections(0, context_.now);
}

// A phase of the point's load begins at `start`. With a think time the first requests are spread evenly over it, for
// all connections of the run together; without one all are due at once.
void Worker::BeginConnections(std::uint64_t quota, Nanos start) {
  const std::int64_t all =
      std::max<std::int64_t>(1, PointAt(settings_.plan.sweep(), static_cast<int>(share_.point)).connections);
  std::int64_t index = share_.first_connection;
  for (Connection& connection : connections_) {
    const auto delay = static_cast<Nanos>(absl::int128(context_.think_time) * (index % all) / all);
    connection.Begin(quota, start + delay);
    index += share_.connection_stride;
  }
}

bool Worker::IsWarm() const {
  return context_.open_loop
             ? context_.open_loop->IsExhausted() && context_.book.waiting() == 0 && context_.book.in_flight() == 0
             : context_.settled == share_.connections;
}

void Worker::FinishPreparing() {
  const bool is_complete = state_ == State::kWarming ? IsWarm() : context_.settled == share_.connections;
  state_ = State::kReady;
  if (!is_complete) {
    // Out of time: what still warms up is cut off; those connections open again when they have a slot.
    context_.pacer.Stop();
    if (context_.open_loop) DropWaiting(NeverSent::kStopped);
    for (Connection& connection : connections_) {
      if (connection.IsSettled()) continue;
      const NeverSent why = connection.WhyUnsent(NeverSent::kStopped);
      connection.StopWaiting(NeverSent::kStopped);
      connection.CutOff();
      context_.book.PlanUnsent(connection.quota(), why, context_.now);
      connection.ForgetQuota();
    }
  }
  context_.EndOpenLoop();
  WorkerReport report{
      .kind = WorkerReport::Kind::kReady, .worker = index_, .point = share_.point, .connections_up = context_.up};
  report.recorder = std::exchange(recorder_, TakeRecorder());
  report.connect_errors = std::move(context_.connect_errors);
  context_.connect_errors.by_text.clear();
  context_.RecordInto(recorder_.get());
  report_(std::move(report));
}

void Worker::Start(Nanos start) {
  loop_.Post([this, start] {
    if (state_ == State::kReady) start_ = start;
  });
}

void Worker::StartPoint(bool is_stopped) {
  const proto::Sweep& sweep = settings_.plan.sweep();
  state_ = State::kRunning;
  phase_start_ = *start_;
  start_late_ = context_.now - *start_;
  if (start_late_ > kStoodStill) recorder_->counters.stood_still_ns += static_cast<std::uint64_t>(start_late_);
  start_.reset();
  storm_at_ = 0;
  if (settings_.plan.web_socket().listen().has_storm() && !is_stopped)
    storm_at_ = phase_start_ + FromProto(settings_.plan.web_socket().listen().storm().at());
  pinged_ = 0;
  window_ = 0;
  sent_ = 0;
  length_ = 0;
  is_draining_ = false;
  duration_end_ = TimeoutWheel::kNever;
  if (const Nanos length = PointLength(sweep); length != 0) duration_end_ = phase_start_ + length;
  cut_off_at_ = TimeoutWheel::kNever;
  counted_to_ = phase_start_;
  cpu_at_window_ = ThreadCpuTime();
  run_delay_at_window_ = ThreadRunDelay();
  responses_before_window_ = 0;
  last_end_ = 0;
  context_.BeginCounting(phase_start_, share_.connections);
  context_.first_free = nullptr;
  if (share_.arrivals) context_.BeginOpenLoop(*share_.arrivals, phase_start_);
  if (settings_.is_target_on_this_machine && !share_.arrivals && context_.think_time == 0 && !context_.listen)
    core_sharing_.Begin(phase_start_, 0);
  context_.is_preparing = context_.is_over = false;
  context_.BeginAnswers();
  // Streams have not waited for the start.
  recorder_->counters.early_messages = recorder_->counters.messages;
  recorder_->counters.early_message_bytes = recorder_->counters.message_bytes;
  recorder_->named.ClearStreams();
  context_.start = phase_start_;
  context_.book.Number(share_.first_slot, share_.slot_stride);
  context_.settled = 0;
  if (share_.arrivals) {
    context_.pacer.LimitEach();  // the schedule has its own end
  } else if (sweep.has_duration()) {
    context_.pacer.LimitTime(phase_start_ + FromProto(sweep.duration()));
  } else if (sweep.requests() != 0) {
    context_.pacer.LimitTotal(static_cast<std::uint64_t>(share_.requests));
  } else {
    context_.pacer.LimitEach();
  }
  if (is_stopped) context_.pacer.Stop();
  BeginConnections(static_cast<std::uint64_t>(sweep.requests_per_connection()), phase_start_);
}

void Worker::Stop(Nanos grace) {
  loop_.Post([this, grace] { StopNow(grace); });
}

void Worker::StopNow(Nanos grace) {
  if (state_ == State::kVacant) return;
  if (state_ == State::kPreparing || state_ == State::kWarming) FinishPreparing();
  if (state_ == State::kReady) {
    // Never started: its slots are planned and stopped, so that the point's account is whole.
    start_ = context_.now;
    StartPoint(true);
  }
  duration_end_ = std::min(duration_end_, context_.now);
  CutDuration();
  EndPoint(grace, NeverSent::kStopped);
}

void Worker::Finish() {
  loop_.Post([this] {
    if (state_ != State::kRunning || context_.pacer.IsStopped()) return;
    duration_end_ = std::min(duration_end_, context_.now);
    if (!context_.open_loop) return context_.pacer.LimitTime(context_.now);
    context_.book.PlanUnsent(context_.open_loop->Cancel(), NeverSent::kStopped, context_.now);
  });
}

void Worker::UseTargets(std::vector<SocketAddress> targets, std::vector<std::uint32_t> indices) {
  loop_.Post([this, targets = std::move(targets), indices = std::move(indices)]() mutable {
    context_.targets = std::move(targets);
    context_.target_indices = std::move(indices);
    context_.targets_since = context_.ReadClock();
  });
}

void Worker::CountName(bool is_kept, std::string remark) {
  loop_.Post([this, is_kept, remark = std::move(remark)]() mutable {
    ++(is_kept ? names_kept_ : names_changed_);
    if (remark.empty() || state_ == State::kVacant) return;
    report_({.kind = WorkerReport::Kind::kProgress,
             .worker = index_,
             .point = share_.point,
             .connections_up = context_.up,
             .remark = std::move(remark)});
  });
}

// The point's duration is over: what comes from now on is drained, and in no rate. Once.
void Worker::CutDuration() {
  const Nanos end = std::exchange(duration_end_, TimeoutWheel::kNever);
  context_.is_over = true;
  if (state_ != State::kRunning || is_draining_) return;  // a second Stop has nothing to cut
  length_ = std::max<Nanos>(1, std::min(end, context_.now) - phase_start_);
  context_.book.Integrate(std::min(end, context_.now));
  HandOver(false);
  is_draining_ = true;
  context_.EndCounting();
  window_ = std::max(window_, static_cast<std::uint32_t>((length_ + kWindow - 1) / kWindow));
}

void Worker::EndPoint(Nanos grace, NeverSent reason) {
  context_.pacer.Stop();
  cut_off_at_ = std::min(cut_off_at_, context_.now + grace);
  // What waits for a connection that we keep back ourselves waits for us.
  const bool is_held = reason == NeverSent::kCap && context_.open_loop &&
                       std::any_of(connections_.begin(), connections_.end(),
                                   [](const Connection& connection) { return connection.IsHeldByUs(); });
  for (Connection& connection : connections_) connection.StopWaiting(reason);
  if (context_.open_loop) DropWaiting(is_held ? NeverSent::kHeld : reason);
}

// Open loop: what waits, and what has not fallen due of a number of slots, is never sent.
void Worker::DropWaiting(NeverSent reason) {
  OpenLoop& open_loop = *context_.open_loop;
  const NeverSent why = WhyUnsent(reason);
  const bool has_begun = open_loop.last_due() != 0;
  while (open_loop.HasWaiting()) context_.book.GiveUp(open_loop.Take(), context_.now, why);
  // What has not fallen due has waited for nothing, unless the point could not begin for want of a connection.
  context_.book.PlanUnsent(open_loop.Cancel(), has_begun ? reason : why, context_.now);
}

// Why slots that no connection has taken are never sent, if what ends their wait is `reason`: with none up, that none
// could be had.
NeverSent Worker::WhyUnsent(NeverSent reason) const {
  if (context_.up > 0) return reason;
  if (context_.last_refusal != NeverSent::kCount) return context_.last_refusal;
  return reason == NeverSent::kCap ? NeverSent::kConnecting : reason;
}

void Worker::FinishPoint() {
  // What a count still owes is never sent: the run was stopped, or all connections gave up.
  const NeverSent reason = context_.pacer.IsStopped() ? NeverSent::kStopped : NeverSent::kConnectOther;
  context_.book.PlanUnsent(context_.pacer.DrainPool(), WhyUnsent(reason), context_.now);
  for (Connection& connection : connections_) {
    context_.book.PlanUnsent(connection.quota(), connection.WhyUnsent(reason), context_.now);
    connection.ForgetQuota();
    connection.Close();
  }
  HandOver(true);
  core_sharing_.End();
  connections_.clear();
  context_.sends.Empty(0);
  context_.connects.Empty(0);
  context_.has_held = false;
  recorder_.reset();
  context_.RecordInto(nullptr);
  context_.EndOpenLoop();
  context_.book.Forget();
  context_.stamps = {};
  context_.stamp_switch.Set(false);
  state_ = State::kVacant;
}

void Worker::HandOver(bool is_final) {
  Counters& counters = recorder_->counters;
  counters.names_changed += std::exchange(names_changed_, 0);
  counters.names_kept += std::exchange(names_kept_, 0);
  if (is_draining_) {
    counters.drained = counters.Complete();
    counters.drained_sent = counters.sent;
    counters.drained_success = counters.success;
    counters.drained_messages = counters.messages;
    counters.drained_bytes = counters.bytes_received;
    counters.drained_busy_ns = counters.busy_ns;
    recorder_->stood_still = 0;
  } else {
    // Up to the end of the duration, which may have passed.
    const Nanos length = context_.now - counted_to_;
    const Nanos counted = (length_ != 0 ? phase_start_ + length_ : context_.now) - counted_to_;
    const auto within = [length, counted](Nanos spent) {
      if (counted < length) spent = static_cast<Nanos>(absl::int128(spent) * std::max<Nanos>(0, counted) / length);
      return static_cast<std::uint64_t>(std::clamp<Nanos>(spent, 0, std::max<Nanos>(0, counted)));
    };
    counted_to_ = context_.now;
    const Nanos cpu = ThreadCpuTime();
    counters.cpu_ns += within(cpu - cpu_at_window_);
    cpu_at_window_ = cpu;
    const Nanos run_delay = ThreadRunDelay();
    counters.run_delay_ns += within(run_delay - run_delay_at_window_);
    run_delay_at_window_ = run_delay;
    context_.CountConnections(context_.now);
    if (recorder_->last_end != 0) last_end_ = recorder_->last_end;
  }
  responses_before_window_ += counters.Complete();
  WorkerReport report{.kind = WorkerReport::Kind::kWindow,
                      .worker = index_,
                      .point = share_.point,
                      .connections_up = context_.up,
                      .window = window_,
                      .is_final = is_final};
  report.pending = {.waiting = context_.book.waiting(), .in_flight = context_.book.in_flight()};
  report.start_late = start_late_;
  report.length = length_ != 0                 ? length_
                  : is_final && last_end_ != 0 ? last_end_ - phase_start_
                                               : context_.now - phase_start_;
  sent_ += counters.RequestsSent();
  report.recorder = std::exchange(recorder_, TakeRecorder());
  report.connect_errors = std::move(context_.connect_errors);
  context_.connect_errors.by_text.clear();
  context_.RecordInto(recorder_.get());
  window_ = std::max(window_ + 1, static_cast<std::uint32_t>((context_.now - phase_start_) / kWindow));
  report_(std::move(report));
}

}  // namespace tidemark
