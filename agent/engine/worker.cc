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
constexpr Nanos kProgressInterval = 200 * kMillisecond;
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

// The oldest slots that wait, to the connections that have been free for longest.
template <class Connection>
void ServeWaiting(const std::deque<Connection>&, const OpenLoop& open_loop, Load* load, bool is_prompt) {
  if constexpr (kMakesRequests<Connection>) {
    while (open_loop.HasWaiting() && load->first_free != nullptr)
      static_cast<Connection*>(load->first_free)->ServeWaiting(is_prompt);
  }
}

// What a connection that makes requests still owes is never sent, for `reason`.
template <class Connection>
void GiveUpQuota(Connection* connection, NeverSent reason) {
  if constexpr (kMakesRequests<Connection>) connection->GiveUpQuota(reason);
}

// What is in flight on it ends as cut off.
template <class Connection>
void CutOff(Connection* connection) {
  if constexpr (kMakesRequests<Connection>) connection->CutOff();
}

std::uint64_t Seed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

Worker::Worker(int index, std::shared_ptr<const Settings> settings, SslContext tls, Report report)
    : index_(index),
      shared_(std::move(settings)),
      settings_(*shared_),
      tls_(std::move(tls)),
      report_(std::move(report)),
      lease_(settings_.lease == nullptr ? &kEndless : settings_.lease),
      wheel_(MonotonicNow()),
      loop_state_{.loop = &loop_, .wheel = &wheel_, .masks = &settings_.masks, .random = Seed()},
      group_(settings_, static_cast<std::uint32_t>(index), &loop_state_, tls_.get()),
      windows_(load().requests.IsMixed() ? load().requests.size() : 0) {
  const proto::Plan& plan = settings_.plan;
  loop_state_.buffer.resize(kReadBytes + ResponseLimits::kMaxHeaderBytes);
  drain_ = plan.sweep().has_drain() ? FromProto(plan.sweep().drain()) : load().timeout;
  const proto::Listen& listen = plan.web_socket().listen();
  wants_ticks_ = load().sends.IsOn() || load().connects.IsOn() || listen.has_storm() || listen.has_hold() ||
                 listen.silence_factor() != 0 || plan.web_socket().control_rate() != 0;
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
  }
  return windows_.closed_sent() + (state_ == State::kRunning ? windows_.recorder()->counters.RequestsSent() : 0);
}

void Worker::Recycle(std::unique_ptr<Recorder> recorder) {
  loop_.Post([this, recorder = std::move(recorder)]() mutable { windows_.Recycle(std::move(recorder)); });
}

// The longest that Prepare may take.
Nanos Worker::PrepareLimit() const {
  const proto::Sweep& sweep = settings_.plan.sweep();
  const std::int64_t connections = share_.connections * share_.connection_stride;  // of all workers, nearly
  const std::int64_t requests = sweep.warmup_requests_per_connection();
  const Nanos ramp = share_.connect_rate == 0 ? 0 : DueAt(connections, share_.connect_rate);
  const Nanos pauses = std::min(kMaxPacedPreparing, load().think_time) * requests;
  // What a ceiling makes them wait; what opens a connection counts at it too.
  const std::int64_t opening =
      (load().tunnel.empty() ? 0 : 1) + (settings_.target.is_web_socket ? 1 + std::ssize(settings_.subscribe) : 0);
  double paced = 0;
  if (settings_.connects != nullptr) paced += static_cast<double>(connections) / settings_.connects->rate();
  if (settings_.sends != nullptr)
    paced += static_cast<double>(connections) * static_cast<double>(opening + requests) / settings_.sends->rate();
  paced = std::min(paced * 1e9, static_cast<double>(kMaxPacedPreparing));
  return ramp + std::min(kMaxPacedPreparing, pauses) + static_cast<Nanos>(paced) + load().connect_timeout +
         load().timeout;
}

void Worker::Run() {
  prctl(PR_SET_TIMERSLACK, 1);
  if (settings_.plan.pin_threads()) PinToCore(index_);
  Nanos busy_since = loop_state_.ReadClock();
  const auto look_for_standstill = [this, &busy_since] {
    if (loop_state_.now - busy_since <= kStoodStill) [[likely]]
      return;
    StandStill(busy_since, loop_state_.now - busy_since);
    busy_since = loop_state_.now;
  };
  while (!is_quitting_) {
    const Nanos turn_end = loop_state_.ReadClock();
    look_for_standstill();
    const Nanos wake = std::max(turn_end, NextWake());
    loop_state_.attention.BeginWait(turn_end);
    const std::span<epoll_event> events = loop_.Wait(turn_end, wake);
    const Nanos turn_start = busy_since = loop_state_.ReadClock();
    loop_state_.attention.BeginTurn(turn_start);
    if (turn_start - wake > kStoodStill) [[unlikely]]
      StandStill(turn_end, turn_start - wake);
    if (turn_start >= duration_end_) [[unlikely]]
      CutDuration();
    if (HasLease()) [[likely]] {
      // All responses of a turn are read before the next requests go out: a send between two reads would delay the
      // second one's time stamp, and wake the target for each request instead of once.
      group_.Visit([&](auto& connections, auto&) {
        loop_state_.is_in_turn = true;
        for (const epoll_event& event : events)
          AsOneOf(connections, static_cast<Lifecycle*>(event.data.ptr))->OnEvents(event.events);
        loop_state_.is_in_turn = false;
        SendDue(connections);
      });
    }
    // Who was frozen finds here that nobody wants this load any more, before any of it goes out.
    if (!HasLease()) [[unlikely]]
      StopNow(0);
    loop_.RunPosted();
    look_for_standstill();  // nothing times out before what came meanwhile is read
    AfterTurn();
    if (Recorder* const recorder = windows_.recorder(); !events.empty() && recorder != nullptr)
      (*recorder)[Metric::kLoopLag].Record(loop_state_.now - turn_start);
  }
  group_.Clear();
}

// What the turn's responses have made due. It may be long, and the freeze fall into it.
template <class Connections>
void Worker::SendDue(const Connections& connections) {
  if constexpr (kMakesRequests<typename Connections::value_type>) {
    std::vector<Lifecycle*>& to_send = loop_state_.to_send;
    for (std::size_t first = 0; first < to_send.size() && HasLease(); first += kSendsAtOnce) {
      const std::size_t end = std::min(first + kSendsAtOnce, to_send.size());
      for (std::size_t i = first; i < end; ++i) AsOneOf(connections, to_send[i])->Send();
    }
    to_send.clear();
  }
}

// For `length`, up to now, this thread read nothing, although it should have; what has come since `from` may have lain
// unread.
void Worker::StandStill(Nanos from, Nanos length) {
  if (length > kStall) loop_state_.behind_at = loop_state_.now;
  loop_state_.attention.StandStill(from, loop_state_.now);
  Recorder* const recorder = windows_.recorder();
  if (recorder == nullptr) return;
  recorder->stood_still = std::max(recorder->stood_still, length);
  if (state_ != State::kRunning || windows_.IsDraining()) return;
  const Nanos counted = std::min(loop_state_.now, duration_end_) - std::max(loop_state_.now - length, phase_start_);
  recorder->counters.stood_still_ns += static_cast<std::uint64_t>(std::max<Nanos>(0, counted));
}

Nanos Worker::NextWake() const {
  if (state_ == State::kVacant) return loop_state_.now + kIdleWake;
  if (state_ == State::kReady && start_) return std::min(*start_, next_tick_);
  Nanos wake = kNeverDue;
  if (load().open_loop) {
    const Nanos due = load().open_loop->next_due();
    wake = due != kNeverDue && settings_.plan.sweep().pace() == "spin" ? due - kSpin : due;
  }
  if (state_ != State::kRunning || load().think_time > 0 || PingInterval() > 0 || wants_ticks_ ||
      loop_state_.short_of_room > 0 || load().connect_interval != 0) {
    if (load().has_held) wake = std::min({wake, load().sends.ReadyAt(), load().connects.ReadyAt()});
    return std::min(next_tick_, wake);
  }
  if (load().open_loop)
    return std::min({loop_state_.now + kRunningWake, windows_.End(), wake, duration_end_, cut_off_at_});
  const Nanos end = load().pacer.IsStopped() ? cut_off_at_ : load().pacer.end();
  return std::min({loop_state_.now + kRunningWake, windows_.End(), end});
}

// What is due by now, whatever the events were.
void Worker::AfterTurn() {
  if (state_ == State::kVacant) return;
  // What came while this thread stood still is read before anything times out.
  if (loop_state_.now >= next_tick_ && !loop_state_.attention.IsBehind(loop_state_.now, loop_.IsFull())) {
    next_tick_ = loop_state_.now - loop_state_.now % TimeoutWheel::kTick + TimeoutWheel::kTick;
    loop_state_.open_credits = kOpenCredits;
    loop_state_.stamps.OnTick(loop_state_.now);
    loop_state_.stamp_switch.Set(loop_state_.stamps.WantsReceipts());
    group_.Visit([this](auto& connections, auto&) {
      wheel_.Advance(loop_state_.now, [this, &connections](TimeoutWheel::Node* node) {
        if (HasLease()) [[likely]]
          AsOneOf(connections, static_cast<Lifecycle*>(node))->OnDeadline();
      });
    });
  }
  if (load().has_held) [[unlikely]]
    ServeHeld();
  if (state_ == State::kPreparing || state_ == State::kWarming) {
    if (state_ == State::kPreparing) {
      OpenConnections();
      const bool is_over = loop_state_.settled == share_.connections || loop_state_.now >= phase_limit_;
      // A target that nobody reaches is not warmed up.
      if (is_over) return settings_.plan.sweep().has_warmup() && loop_state_.up > 0 ? BeginWarmup() : FinishPreparing();
    } else {
      if (load().open_loop) ReleaseDue();
      if (IsWarm() || loop_state_.now >= phase_limit_) return FinishPreparing();
    }
    if (loop_state_.now - last_progress_ >= kProgressInterval) {
      last_progress_ = loop_state_.now;
      report_({.kind = WorkerReport::Kind::kProgress,
               .worker = index_,
               .point = share_.point,
               .connections_up = loop_state_.up,
               .remark = RemarkOnAcks()});
    }
    return;
  }
  if (state_ == State::kReady && start_ && loop_state_.now >= *start_) StartPoint(false);
  if (state_ != State::kRunning) return;
  if (load().pacer.IsTimed() && !load().pacer.IsStopped() && loop_state_.now >= load().pacer.end())
    EndPoint(drain_, NeverSent::kStopped);
  if (load().open_loop) {
    ReleaseDue();
    // A request that has found no connection for as long as a time-out after the last one fell due is given up. Those
    // in flight end by their own time-outs, or with the drain.
    const OpenLoop& open_loop = *load().open_loop;
    const bool is_cut = drain_ < load().timeout;
    if (open_loop.IsExhausted() && !load().pacer.IsStopped() &&
        loop_state_.now >= open_loop.last_due() + std::min(drain_, load().timeout)) {
      EndPoint(is_cut ? 0 : load().timeout + kSecond, NeverSent::kCap);
    }
  }
  if (loop_state_.now >= cut_off_at_) group_.ForEach([](auto& connection) { CutOff(&connection); });
  const bool is_over = load().open_loop ? IsOpenLoopOver() : loop_state_.settled == share_.connections;
  if (is_over && duration_end_ == TimeoutWheel::kNever) return FinishPoint();
  if (storm_at_ != 0 && loop_state_.now >= storm_at_) Storm();
  if (PingInterval() != 0) PingDue();
  if (core_sharing_.IsOn()) core_sharing_.Review(loop_state_.now, windows_.responses());
  if (loop_state_.now >= windows_.End()) HandOver(false);
}

// The ceilings let those go on that have waited longest.
void Worker::ServeHeld() {
  if (state_ == State::kWarming && load().pacer.IsTimed() && loop_state_.now >= load().pacer.end()) {
    group_.ForEach([](auto& connection) {
      if constexpr (kMakesRequests<std::decay_t<decltype(connection)>>) connection.DropHeld();
    });
  }
  const Nanos now = loop_state_.now;
  load().connects.Serve(now, [](Lifecycle* connection) { connection->GoOnConnecting(); });
  group_.Visit([now](auto& connections, auto& shared) {
    shared.sends.Serve(now, [&connections](Lifecycle* connection) { AsOneOf(connections, connection)->GoOn(); });
  });
  load().has_held = load().connects.IsWaitedFor() || load().sends.IsWaitedFor();
}

// Once in a point, if a connection waits for its ack for long: what came instead. Else empty.
std::string Worker::RemarkOnAcks() {
  if (has_remarked_ || group_.web_socket() == nullptr || group_.web_socket()->ack.pointer.empty()) return "";
  std::string remark;
  group_.ForEach([this, &remark](const auto& connection) {
    if constexpr (std::is_base_of_v<WebSocketLink, std::decay_t<decltype(connection)>>) {
      if (remark.empty()) remark = connection.LacksAckSince(loop_state_.now - kLongAck);
    }
  });
  has_remarked_ = !remark.empty();
  return remark;
}

// Open loop: slots that have fallen due wait, and free connections take them.
void Worker::ReleaseDue() {
  OpenLoop& open_loop = *load().open_loop;
  // What falls due meanwhile goes out at once, unless so much time has gone by that the lease is over.
  while (open_loop.next_due() <= loop_state_.now && HasLease()) {
    const Nanos until = loop_state_.now;
    while (open_loop.next_due() <= until) {
      const bool is_first = !open_loop.HasWaiting();
      load().book.FallDue(open_loop.Release());
      if (loop_state_.backing_off > 0 && load().first_free == nullptr)
        ++windows_.recorder()->counters.waited_for_back_off;
      group_.Visit([&open_loop, is_first](auto& connections, auto& shared) {
        ServeWaiting(connections, open_loop, &shared, is_first);
      });
    }
  }
}

// Closes a share of the connections, spread evenly over them.
void Worker::Storm() {
  storm_at_ = 0;
  const std::int64_t percent = settings_.plan.web_socket().listen().storm().percent();
  std::int64_t sum = 0;
  group_.ForEach([percent, &sum](auto& connection) {
    if constexpr (std::is_same_v<ListeningConnection, std::decay_t<decltype(connection)>>) {
      sum += percent;
      if (sum < 100) return;
      sum -= 100;
      connection.Storm();
    }
  });
}

// Pings are spread evenly over their interval.
void Worker::PingDue() {
  group_.Visit([this](auto& connections, auto& shared) {
    if constexpr (std::is_base_of_v<WebSocketLoad, std::decay_t<decltype(shared)>>) {
      const auto count = static_cast<Nanos>(connections.size());
      while (count > 0 && HasLease() &&
             phase_start_ + shared.ping_every * (pinged_ + count) / count <= loop_state_.now) {
        connections[static_cast<std::size_t>(pinged_++ % count)].Ping();
      }
    }
  });
}

// Between two pings of a connection; 0: the client sends none.
Nanos Worker::PingInterval() const {
  const WebSocketLoad* const load = group_.web_socket();
  return load == nullptr ? 0 : load->ping_every;
}

void Worker::Prepare(const WorkerShare& share) {
  loop_.Post([this, share] {
    CHECK(state_ == State::kVacant);
    share_ = share;
    state_ = State::kPreparing;
    opened_ = 0;
    start_.reset();
    phase_start_ = loop_state_.ReadClock();
    wheel_.SkipTo(phase_start_);
    phase_limit_ = phase_start_ + PrepareLimit();
    last_progress_ = next_tick_ = phase_start_;
    has_remarked_ = false;
    windows_.Prepare();
    group_.RecordInto(windows_.recorder());
    group_.Visit([](auto&, auto& shared) { shared.BeginAnswers(); });
    load().pacer.LimitEach();
    loop_state_.is_preparing = true;
    loop_state_.is_over = false;
    // From the warm-up on, so that the rate of requests is known at the start.
    if (load().has_stamps) {
      // Of a read nobody knows beforehand, so that those of a window's begin would favour what comes alone.
      loop_state_.stamps.Begin(settings_.plan.kernel_timestamps(), !IsListening(), loop_state_.NextRandom(),
                               phase_start_);
      loop_state_.stamp_switch.Set(true);
    }
    load().book.Number(share_.first_slot, share_.slot_stride);
    load().seed = share_.warmup_seed;
    load().trace_point = TracePoint(share_.point, share_.attempt, true);
    load().book.EndTraces();
    group_.Visit([this](auto&, auto& shared) {
      if constexpr (std::is_base_of_v<WebSocketLoad, std::decay_t<decltype(shared)>>)
        shared.message_room = share_.message_room;
    });
    loop_state_.settled = 0;
    load().may_connect_at = load().connect_interval = 0;
    if (share_.connect_rate != 0) {
      load().connect_interval = DueAt(share_.connecting, share_.connect_rate);
      load().may_connect_at = phase_start_ + DueAt(index_ % share_.connecting, share_.connect_rate);
    }
    load().sends.Empty(static_cast<std::size_t>(share_.connections));
    load().connects.Empty(static_cast<std::size_t>(share_.connections));
    load().has_held = false;
    loop_state_.open_credits = kOpenCredits;
    load().connect_errors.by_text.clear();
    load().last_refusal = NeverSent::kCount;
    const auto warmup = static_cast<std::uint64_t>(settings_.plan.sweep().warmup_requests_per_connection());
    group_.Visit([this, warmup](auto& connections, auto& shared) {
      for (std::int64_t i = 0; i < share_.connections; ++i)
        connections.emplace_back(&shared, share_.first_connection + i * share_.connection_stride, warmup);
    });
  });
}

// Opens as many connections as the ramp and the peer's accept queue allow.
void Worker::OpenConnections() {
  group_.Visit([this](auto& connections, auto& shared) {
    while (opened_ < connections.size() && loop_state_.open_credits > 0 && HasLease()) {
      if (shared.may_connect_at > loop_state_.now) return;
      --loop_state_.open_credits;
      connections[opened_++].Open();
    }
  });
}

// The point's load for a time, in whatever loop it has.
void Worker::BeginWarmup() {
  const Nanos length = FromProto(settings_.plan.sweep().warmup());
  state_ = State::kWarming;
  phase_limit_ = loop_state_.now + length + load().timeout + kSecond;
  loop_state_.settled = 0;
  load().first_free = nullptr;
  if (share_.warmup) {
    load().BeginOpenLoop(*share_.warmup, loop_state_.now);
  } else {
    load().pacer.LimitTime(loop_state_.now + length);
  }
  BeginConnections(0, loop_state_.now);
}

// A phase of the point's load begins at `start`. With a think time the first requests are spread evenly over it, for
// all connections of the run together; without one all are due at once.
void Worker::BeginConnections(std::uint64_t quota, Nanos start) {
  const std::int64_t all =
      std::max<std::int64_t>(1, PointAt(settings_.plan.sweep(), static_cast<int>(share_.point)).connections);
  std::int64_t index = share_.first_connection;
  group_.ForEach([&](auto& connection) {
    const auto delay = static_cast<Nanos>(absl::int128(load().think_time) * (index % all) / all);
    connection.Begin(quota, start + delay);
    index += share_.connection_stride;
  });
}

bool Worker::IsWarm() const { return load().open_loop ? IsOpenLoopOver() : loop_state_.settled == share_.connections; }

void Worker::FinishPreparing() {
  const bool is_complete = state_ == State::kWarming ? IsWarm() : loop_state_.settled == share_.connections;
  state_ = State::kReady;
  if (!is_complete) {
    // Out of time: what still warms up is cut off; those connections open again when they have a slot.
    load().pacer.Stop();
    if (load().open_loop) DropWaiting(NeverSent::kStopped);
    group_.ForEach([](auto& connection) {
      if (connection.IsSettled()) return;
      GiveUpQuota(&connection, NeverSent::kStopped);
      connection.StopWaiting(NeverSent::kStopped);
      CutOff(&connection);
    });
  }
  load().EndOpenLoop();
  WorkerReport report{
      .kind = WorkerReport::Kind::kReady, .worker = index_, .point = share_.point, .connections_up = loop_state_.up};
  report.recorder = windows_.TakePrepared();
  report.connect_errors = TakeConnectErrors();
  group_.RecordInto(windows_.recorder());
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
  start_late_ = loop_state_.now - *start_;
  if (start_late_ > kStoodStill)
    windows_.recorder()->counters.stood_still_ns += static_cast<std::uint64_t>(start_late_);
  start_.reset();
  storm_at_ = 0;
  if (settings_.plan.web_socket().listen().has_storm() && !is_stopped)
    storm_at_ = phase_start_ + FromProto(settings_.plan.web_socket().listen().storm().at());
  pinged_ = 0;
  windows_.Begin(phase_start_);
  duration_end_ = TimeoutWheel::kNever;
  if (const Nanos length = PointLength(sweep); length != 0) duration_end_ = phase_start_ + length;
  cut_off_at_ = TimeoutWheel::kNever;
  loop_state_.BeginCounting(phase_start_, share_.connections);
  load().first_free = nullptr;
  if (share_.arrivals) load().BeginOpenLoop(*share_.arrivals, phase_start_);
  if (settings_.is_target_on_this_machine && !share_.arrivals && load().think_time == 0 && !IsListening())
    core_sharing_.Begin(phase_start_, 0);
  loop_state_.is_preparing = loop_state_.is_over = false;
  group_.Visit([](auto&, auto& shared) { shared.BeginAnswers(); });
  loop_state_.start = phase_start_;
  load().book.Number(share_.first_slot, share_.slot_stride);
  load().seed = share_.seed;
  load().trace_point = TracePoint(share_.point, share_.attempt);
  load().book.BeginTraces(phase_start_, settings_.sample);
  loop_state_.settled = 0;
  if (share_.arrivals) {
    load().pacer.LimitEach();  // the schedule has its own end
  } else if (sweep.has_duration()) {
    load().pacer.LimitTime(phase_start_ + FromProto(sweep.duration()));
  } else if (sweep.requests() != 0) {
    load().pacer.LimitTotal(static_cast<std::uint64_t>(share_.requests));
  } else {
    load().pacer.LimitEach();
  }
  if (is_stopped) load().pacer.Stop();
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
    start_ = loop_state_.now;
    StartPoint(true);
  }
  duration_end_ = std::min(duration_end_, loop_state_.now);
  CutDuration();
  EndPoint(grace, NeverSent::kStopped);
}

void Worker::Finish() {
  loop_.Post([this] {
    if (state_ != State::kRunning || load().pacer.IsStopped()) return;
    duration_end_ = std::min(duration_end_, loop_state_.now);
    if (!load().open_loop) return load().pacer.LimitTime(loop_state_.now);
    load().book.PlanUnsent(load().open_loop->Cancel(), NeverSent::kStopped, loop_state_.now);
  });
}

void Worker::UseTargets(std::vector<SocketAddress> targets, std::vector<std::uint32_t> indices) {
  loop_.Post([this, targets = std::move(targets), indices = std::move(indices)]() mutable {
    load().targets = std::move(targets);
    load().target_indices = std::move(indices);
    load().targets_since = loop_state_.ReadClock();
  });
}

void Worker::CountName(bool is_kept, std::string remark) {
  loop_.Post([this, is_kept, remark = std::move(remark)]() mutable {
    ++(is_kept ? names_kept_ : names_changed_);
    if (remark.empty() || state_ == State::kVacant) return;
    report_({.kind = WorkerReport::Kind::kProgress,
             .worker = index_,
             .point = share_.point,
             .connections_up = loop_state_.up,
             .remark = std::move(remark)});
  });
}

// The point's duration is over: what comes from now on is drained, and in no rate. Once.
void Worker::CutDuration() {
  const Nanos end = std::exchange(duration_end_, TimeoutWheel::kNever);
  loop_state_.is_over = true;
  if (state_ != State::kRunning || windows_.IsDraining()) return;  // a second Stop has nothing to cut
  windows_.LimitLength(std::min(end, loop_state_.now));
  load().book.Integrate(std::min(end, loop_state_.now));
  HandOver(false);
  windows_.BeginDraining();
  loop_state_.EndCounting();
}

void Worker::EndPoint(Nanos grace, NeverSent reason) {
  load().pacer.Stop();
  cut_off_at_ = std::min(cut_off_at_, loop_state_.now + grace);
  // What waits for a connection that we keep back ourselves waits for us.
  bool is_held = false;
  if (reason == NeverSent::kCap && load().open_loop)
    group_.ForEach([&is_held](const auto& connection) { is_held = is_held || connection.IsHeldByUs(); });
  group_.ForEach([reason](auto& connection) { connection.StopWaiting(reason); });
  if (load().open_loop) DropWaiting(is_held ? NeverSent::kHeld : reason);
}

// Open loop: what waits, and what has not fallen due of a number of slots, is never sent.
void Worker::DropWaiting(NeverSent reason) {
  OpenLoop& open_loop = *load().open_loop;
  const NeverSent why = WhyUnsent(reason);
  const bool has_begun = open_loop.last_due() != 0;
  while (open_loop.HasWaiting()) load().book.GiveUp(open_loop.Take(), loop_state_.now, why);
  // What has not fallen due has waited for nothing, unless the point could not begin for want of a connection.
  load().book.PlanUnsent(open_loop.Cancel(), has_begun ? reason : why, loop_state_.now);
}

// Why slots that no connection has taken are never sent, if what ends their wait is `reason`: with none up, that none
// could be had.
NeverSent Worker::WhyUnsent(NeverSent reason) const {
  if (loop_state_.up > 0) return reason;
  if (load().last_refusal != NeverSent::kCount) return load().last_refusal;
  return reason == NeverSent::kCap ? NeverSent::kConnecting : reason;
}

void Worker::FinishPoint() {
  // What a count still owes is never sent: the run was stopped, or all connections gave up.
  const NeverSent reason = load().pacer.IsStopped() ? NeverSent::kStopped : NeverSent::kConnectOther;
  load().book.PlanUnsent(load().pacer.DrainPool(), WhyUnsent(reason), loop_state_.now);
  group_.ForEach([reason](auto& connection) {
    GiveUpQuota(&connection, reason);
    connection.Close();
  });
  HandOver(true);
  core_sharing_.End();
  group_.Clear();
  load().sends.Empty(0);
  load().connects.Empty(0);
  load().has_held = false;
  windows_.Forget();
  group_.RecordInto(nullptr);
  load().EndOpenLoop();
  load().book.Forget();
  loop_state_.stamps = {};
  loop_state_.stamp_switch.Set(false);
  state_ = State::kVacant;
}

void Worker::HandOver(bool is_final) {
  Counters& counters = windows_.recorder()->counters;
  counters.names_changed += std::exchange(names_changed_, 0);
  counters.names_kept += std::exchange(names_kept_, 0);
  if (!windows_.IsDraining()) loop_state_.CountConnections(loop_state_.now);
  Windows::Closed window = windows_.Close(loop_state_.now, is_final);
  group_.RecordInto(windows_.recorder());
  report_({.kind = WorkerReport::Kind::kWindow,
           .worker = index_,
           .point = share_.point,
           .connections_up = loop_state_.up,
           .window = window.number,
           .is_final = is_final,
           .pending = {.waiting = load().book.waiting(), .in_flight = load().book.in_flight()},
           .start_late = start_late_,
           .length = window.length,
           .recorder = std::move(window.recorder),
           .connect_errors = TakeConnectErrors()});
}

ConnectErrors Worker::TakeConnectErrors() { return std::exchange(load().connect_errors, {}); }

}  // namespace tidemark
