// In the order in which things happen: upgrade, subscriptions, control frames, end.
#include "agent/exchange/web_socket_link.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/inert_text.h"

namespace tidemark {
namespace {

// Pongs that a peer may leave unread.
constexpr std::size_t kMaxControlBytes = 64 << 10;
// Of a message that is printed.
constexpr std::size_t kMaxHeard = 256;

// What a target said, safe to print and without our secrets.
std::string Told(absl::string_view message, const Masks& masks, std::size_t max_bytes) {
  constexpr absl::string_view kMore = "...";
  const bool is_cut = message.size() > max_bytes;
  const std::string masked = masks.Apply(std::string(message.substr(0, max_bytes)), is_cut);
  return is_cut ? absl::StrCat(InertText(masked, max_bytes - kMore.size()), kMore) : InertText(masked, max_bytes);
}

}  // namespace

void WebSocketLink::OnReached() {
  LoopState& l = loop();
  sent_ = l.ReadClock();
  state_ = State::kUpgrading;
  channel_ = std::make_unique<Channel>();
  channel_->key = MakeUpgradeKey(l.NextRandom(), l.NextRandom());
  SetInterest(kToRead);
  if (MayAskToOpen()) AskForUpgrade();
}

void WebSocketLink::AskForUpgrade() {
  loop().wheel->Schedule(this, sent_ + load_->connect_timeout);
  // What opens a WebSocket is of no slot, but of the opening.
  channel_->opening = std::uint64_t{index_} << 32 | (++load_->openings & 0xffffffff);
  NoteMoment();
  Occasion occasion = OccasionOf(channel_->opening);
  occasion.upgrade_key = channel_->key;
  channel_->control = shared().upgrade.Of(occasion);
  FlushControl();
}

void WebSocketLink::OnUpgradeReadable() {
  WebSocketLoad& load = shared();
  LoopState& l = loop();
  if (!FlushControl()) return;
  while (true) {
    const std::size_t kept = spill_ == nullptr ? 0 : spill_->size();
    if (kept > 0) std::memcpy(l.buffer.data(), spill_->data(), kept);
    const IoResult io = transport_.Receive(l.buffer.data() + kept, l.buffer.size() - kept);
    if (io.kind == IoResult::Kind::kWantRead || io.kind == IoResult::Kind::kWantWrite) return;
    if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) {
      if (spill_ != nullptr && EndRefused(*spill_, true)) return;
      return FailConnect(Phase::kUpgrade, EPROTO, "upgrade: the target closed the connection");
    }
    const Nanos now = l.ReadClock();
    l.recorder->counters.bytes_received += io.bytes;
    absl::string_view bytes(l.buffer.data(), kept + io.bytes);
    // RFC 9110 section 15.2: interim answers may precede the one that counts.
    const std::size_t interim = InterimSize(bytes);
    bytes.remove_prefix(interim);
    channel_->interim_bytes += interim;
    if (channel_->interim_bytes > ResponseLimits::kMaxHeaderBytes)
      return FailConnect(Phase::kUpgrade, EPROTO, "upgrade: more than 64 KiB of interim answers");
    const auto upgrade = ReadUpgrade(bytes, channel_->key, load.subprotocols, load.deflate != nullptr);
    if (absl::IsUnavailable(upgrade.status()) && EndRefused(bytes, false)) return;
    if (!upgrade.ok() && !transport_.is_tls() && IsTlsRecord(bytes))
      return FailConnect(Phase::kUpgrade, EPROTO, "upgrade: the target speaks TLS; write wss://");
    if (!upgrade.ok() && !absl::IsUnavailable(upgrade.status()))
      return FailConnect(Phase::kUpgrade, EPROTO, std::string(upgrade.status().message()));
    if (!upgrade.ok() || !upgrade->is_complete) {
      spill_ = std::make_unique<std::string>(bytes);
      continue;
    }
    spill_.reset();
    recorder()[Metric::kUpgrade].Record(now - sent_);
    // Of what asked for the upgrade an idle connection holds nothing.
    std::string().swap(channel_->key);
    if (channel_->control.empty()) std::string().swap(channel_->control);
    channel_->is_deflated = upgrade->is_deflated;
    channel_->reader.Bound(&load.message_room);
    if (upgrade->is_deflated) channel_->reader.AllowDeflate(load.deflate.get());
    if (!upgrade->is_deflated && load.deflate != nullptr) ++l.recorder->counters.not_deflated;
    const std::string rest(bytes.substr(upgrade->consumed));  // messages may have come with the answer
    Subscribe(now);
    if (channel_ != nullptr && !rest.empty()) TakeBytes(rest, now);
    // More may have been read with the answer: no event will tell of what TLS holds.
    if (transport_.is_tls()) ReadOn();
    return;
  }
}

// The target has refused the upgrade, or `bytes` are not all of its answer. The first refusal of a status is read until
// there is as much of its body as is kept, or `is_over`. False if more is to come.
bool WebSocketLink::EndRefused(absl::string_view bytes, bool is_over) {
  WebSocketLoad& load = shared();
  const absl::Status refusal = ReadUpgrade(bytes, channel_->key, load.subprotocols, load.deflate != nullptr).status();
  if (!absl::IsUnavailable(refusal)) return false;
  ResponseParser parser;
  KnownHeader none{.first_answers = &load.first_refusals};
  parser.Start(false);
  const ResponseParser::Result result = parser.Feed(bytes, load.limits, &none);
  if (result.progress == ResponseParser::Progress::kNeedMore && parser.WantsMore() && !is_over) return false;
  if (result.progress != ResponseParser::Progress::kComplete) parser.KeepPart();
  recorder().statuses.CountRefusal(StatusOf(bytes));
  FailConnect(Phase::kUpgrade, EPROTO, loop().masks->Apply(std::string(refusal.message()), false));
  return true;
}

// Sends what opens the connection, and waits for the acks.
void WebSocketLink::Subscribe(Nanos now) {
  const WebSocketLoad& load = shared();
  sent_ = now;
  state_ = State::kSubscribing;
  Watch(now + load.connect_timeout + load.control_interval * static_cast<Nanos>(load.subscribe.size()));
  ContinueSubscribing(now);
}

void WebSocketLink::ContinueSubscribing(Nanos now) {
  const WebSocketLoad& load = shared();
  SendControl();
  if (load.ack.pointer.empty() && channel_->subscriptions == load.subscribe.size()) BecomeSubscribed(now);
  if (channel_ != nullptr) FlushControl();
}

// Whether the message is an ack, while some are awaited.
bool WebSocketLink::TakeAck() {
  WebSocketLoad& load = shared();
  if (load.ack.pointer.empty()) return false;
  load.json.Read(reader().payload());
  if (!load.ack.IsIn(&load.json)) return false;
  ++channel_->acks;
  return true;
}

void WebSocketLink::BecomeSubscribed(Nanos now) {
  if (!shared().ack.pointer.empty()) recorder()[Metric::kSubscribe].Record(now - sent_);
  channel_->heard.reset();
  BecomeUp();
  OnSubscribed(now);
}

// Keeps what the target said instead of an ack. An event of a stream says less of why than another message does.
void WebSocketLink::HearWhileSubscribing(bool is_event) {
  Channel& w = *channel_;
  if (w.heard == nullptr) w.heard = std::make_unique<Channel::Heard>();
  Channel::Heard& heard = *w.heard;
  if (is_event && !heard.message.empty() && !heard.is_event) return;
  heard.is_event = is_event;
  heard.message = Told(w.reader.payload(), *loop().masks, kMaxHeard);
}

std::string WebSocketLink::HeardInstead() const {
  if (channel_->heard == nullptr) return "no message came";
  const Channel::Heard& heard = *channel_->heard;
  std::string text;
  if (heard.close_code != 0) {
    text = absl::StrCat("it closed with code ", heard.close_code, " and ",
                        heard.close_reason.empty() ? "no reason" : absl::StrCat("'", heard.close_reason, "'"));
  }
  if (heard.message.empty() && !text.empty()) return text;
  return absl::StrCat(text, text.empty() ? "" : "; ", "the last message was '", heard.message, "'");
}

std::string WebSocketLink::LacksAckSince(Nanos instant) const {
  if (state_ != State::kSubscribing || sent_ > instant) return "";
  const Match& ack = shared().ack;
  return absl::StrCat("subscribe: no ack ", ack.pointer, "=", ack.value, " for ", (loop().now - sent_) / kSecond,
                      " s; ", HeardInstead());
}

void WebSocketLink::OnLinkDeadline() {
  switch (state_) {
    case State::kUpgrading:
      if (NeedsMoreTime(load_->connect_timeout)) return;
      if (spill_ != nullptr && EndRefused(*spill_, true)) return;
      return FailConnect(Phase::kUpgrade, ETIMEDOUT, "upgrade: no answer in time");
    case State::kSubscribing:
      if (is_held_back_) return Watch(loop().now + load_->connect_timeout);  // nobody could answer yet
      return FailConnect(Phase::kUpgrade, ETIMEDOUT, "subscribe: no ack in time", HeardInstead());
    default:
      return OnOpeningDeadline();
  }
}

bool WebSocketLink::EndControlWait() {
  if (!EndWait()) return false;
  switch (state_) {
    case State::kUpgrading:
      if (MayAskToOpen()) AskForUpgrade();
      return false;
    case State::kSubscribing: {
      const Nanos now = loop().now;
      if (channel_->deadline != TimeoutWheel::kNever) Watch(channel_->deadline + now - held_since_);
      ContinueSubscribing(now);
      return false;
    }
    default:
      if (channel_ == nullptr) return false;
      SendControl();
      return FlushControl() && !is_held_back_;
  }
}

void WebSocketLink::SendControl() {
  WebSocketLoad& load = shared();
  LoopState& l = loop();
  Channel& w = *channel_;
  const auto mask = [&l] { return static_cast<std::uint32_t>(l.NextRandom()); };
  while (w.has_pong || w.has_ping || w.subscriptions < load.subscribe.size()) {
    if (l.now < w.control_at) {
      w.is_pacing = true;
      return Watch(w.deadline);
    }
    if (!w.has_pong && !MaySend()) return HoldIfOurs();
    w.control_at = load.control_interval == 0 ? 0 : l.now + load.control_interval;
    if (std::exchange(w.has_pong, false)) {
      AppendFrame(Opcode::kPong, w.pong, mask(), &w.control);
      w.pong_ends.push_back(w.control_sent + w.control.size());
    } else if (w.subscriptions < load.subscribe.size()) {
      RequestBytes& message = load.subscribe[w.subscriptions++];
      if (message.has_holes) NoteMoment();
      AppendFrame(Opcode::kText, BytesOf(&message, w.opening), mask(), &w.control);
    } else {
      w.has_ping = false;
      ++l.recorder->counters.client_pings;
      ++w.unanswered_pings;
      AppendFrame(load.ping_text.empty() ? Opcode::kPing : Opcode::kText, load.ping_text, mask(), &w.control);
    }
  }
}

void WebSocketLink::Watch(Nanos until) {
  channel_->deadline = until;
  const Nanos wake = channel_->is_pacing ? std::min(until, channel_->control_at) : until;
  wake == TimeoutWheel::kNever ? TimeoutWheel::Clear(this) : loop().wheel->Schedule(this, wake);
}

bool WebSocketLink::IsDeadlineOver() {
  Channel& w = *channel_;
  const Nanos now = loop().ReadClock();
  if (w.is_pacing && w.control_at <= now) {
    w.is_pacing = false;
    const Nanos before = w.deadline;
    if (state_ == State::kSubscribing) {
      ContinueSubscribing(now);
    } else {
      SendControl();
      FlushControl();
    }
    if (channel_ == nullptr || channel_->deadline != before) return false;
  }
  if (w.deadline <= now) return true;
  Watch(w.deadline);
  return false;
}

void WebSocketLink::Ping() {
  if (state_ < State::kSubscribing || !channel_->control.empty()) return;
  channel_->has_ping = true;
  SendControl();
  FlushControl();
}

// Whether the message answers a ping in a message.
bool WebSocketLink::IsPong() {
  if (channel_->unanswered_pings == 0) [[likely]]
    return false;
  WebSocketLoad& load = shared();
  if (load.ping_reply.empty()) return false;
  const absl::string_view message = reader().payload();
  bool is_pong = message == load.ping_reply;
  if (!load.ping_match.pointer.empty()) {
    load.json.Read(message);
    is_pong = load.ping_match.IsIn(&load.json);
  }
  if (!is_pong) return false;
  --channel_->unanswered_pings;
  ++recorder().counters.pongs;
  return true;
}

// False if the peer's pings were too many, and the connection is over.
bool WebSocketLink::TakePing() {
  Channel& w = *channel_;
  ++recorder().counters.pings;
  // Section 5.5.3: of several pings it is enough to answer the last.
  w.pong.assign(w.reader.payload().data(), w.reader.payload().size());
  w.has_pong = true;
  SendControl();
  if (w.control.size() <= kMaxControlBytes) return FlushControl();
  ++recorder().counters[Finding::kPingFlood];
  w.is_closing = true;  // no close frame would go out
  OnEnd(EMSGSIZE);
  return false;
}

void WebSocketLink::TakeClose() {
  Channel& w = *channel_;
  const int code = w.reader.close_code();
  ++recorder().counters[ClosingOf(code)];
  recorder().named.CountClose(static_cast<std::uint32_t>(code),
                              Told(w.reader.payload(), *loop().masks, NamedCounts::kMaxReason));
  if (state_ == State::kSubscribing) {
    if (w.heard == nullptr) w.heard = std::make_unique<Channel::Heard>();
    w.heard->close_code = code;
    w.heard->close_reason = Told(w.reader.payload(), *loop().masks, kMaxHeard);
  }
  AppendClose(code, static_cast<std::uint32_t>(loop().NextRandom()), &w.control);
  FlushControl();
  w.is_closing = true;
}

// So many bytes of what waits in front of the next request have gone out.
void WebSocketLink::CountControlSent(std::size_t bytes) {
  Channel& w = *channel_;
  Counters& counters = recorder().counters;
  counters.bytes_sent += bytes;
  w.control_sent += bytes;
  w.control.erase(0, bytes);
  const auto out = std::upper_bound(w.pong_ends.begin(), w.pong_ends.end(), w.control_sent);
  counters.pongs_sent += static_cast<std::uint64_t>(out - w.pong_ends.begin());
  w.pong_ends.erase(w.pong_ends.begin(), out);
}

// Sends what waits in front of the next request, unless one is half sent. False if the upgrade could not go out, and
// the connection is gone. After it, a connection that is broken is left to its reader: what the target said before, as
// why it closes, has come and is not read yet.
bool WebSocketLink::FlushControl() {
  Channel& w = *channel_;
  if (w.control.empty() || w.is_amid_request) return true;
  const IoResult io = w.write_error == 0 ? transport_.Send(w.control) : IoResult{.kind = IoResult::Kind::kFailed};
  if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) {
    if (state_ < State::kSubscribing) {
      FailConnect(Phase::kUpgrade, io.error, "upgrade: the target closed the connection");
      return false;
    }
    if (w.write_error == 0) w.write_error = io.error == 0 ? ECONNRESET : io.error;
    w.control.clear();
    w.pong_ends.clear();
    SetInterest(kToRead);
    return true;
  }
  CountControlSent(io.bytes);
  const bool wants_room = !w.control.empty() || state_ == State::kSending;
  SetInterest(wants_room ? kToReadAndWrite : kToRead);
  return true;
}

void WebSocketLink::EndStream(const IoResult& io, std::size_t under_way) {
  const int error = io.kind == IoResult::Kind::kFailed ? io.error : channel_->write_error;
  if (error == 0) {
    ++recorder().counters[Closing::kNoFrame];
    if (transport_.IsCut()) recorder().counters.ended_without_close_notify += under_way;
    channel_->is_closing = true;
  } else {
    CountBreak();
  }
  OnEnd(error);
}

void WebSocketLink::CountBreak() {
  if (std::exchange(channel_->is_closing, true)) return;
  ++recorder().counters[Closing::kReset];
}

// The target has broken a rule, or a limit: says so in a close frame, and ends the connection.
void WebSocketLink::EndViolated() {
  Channel& w = *channel_;
  const int code = w.reader.close_code();
  if (w.reader.is_out_of_room()) ++recorder().counters.out_of_memory;
  ++recorder().counters[code == kCloseTooBig       ? Finding::kOversized
                        : code == kCloseBadPayload ? Finding::kBadPayload
                                                   : Finding::kViolation];
  AppendClose(code, static_cast<std::uint32_t>(loop().NextRandom()), &w.control);
  FlushControl();
  w.is_closing = true;
  OnEnd(code == kCloseTooBig ? EMSGSIZE : EBADMSG);
}

bool WebSocketLink::FailSubscribing(int error) {
  if (state_ != State::kSubscribing) return false;
  const bool is_ours = error == EBADMSG || error == EMSGSIZE;
  FailConnect(Phase::kUpgrade, EPROTO,
              is_ours      ? "subscribe: the target broke the protocol before the last ack"
              : error == 0 ? "subscribe: the target closed the connection before the last ack"
                           : "subscribe: the target reset the connection before the last ack",
              HeardInstead());
  return true;
}

void WebSocketLink::OnClosing() {
  if (channel_ == nullptr) return;
  Channel& w = *channel_;
  if (state_ >= State::kIdle && transport_.fd() >= 0 && !w.is_closing && !w.is_amid_request) {
    AppendClose(kCloseNormal, static_cast<std::uint32_t>(loop().NextRandom()), &w.control);
    const IoResult io = transport_.Send(w.control);  // its answer is not waited for
    if (io.kind == IoResult::Kind::kDone) CountControlSent(io.bytes);
  }
  channel_.reset();
}

}  // namespace tidemark
