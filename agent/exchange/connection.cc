// Reads straight down: Open -> OnConnected -> Send -> OnReadable -> CompleteResponse -> TakeNext -> Send ...
// A WebSocket: Open -> OnConnected -> BeginUpgrade -> Send -> OnFramesReadable -> OnMessage -> TakeNext -> Send ...;
// what is its own is in web_socket_connection.cc.
#include "agent/exchange/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/net/tunnel.h"
#include "common/check.h"

namespace tidemark {
namespace {

// A connection that fails this often in a row, and once the point has started for so long, gives up, so that a dead
// target ends a counted run in time, and one that restarts does not.
constexpr std::uint8_t kMaxFailures = 5;
constexpr Nanos kPatience = 5 * kSecond;
constexpr Nanos kFirstBackoff = 10 * kMillisecond;
constexpr Nanos kMaxBackoff = kSecond;
// An attempt to connect that is younger lacks no answer yet: the kernel sends its first SYN again after a second
// (RFC 6298, section 2).
constexpr Nanos kYoungAttempt = kSecond;
// How long a body waits for 100 Continue: as long as curl has it wait.
constexpr Nanos kContinueWait = kSecond;
// Texts of connection errors that are told apart; more are counted under one.
constexpr std::size_t kMaxErrorTexts = 8;

std::string AlertText(int alert) {
  return absl::StrCat("TLS alert after the handshake: ",
                      kTlsAlertRows[static_cast<std::size_t>(TlsAlertOf(alert))].label);
}

constexpr std::uint32_t kEnding = EPOLLERR | EPOLLHUP | EPOLLRDHUP;
// The soonest that a peer sends again what was lost and nothing followed (Linux: TCP_RTO_MIN).
constexpr Nanos kLeastRetransmission = 200 * kMillisecond;
// The path of a stamped connection is looked at so often at most, and where a request took unusually long.
constexpr Nanos kPathInterval = 4 * kMillisecond;
constexpr char kClosedIdle[] = "the peer closed an idle connection";

}  // namespace

void ConnectErrors::Entry::Add(const Entry& other) {
  result = other.result;
  count += other.count;
  if (detail.empty()) detail = other.detail;
}

void Connection::Init(ConnectionContext* context, std::int64_t index, std::uint64_t quota) {
  context_ = context;
  index_ = static_cast<std::uint32_t>(index);
  quota_ = quota;
}

void Connection::Open() {
  ConnectionContext& c = *context_;
  CHECK(state_ == State::kClosed);
  if (c.connect_interval != 0 && !std::exchange(has_turn_, false)) {
    c.ReadClock();
    const Nanos turn = c.TakeTurnToConnect();
    if (turn > c.now) return AwaitTurn(turn);
  }
  if (c.connects.IsOn() && !c.connects.Take(c.ReadClock())) return AwaitCeiling();
  if (!is_succeeding_) ReleaseHold();
  is_proven_ = false;
  if (c.is_single_use) ++renewals_;
  sent_ = c.ReadClock();
  state_ = State::kConnecting;
  Connect();
}

// Stays closed until the plan's rate of new connections lets it open: that is our own doing.
void Connection::AwaitTurn(Nanos turn) {
  HoldClosed();
  awaits_turn_ = true;
  held_since_ = context_->now;
  PauseHop();
  state_ = State::kBackoff;
  if (has_slot_ && !context_->open_loop) due_ = turn;  // it is not asked for before
  context_->wheel->Schedule(this, turn);
}

// ... until the agent's ceiling does.
void Connection::AwaitCeiling() {
  HoldClosed();
  awaits_turn_ = true;
  state_ = State::kBackoff;
  HoldBack();
}

void Connection::GoOnConnecting() {
  is_queued_to_connect_ = false;
  if (!is_held_back_ || state_ != State::kBackoff) return;  // it wants to no more
  EndTurn();
}

// Its turn to connect has come, or its back-off is over.
void Connection::EndTurn() {
  has_turn_ = awaits_turn_;
  if (has_turn_) ResumeHop();
  LeaveBackOff();
  has_slot_ || is_done_ ? Open() : TakeNext(context_->now);
  has_turn_ = false;
}

// Whether one more message may go out now; else GoOn is called when it may.
bool Connection::MaySend() {
  ConnectionContext& c = *context_;
  if (!c.sends.IsOn() || c.sends.Take(c.now)) return true;
  HoldBack();
  return false;
}

// ... the request of the slot in its hands. Where it has to wait it is not planned, see DeferSlot; one that was planned
// for a connection that is gone stays so.
bool Connection::MaySendRequest() {
  if (MaySend()) {
    PlanDeferred();
    is_kept_ = false;
    return true;
  }
  if (!is_deferred_ && !is_kept_) DeferSlot();
  return false;
}

void Connection::HoldBack() {
  ConnectionContext& c = *context_;
  if (std::exchange(is_held_back_, true)) return;
  held_since_ = c.now;
  PauseHop();
  c.has_held = true;
  ++c.recorder->counters.held;
  const bool is_to_connect = state_ == State::kBackoff;
  if (std::exchange(is_to_connect ? is_queued_to_connect_ : is_queued_to_send_, true)) return;
  (is_to_connect ? c.connects : c.sends).Wait(this);
}

void Connection::GoOn() {
  is_queued_to_send_ = false;
  if (!is_held_back_ || state_ == State::kBackoff) return;
  is_held_back_ = false;
  const Nanos now = context_->ReadClock();
  ResumeHop();
  if (state_ < State::kIdle) {
    sent_ += now - held_since_;  // the target has not kept us
    if (!is_succeeding_) ReleaseHold();
  }
  if (state_ == State::kTunnelling || state_ == State::kUpgrading) {
    if (!MaySend()) return;
    return state_ == State::kTunnelling ? AskForTunnel() : AskForUpgrade();
  }
  if (state_ == State::kSubscribing) {
    if (web_socket_->deadline != TimeoutWheel::kNever) Watch(web_socket_->deadline + now - held_since_);
    return ContinueSubscribing(now);
  }
  if (web_socket_ != nullptr) {
    SendControl();
    if (!FlushControl()) return;
  }
  if (state_ == State::kIdle && has_slot_ && !is_held_back_) Send();
}

void Connection::DropHeld() {
  if (!is_held_back_ || !is_deferred_ || state_ != State::kIdle) return;
  has_slot_ = is_deferred_ = is_kept_ = is_held_back_ = false;
  Settle();
}

// A ceiling is no doing of the target's.
void Connection::HoldIfOurs() {
  if (awaits_turn_ || (is_held_back_ && state_ < State::kIdle)) HoldClosed();
}

// Begins an attempt that has begun at sent_, or tries it again.
void Connection::Connect() {
  ConnectionContext& c = *context_;
  served_ = 0;
  address_ = c.target_indices[Turn() % c.targets.size()];
  const SocketAddress* source = c.sources.empty() ? nullptr : &c.sources[Turn() % c.sources.size()];
  const IoResult io = transport_.Connect(target(), source);
  if (io.kind == IoResult::Kind::kWantRead) {
    // Of an accept queue's room nothing tells: it is looked for at each tick.
    if (c.now == sent_) ++c.recorder->counters.waited_for_room;
    ++c.short_of_room;
    return c.wheel->Schedule(this, std::min(c.now + TimeoutWheel::kTick, sent_ + c.connect_timeout));
  }
  if (io.kind == IoResult::Kind::kFailed) return FailConnect(Phase::kConnect, io.error, WhoIsDialled());
  c.wheel->Schedule(this, sent_ + c.connect_timeout);
  interest_ = io.kind == IoResult::Kind::kWantWrite ? static_cast<std::uint32_t>(EPOLLOUT) : kToRead;
  if (!c.loop->Add(transport_.fd(), interest_, this)) return FailConnect(Phase::kConnect, errno, "epoll");
  if (io.kind == IoResult::Kind::kDone) OnConnected();
}

void Connection::OnEvents(std::uint32_t events) {
  if ((events & kEnding) != 0) [[unlikely]]
    return OnEnding(events);
  switch (state_) {
    case State::kConnecting:
      return OnConnected();
    case State::kTunnelling:
      return OnTunnelReadable();
    case State::kHandshaking:
      return OnHandshake();
    case State::kUpgrading:
      return OnUpgradeReadable();
    case State::kSubscribing:
      return OnFramesReadable();
    case State::kSending:
      // An answer, or a reset, may come before the request is out.
      if ((events & EPOLLIN) != 0) OnReadable();
      if (state_ == State::kSending && (events & EPOLLOUT) != 0) ContinueSending();
      return;
    case State::kReceiving:
      return OnReadable();
    case State::kIdle:
      return OnIdleReadable();
    case State::kClosed:
    case State::kBackoff:
      return;  // an event of a descriptor that was closed in this turn
  }
}

// The peer's end, or an error, may have come with what is there to be read.
void Connection::OnEnding(std::uint32_t events) {
  bool is_stamp = false;
  if ((events & EPOLLERR) != 0 && context_->has_stamps && transport_.fd() >= 0) {
    // Perhaps no error but a time stamp; one that nobody waits for any more must go as well.
    Nanos unwanted = 0;
    is_stamp = transport_.TakeSendStamp(stamps_.sent, stamps_.IsWanted() ? &stamps_.to_wire : &unwanted);
  }
  // What has come behind a time stamp has an event of its own, which tells of an end that came with it.
  if (is_stamp && (events & ~EPOLLERR) == 0) return;
  const bool may_read = !is_stamp || (events & (EPOLLHUP | EPOLLRDHUP)) != 0;
  OnEvents((events & ~kEnding) | (may_read ? static_cast<std::uint32_t>(EPOLLIN) : 0));
  if ((events & (EPOLLRDHUP | EPOLLHUP)) == 0) return;
  // What came before the end is dealt with. The end lies behind it: nothing more may go out on this connection. Had
  // another one taken its place meanwhile, there would be nothing to read.
  if (web_socket_ == nullptr ? state_ == State::kIdle : state_ >= State::kSubscribing) OnIdleReadable();
}

void Connection::OnConnected() {
  ConnectionContext& c = *context_;
  if (c.has_stamps) transport_.EnableStamps();
  CountSynRetransmits();
  const IoResult io = transport_.FinishConnect();
  if (io.kind == IoResult::Kind::kFailed) {
    return FailConnect(Phase::kConnect, io.error, WhoIsDialled());
  }
  c.tunnel.empty() ? OnReached() : BeginTunnel();
}

void Connection::BeginTunnel() {
  state_ = State::kTunnelling;
  SetInterest(kToRead);
  if (MaySend()) return AskForTunnel();
  TimeoutWheel::Clear(this);
  HoldIfOurs();
}

void Connection::AskForTunnel() {
  ConnectionContext& c = *context_;
  c.wheel->Schedule(this, sent_ + c.connect_timeout);
  const IoResult io = transport_.Send(c.tunnel);
  // The buffer of a connection that has sent nothing holds more than that.
  if (io.kind != IoResult::Kind::kDone || io.bytes < c.tunnel.size())
    return FailConnect(Phase::kProxy, io.error == 0 ? EPIPE : io.error,
                       absl::StrCat(WhoIsDialled(), ": it takes no request for a tunnel"));
  c.recorder->counters.bytes_sent += io.bytes;
}

// The proxy's answer is taken from the kernel to its last byte, and no further: what follows is the target's.
void Connection::OnTunnelReadable() {
  ConnectionContext& c = *context_;
  while (true) {
    const std::size_t kept = spill_ == nullptr ? 0 : spill_->size();
    if (kept > 0) std::memcpy(c.buffer.data(), spill_->data(), kept);
    const IoResult io = transport_.Peek(c.buffer.data() + kept, c.buffer.size() - kept);
    if (io.kind == IoResult::Kind::kWantRead) return;
    if (io.kind != IoResult::Kind::kDone)
      return FailConnect(Phase::kProxy, io.error == 0 ? ECONNRESET : io.error,
                         absl::StrCat(WhoIsDialled(), ": it closed the connection before the tunnel was open"));
    const absl::string_view bytes(c.buffer.data(), kept + io.bytes);
    const auto answer = ReadTunnelAnswer(bytes);
    if (!answer.ok())
      return FailConnect(
          Phase::kProxy, EPROTO,
          absl::StrCat(WhoIsDialled(), ": ", c.masks->Apply(std::string(answer.status().message()), false)));
    const std::size_t size = answer->is_complete ? answer->consumed : bytes.size();
    c.recorder->counters.bytes_received += transport_.Receive(c.buffer.data() + kept, size - kept).bytes;
    if (!answer->is_complete) {
      spill_ = std::make_unique<std::string>(bytes);
      continue;
    }
    spill_.reset();
    return OnReached();
  }
}

// As a message names them.
std::string Connection::WhoIsDialled() const {
  const ConnectionContext& c = *context_;
  // An attempt that is older went elsewhere, and where is not kept.
  return absl::StrCat(c.is_proxied ? "proxy " : "",
                      sent_ < c.targets_since ? "an earlier address of its name" : target().ToString());
}

// What is sent from now on, the target gets.
void Connection::OnReached() {
  ConnectionContext& c = *context_;
  const Nanos now = c.ReadClock();
  (*c.recorder)[Metric::kConnect].Record(now - sent_);
  if (c.tls == nullptr) return c.upgrade ? BeginUpgrade() : OnEstablished();
  sent_ = now;
  c.wheel->Schedule(this, now + c.connect_timeout);
  state_ = State::kHandshaking;
  OnHandshake();
}

// The attempt to connect is over, in one way or another.
void Connection::CountSynRetransmits() {
  // A young one has sent its SYN once: see kYoungAttempt. Half of it, since clocks are read at different moments.
  if (context_->now - sent_ < kYoungAttempt / 2 || transport_.fd() < 0) return;
  const std::uint64_t count = transport_.SynRetransmits();
  context_->recorder->counters.syn_retransmits += count;
  path_.resent = static_cast<std::uint32_t>(count);  // of what is sent on it none was
}

void Connection::OnHandshake() {
  ConnectionContext& c = *context_;
  const IoResult io = transport_.Handshake(c.tls, c.server_name);
  switch (io.kind) {
    case IoResult::Kind::kDone:
      (*c.recorder)[Metric::kTls].Record(c.ReadClock() - sent_);
      if (transport_.IsResumed()) ++c.recorder->counters.tls_resumed;
      return c.upgrade ? BeginUpgrade() : OnEstablished();
    case IoResult::Kind::kWantRead:
      return SetInterest(kToRead);
    case IoResult::Kind::kWantWrite:
      return SetInterest(EPOLLOUT);
    default:
      return FailConnect(Phase::kTls, io.error, transport_.TlsError());
  }
}

void Connection::CountEstablished() {
  ConnectionContext& c = *context_;
  ++c.recorder->counters[ConnectResult::kEstablished];
  ++c.recorder->addresses.established[address_];
  refusal_ = c.last_refusal = NeverSent::kCount;
  ReleaseHold();
  c.ChangeUp(1);
  TimeoutWheel::Clear(this);
  SetInterest(kToRead);
  state_ = State::kIdle;
}

void Connection::OnEstablished() {
  CountEstablished();
  if (!has_slot_) return is_done_ ? Settle() : TakeNext(context_->now);
  PlanDeferred();
  Send();
}

bool Connection::ClaimSlot(Nanos due) {
  ConnectionContext& c = *context_;
  if (!c.pacer.Take(&quota_, due)) return false;
  c.book.Plan();
  has_slot_ = true;
  slot_ = c.book.TakeNumber();
  due_ = due;
  return true;
}

// A closed loop plans nothing beyond its time: a slot that has no connection yet may be overtaken by its end, and
// shards that were sent with it cannot be taken back.
void Connection::DeferSlot() {
  if (!context_->pacer.IsTimed()) return;
  context_->book.TakeBack();
  is_deferred_ = true;
}

void Connection::PlanDeferred() {
  if (std::exchange(is_deferred_, false)) context_->book.Plan();
}

// Takes the next slot, due at `due`, and sends it; without one, stays ready.
void Connection::TakeNext(Nanos due) {
  if (context_->open_loop) return TakeWaiting();
  if (context_->listen) return KeepListening();
  if (ClaimSlot(due)) {
    if (state_ != State::kIdle) {
      DeferSlot();
      return Open();
    }
    return context_->is_in_turn ? context_->to_send.push_back(this) : Send();
  }
  if (state_ == State::kClosed && context_->is_preparing && !context_->pacer.IsStopped()) {
    is_done_ = true;
    return Open();
  }
  Settle();
}

// Open loop: takes the oldest slot that waits; without one, is free for the next that falls due.
void Connection::TakeWaiting() {
  ConnectionContext& c = *context_;
  if (c.pacer.IsStopped()) return;
  if (state_ == State::kClosed && !c.is_single_use) return Open();  // so that it is there when it is wanted
  if (c.open_loop->HasWaiting()) {
    has_slot_ = true;
    slot_ = c.book.TakeNumber();
    due_ = c.open_loop->Take();
    if (state_ != State::kIdle) return Open();
    return c.is_in_turn ? c.to_send.push_back(this) : Send();
  }
  if (is_free_) return;
  is_free_ = true;
  next_free_ = nullptr;
  (c.first_free == nullptr ? c.first_free : c.last_free->next_free_) = this;
  c.last_free = this;
}

void Connection::ServeWaiting(bool is_prompt) {
  context_->first_free = next_free_;
  is_free_ = false;
  if (state_ != State::kIdle && !(state_ == State::kClosed && context_->is_single_use)) return;
  is_prompt_ = is_prompt;
  TakeWaiting();
}

// A request is over: takes the next slot, at once or after the think time.
void Connection::Rest(Nanos done) {
  const ConnectionContext& c = *context_;
  if (c.think_time == 0) [[likely]]
    return TakeNext(done);
  const Nanos due = done + c.think_time;
  return c.pacer.MayTake(quota_, due) ? Think(due) : TakeNext(due);
}

// Nothing is planned before `until`. The wheel wakes the connection up, late by a tick or two, which lateness shows.
void Connection::Think(Nanos until) {
  is_thinking_ = true;
  due_ = until;
  if (state_ == State::kClosed) HoldClosed();
  web_socket_ != nullptr ? Watch(until) : context_->wheel->Schedule(this, until);
}

void Connection::Begin(std::uint64_t quota, Nanos due) {
  quota_ = quota;
  is_settled_ = is_done_ = false;
  is_held_ = is_succeeding_ = false;  // whose connections are asked for is counted anew
  HoldIfOurs();
  is_free_ = false;
  failures_ = 0;
  if (context_->open_loop) {
    // One that still gets its connection joins when it is up.
    if (state_ == State::kIdle || state_ == State::kClosed) TakeWaiting();
    return;
  }
  if ((state_ > State::kBackoff && state_ < State::kIdle) || awaits_turn_) {
    if (context_->listen) return;
    ClaimSlot(due) ? DeferSlot() : Settle();  // OnEstablished sends it
    return;
  }
  if (state_ == State::kBackoff) LeaveBackOff();
  if (web_socket_ != nullptr) web_socket_->room_since = due;
  return due > context_->now && context_->pacer.MayTake(quota_, due) ? Think(due) : TakeNext(due);
}

void Connection::Send() {
  ConnectionContext& c = *context_;
  if (state_ != State::kIdle) [[unlikely]]
    return;  // its peer has closed it in this turn
  if (web_socket_ != nullptr) [[unlikely]]
    return SendMessage();
  if (!c.is_one_request && IsFollowing()) return SendHop();
  RequestBytes& source = RequestInHand();
  const std::string& request = source.Of(slot_);
  parser_.Start(source.is_head);
  first_byte_ = 0;
  sent_ = c.ReadClock();
  const bool is_stamped = !c.stamps.Passes();
  const IoResult io = c.is_plain_send && !is_stamped ? transport_.Send(request) : SendFirst(is_stamped);
  if (io.kind >= IoResult::Kind::kClosed) {
    if (io.kind == IoResult::Kind::kHeldBack) return;
    // Not a byte went out: the peer closed an idle connection. The slot waits for a new one.
    return FailConnect(Phase::kConnect, io.error, kClosedIdle);
  }
  state_ = State::kSending;
  sent_bytes_ = io.bytes;
  c.wheel->Schedule(this, sent_ + c.timeout);
  c.recorder->counters.bytes_sent += io.bytes;
  if (io.bytes > 0) [[likely]]
    MarkSent();
  if (sent_bytes_ == request.size()) [[likely]] {
    state_ = State::kReceiving;
    return;
  }
  if (awaits_continue_ && sent_bytes_ == source.head_bytes) return AwaitContinue();
  SetInterest(kToReadAndWrite);
}

// Of a request that waits for 100 Continue, the head, which has no stamps: its answer is another one.
IoResult Connection::SendFirst(bool is_stamped) {
  ConnectionContext& c = *context_;
  if (!MaySendRequest()) return {.kind = IoResult::Kind::kHeldBack};
  const std::size_t head_bytes = RequestInHand().head_bytes;
  awaits_continue_ = head_bytes != 0;
  absl::string_view bytes = RequestNow();
  if (awaits_continue_) bytes = bytes.substr(0, head_bytes);
  DropStamps();
  if (is_stamped) is_stamped = c.stamps.Take(sent_);
  if (!is_stamped || awaits_continue_ || bytes.size() > kInitialWindow) return transport_.Send(bytes);
  stamps_ = {.slot = slot_, .sent = WallNow()};
  c.stamps.Send();
  return transport_.SendWithStamp(bytes);
}

// The head of the request is out. RFC 9110 section 10.1.1: the body follows when the target says 100 Continue, never if
// it answers at once, and if it says nothing, after a while all the same.
void Connection::AwaitContinue() {
  ConnectionContext& c = *context_;
  parser_.ForgetContinue();
  SetInterest(kToRead);
  c.wheel->Schedule(this, sent_ + std::min(kContinueWait, c.timeout));
}

void Connection::SendBody() {
  awaits_continue_ = false;
  context_->wheel->Schedule(this, sent_ + context_->timeout);
  SetInterest(kToReadAndWrite);
  ContinueSending();
}

// A stamped request is answered: where its time went, if it is a success. One whose stamps did not all come says
// nothing.
void Connection::RecordStamps(bool is_success) {
  const Nanos read = WallNow();
  Stamps stamps = std::exchange(stamps_, {});
  if (stamps.to_wire == 0) transport_.TakeSendStamp(stamps.sent, &stamps.to_wire);
  const bool counts = context_->stamps.Settle(stamps.sent, stamps.from_wire != 0);
  if (!counts || !is_success || stamps.to_wire == 0 || stamps.from_wire == 0) return;
  Recorder& recorder = *context_->recorder;
  recorder[Metric::kStamped].Record(read - stamps.sent);
  recorder[Metric::kAppToWire].Record(stamps.to_wire - stamps.sent);
  recorder[Metric::kWire].Record(stamps.from_wire - stamps.to_wire);
  recorder[Metric::kWireToApp].Record(read - stamps.from_wire);
  const Nanos wire = stamps.from_wire - stamps.to_wire;
  if (bool has_lost = false; LookAtPath(wire, &has_lost)) RecordPath(wire, has_lost, false);
}

// What was stamped took `wire` between the two drivers: how much of that was the target's. The network has the least
// round trip of it; where segments had to be sent again, all but what the target usually takes. An event comes one way.
void Connection::RecordPath(Nanos wire, bool has_lost, bool is_one_way) {
  ConnectionContext& c = *context_;
  const Nanos passing = is_one_way ? path_.least_rtt / 2 : path_.least_rtt;
  const Nanos target = has_lost ? std::min(c.usual_target, wire) : std::max<Nanos>(0, wire - passing);
  (*c.recorder)[Metric::kTargetTime].Record(target);
  if (has_lost) return;
  c.usual_wire += (wire - c.usual_wire) / 16;
  c.usual_target += (target - c.usual_target) / 16;
}

// Looks at the path of what took `wire`, if that is unusual or the last look is long ago: *has_lost if something was
// lost meanwhile. False if the kernel tells nothing of it.
bool Connection::LookAtPath(Nanos wire, bool* has_lost) {
  ConnectionContext& c = *context_;
  Recorder& recorder = *c.recorder;
  const Nanos unusual = 2 * (c.usual_wire + kMillisecond);
  *has_lost = false;
  if (path_.least_rtt != 0 && wire <= unusual && c.now - c.path_looked_at < kPathInterval) return true;
  PathInfo path;
  if (!ReadPath(transport_.fd(), &path)) return false;
  path.resent = std::max(path.resent, path_.resent);  // that one was needless may turn out later
  c.path_looked_at = c.now;
  recorder[Metric::kLeastRtt].Record(path.least_rtt);
  recorder[Metric::kRtt].Record(path.rtt);
  recorder.counters.resent_segments += path.resent - path_.resent;
  recorder.counters.segments_out_of_order += path.out_of_order - path_.out_of_order;
  recorder.counters.window_limited_ns += std::uint64_t{1'000} * (path.window_limited_us - path_.window_limited_us);
  const bool has_lost_answer = path.needless != path_.needless && wire >= kLeastRetransmission;
  *has_lost =
      wire > unusual && (path.resent != path_.resent || path.out_of_order != path_.out_of_order || has_lost_answer);
  path_ = path;
  return true;
}

// The first byte of the slot's request is with the kernel, since sent_.
void Connection::MarkSent() {
  context_->book.MarkSent(SlotInHand(), is_prompt_);
  is_prompt_ = false;
}

void Connection::ContinueSending() {
  ConnectionContext& c = *context_;
  if (web_socket_ != nullptr && !web_socket_->is_amid_request) {
    if (!FlushControl() || !web_socket_->control.empty()) return;
    web_socket_->is_amid_request = true;
  }
  const std::string& request = RequestNow();
  const std::size_t size = awaits_continue_ ? RequestInHand().head_bytes : request.size();
  const Nanos now = sent_bytes_ == 0 ? c.ReadClock() : 0;
  const IoResult io = transport_.Send(absl::string_view(request).substr(sent_bytes_, size - sent_bytes_));
  if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) {
    if (web_socket_ != nullptr) CountBreak();
    if (sent_bytes_ == 0) return FailConnect(Phase::kConnect, io.error, kClosedIdle);
    const int error = io.error == 0 ? ECONNRESET : io.error;
    return web_socket_ == nullptr ? FailRequest(error) : EndWebSocket(error);
  }
  if (sent_bytes_ == 0 && io.bytes > 0) {
    if (IsFollowing()) {
      ++c.recorder->counters.redirects_followed;
    } else {
      sent_ = now;
      MarkSent();
    }
  }
  sent_bytes_ += io.bytes;
  c.recorder->counters.bytes_sent += io.bytes;
  if (sent_bytes_ < size) return;
  if (awaits_continue_) return AwaitContinue();
  state_ = State::kReceiving;
  SetInterest(kToRead);
  if (web_socket_ != nullptr) OnMessageSent();
}

void Connection::OnReadable() {
  if (web_socket_ != nullptr) [[unlikely]]
    return OnFramesReadable();
  ConnectionContext& c = *context_;
  while (true) {
    const std::size_t kept = spill_ == nullptr ? 0 : spill_->size();
    if (kept > 0) std::memcpy(c.buffer.data(), spill_->data(), kept);
    const std::size_t room = c.buffer.size() - kept;
    char* const into = c.buffer.data() + kept;
    const IoResult io = stamps_.IsWanted() ? transport_.ReceiveWithStamp(into, room, &stamps_.from_wire)
                                           : transport_.Receive(into, room);
    if (io.kind == IoResult::Kind::kWantRead || io.kind == IoResult::Kind::kWantWrite) return;
    if (io.kind == IoResult::Kind::kFailed) return FailRequest(io.error);
    if (io.kind == IoResult::Kind::kClosed) return OnPeerClosed();

    const Nanos now = c.ReadClock();
    if (first_byte_ == 0) first_byte_ = now;
    c.book.Receive(slot_, io.bytes);
    const absl::string_view bytes(c.buffer.data(), kept + io.bytes);
    const ResponseParser::Result result = parser_.Feed(bytes, c.limits, &c.known_header);
    spill_.reset();
    if (result.progress == ResponseParser::Progress::kFailed) return FailRequest(result.error);
    const absl::string_view rest = bytes.substr(result.consumed);
    if (result.progress == ResponseParser::Progress::kComplete) {
      if (!rest.empty()) RefuseRest(rest.size());
      return CompleteResponse(now);
    }
    if (result.progress == ResponseParser::Progress::kMayLead) {
      if (!rest.empty()) RefuseRest(rest.size());
      return CompleteOrFollow(now);
    }
    if (!rest.empty()) spill_ = std::make_unique<std::string>(rest);
    if (awaits_continue_ && parser_.HasContinue()) [[unlikely]] {
      const std::uint64_t slot = slot_;
      SendBody();
      if (!has_slot_ || slot_ != slot || state_ < State::kSending) return;  // its connection has ended
    }
    if (!transport_.is_tls() && io.bytes < room) return;  // drained
    // A peer that goes on sending does not keep us from the time-out.
    if (now - sent_ > c.timeout && now > c.attention.Extended(sent_ + c.timeout) &&
        now - c.attention.stood_still_to() >= TimeoutWheel::kTick)
      return FailRequest(ETIMEDOUT);
  }
}

// More came than was asked for: the framing is not to be trusted any more.
void Connection::RefuseRest(std::size_t bytes) {
  context_->recorder->counters.unsolicited_bytes += bytes;
  Close();
}

void Connection::OnPeerClosed() {
  // RFC 9112 section 9.8: a body that runs until close is not known to be whole then.
  const bool is_cut = transport_.IsCut();
  const ResponseParser::Result result =
      is_cut ? ResponseParser::Result{.progress = ResponseParser::Progress::kFailed} : parser_.FeedEnd();
  if (result.progress == ResponseParser::Progress::kMayLead) return CompleteOrFollow(context_->ReadClock());
  if (result.progress != ResponseParser::Progress::kComplete) {
    if (is_cut && sent_bytes_ > 0) ++context_->recorder->counters.ended_without_close_notify;
    return FailRequest(result.error);
  }
  CompleteResponse(context_->ReadClock());
}

// The response is whole: the book makes numbers of it, and the connection takes its next slot.
void Connection::CompleteResponse(Nanos done) {
  ConnectionContext& c = *context_;
  if (sent_bytes_ == 0) return FailRequest(EBADMSG);  // an answer to nothing
  const auto status = static_cast<std::size_t>(parser_.status());
  const bool is_success = status < c.success.size() && c.success[status];
  if (done - sent_ > c.timeout && IsLate(SlotInHand(), done)) [[unlikely]] {
    c.book.Fail(SlotInHand(), Outcome::kRequestTimeout, done);
  } else {
    c.book.CompleteStatus(SlotInHand(), first_byte_, done, status, is_success);
  }
  LeaveSlot();
  if (stamps_.IsWanted()) [[unlikely]]
    RecordStamps(is_success);
  const bool is_reusable = parser_.keep_alive() && state_ == State::kReceiving && transport_.fd() >= 0;
  if (is_reusable && c.is_plain_reuse) [[likely]] {
    state_ = State::kIdle;
    return Rest(done);
  }
  if (!IsLastRequest() && is_reusable) {
    state_ = State::kIdle;
    Rest(done);
    // The peer's close_notify may have been read with the response.
    if (state_ == State::kIdle && transport_.MayHoldMore()) OnIdleReadable();
    return;
  }
  Close();
  HoldForSuccessor();
  Rest(done);
}

// An answer is whole that may lead elsewhere: it is the slot's, or the slot goes on.
void Connection::CompleteOrFollow(Nanos done) {
  if (sent_bytes_ == 0) return FailRequest(EBADMSG);
  Direction direction;
  if (MayFollow(done, &direction)) return Follow(std::move(direction), done);
  parser_.KeepPart();
  if (hop_ != nullptr) hop_->is_over = true;
  CompleteResponse(done);
  hop_.reset();
}

// Whether the slot goes on, and where. A redirect that is not followed is an answer like others, and counted besides.
bool Connection::MayFollow(Nanos done, Direction* direction) {
  ConnectionContext& c = *context_;
  if (!IsRedirect(parser_.status())) return false;
  if (done - sent_ > c.timeout) return false;
  const bool is_over = c.IsOver(done);
  if (is_over || (hop_ != nullptr && hop_->made >= c.follow)) {
    ++(is_over ? c.recorder->counters.redirects_ended : c.recorder->counters.redirects_cut);
    return false;
  }
  const absl::string_view request = RequestOfSlot().Of(slot_);
  *direction = WhereTo(parser_.location(), c.tls != nullptr, request, hop_ == nullptr ? PathOf(request) : hop_->path);
  if (direction->lead == Direction::Lead::kHere) return true;
  const bool is_known = direction->lead == Direction::Lead::kElsewhere;
  ++(is_known ? c.recorder->counters.redirects_elsewhere : c.recorder->counters.redirects_unreadable);
  return false;
}

// The slot goes on, on this connection, or if that has ended with the answer on the next.
void Connection::Follow(Direction direction, Nanos done) {
  ConnectionContext& c = *context_;
  if (hop_ == nullptr) {
    hop_ = std::make_unique<Hop>();
    hop_->sent = sent_;
  }
  hop_->path = std::move(direction.path);
  hop_->is_get = hop_->is_get || BecomesGet(parser_.status(), MethodOf(RequestOfSlot().Of(slot_)));
  hop_->is_reopened = false;
  ++hop_->made;
  sent_bytes_ = 0;
  DropStamps();  // they are of one request, and the slot's time is of several
  TimeoutWheel::Clear(this);
  Prove();
  const bool is_last = IsLastRequest();
  if (is_last || !parser_.keep_alive() || state_ != State::kReceiving || transport_.fd() < 0) {
    Close();
    HoldForSuccessor();
    c.now = done;
    return Open();
  }
  state_ = State::kIdle;
  c.is_in_turn ? c.to_send.push_back(this) : Send();
  // The peer's close_notify may have been read with the response.
  if (state_ == State::kIdle && c.tls != nullptr && transport_.MayHoldMore()) OnIdleReadable();
}

void Connection::SendHop() {
  ConnectionContext& c = *context_;
  Hop& hop = *hop_;
  is_kept_ = false;
  c.ReadClock();
  if (c.IsOver(c.now)) {
    CutHop();
    return Rest(c.now);
  }
  if (!MaySend()) return;
  hop.request = MakeHop(RequestOfSlot().Of(slot_), hop.path, hop.is_get);
  parser_.Start(hop.request.is_head);
  parser_.ParseAnyway();
  first_byte_ = 0;
  sent_ = hop.sent;
  state_ = State::kSending;
  const Nanos limit = hop.sent + c.timeout;
  if (c.now >= limit) return FailRequest(ETIMEDOUT);  // its connection took that long
  c.wheel->Schedule(this, limit);
  ContinueSending();
  if (state_ == State::kSending) SetInterest(kToReadAndWrite);
}

// The slot would go on, but a ceiling or a rate of new connections keeps it from that, from now on: what it waits is no
// time of the target's.
void Connection::PauseHop() {
  if (!IsFollowing() || hop_->paused_at != 0) return;
  hop_->paused_at = context_->now;
  context_->book.Pause(context_->now);
}

void Connection::ResumeHop() {
  if (!IsFollowing() || hop_->paused_at == 0) return;
  const Nanos length = context_->now - std::exchange(hop_->paused_at, 0);
  hop_->sent += length;
  due_ += length;
  context_->book.Resume(context_->now);
}

// The slot cannot go on, for want of a connection.
void Connection::LoseHop(int error) {
  ConnectionContext& c = *context_;
  ResumeHop();
  c.book.Fail({.slot = slot_, .due = due_, .sent = hop_->sent, .address = address_}, OutcomeOf(error), c.ReadClock());
  hop_.reset();
  has_slot_ = is_kept_ = false;
}

// The point ended before the hop went out.
void Connection::CutHop() {
  ++context_->recorder->counters.redirects_ended;
  LoseHop(ECANCELED);
}

// Whether the connection ends, by the plan, with the request that has just been answered on it.
bool Connection::IsLastRequest() {
  ConnectionContext& c = *context_;
  if (c.is_lasting) return false;
  ++served_;
  const bool is_last = served_ == c.reconnect_after || c.requests[c.RequestIndex(slot_)].is_last;
  if (is_last && !c.is_single_use) ++renewals_;
  return is_last;
}

// Whether an answer that was read at `done`, after its time-out, had come after it. The kernel's stamp tells, where
// there is one; else an answer that may have lain unread while this thread stood still is not the target's fault.
bool Connection::IsLate(const SlotBook::Entry& entry, Nanos done) const {
  const ConnectionContext& c = *context_;
  const Nanos limit = entry.sent + c.timeout;
  // What had not begun to come by then is given up by the next tick, and what had gets the rest of its time.
  const Nanos until = std::max(c.attention.Extended(limit), c.attention.stood_still_to() + 10 * TimeoutWheel::kTick);
  bool is_ours = limit >= c.attention.turn() || (c.attention.StoodStillAt(limit) && done <= until);
  if (stamps_.AreOf(entry.slot) && stamps_.from_wire != 0) is_ours = stamps_.from_wire - stamps_.sent <= c.timeout;
  if (is_ours) ++c.recorder->counters.late_by_us;
  return !is_ours;
}

void Connection::OnIdleReadable() {
  if (web_socket_ != nullptr) return OnFramesReadable();
  ConnectionContext& c = *context_;
  const IoResult io = transport_.Receive(c.buffer.data(), c.buffer.size());
  if (io.kind == IoResult::Kind::kWantRead || io.kind == IoResult::Kind::kWantWrite) return;
  if (io.kind == IoResult::Kind::kDone) c.recorder->counters.unsolicited_bytes += io.bytes;
  LoseIdle();
}

// The connection is gone while nothing was in flight on it.
void Connection::LoseIdle() {
  ConnectionContext& c = *context_;
  if (has_slot_) return FailConnect(Phase::kConnect, ECONNRESET, kClosedIdle);
  if (web_socket_ == nullptr) ++c.recorder->counters.unannounced_closes;
  if (const auto alert = transport_.Alert()) NoteError(ConnectResult::kTlsFailed, AlertText(*alert));
  Close();
  if (is_thinking_) {  // it opens again when its next slot is due
    HoldClosed();
    return c.wheel->Schedule(this, due_);
  }
  // Before the start, and in an open loop, the connection is wanted; in a closed one it was done anyway.
  if (c.listen && !c.is_preparing) ++c.recorder->counters[Finding::kReconnect];
  if ((c.is_preparing || c.open_loop || c.listen) && !c.pacer.IsStopped()) return ComeBack();
  if (is_settled_) HoldClosed();
}

// A connection that is lost and wanted: at once if its peer has served it since it was opened, else after a pause.
void Connection::ComeBack() {
  const bool is_held_back = context_->listen && due_ != 0 && context_->listen->jitter != ListenRules::Jitter::kNone;
  is_proven_ && !is_held_back ? Open() : BackOff();
}

// A deadline has passed while this thread stood still. All that had come by then has been read since: what has not
// answered at all is late, but what needs us to go on - a handshake, an answer of which a part has come, a request of
// which a part has gone out - has had less than its time, and gets the rest.
bool Connection::NeedsMoreTime() {
  const ConnectionContext& c = *context_;
  const bool is_opening = state_ > State::kConnecting && state_ < State::kSubscribing;
  const bool is_half_done = web_socket_ == nullptr && !awaits_continue_ &&
                            (state_ == State::kSending || (state_ == State::kReceiving && first_byte_ != 0));
  if (!is_opening && !is_half_done) return false;
  const Nanos until = c.attention.Extended(sent_ + (is_opening ? c.connect_timeout : c.timeout));
  if (until <= c.now) return false;
  c.wheel->Schedule(this, until);
  return true;
}

void Connection::OnDeadline() {
  if (web_socket_ != nullptr && state_ >= State::kSubscribing && !IsDeadlineOver()) return;
  if (is_thinking_) {
    is_thinking_ = false;
    return TakeNext(due_);
  }
  if (NeedsMoreTime()) return;
  switch (state_) {
    case State::kConnecting:
      if (transport_.fd() < 0) {
        --context_->short_of_room;
        if (context_->now - sent_ < context_->connect_timeout) return Connect();
      }
      CountSynRetransmits();
      return FailConnect(Phase::kConnect, ETIMEDOUT, WhoIsDialled());
    case State::kTunnelling:
      return FailConnect(Phase::kProxy, ETIMEDOUT, absl::StrCat(WhoIsDialled(), ": no answer to CONNECT in time"));
    case State::kHandshaking:
      return FailConnect(Phase::kTls, ETIMEDOUT, "handshake: no answer in time");
    case State::kUpgrading:
      if (spill_ != nullptr && EndRefused(*spill_, true)) return;
      return FailConnect(Phase::kUpgrade, ETIMEDOUT, "upgrade: no answer in time");
    case State::kSubscribing:
      if (is_held_back_) return Watch(context_->now + context_->connect_timeout);  // nobody could answer yet
      return FailConnect(Phase::kUpgrade, ETIMEDOUT, "subscribe: no ack in time", HeardInstead());
    case State::kBackoff:
      return EndTurn();
    case State::kSending:
      if (awaits_continue_ && context_->now - sent_ < context_->timeout) {
        ++context_->recorder->counters.sent_without_continue;
        return SendBody();
      }
      [[fallthrough]];
    case State::kReceiving:
      return web_socket_ == nullptr ? FailRequest(ETIMEDOUT) : OnReplyDeadline();
    case State::kIdle:
      if (web_socket_ != nullptr) context_->listen ? OnListenDeadline() : OnReplyDeadline();
      return;
    case State::kClosed:
      return;
  }
}

// The attempt to get a connection failed. A slot that waited for it is never sent; after a pause comes the next one.
void Connection::FailConnect(Phase phase, int error, std::string text, std::string detail) {
  ConnectionContext& c = *context_;
  const bool was_established = state_ >= State::kIdle;
  if (const auto alert = transport_.Alert(); alert && was_established) {
    phase = Phase::kTls;
    text = AlertText(*alert);
  }
  const ConnectResult result = ConnectResultOf(phase, error);
  if (was_established && web_socket_ != nullptr) FailAllUnderWay(error);
  if (error == EADDRNOTAVAIL) ++c.recorder->counters.no_local_port;
  if (error == EMFILE || error == ENFILE) ++c.recorder->counters.no_descriptor;
  if (!was_established) {
    ++c.recorder->counters[result];
    ++c.recorder->addresses.failed_attempts[address_];
  } else if (web_socket_ == nullptr) {
    ++c.recorder->counters.unannounced_closes;
  }
  if (phase == Phase::kConnect && !was_established)
    text = absl::StrCat("connect to ", text, ": ", std::strerror(error));
  if (std::exchange(is_succeeding_, false)) {
    // No successor is up: the connection has been missing since it was to be opened.
    ReleaseHold();
    c.CountMissing(sent_);
  }
  NoteError(result, std::move(text), std::move(detail));

  if (!was_established) state_ = State::kClosed;  // the attempt is counted
  Close();
  if (failures_ == 0) failing_since_ = c.now;
  if (!was_established || !is_proven_) failures_ = static_cast<std::uint8_t>(std::min(failures_ + 1, 255));
  const NeverSent reason = NeverSentOf(result);
  if (!was_established || phase == Phase::kTls) refusal_ = c.last_refusal = reason;
  if (IsFollowing()) {
    // Of a hop not a byte went out: it may go out on the next connection, once.
    if (was_established && !c.IsOver(c.now) && !std::exchange(hop_->is_reopened, true)) return Open();
    LoseHop(error);
  }
  const bool is_out_of_patience = c.is_preparing || c.now - failing_since_ >= kPatience;
  const bool is_last = failures_ >= kMaxFailures && is_out_of_patience && !c.pacer.IsTimed() && !c.open_loop;
  // A slot whose idle connection died may still go out on the next one.
  const bool is_kept = was_established && !is_last && !c.pacer.IsStopped();
  if (has_slot_ && !is_kept) NeverSend(reason);
  is_kept_ = has_slot_;
  if (c.pacer.IsStopped()) return Settle();
  if (is_last) return GiveUp(reason);
  was_established ? ComeBack() : BackOff();
}

void Connection::NoteError(ConnectResult result, std::string text, std::string detail) {
  auto& errors = context_->connect_errors.by_text;
  if (errors.size() >= kMaxErrorTexts && errors.count(text) == 0) text = "other errors";
  errors[std::move(text)].Add({.result = result, .count = 1, .detail = std::move(detail)});
}

NeverSent Connection::WhyUnsent(NeverSent reason) const {
  const bool is_held = IsHeldByUs();
  if (state_ >= State::kIdle && !is_held) return reason;
  if (state_ < State::kIdle && refusal_ != NeverSent::kCount) return refusal_;
  if (is_held) return reason == NeverSent::kCap ? NeverSent::kHeld : reason;
  return state_ == State::kClosed ? reason : NeverSent::kConnecting;
}

void Connection::BackOff() {
  ConnectionContext& c = *context_;
  state_ = State::kBackoff;
  ++c.backing_off;
  if (has_slot_) ++c.recorder->counters.waited_for_back_off;
  if (c.listen && due_ != 0 && c.listen->jitter != ListenRules::Jitter::kNone) {
    c.ReadClock();
    return c.wheel->Schedule(this, ComeBackAt());
  }
  c.wheel->Schedule(this, c.ReadClock() + std::min(kMaxBackoff, kFirstBackoff << std::clamp(failures_ - 1, 0, 7)));
}

void Connection::LeaveBackOff() {
  if (!std::exchange(awaits_turn_, false)) --context_->backing_off;
  is_held_back_ = false;
  state_ = State::kClosed;
}

// We keep the connection closed ourselves: nobody asks for it until it is opened again.
void Connection::HoldClosed() {
  if (std::exchange(is_held_, true)) return;
  context_->ChangeAsked(-1);
}

void Connection::ReleaseHold() {
  is_succeeding_ = false;
  if (!std::exchange(is_held_, false)) return;
  context_->ChangeAsked(1);
}

// The end of the connection was announced, or is our own: the time that its successor takes to open is nobody's, unless
// it fails to.
void Connection::HoldForSuccessor() {
  HoldClosed();
  is_succeeding_ = true;
}

void Connection::GiveUp(NeverSent reason) {
  ConnectionContext& c = *context_;
  c.last_refusal = reason;
  if (!c.is_preparing) ++c.recorder->counters.given_up;
  c.book.PlanUnsent(quota_, reason, c.now);
  quota_ = 0;
  Settle();
}

// The connection broke, or ran out of time, while a request was on it.
void Connection::FailRequest(int error) {
  ConnectionContext& c = *context_;
  if (sent_bytes_ == 0 && !IsFollowing()) {  // nothing of it went out
    const bool is_alert = transport_.Alert().has_value();
    Close();
    NeverSend(error == ETIMEDOUT   ? NeverSent::kCap  // the connection is up, and has no room for as long
              : error == ECANCELED ? NeverSent::kStopped
              : is_alert           ? NeverSent::kTls
                                   : NeverSent::kConnectOther);
    return TakeNext(c.ReadClock());
  }
  const Outcome outcome = OutcomeOf(error);
  // What was malformed lies in the buffer; of a first read it is the answer's beginning.
  const bool is_first_read = first_byte_ == c.now;
  if (error == EBADMSG && is_first_read && !transport_.is_tls() && IsTlsRecord({c.buffer.data(), 2}))
    ++c.recorder->counters.tls_answers;
  const Nanos now = c.ReadClock();
  c.book.Fail(SlotInHand(), outcome, now);
  LeaveSlot();
  hop_.reset();
  Close();
  Rest(now);
}

void Connection::StopWaiting(NeverSent reason) {
  ConnectionContext& c = *context_;
  if (IsFollowing()) {
    if (sent_bytes_ > 0 || state_ == State::kReceiving) return;  // in flight
    Close();
    CutHop();
    return Settle();
  }
  const bool is_opening = state_ > State::kBackoff && state_ < State::kIdle;
  const bool is_young = refusal_ == NeverSent::kCount && c.now - sent_ < kYoungAttempt;
  // Nothing is known against this attempt yet.
  if (is_deferred_ && (awaits_turn_ || is_held_back_ || (is_opening && is_young)))
    has_slot_ = is_deferred_ = is_kept_ = false;
  if (has_slot_ && sent_bytes_ == 0) c.book.LeaveUnanswered(slot_, due_, c.now);
  reason = WhyUnsent(reason);
  is_thinking_ = false;
  switch (state_) {
    case State::kSending:
      if (sent_bytes_ > 0) return;
      if (web_socket_ == nullptr || web_socket_->is_amid_request) {
        Close();
      } else {
        state_ = State::kIdle;  // for those under way
        WatchReplies();
      }
      NeverSend(reason);
      return Settle();
    case State::kReceiving:
      return;
    case State::kConnecting:
    case State::kTunnelling:
    case State::kHandshaking:
    case State::kUpgrading:
    case State::kSubscribing:
      Close();
      [[fallthrough]];
    case State::kBackoff:
    case State::kClosed:
    case State::kIdle:
      if (state_ == State::kBackoff) LeaveBackOff();
      is_held_back_ = false;
      if (has_slot_) NeverSend(reason);
      Settle();
  }
}

void Connection::CutOff() {
  if (web_socket_ != nullptr && state_ >= State::kIdle) {
    if (web_socket_->pipeline.size() > 0 || state_ == State::kSending) EndWebSocket(ECANCELED);
    return;
  }
  if (state_ == State::kSending || state_ == State::kReceiving) return FailRequest(ECANCELED);
  if (!IsFollowing()) return;
  Close();
  LoseHop(ECANCELED);
  Rest(context_->now);
}

void Connection::NeverSend(NeverSent reason) {
  PlanDeferred();
  context_->book.NeverSend(reason, context_->now);
  has_slot_ = is_kept_ = false;
}

// The slot in its hands has ended, and the book knows how.
void Connection::LeaveSlot() {
  has_slot_ = false;
  sent_bytes_ = 0;
  TimeoutWheel::Clear(this);
  Prove();
}

void Connection::Settle() {
  if (is_settled_ || (web_socket_ != nullptr && web_socket_->pipeline.size() > 0)) return;
  is_settled_ = true;
  ++context_->settled;
  // Done with its slots, it is not asked for any more; one that has given up is.
  if (state_ == State::kClosed && failures_ == 0) HoldClosed();
}

void Connection::Close() {
  if (state_ > State::kBackoff && state_ < State::kIdle) {
    if (state_ == State::kConnecting) CountSynRetransmits();
    if (state_ == State::kConnecting && transport_.fd() < 0) --context_->short_of_room;
    ++context_->recorder->counters[ConnectResult::kAbandoned];
    if (transport_.IsAccepted()) ++context_->recorder->counters.abandoned_open;
  }
  if (const auto alert = transport_.Alert()) ++context_->recorder->counters[TlsAlertOf(*alert)];
  if (web_socket_ != nullptr) FailAllUnderWay(ECANCELED);
  if (state_ >= State::kIdle && transport_.fd() >= 0) {
    context_->ChangeUp(-1);
    if (web_socket_ != nullptr && !web_socket_->is_closing && !web_socket_->is_amid_request) {
      AppendClose(kCloseNormal, static_cast<std::uint32_t>(context_->NextRandom()), &web_socket_->control);
      const IoResult io = transport_.Send(web_socket_->control);  // its answer is not waited for
      if (io.kind == IoResult::Kind::kDone) CountControlSent(io.bytes);
    }
  }
  if (web_socket_ != nullptr) {
    if (web_socket_->listener != nullptr) web_socket_->listener->End(context_->recorder);
    web_socket_.reset();
  }
  if (state_ == State::kBackoff) LeaveBackOff();
  awaits_continue_ = is_held_back_ = false;
  transport_.Close();
  spill_.reset();
  DropStamps();
  path_ = {};
  TimeoutWheel::Clear(this);
  interest_ = 0;
  state_ = State::kClosed;
}

void Connection::SetInterest(std::uint32_t events) {
  if (interest_ == events) return;
  interest_ = events;
  context_->loop->Modify(transport_.fd(), events, this);
}

}  // namespace tidemark
