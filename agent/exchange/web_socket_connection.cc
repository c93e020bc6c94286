// The part of Connection that speaks WebSocket, in the order in which things happen: upgrade, subscriptions, frames,
// then replies, or events that are listened to.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/exchange/connection.h"
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

void Connection::BeginUpgrade() {
  ConnectionContext& c = *context_;
  sent_ = c.ReadClock();
  state_ = State::kUpgrading;
  web_socket_ = std::make_unique<WebSocket>();
  if (c.listen) web_socket_->listener = std::make_unique<StreamListener>(&c.listen->streams, c.json.get());
  web_socket_->key = MakeUpgradeKey(c.NextRandom(), c.NextRandom());
  SetInterest(kToRead);
  if (MaySend()) return AskForUpgrade();
  TimeoutWheel::Clear(this);
  HoldIfOurs();
}

void Connection::AskForUpgrade() {
  ConnectionContext& c = *context_;
  c.wheel->Schedule(this, sent_ + c.connect_timeout);
  web_socket_->control = c.upgrade->With(web_socket_->key);
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
    if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) {
      if (spill_ != nullptr && EndRefused(*spill_, true)) return;
      return FailConnect(Phase::kUpgrade, EPROTO, "upgrade: the target closed the connection");
    }
    const Nanos now = c.ReadClock();
    c.recorder->counters.bytes_received += io.bytes;
    absl::string_view bytes(c.buffer.data(), kept + io.bytes);
    // RFC 9110 section 15.2: interim answers may precede the one that counts.
    const std::size_t interim = InterimSize(bytes);
    bytes.remove_prefix(interim);
    web_socket_->interim_bytes += interim;
    if (web_socket_->interim_bytes > ResponseLimits::kMaxHeaderBytes)
      return FailConnect(Phase::kUpgrade, EPROTO, "upgrade: more than 64 KiB of interim answers");
    const auto upgrade = ReadUpgrade(bytes, web_socket_->key, c.subprotocols, c.deflate != nullptr);
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
    (*c.recorder)[Metric::kUpgrade].Record(now - sent_);
    web_socket_->is_deflated = upgrade->is_deflated;
    web_socket_->reader.Bound(&c.message_room);
    if (upgrade->is_deflated) web_socket_->reader.AllowDeflate(c.deflate.get());
    if (!upgrade->is_deflated && c.deflate != nullptr) ++c.recorder->counters.not_deflated;
    const std::string rest(bytes.substr(upgrade->consumed));  // messages may have come with the answer
    Subscribe(now);
    if (web_socket_ != nullptr && !rest.empty()) TakeFrames(rest, now);
    // More of them may have been read with it: no event will tell of what TLS holds.
    if (transport_.is_tls() && state_ >= State::kSubscribing) OnFramesReadable();
    return;
  }
}

// The target has refused the upgrade, or `bytes` are not all of its answer. The first refusal of a status is read until
// there is as much of its body as is kept, or `is_over`. False if more is to come.
bool Connection::EndRefused(absl::string_view bytes, bool is_over) {
  ConnectionContext& c = *context_;
  const absl::Status refusal = ReadUpgrade(bytes, web_socket_->key, c.subprotocols, c.deflate != nullptr).status();
  if (!absl::IsUnavailable(refusal)) return false;
  ResponseParser parser;
  KnownHeader none{.first_answers = &c.first_refusals};
  parser.Start(false);
  const ResponseParser::Result result = parser.Feed(bytes, c.limits, &none);
  if (result.progress == ResponseParser::Progress::kNeedMore && parser.WantsMore() && !is_over) return false;
  if (result.progress != ResponseParser::Progress::kComplete) parser.KeepPart();
  c.recorder->statuses.CountRefusal(StatusOf(bytes));
  FailConnect(Phase::kUpgrade, EPROTO, c.masks->Apply(std::string(refusal.message()), false));
  return true;
}

// Sends what opens the connection, and waits for the acks.
void Connection::Subscribe(Nanos now) {
  ConnectionContext& c = *context_;
  sent_ = now;
  state_ = State::kSubscribing;
  Watch(now + c.connect_timeout + c.control_interval * static_cast<Nanos>(c.subscribe.size()));
  ContinueSubscribing(now);
}

void Connection::ContinueSubscribing(Nanos now) {
  const ConnectionContext& c = *context_;
  SendControl();
  if (c.ack.pointer.empty() && web_socket_->subscriptions == c.subscribe.size()) OnSubscribed(now);
  if (web_socket_ != nullptr) FlushControl();
}

// Writes subscriptions, pings and pongs as the rate allows; the rest waits for its time.
void Connection::SendControl() {
  ConnectionContext& c = *context_;
  WebSocket& w = *web_socket_;
  const auto mask = [&c] { return static_cast<std::uint32_t>(c.NextRandom()); };
  while (w.has_pong || w.has_ping || w.subscriptions < c.subscribe.size()) {
    if (c.now < w.control_at) {
      w.is_pacing = true;
      return Watch(w.deadline);
    }
    if (!w.has_pong && !MaySend()) return HoldIfOurs();
    w.control_at = c.control_interval == 0 ? 0 : c.now + c.control_interval;
    if (std::exchange(w.has_pong, false)) {
      AppendFrame(Opcode::kPong, w.pong, mask(), &w.control);
      w.pong_ends.push_back(w.control_sent + w.control.size());
    } else if (w.subscriptions < c.subscribe.size()) {
      AppendFrame(Opcode::kText, c.subscribe[w.subscriptions++], mask(), &w.control);
    } else {
      w.has_ping = false;
      ++c.recorder->counters.client_pings;
      ++w.unanswered_pings;
      AppendFrame(c.ping_text.empty() ? Opcode::kPing : Opcode::kText, c.ping_text, mask(), &w.control);
    }
  }
}

// The state waits until `until`; what the rate holds back may be due before.
void Connection::Watch(Nanos until) {
  web_socket_->deadline = until;
  const Nanos wake = web_socket_->is_pacing ? std::min(until, web_socket_->control_at) : until;
  wake == TimeoutWheel::kNever ? TimeoutWheel::Clear(this) : context_->wheel->Schedule(this, wake);
}

// Sends what was held back, if that is what is due. False if the state's own deadline lies ahead still.
bool Connection::IsDeadlineOver() {
  WebSocket& w = *web_socket_;
  const Nanos now = context_->ReadClock();
  if (w.is_pacing && w.control_at <= now) {
    w.is_pacing = false;
    const Nanos before = w.deadline;
    if (state_ == State::kSubscribing) {
      ContinueSubscribing(now);
    } else {
      SendControl();
      FlushControl();
    }
    if (web_socket_ == nullptr || web_socket_->deadline != before) return false;
  }
  if (w.deadline <= now) return true;
  Watch(w.deadline);
  return false;
}

// Whether the message is an ack, while some are awaited.
bool Connection::TakeAck(Nanos now) {
  ConnectionContext& c = *context_;
  if (c.ack.pointer.empty()) return false;
  c.json->Read(web_socket_->reader.payload());
  if (!c.ack.IsIn(c.json.get())) return false;
  if (c.listen) web_socket_->listener->PassOver(web_socket_->reader.payload(), ArrivalAt(now), c.recorder);
  if (++web_socket_->acks < c.subscribe.size()) return true;
  (*c.recorder)[Metric::kSubscribe].Record(now - sent_);
  OnSubscribed(now);
  return true;
}

// Keeps what the target said instead of an ack. An event of a stream says less of why than another message does.
void Connection::HearWhileSubscribing(bool is_event) {
  WebSocket& w = *web_socket_;
  if (w.heard == nullptr) w.heard = std::make_unique<WebSocket::Heard>();
  WebSocket::Heard& heard = *w.heard;
  if (is_event && !heard.message.empty() && !heard.is_event) return;
  heard.is_event = is_event;
  heard.message = Told(w.reader.payload(), *context_->masks, kMaxHeard);
}

void Connection::HearCloseWhileSubscribing() {
  WebSocket& w = *web_socket_;
  if (w.heard == nullptr) w.heard = std::make_unique<WebSocket::Heard>();
  w.heard->close_code = w.reader.close_code();
  w.heard->close_reason = Told(w.reader.payload(), *context_->masks, kMaxHeard);
}

std::string Connection::HeardInstead() const {
  if (web_socket_->heard == nullptr) return "no message came";
  const WebSocket::Heard& heard = *web_socket_->heard;
  std::string text;
  if (heard.close_code != 0) {
    text = absl::StrCat("it closed with code ", heard.close_code, " and ",
                        heard.close_reason.empty() ? "no reason" : absl::StrCat("'", heard.close_reason, "'"));
  }
  if (heard.message.empty() && !text.empty()) return text;
  return absl::StrCat(text, text.empty() ? "" : "; ", "the last message was '", heard.message, "'");
}

std::string Connection::LacksAckSince(Nanos instant) const {
  if (state_ != State::kSubscribing || sent_ > instant) return "";
  return absl::StrCat("subscribe: no ack ", context_->ack.pointer, "=", context_->ack.value, " for ",
                      (context_->now - sent_) / kSecond, " s; ", HeardInstead());
}

void Connection::OnSubscribed(Nanos now) {
  ConnectionContext& c = *context_;
  web_socket_->heard.reset();
  web_socket_->subscribed = now;
  CountEstablished();
  if (c.listen) {
    if (c.listen->hold != TimeoutWheel::kNever) web_socket_->close_at = now + c.listen->hold;
    WatchSilence(now);
    if (const Nanos storm = std::exchange(due_, 0); storm != 0) (*c.recorder)[Metric::kBack].Record(now - storm);
  } else {
    Watch(TimeoutWheel::kNever);
  }
  if (!has_slot_) return is_done_ ? Settle() : TakeNext(now);
  PlanDeferred();
  // What else has come in this turn is no reply.
  c.is_in_turn ? c.to_send.push_back(this) : Send();
}

void Connection::OnFramesReadable() {
  ConnectionContext& c = *context_;
  if (!FlushControl()) return;
  // Listening, reads are sampled: all events of one.
  bool is_sampled = false;
  if (c.listen) [[unlikely]]
    is_sampled = state_ == State::kIdle && !c.stamps.Passes();
  bool is_taken = false;
  Nanos came = 0;
  while (true) {
    const bool is_stamped = is_sampled || stamps_.IsWanted();
    const IoResult io = is_stamped ? transport_.ReceiveWithStamp(c.buffer.data(), c.buffer.size(),
                                                                 is_sampled ? &came : &stamps_.from_wire)
                                   : transport_.Receive(c.buffer.data(), c.buffer.size());
    if (io.kind == IoResult::Kind::kWantRead || io.kind == IoResult::Kind::kWantWrite) return;
    if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) return EndStream(io);
    const Nanos now = c.ReadClock();
    if (first_byte_ == 0) first_byte_ = now;
    c.recorder->counters.bytes_received += io.bytes;
    if (io.bytes == c.buffer.size()) c.behind_at = now;  // and there may be more
    const absl::string_view bytes(c.buffer.data(), io.bytes);
    if (is_sampled) [[unlikely]] {
      if (!std::exchange(is_taken, true)) c.stamps.Take(now);
      if (!TakeStampedFrames(bytes, now, came)) return;
    } else if (!TakeFrames(bytes, now)) {
      return;
    }
    if (!transport_.is_tls() && io.bytes < c.buffer.size()) return;  // drained
  }
}

// Listening: what was read, the last of it came at `came` on the wall clock; 0: nobody knows.
bool Connection::TakeStampedFrames(absl::string_view bytes, Nanos now, Nanos came) {
  ConnectionContext& c = *context_;
  const Nanos read = WallNow();
  c.noted.clear();
  web_socket_->listener->NoteInto(&c.noted);
  if (!TakeFrames(bytes, now)) return false;
  web_socket_->listener->NoteInto(nullptr);
  if (came != 0 && !c.noted.empty()) RecordArrivals(now, read, came);
  return true;
}

// Listening: when the events of a read at `now`, which is `read` on the wall clock, came, of which the last came at
// `came`. The kernel joins what lies in a socket's queue, and keeps the last stamp alone. What may have lain there
// while this thread was kept from reading is taken to have come as soon after its event as the last one did, or without
// times evenly; all else came together.
void Connection::RecordArrivals(Nanos now, Nanos read, Nanos came) {
  ConnectionContext& c = *context_;
  Recorder& recorder = *c.recorder;
  const auto count = static_cast<Nanos>(c.noted.size());
  const Nanos unread = count == 1 ? 0 : c.attention.UnreadBefore(now - (read - came));
  const Nanos usual = came - c.noted.back().at;
  const auto came_at = [&](Nanos i) {
    const Nanos at = c.noted[static_cast<std::size_t>(i)].at;
    return at == 0 ? came - unread * (count - 1 - i) / count : std::clamp(at + usual, came - unread, came);
  };
  bool has_lost = false;
  const bool has_path = c.noted.back().at != 0 && LookAtPath(usual, &has_lost);
  for (Nanos i = 0; i < count; ++i) {
    const auto [staleness, at] = c.noted[static_cast<std::size_t>(i)];
    recorder[Metric::kWireToApp].Record(read - came_at(i));
    if (at == 0) continue;
    recorder[Metric::kStamped].Record(staleness);
    recorder[Metric::kWire].Record(came_at(i) - at);
    if (has_path) RecordPath(came_at(i) - at, has_lost, true);
  }
}

// No further byte comes. A write that failed had found the reset before: the kernel tells of it once.
void Connection::EndStream(const IoResult& io) {
  const int error = io.kind == IoResult::Kind::kFailed ? io.error : web_socket_->write_error;
  if (error == 0) {
    Counters& counters = context_->recorder->counters;
    ++counters[Closing::kNoFrame];
    const bool is_half_sent = state_ == State::kSending && sent_bytes_ > 0;
    if (transport_.IsCut())
      counters.ended_without_close_notify += web_socket_->pipeline.size() + (is_half_sent ? 1 : 0);
    web_socket_->is_closing = true;
  } else {
    CountBreak();
  }
  EndWebSocket(error);
}

// The connection broke: once, whether a read or a write meets it.
void Connection::CountBreak() {
  if (std::exchange(web_socket_->is_closing, true)) return;
  ++context_->recorder->counters[Closing::kReset];
}

// The target has broken a rule, or a limit: says so in a close frame, and ends the connection.
void Connection::EndViolated() {
  ConnectionContext& c = *context_;
  WebSocket& w = *web_socket_;
  const int code = w.reader.close_code();
  if (w.reader.is_out_of_room()) ++c.recorder->counters.out_of_memory;
  ++c.recorder->counters[code == kCloseTooBig       ? Finding::kOversized
                         : code == kCloseBadPayload ? Finding::kBadPayload
                                                    : Finding::kViolation];
  AppendClose(code, static_cast<std::uint32_t>(c.NextRandom()), &w.control);
  FlushControl();
  w.is_closing = true;
  EndWebSocket(code == kCloseTooBig ? EMSGSIZE : EBADMSG);
}

// False if the connection is closed, or another one has taken its place.
bool Connection::TakeFrames(absl::string_view bytes, Nanos now) {
  ConnectionContext& c = *context_;
  Counters& counters = c.recorder->counters;
  const bool must_keep = !c.reply_id.empty() || !c.ack.pointer.empty() || !c.ping_reply.empty() ||
                         (c.listen && c.listen->streams.MustRead());
  while (true) {
    FrameReader& reader = web_socket_->reader;
    switch (reader.Next(&bytes, c.limits.max_body_bytes, must_keep)) {
      case FrameReader::Event::kNeedMore:
        return true;
      case FrameReader::Event::kMessage:
        ++counters.messages;
        if (c.listen) ++c.recorder->addresses.succeeded[address_];
        counters.compressed_messages += reader.is_compressed() ? 1 : 0;
        counters.message_bytes += reader.message_bytes();
        OnMessage(now);
        if (state_ < State::kSubscribing) return false;
        break;
      case FrameReader::Event::kPing:
        ++counters.pings;
        // Section 5.5.3: of several pings it is enough to answer the last.
        web_socket_->pong.assign(reader.payload().data(), reader.payload().size());
        web_socket_->has_pong = true;
        SendControl();
        if (web_socket_->control.size() > kMaxControlBytes) {
          ++counters[Finding::kPingFlood];
          web_socket_->is_closing = true;  // no close frame would go out
          EndWebSocket(EMSGSIZE);
          return false;
        }
        if (!FlushControl()) return false;
        if (!reader.IsInMessage()) first_byte_ = 0;
        break;
      case FrameReader::Event::kPong:
        ++counters.pongs;
        if (!reader.IsInMessage()) first_byte_ = 0;
        break;
      case FrameReader::Event::kClose:
        ++counters[ClosingOf(reader.close_code())];
        c.recorder->named.CountClose(static_cast<std::uint32_t>(reader.close_code()),
                                     Told(reader.payload(), *c.masks, NamedCounts::kMaxReason));
        if (state_ == State::kSubscribing) HearCloseWhileSubscribing();
        AppendClose(reader.close_code(), static_cast<std::uint32_t>(c.NextRandom()), &web_socket_->control);
        FlushControl();
        web_socket_->is_closing = true;
        EndWebSocket(0);
        return false;
      case FrameReader::Event::kFailed:
        EndViolated();
        return false;
    }
  }
}

// The WebSocket's Send.
void Connection::SendMessage() {
  ConnectionContext& c = *context_;
  if (c.sends.IsOn() && !MaySendRequest()) return;
  if (HasControlToSend()) return;
  const std::string& frame = RequestNow();
  sent_ = c.ReadClock();
  const IoResult io = c.stamps.Passes() ? transport_.Send(frame) : SendStampedMessage(frame);
  if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) {
    CountBreak();
    return FailConnect(Phase::kConnect, io.error, "the peer closed an idle connection");
  }
  state_ = State::kSending;
  sent_bytes_ = io.bytes;
  c.recorder->counters.bytes_sent += io.bytes;
  if (io.bytes > 0) MarkSent();
  if (sent_bytes_ == frame.size()) return OnMessageSent();
  web_socket_->is_amid_request = true;
  WatchReplies();
  SetInterest(kToReadAndWrite);
}

// One of those under way is stamped at a time, and only if it goes out whole - what follows it has another stamp - and
// has room in the target's window beside the others.
IoResult Connection::SendStampedMessage(absl::string_view frame) {
  if (!context_->stamps.Take(sent_) || stamps_.IsWanted() ||
      frame.size() * (web_socket_->pipeline.size() + 1) > kInitialWindow)
    return transport_.Send(frame);
  stamps_ = {.slot = slot_, .sent = WallNow()};
  context_->stamps.Send();
  const IoResult io = transport_.SendWithStamp(frame);
  if (io.kind != IoResult::Kind::kDone || io.bytes < frame.size()) DropStamps();
  return io;
}

// The slot in its hands is with those under way, and there may be room for another one.
void Connection::OnMessageSent() {
  web_socket_->pipeline.Push({.slot = slot_, .due = due_, .sent = sent_});
  has_slot_ = false;
  sent_bytes_ = 0;
  state_ = State::kIdle;
  WatchReplies();
  if (std::exchange(web_socket_->is_amid_request, false) && !FlushControl()) return;
  FillPipeline();
}

// Takes slots while there is room for them. They are due when there was room first.
void Connection::FillPipeline() {
  const ConnectionContext& c = *context_;
  if (web_socket_->is_filling || has_slot_) return;
  web_socket_->is_filling = true;
  while (web_socket_ != nullptr && web_socket_->pipeline.size() < c.pipeline) {
    const std::size_t before = web_socket_->pipeline.size();
    const Nanos since = web_socket_->room_since;
    TakeNext(since == 0 ? c.now : since);
    if (web_socket_ == nullptr || web_socket_->pipeline.size() == before) break;
  }
  if (web_socket_ == nullptr) return;
  web_socket_->is_filling = false;
  if (web_socket_->pipeline.size() >= c.pipeline) web_socket_->room_since = 0;
}

// The state's deadline: of the oldest request under way, or of the one that is being sent.
void Connection::WatchReplies() {
  Pipeline& pipeline = web_socket_->pipeline;
  Nanos until = pipeline.size() > 0 ? pipeline.Oldest().sent + context_->timeout : TimeoutWheel::kNever;
  if (state_ == State::kSending) until = std::min(until, sent_ + context_->timeout);
  Watch(until);
}

// Whether the message answers a ping in a message.
bool Connection::IsPong() {
  ConnectionContext& c = *context_;
  if (web_socket_->unanswered_pings == 0 || c.ping_reply.empty()) return false;
  const absl::string_view message = web_socket_->reader.payload();
  if (c.ping_match.pointer.empty()) return message == c.ping_reply;
  c.json->Read(message);
  return c.ping_match.IsIn(c.json.get());
}

// The WebSocket's CompleteResponse.
void Connection::OnMessage(Nanos now) {
  ConnectionContext& c = *context_;
  if (IsPong()) {
    --web_socket_->unanswered_pings;
    ++c.recorder->counters.pongs;
    if (c.listen) web_socket_->listener->PassOver(web_socket_->reader.payload(), ArrivalAt(now), c.recorder);
  } else if (state_ == State::kSubscribing) {
    // Events may come before the last ack.
    if (!TakeAck(now)) {
      const std::uint64_t unread = c.recorder->counters[Finding::kUnread];
      c.listen ? OnEvent(now) : void(++c.recorder->counters.orphan_messages);
      HearWhileSubscribing(c.listen && c.recorder->counters[Finding::kUnread] == unread);
    }
  } else {
    c.listen ? OnEvent(now) : TakeReply(now);
  }
  if (!c.listen) first_byte_ = 0;
}

// The message may be the reply to a request under way.
void Connection::TakeReply(Nanos now) {
  ConnectionContext& c = *context_;
  Pipeline& pipeline = web_socket_->pipeline;
  Pipeline::Request* request = nullptr;
  if (c.reply_id.empty()) {
    if (pipeline.size() > 0) request = &pipeline.Oldest();
  } else {
    absl::string_view id;
    std::uint64_t slot = 0;
    c.json->Read(web_socket_->reader.payload());
    if (c.json->Get(c.reply_id, &id) && absl::SimpleAtoi(id, &slot))
      request = pipeline.Find([slot](const Pipeline::Request& r) { return r.slot % kSlotModulus == slot; });
  }
  if (request == nullptr) {
    ++c.recorder->counters.orphan_messages;
    return;
  }
  const SlotBook::Entry entry = EntryOf(*request);
  if (now - entry.sent > c.timeout && IsLate(entry, now)) [[unlikely]] {
    c.book.Fail(entry, Outcome::kRequestTimeout, now);
  } else {
    c.book.Complete(entry, first_byte_ == 0 ? now : first_byte_, now, Outcome::kReply, true,
                    [this] { return web_socket_->reader.message_bytes(); });
  }
  if (stamps_.AreOf(entry.slot)) [[unlikely]]
    RecordStamps(true);
  Prove();
  pipeline.Remove(request);
  WatchReplies();
  OnRoom(now);
}

// A request under way has ended, and the connection lives on.
void Connection::OnRoom(Nanos now) {
  if (web_socket_->room_since == 0) web_socket_->room_since = now;
  if (has_slot_) return;  // which is on its way; the next one follows it
  if (context_->is_single_use) Close();
  Rest(now);
}

void Connection::FailUnderWay(Pipeline::Request* request, int error, Nanos now) {
  context_->book.Fail(EntryOf(*request), OutcomeOf(error), now);
  if (stamps_.AreOf(request->slot)) DropStamps();
  Prove();
  web_socket_->pipeline.Remove(request);
}

void Connection::FailAllUnderWay(int error) {
  Pipeline& pipeline = web_socket_->pipeline;
  if (pipeline.size() == 0) return;
  const Nanos now = context_->ReadClock();
  while (pipeline.size() > 0) FailUnderWay(&pipeline.Oldest(), error, now);
}

// The oldest request has got no reply in time. Where replies name their request, the others go on; else nobody could
// tell whose the next reply is.
void Connection::OnReplyDeadline() {
  ConnectionContext& c = *context_;
  Pipeline& pipeline = web_socket_->pipeline;
  if (pipeline.size() == 0 || pipeline.Oldest().sent + c.timeout > c.now) return EndWebSocket(ETIMEDOUT);
  FailUnderWay(&pipeline.Oldest(), ETIMEDOUT, c.now);
  if (c.reply_id.empty()) {
    FailAllUnderWay(ECANCELED);
    if (state_ == State::kSending) return EndWebSocket(ETIMEDOUT);
    Close();
    return has_slot_ ? Open() : Rest(c.now);
  }
  WatchReplies();
  OnRoom(c.now);
}

// Control frames go first, and the request behind them, when there is room. REQUIRES: it is idle and has a slot.
bool Connection::HasControlToSend() {
  ConnectionContext& c = *context_;
  if (web_socket_->control.empty()) return false;
  state_ = State::kSending;
  sent_bytes_ = 0;
  sent_ = c.ReadClock();
  WatchReplies();
  SetInterest(kToReadAndWrite);
  return true;
}

// So many bytes of what waits in front of the next request have gone out.
void Connection::CountControlSent(std::size_t bytes) {
  WebSocket& w = *web_socket_;
  Counters& counters = context_->recorder->counters;
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
bool Connection::FlushControl() {
  std::string& control = web_socket_->control;
  if (control.empty() || web_socket_->is_amid_request) return true;
  const IoResult io =
      web_socket_->write_error == 0 ? transport_.Send(control) : IoResult{.kind = IoResult::Kind::kFailed};
  if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) {
    if (state_ < State::kSubscribing) {
      FailConnect(Phase::kUpgrade, io.error, "upgrade: the target closed the connection");
      return false;
    }
    if (web_socket_->write_error == 0) web_socket_->write_error = io.error == 0 ? ECONNRESET : io.error;
    control.clear();
    web_socket_->pong_ends.clear();
    SetInterest(kToRead);
    return true;
  }
  CountControlSent(io.bytes);
  const bool wants_room = !control.empty() || state_ == State::kSending;
  SetInterest(wants_room ? kToReadAndWrite : kToRead);
  return true;
}

// The WebSocket is over; what was in flight on it ends with `error`, as OutcomeOf reads it.
void Connection::EndWebSocket(int error) {
  if (state_ == State::kSubscribing) {
    const bool is_ours = error == EBADMSG || error == EMSGSIZE;
    return FailConnect(Phase::kUpgrade, EPROTO,
                       is_ours      ? "subscribe: the target broke the protocol before the last ack"
                       : error == 0 ? "subscribe: the target closed the connection before the last ack"
                                    : "subscribe: the target reset the connection before the last ack",
                       HeardInstead());
  }
  const bool had_some = web_socket_->pipeline.size() > 0;
  FailAllUnderWay(error == ETIMEDOUT ? ECANCELED : error);
  if (state_ == State::kSending) return FailRequest(error);
  if (!had_some || has_slot_) return LoseIdle();
  Close();
  Rest(context_->now);
}

// Listening: nothing is sent; the connection is settled when it is up, or the point is over.
void Connection::KeepListening() {
  if (context_->pacer.IsStopped()) return Settle();
  if (state_ == State::kClosed) return Open();
  if (context_->is_preparing) Settle();
}

// A message has just come, or may come: how long it may be silent from now on.
void Connection::WatchSilence(Nanos now) {
  const WebSocket& w = *web_socket_;
  Watch(std::min(now + w.listener->Patience(), w.close_at));
}

StreamListener::Arrival Connection::ArrivalAt(Nanos now) const {
  const ConnectionContext& c = *context_;
  return {.now = now,
          .since_start = c.is_preparing ? -1 : now - c.start,
          .clock_offset = c.target_clock == nullptr ? 0 : c.target_clock->load(std::memory_order_relaxed),
          .behind_at = c.behind_at};
}

// A message of a stream that is listened to.
void Connection::OnEvent(Nanos now) {
  ConnectionContext& c = *context_;
  WebSocket& w = *web_socket_;
  if (!w.listener->Take(w.reader.payload(), w.reader.message_bytes(), ArrivalAt(now), c.recorder)) return;
  c.recorder->last_end = now;
  if (!is_proven_ && state_ == State::kIdle) Prove();  // what comes before the acks proves nothing
  if (const Nanos subscribed = std::exchange(w.subscribed, 0); subscribed != 0)
    (*c.recorder)[Metric::kFirstEvent].Record(now - subscribed);
  if (state_ == State::kIdle) WatchSilence(now);
}

// Nothing has come for as long as the rules allow, or the connection has been held long enough.
void Connection::OnListenDeadline() {
  ConnectionContext& c = *context_;
  const Nanos close_at = web_socket_->close_at;
  if (c.ReadClock() < close_at) {
    ++c.recorder->counters[Finding::kSilence];  // once, until the next message
    Watch(close_at);
    return;
  }
  ++c.recorder->counters[Finding::kHeld];
  ++renewals_;
  Close();
  HoldForSuccessor();
  Open();
}

void Connection::Storm() {
  ConnectionContext& c = *context_;
  if (state_ != State::kIdle) return;
  ++c.recorder->counters[Finding::kStorm];
  Close();
  due_ = c.now;
  if (c.listen->jitter == ListenRules::Jitter::kNone) return Open();
  HoldClosed();
  state_ = State::kBackoff;
  ++c.backing_off;
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
  if (web_socket_ == nullptr || state_ < State::kSubscribing || !web_socket_->control.empty()) return;
  web_socket_->has_ping = true;
  SendControl();
  FlushControl();
}

}  // namespace tidemark
