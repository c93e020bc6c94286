// Reads straight down: Open -> Connect -> OnConnected -> BeginTunnel -> OnRouteOpen -> OnHandshake -> OnReached, which
// is the protocol's; then how an attempt fails, and how a connection is held and closed.
#include "agent/exchange/lifecycle.h"

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
// Texts of connection errors that are told apart; more are counted under one.
constexpr std::size_t kMaxErrorTexts = 8;

std::string AlertText(int alert) {
  return absl::StrCat("TLS alert after the handshake: ",
                      kTlsAlertRows[static_cast<std::size_t>(TlsAlertOf(alert))].label);
}

}  // namespace

void ConnectErrors::Entry::Add(const Entry& other) {
  result = other.result;
  count += other.count;
  if (detail.empty()) detail = other.detail;
}

void Lifecycle::Open() {
  Load& load = *load_;
  LoopState& l = loop();
  CHECK(state_ == State::kClosed);
  if (load.connect_interval != 0 && !std::exchange(has_turn_, false)) {
    const Nanos turn = load.TakeTurnToConnect(l.ReadClock());
    if (turn > l.now) return AwaitTurn(turn);
  }
  if (load.connects.IsOn() && !load.connects.Take(l.ReadClock())) return AwaitCeiling();
  if (!is_succeeding_) ReleaseHold();
  is_proven_ = false;
  if (load.new_connection) ++renewals_;
  sent_ = l.ReadClock();
  state_ = State::kConnecting;
  Connect();
}

// Stays closed until the plan's rate of new connections lets it open: that is our own doing.
void Lifecycle::AwaitTurn(Nanos turn) {
  HoldClosed();
  awaits_turn_ = true;
  held_since_ = loop().now;
  state_ = State::kBackoff;
  OnKept(turn);
  loop().wheel->Schedule(this, turn);
}

// ... until the agent's ceiling does.
void Lifecycle::AwaitCeiling() {
  HoldClosed();
  awaits_turn_ = true;
  state_ = State::kBackoff;
  HoldBack();
  OnKept(0);
}

void Lifecycle::GoOnConnecting() {
  is_queued_to_connect_ = false;
  if (!is_held_back_ || state_ != State::kBackoff) return;  // it wants to no more
  EndTurn();
}

// Its turn to connect has come, or its back-off is over.
void Lifecycle::EndTurn() {
  has_turn_ = awaits_turn_;
  LeaveBackOff();
  OnTurn();
  has_turn_ = false;
}

void Lifecycle::HoldBack() {
  LoopState& l = loop();
  if (std::exchange(is_held_back_, true)) return;
  held_since_ = l.now;
  load_->has_held = true;
  ++l.recorder->counters.held;
  const bool is_to_connect = state_ == State::kBackoff;
  if (std::exchange(is_to_connect ? is_queued_to_connect_ : is_queued_to_send_, true)) return;
  (is_to_connect ? load_->connects : load_->sends).Wait(this);
}

bool Lifecycle::EndWait() {
  is_queued_to_send_ = false;
  if (!is_held_back_ || state_ == State::kBackoff) return false;
  is_held_back_ = false;
  const Nanos now = loop().ReadClock();
  if (state_ < State::kIdle) {
    sent_ += now - held_since_;  // the target has not kept us
    if (!is_succeeding_) ReleaseHold();
  }
  if (state_ != State::kTunnelling) return true;
  if (MayAskToOpen()) AskForTunnel();
  return false;
}

bool Lifecycle::MayAskToOpen() {
  if (MaySend()) return true;
  OnKept(0);
  TimeoutWheel::Clear(this);
  HoldIfOurs();
  return false;
}

void Lifecycle::HoldIfOurs() {
  if (awaits_turn_ || (is_held_back_ && state_ < State::kIdle)) HoldClosed();
}

// Begins an attempt that has begun at sent_, or tries it again.
void Lifecycle::Connect() {
  LoopState& l = loop();
  const Load& load = *load_;
  address_ = load.target_indices[Turn() % load.targets.size()];
  const SocketAddress* source = load.sources.empty() ? nullptr : &load.sources[Turn() % load.sources.size()];
  const IoResult io = transport_.Connect(target(), source);
  if (io.kind == IoResult::Kind::kWantRead) {
    // Of an accept queue's room nothing tells: it is looked for at each tick.
    if (l.now == sent_) ++l.recorder->counters.waited_for_room;
    ++l.short_of_room;
    return l.wheel->Schedule(this, std::min(l.now + TimeoutWheel::kTick, sent_ + load.connect_timeout));
  }
  if (io.kind == IoResult::Kind::kFailed) return FailConnect(Phase::kConnect, io.error, WhoIsDialled());
  l.wheel->Schedule(this, sent_ + load.connect_timeout);
  interest_ = io.kind == IoResult::Kind::kWantWrite ? static_cast<std::uint32_t>(EPOLLOUT) : kToRead;
  if (!l.loop->Add(transport_.fd(), interest_, this)) return FailConnect(Phase::kConnect, errno, "epoll");
  if (io.kind == IoResult::Kind::kDone) OnConnected();
}

void Lifecycle::OnOpeningEvents() {
  switch (state_) {
    case State::kConnecting:
      return OnConnected();
    case State::kTunnelling:
      return OnTunnelReadable();
    case State::kHandshaking:
      return OnHandshake();
    default:
      return;  // an event of a descriptor that was closed in this turn
  }
}

// Whether the events are no more than a time stamp, which is taken. What came behind it may be told of with it.
bool Lifecycle::IsStampAlone(std::uint32_t events) {
  if ((events & EPOLLERR) == 0 || !load_->has_stamps || transport_.fd() < 0) return false;
  // Perhaps no error but a time stamp; one that nobody waits for any more must go as well.
  return path_.TakeSendStamp(&transport_) && (events & ~static_cast<std::uint32_t>(EPOLLERR)) == 0;
}

void Lifecycle::OnConnected() {
  if (load_->has_stamps) transport_.EnableStamps();
  CountSynRetransmits();
  const IoResult io = transport_.FinishConnect();
  if (io.kind == IoResult::Kind::kFailed) return FailConnect(Phase::kConnect, io.error, WhoIsDialled());
  load_->tunnel.empty() ? OnRouteOpen() : BeginTunnel();
}

void Lifecycle::BeginTunnel() {
  state_ = State::kTunnelling;
  SetInterest(kToRead);
  if (MayAskToOpen()) AskForTunnel();
}

void Lifecycle::AskForTunnel() {
  loop().wheel->Schedule(this, sent_ + load_->connect_timeout);
  const IoResult io = transport_.Send(load_->tunnel);
  // The buffer of a connection that has sent nothing holds more than that.
  if (io.kind != IoResult::Kind::kDone || io.bytes < load_->tunnel.size())
    return FailConnect(Phase::kProxy, io.error == 0 ? EPIPE : io.error,
                       absl::StrCat(WhoIsDialled(), ": it takes no request for a tunnel"));
  recorder().counters.bytes_sent += io.bytes;
}

// The proxy's answer is taken from the kernel to its last byte, and no further: what follows is the target's.
void Lifecycle::OnTunnelReadable() {
  LoopState& l = loop();
  if (is_held_back_)
    return FailConnect(Phase::kProxy, EPROTO,
                       absl::StrCat(WhoIsDialled(), ": it answered, or closed, before it was asked for a tunnel"));
  while (true) {
    const std::size_t kept = spill_ == nullptr ? 0 : spill_->size();
    if (kept > 0) std::memcpy(l.buffer.data(), spill_->data(), kept);
    const IoResult io = transport_.Peek(l.buffer.data() + kept, l.buffer.size() - kept);
    if (io.kind == IoResult::Kind::kWantRead) return;
    if (io.kind != IoResult::Kind::kDone)
      return FailConnect(Phase::kProxy, io.error == 0 ? ECONNRESET : io.error,
                         absl::StrCat(WhoIsDialled(), ": it closed the connection before the tunnel was open"));
    const absl::string_view bytes(l.buffer.data(), kept + io.bytes);
    const auto answer = ReadTunnelAnswer(bytes);
    if (!answer.ok())
      return FailConnect(
          Phase::kProxy, EPROTO,
          absl::StrCat(WhoIsDialled(), ": ", l.masks->Apply(std::string(answer.status().message()), false)));
    const std::size_t size = answer->is_complete ? answer->consumed : bytes.size();
    l.recorder->counters.bytes_received += transport_.Receive(l.buffer.data() + kept, size - kept).bytes;
    if (!answer->is_complete) {
      spill_ = std::make_unique<std::string>(bytes);
      continue;
    }
    spill_.reset();
    return OnRouteOpen();
  }
}

std::string Lifecycle::WhoIsDialled() const {
  // An attempt that is older went elsewhere, and where is not kept.
  return absl::StrCat(load_->is_proxied ? "proxy " : "",
                      sent_ < load_->targets_since ? "an earlier address of its name" : target().ToString());
}

// TCP goes through to the target.
void Lifecycle::OnRouteOpen() {
  LoopState& l = loop();
  const Nanos now = l.ReadClock();
  recorder()[Metric::kConnect].Record(now - sent_);
  if (load_->tls == nullptr) return OnReached();
  sent_ = now;
  l.wheel->Schedule(this, now + load_->connect_timeout);
  state_ = State::kHandshaking;
  OnHandshake();
}

// The attempt to connect is over, in one way or another.
void Lifecycle::CountSynRetransmits() {
  // A young one has sent its SYN once: see kYoungAttempt. Half of it, since clocks are read at different moments.
  if (loop().now - sent_ < kYoungAttempt / 2 || transport_.fd() < 0) return;
  const std::uint64_t count = transport_.SynRetransmits();
  recorder().counters.syn_retransmits += count;
  path_.BeginPath(count);
}

void Lifecycle::OnHandshake() {
  const IoResult io = transport_.Handshake(load_->tls, load_->server_name);
  switch (io.kind) {
    case IoResult::Kind::kDone:
      recorder()[Metric::kTls].Record(loop().ReadClock() - sent_);
      if (transport_.IsResumed()) ++recorder().counters.tls_resumed;
      return OnReached();
    case IoResult::Kind::kWantRead:
      return SetInterest(kToRead);
    case IoResult::Kind::kWantWrite:
      return SetInterest(EPOLLOUT);
    default:
      return FailConnect(Phase::kTls, io.error, transport_.TlsError());
  }
}

void Lifecycle::BecomeUp() {
  ++recorder().counters[ConnectResult::kEstablished];
  ++recorder().addresses.established[address_];
  refusal_ = load_->last_refusal = NeverSent::kCount;
  ReleaseHold();
  loop().ChangeUp(1);
  TimeoutWheel::Clear(this);
  SetInterest(kToRead);
  state_ = State::kIdle;
}

bool Lifecycle::NeedsMoreTime(Nanos limit) {
  const LoopState& l = loop();
  const Nanos until = l.attention.Extended(sent_ + limit);
  if (until <= l.now) return false;
  l.wheel->Schedule(this, until);
  return true;
}

void Lifecycle::OnOpeningDeadline() {
  LoopState& l = loop();
  if (IsOpening() && NeedsMoreTime(load_->connect_timeout)) return;
  switch (state_) {
    case State::kConnecting:
      if (transport_.fd() < 0) {
        --l.short_of_room;
        if (l.now - sent_ < load_->connect_timeout) return Connect();
      }
      CountSynRetransmits();
      return FailConnect(Phase::kConnect, ETIMEDOUT, WhoIsDialled());
    case State::kTunnelling:
      return FailConnect(Phase::kProxy, ETIMEDOUT, absl::StrCat(WhoIsDialled(), ": no answer to CONNECT in time"));
    case State::kHandshaking:
      return FailConnect(Phase::kTls, ETIMEDOUT, "handshake: no answer in time");
    case State::kBackoff:
      return EndTurn();
    default:
      return;
  }
}

void Lifecycle::FailConnect(Phase phase, int error, std::string text, std::string detail) {
  LoopState& l = loop();
  const bool was_up = state_ >= State::kIdle;
  if (const auto alert = transport_.Alert(); alert && was_up) {
    phase = Phase::kTls;
    text = AlertText(*alert);
  }
  const ConnectResult result = ConnectResultOf(phase, error);
  if (error == EADDRNOTAVAIL) ++l.recorder->counters.no_local_port;
  if (error == EMFILE || error == ENFILE) ++l.recorder->counters.no_descriptor;
  if (!was_up) {
    ++l.recorder->counters[result];
    ++l.recorder->addresses.failed_attempts[address_];
  }
  if (phase == Phase::kConnect && !was_up) text = absl::StrCat("connect to ", text, ": ", std::strerror(error));
  if (std::exchange(is_succeeding_, false)) {
    // No successor is up: the connection has been missing since it was to be opened.
    ReleaseHold();
    l.CountMissing(sent_);
  }
  NoteError(result, std::move(text), std::move(detail));

  if (!was_up) state_ = State::kClosed;  // the attempt is counted
  Close();
  if (failures_ == 0) failing_since_ = l.now;
  if (!was_up || !is_proven_) failures_ = static_cast<std::uint8_t>(std::min(failures_ + 1, 255));
  const NeverSent reason = NeverSentOf(result);
  if (!was_up || phase == Phase::kTls) refusal_ = load_->last_refusal = reason;
  OnLost(reason, error, was_up);
}

void Lifecycle::NoteError(ConnectResult result, std::string text, std::string detail) {
  auto& errors = load_->connect_errors.by_text;
  if (errors.size() >= kMaxErrorTexts && errors.count(text) == 0) text = "other errors";
  errors[std::move(text)].Add({.result = result, .count = 1, .detail = std::move(detail)});
}

void Lifecycle::NoteAlert() {
  if (const auto alert = transport_.Alert()) NoteError(ConnectResult::kTlsFailed, AlertText(*alert));
}

bool Lifecycle::IsOutOfPatience() const {
  const LoopState& l = loop();
  return failures_ >= kMaxFailures && (l.is_preparing || l.now - failing_since_ >= kPatience) &&
         !load_->pacer.IsTimed() && !load_->open_loop;
}

NeverSent Lifecycle::WhyUnsent(NeverSent reason) const {
  const bool is_held = IsHeldByUs();
  if (state_ >= State::kIdle && !is_held) return reason;
  if (state_ < State::kIdle && refusal_ != NeverSent::kCount) return refusal_;
  if (is_held) return reason == NeverSent::kCap ? NeverSent::kHeld : reason;
  return state_ == State::kClosed ? reason : NeverSent::kConnecting;
}

void Lifecycle::BackOff() {
  BackOffUntil(loop().ReadClock() + std::min(kMaxBackoff, kFirstBackoff << std::clamp(failures_ - 1, 0, 7)));
}

void Lifecycle::BackOffUntil(Nanos instant) {
  state_ = State::kBackoff;
  ++loop().backing_off;
  loop().wheel->Schedule(this, instant);
}

void Lifecycle::LeaveBackOff() {
  if (!std::exchange(awaits_turn_, false)) --loop().backing_off;
  is_held_back_ = false;
  state_ = State::kClosed;
}

void Lifecycle::HoldClosed() {
  if (std::exchange(is_held_, true)) return;
  loop().ChangeAsked(-1);
}

void Lifecycle::ReleaseHold() {
  is_succeeding_ = false;
  if (!std::exchange(is_held_, false)) return;
  loop().ChangeAsked(1);
}

void Lifecycle::HoldForSuccessor() {
  HoldClosed();
  is_succeeding_ = true;
}

void Lifecycle::NoteMoment() {
  const Nanos offset = load_->target_clock == nullptr ? 0 : load_->target_clock->load(std::memory_order_relaxed);
  moment_ = std::max(moment_ + kMicrosecond, WallNow() + offset);
}

void Lifecycle::Settle() {
  if (is_settled_) return;
  is_settled_ = true;
  ++loop().settled;
  // Done with its slots, it is not asked for any more; one that has given up is.
  if (state_ == State::kClosed && failures_ == 0) HoldClosed();
}

void Lifecycle::Close() {
  LoopState& l = loop();
  if (state_ > State::kBackoff && state_ < State::kIdle) {
    if (state_ == State::kConnecting) CountSynRetransmits();
    if (state_ == State::kConnecting && transport_.fd() < 0) --l.short_of_room;
    ++l.recorder->counters[ConnectResult::kAbandoned];
    if (transport_.IsAccepted()) ++l.recorder->counters.abandoned_open;
  }
  if (const auto alert = transport_.Alert()) ++l.recorder->counters[TlsAlertOf(*alert)];
  if (state_ >= State::kIdle && transport_.fd() >= 0) l.ChangeUp(-1);
  OnClosing();
  if (state_ == State::kBackoff) LeaveBackOff();
  is_held_back_ = false;
  transport_.Close();
  spill_.reset();
  path_.EndPath(&l);
  TimeoutWheel::Clear(this);
  interest_ = 0;
  state_ = State::kClosed;
}

}  // namespace tidemark
