// The part of Connection that speaks WebSocket, in the order in which things happen: upgrade, subscriptions, frames,
// then replies, or events that are listened to.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "agent/connection.h"

namespace tidemark {
namespace {

// Pongs that a peer may leave unread.
constexpr std::size_t kMaxControlBytes = 64 << 10;
// A target may leave messages out while we do not read, and what follows them comes when we do again: a gap so soon
// after is ours.
constexpr Nanos kCatchUp = kSecond;
// Streams of one connection that are told apart.
constexpr std::size_t kMaxStreams = 1'024;
constexpr std::uint64_t kMaxNumber = std::uint64_t{1} << 62;

// An instant since 1970 that a message gives in `unit`s; none if it is no number, or beyond 64 bits of nanoseconds.
std::optional<Nanos> InstantOf(absl::string_view text, Nanos unit) {
  const Nanos most = std::numeric_limits<Nanos>::max() / unit;
  std::int64_t whole = 0;
  if (absl::SimpleAtoi(text, &whole)) return whole >= 0 && whole < most ? std::optional(whole * unit) : std::nullopt;
  double instant = 0;
  if (!absl::SimpleAtod(text, &instant) || !(instant >= 0) || instant >= static_cast<double>(most)) return std::nullopt;
  return static_cast<Nanos>(instant * static_cast<double>(unit));
}

struct Numbers {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

// What SequenceAudit wants to know of the message that `json` has read.
std::optional<Numbers> NumbersOf(const ListenRules& rules, JsonPointers* json) {
  const auto number = [json](const std::string& pointer, std::uint64_t* value) {
    absl::string_view text;
    return json->Get(pointer, &text) && absl::SimpleAtoi(text, value) && *value < kMaxNumber;
  };
  Numbers numbers;
  if (!number(rules.number, &numbers.last)) return std::nullopt;
  numbers.first = numbers.last;
  if (rules.has_ranges && (!number(rules.first, &numbers.first) || numbers.first > numbers.last)) return std::nullopt;
  if (rules.is_linked) {
    if (!number(rules.previous, &numbers.first)) return std::nullopt;
    ++numbers.first;
  }
  return numbers;
}

}  // namespace

void Connection::BeginUpgrade() {
  ConnectionContext& c = *context_;
  sent_ = c.ReadClock();
  c.wheel->Schedule(this, sent_ + c.connect_timeout);
  state_ = State::kUpgrading;
  web_socket_ = std::make_unique<WebSocket>();
  web_socket_->key = MakeUpgradeKey(c.NextRandom(), c.NextRandom());
  web_socket_->control = c.upgrade->With(web_socket_->key);
  SetInterest(EPOLLIN);
  FlushControl();
}

void Connection::OnUpgradeReadable() {
  ConnectionContext& c = *context_;
  if (!FlushControl()) return;
  while (true) {
    const std::size_t kept = spill_ == nullptr ? 0 : spill_->size();
    if (kept > 0) std::memcpy(c.buffer.data(), spill_->data(), kept);
    const std::size_t room = c.buffer.size() - kept;
    const IoResult io = transport_.Receive(c.buffer.data() + kept, room);
    if (io.kind == IoResult::Kind::kWantRead || io.kind == IoResult::Kind::kWantWrite) return;
    if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed)
      return FailConnect(Phase::kUpgrade, EPROTO, "upgrade: the target closed the connection");
    const Nanos now = c.ReadClock();
    c.recorder->counters.bytes_received += io.bytes;
    const absl::string_view bytes(c.buffer.data(), kept + io.bytes);
    const auto upgrade = ReadUpgrade(bytes, web_socket_->key, c.subprotocols, c.deflate != nullptr);
    if (!upgrade.ok()) return FailConnect(Phase::kUpgrade, EPROTO, std::string(upgrade.status().message()));
    if (!upgrade->is_complete) {
      spill_ = std::make_unique<std::string>(bytes);
      continue;
    }
    spill_.reset();
    (*c.recorder)[Metric::kUpgrade].Record(now - sent_);
    web_socket_->is_deflated = upgrade->is_deflated;
    if (upgrade->is_deflated) web_socket_->reader.AllowDeflate(c.deflate.get());
    const std::string rest(bytes.substr(upgrade->consumed));  // messages may have come with the answer
    Subscribe(now);
    if (web_socket_ != nullptr && !rest.empty()) TakeFrames(rest, now);
    return;
  }
}

// Sends what opens the connection, and waits for the acks.
void Connection::Subscribe(Nanos now) {
  ConnectionContext& c = *context_;
  sent_ = now;
  for (const std::string& message : c.subscribe)
    AppendFrame(Opcode::kText, message, static_cast<std::uint32_t>(c.NextRandom()), &web_socket_->control);
  if (c.subscribe.empty() || c.ack_pointer.empty()) {
    OnSubscribed(now);
    if (web_socket_ != nullptr) FlushControl();
    return;
  }
  state_ = State::kSubscribing;
  c.wheel->Schedule(this, now + c.connect_timeout);
  FlushControl();
}

// Whether the message is an ack, while some are awaited.
bool Connection::TakeAck(Nanos now) {
  ConnectionContext& c = *context_;
  absl::string_view value;
  c.json->Read(web_socket_->reader.payload());
  if (!c.json->Get(c.ack_pointer, &value) || value != c.ack_value) return false;
  if (++web_socket_->acks < c.subscribe.size()) return true;
  (*c.recorder)[Metric::kSubscribe].Record(now - sent_);
  OnSubscribed(now);
  return true;
}

void Connection::OnSubscribed(Nanos now) {
  ConnectionContext& c = *context_;
  web_socket_->subscribed = now;
  CountEstablished();
  if (c.listen) {
    if (c.listen->hold != TimeoutWheel::kNever) web_socket_->close_at = now + c.listen->hold;
    c.wheel->Schedule(this, std::min(now + c.listen->silence, web_socket_->close_at));
    if (const Nanos storm = std::exchange(due_, 0); storm != 0) (*c.recorder)[Metric::kReturn].Record(now - storm);
  }
  if (!has_slot_) return TakeNext(now);
  // What else has come in this turn is no reply.
  c.is_in_turn ? c.to_send.push_back(this) : Send();
}

void Connection::OnFramesReadable() {
  ConnectionContext& c = *context_;
  if (!FlushControl()) return;
  while (true) {
    const IoResult io = transport_.Receive(c.buffer.data(), c.buffer.size());
    if (io.kind == IoResult::Kind::kWantRead || io.kind == IoResult::Kind::kWantWrite) return;
    if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) {
      ++c.recorder->counters[Closing::kNoFrame];
      web_socket_->is_closing = true;
      return EndWebSocket(io.error);
    }
    const Nanos now = c.ReadClock();
    if (first_byte_ == 0) first_byte_ = now;
    c.recorder->counters.bytes_received += io.bytes;
    if (io.bytes == c.buffer.size()) c.behind_at = now;  // and there may be more
    if (!TakeFrames(absl::string_view(c.buffer.data(), io.bytes), now)) return;
    if (!transport_.is_tls() && io.bytes < c.buffer.size()) return;  // drained
  }
}

// False if the connection is closed, or another one has taken its place.
bool Connection::TakeFrames(absl::string_view bytes, Nanos now) {
  ConnectionContext& c = *context_;
  Counters& counters = c.recorder->counters;
  const bool must_keep = !c.reply_id.empty() || !c.ack_pointer.empty() || (c.listen && c.listen->MustRead());
  while (true) {
    FrameReader& reader = web_socket_->reader;
    switch (reader.Next(&bytes, c.limits.max_body_bytes, must_keep)) {
      case FrameReader::Event::kNeedMore:
        return true;
      case FrameReader::Event::kMessage:
        ++counters.messages;
        counters.compressed_messages += reader.is_compressed() ? 1 : 0;
        counters.message_bytes += reader.message_bytes();
        OnMessage(now);
        if (state_ < State::kSubscribing) return false;
        break;
      case FrameReader::Event::kPing:
        ++counters.pings;
        AppendFrame(Opcode::kPong, reader.payload(), static_cast<std::uint32_t>(c.NextRandom()), &web_socket_->control);
        if (web_socket_->control.size() > kMaxControlBytes) {
          EndWebSocket(EMSGSIZE);  // it pings, and does not read
          return false;
        }
        if (!FlushControl()) return false;
        [[fallthrough]];
      case FrameReader::Event::kPong:
        if (!reader.IsInMessage()) first_byte_ = 0;
        break;
      case FrameReader::Event::kClose:
        ++counters[ClosingOf(reader.close_code())];
        AppendClose(reader.close_code(), static_cast<std::uint32_t>(c.NextRandom()), &web_socket_->control);
        if (!FlushControl()) return false;
        web_socket_->is_closing = true;
        EndWebSocket(0);
        return false;
      case FrameReader::Event::kFailed:
        AppendClose(reader.close_code(), static_cast<std::uint32_t>(c.NextRandom()), &web_socket_->control);
        if (!FlushControl()) return false;
        web_socket_->is_closing = true;
        EndWebSocket(reader.close_code() == kCloseTooBig ? EMSGSIZE : EBADMSG);
        return false;
    }
  }
}

// The WebSocket's CompleteResponse.
void Connection::OnMessage(Nanos now) {
  ConnectionContext& c = *context_;
  Recorder& recorder = *c.recorder;
  if (state_ == State::kSubscribing) {
    // Events may come before the last ack.
    if (!TakeAck(now)) c.listen ? OnEvent(now) : void(++recorder.counters.orphan_messages);
    return;
  }
  if (c.listen) return OnEvent(now);
  if (state_ != State::kReceiving || !IsReply(web_socket_->reader.payload())) {
    ++recorder.counters.orphan_messages;
    first_byte_ = 0;
    return;
  }
  recorder[Metric::kService].Record(now - sent_);
  recorder[Metric::kFirstByte].Record((first_byte_ == 0 ? now : first_byte_) - sent_);
  if (c.open_loop) recorder[Metric::kResponse].Record(now - due_);
  ++recorder.counters.success;
  recorder.last_done = now;
  Finish(Outcome::kReply, now);
  state_ = State::kIdle;
  if (c.is_single_use) Close();
  Rest(now);
}

bool Connection::IsReply(absl::string_view message) const {
  const ConnectionContext& c = *context_;
  if (c.reply_id.empty()) return true;
  absl::string_view id;
  std::uint64_t slot = 0;
  c.json->Read(message);
  return c.json->Get(c.reply_id, &id) && absl::SimpleAtoi(id, &slot) && slot == slot_ % kSlotModulus;
}

// Control frames go first, and the request behind them, when there is room. REQUIRES: it is idle and has a slot.
bool Connection::HasControlToSend() {
  ConnectionContext& c = *context_;
  if (web_socket_->control.empty()) return false;
  state_ = State::kSending;
  sent_bytes_ = 0;
  c.wheel->Schedule(this, c.ReadClock() + c.timeout);
  SetInterest(EPOLLIN | EPOLLOUT);
  return true;
}

// Sends what waits in front of the next request, unless one is half sent. False if the connection broke and is gone.
bool Connection::FlushControl() {
  std::string& control = web_socket_->control;
  if (control.empty() || web_socket_->is_amid_request) return true;
  const IoResult io = transport_.Send(control);
  if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) {
    if (state_ < State::kIdle) {
      FailConnect(Phase::kUpgrade, io.error, "upgrade: the target closed the connection");
    } else {
      web_socket_->is_closing = true;
      EndWebSocket(io.error == 0 ? ECONNRESET : io.error);
    }
    return false;
  }
  context_->recorder->counters.bytes_sent += io.bytes;
  control.erase(0, io.bytes);
  const bool wants_room = !control.empty() || state_ == State::kSending;
  SetInterest(wants_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
  return true;
}

// The WebSocket is over; what was in flight on it ends with `error`, as OutcomeOf reads it.
void Connection::EndWebSocket(int error) {
  if (state_ == State::kSubscribing)
    return FailConnect(Phase::kUpgrade, EPROTO, "subscribe: the target closed the connection before the last ack");
  if (state_ == State::kSending || state_ == State::kReceiving) return FailRequest(error);
  LoseIdle();
}

// Listening: nothing is sent; the connection is settled when it is up, or the point is over.
void Connection::KeepListening() {
  if (context_->pacer.IsStopped()) return Settle();
  if (state_ == State::kClosed) return Open();
  if (context_->is_preparing) Settle();
}

// A message of a stream that is listened to.
void Connection::OnEvent(Nanos now) {
  ConnectionContext& c = *context_;
  Recorder& recorder = *c.recorder;
  const ListenRules& rules = *c.listen;
  recorder.last_done = now;
  if (state_ == State::kIdle) c.wheel->Schedule(this, std::min(now + rules.silence, web_socket_->close_at));
  if (const Nanos subscribed = std::exchange(web_socket_->subscribed, 0); subscribed != 0)
    recorder[Metric::kFirstEvent].Record(now - subscribed);
  bool is_read = true;
  absl::string_view name;
  if (rules.MustRead()) c.json->Read(web_socket_->reader.payload());
  if (!rules.stream.empty()) is_read = c.json->Get(rules.stream, &name);
  auto found = web_socket_->streams.find(name);
  if (found == web_socket_->streams.end()) {
    if (web_socket_->streams.size() >= kMaxStreams) {
      ++recorder.counters[Finding::kUnread];
      return;
    }
    found = web_socket_->streams.try_emplace(std::string(name)).first;
  }
  WebSocket::Stream& stream = found->second;
  const Nanos before = std::exchange(stream.last, now);
  if (before != 0) recorder[Metric::kInterval].Record(now - before);
  if (!rules.time.empty()) {
    absl::string_view text;
    const auto instant = c.json->Get(rules.time, &text) ? InstantOf(text, rules.time_unit) : std::nullopt;
    if (instant) recorder[Metric::kStaleness].Record(WallNow() - *instant);
    is_read = is_read && instant;
  }
  if (!rules.number.empty()) {
    const bool is_behind = before <= c.behind_at || now - c.behind_at < kCatchUp;
    const auto numbers = NumbersOf(rules, c.json.get());
    if (numbers) CountFindings(stream.audit.Add(numbers->first, numbers->last, rules.is_linked, is_behind));
    is_read = is_read && numbers;
  }
  if (!is_read) ++recorder.counters[Finding::kUnread];
}

void Connection::CountFindings(const SequenceAudit::Findings& findings) {
  Counters& counters = context_->recorder->counters;
  counters[Finding::kGap] += findings.gaps;
  counters[Finding::kLost] += findings.lost;
  counters[Finding::kGapBehind] += findings.gaps_behind;
  counters[Finding::kDuplicate] += findings.duplicates;
  counters[Finding::kReordered] += findings.reordered;
  counters[Finding::kReset] += findings.resets;
}

// Nothing has come for as long as the rules allow, or the connection has been held long enough.
void Connection::OnListenDeadline() {
  ConnectionContext& c = *context_;
  const Nanos close_at = web_socket_->close_at;
  if (c.ReadClock() < close_at) {
    ++c.recorder->counters[Finding::kSilence];  // once, until the next message
    if (close_at != TimeoutWheel::kNever) c.wheel->Schedule(this, close_at);
    return;
  }
  ++c.recorder->counters[Finding::kHeld];
  Close();
  Open();
}

void Connection::Storm() {
  ConnectionContext& c = *context_;
  if (state_ != State::kIdle) return;
  ++c.recorder->counters[Finding::kStorm];
  Close();
  due_ = c.now;
  if (c.listen->jitter == ListenRules::Jitter::kNone) return Open();
  state_ = State::kBackoff;
  c.wheel->Schedule(this, ComeBackAt());
}

// When the next attempt is due after a storm.
Nanos Connection::ComeBackAt() {
  ConnectionContext& c = *context_;
  const ListenRules& rules = *c.listen;
  if (rules.jitter == ListenRules::Jitter::kFixed) return c.now + rules.delay;
  return c.now + static_cast<Nanos>(c.NextRandom() % static_cast<std::uint64_t>(rules.delay + 1));
}

void Connection::Ping() {
  ConnectionContext& c = *context_;
  if (web_socket_ == nullptr || state_ < State::kSubscribing || !web_socket_->control.empty()) return;
  AppendFrame(c.ping_text.empty() ? Opcode::kPing : Opcode::kText, c.ping_text,
              static_cast<std::uint32_t>(c.NextRandom()), &web_socket_->control);
  FlushControl();
}

}  // namespace tidemark
