// Reads straight down: OnSubscribed -> Send -> OnMessageSent -> OnFramesReadable -> TakeMessage -> Rest, which sends
// the next slot; then how requests fail.
#include "agent/exchange/messaging_connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/numbers.h"

namespace tidemark {

void MessagingConnection::OnSubscribed(Nanos) {
  Watch(TimeoutWheel::kNever);
  // What else has come in this turn is no reply.
  if (TakeUp()) SendSoon();
}

void MessagingConnection::OnEvents(std::uint32_t events) {
  if ((events & kEnding) != 0) [[unlikely]]
    return DealWithEnding(this, events);
  switch (state_) {
    case State::kIdle:
    case State::kSubscribing:
      return OnFramesReadable();
    case State::kSending:
      // A reply, or a reset, may come before the request is out.
      if ((events & EPOLLIN) != 0) OnFramesReadable();
      if (state_ == State::kSending && (events & EPOLLOUT) != 0) ContinueSending();
      return;
    case State::kUpgrading:
      return OnUpgradeReadable();
    default:
      return OnOpeningEvents();
  }
}

void MessagingConnection::Send() {
  LoopState& l = loop();
  if (state_ != State::kIdle) [[unlikely]]
    return;
  if (load().sends.IsOn() && !MaySendRequest()) return;
  if (HasControlToSend()) return;
  const std::string& frame = FrameNow();
  sent_ = l.ReadClock();
  const IoResult io = l.stamps.Passes() ? transport_.Send(frame) : SendStamped(frame);
  if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) {
    CountBreak();
    return LoseUnused(io.error);
  }
  state_ = State::kSending;
  sent_bytes_ = io.bytes;
  l.recorder->counters.bytes_sent += io.bytes;
  if (io.bytes > 0) MarkSent();
  if (sent_bytes_ == frame.size()) return OnMessageSent();
  channel_->is_amid_request = true;
  WatchReplies();
  SetInterest(kToReadAndWrite);
}

// One of those under way is stamped at a time, and only if it goes out whole - what follows it has another stamp - and
// has room in the target's window beside the others.
IoResult MessagingConnection::SendStamped(absl::string_view frame) {
  LoopState& l = loop();
  if (!l.stamps.Take(sent_) || path_.IsWanted() || frame.size() * (pipeline_.size() + 1) > kInitialWindow)
    return transport_.Send(frame);
  path_.Begin(&l, slot_);
  const IoResult io = transport_.SendWithStamp(frame);
  if (io.kind != IoResult::Kind::kDone || io.bytes < frame.size()) path_.Drop(&l);
  return io;
}

// Control frames go first, and the request behind them, when there is room. REQUIRES: it is idle and has a slot.
bool MessagingConnection::HasControlToSend() {
  if (channel_->control.empty()) return false;
  state_ = State::kSending;
  sent_bytes_ = 0;
  sent_ = loop().ReadClock();
  WatchReplies();
  SetInterest(kToReadAndWrite);
  return true;
}

void MessagingConnection::ContinueSending() {
  if (!channel_->is_amid_request) {
    if (!FlushControl() || !channel_->control.empty()) return;
    channel_->is_amid_request = true;
  }
  const std::string& frame = FrameNow();
  const Nanos now = sent_bytes_ == 0 ? loop().ReadClock() : 0;
  const IoResult io = transport_.Send(absl::string_view(frame).substr(sent_bytes_));
  if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) {
    CountBreak();
    return sent_bytes_ == 0 ? LoseUnused(io.error) : OnEnd(io.error == 0 ? ECONNRESET : io.error);
  }
  if (sent_bytes_ == 0 && io.bytes > 0) {
    sent_ = now;
    MarkSent();
  }
  sent_bytes_ += io.bytes;
  recorder().counters.bytes_sent += io.bytes;
  if (sent_bytes_ < frame.size()) return;
  SetInterest(kToRead);
  OnMessageSent();
}

// The slot in its hands is with those under way, and there may be room for another one.
void MessagingConnection::OnMessageSent() {
  pipeline_.Push({.slot = slot_, .due = due_, .sent = sent_});
  has_slot_ = false;
  sent_bytes_ = 0;
  state_ = State::kIdle;
  WatchReplies();
  if (std::exchange(channel_->is_amid_request, false) && !FlushControl()) return;
  FillPipeline();
}

// Takes slots while there is room for them. They are due when there was room first.
void MessagingConnection::FillPipeline() {
  const std::size_t depth = load().pipeline;
  if (is_filling_ || has_slot_) return;
  is_filling_ = true;
  while (channel_ != nullptr && pipeline_.size() < depth) {
    const std::size_t before = pipeline_.size();
    TakeNext(room_since_ == 0 ? loop().now : room_since_);
    if (channel_ == nullptr || pipeline_.size() == before) break;
  }
  if (channel_ == nullptr) return;
  is_filling_ = false;
  if (pipeline_.size() >= depth) room_since_ = 0;
}

void MessagingConnection::OnFramesReadable() {
  LoopState& l = loop();
  if (!FlushControl()) return;
  while (true) {
    const IoResult io = path_.IsWanted()
                            ? transport_.ReceiveWithStamp(l.buffer.data(), l.buffer.size(), path_.from_wire_into())
                            : transport_.Receive(l.buffer.data(), l.buffer.size());
    if (io.kind == IoResult::Kind::kWantRead || io.kind == IoResult::Kind::kWantWrite) return;
    if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) {
      const bool is_half_sent = state_ == State::kSending && sent_bytes_ > 0;
      return EndStream(io, pipeline_.size() + (is_half_sent ? 1 : 0));
    }
    const Nanos now = l.ReadClock();
    if (first_byte_ == 0) first_byte_ = now;
    l.recorder->counters.bytes_received += io.bytes;
    if (!TakeFrames(this, absl::string_view(l.buffer.data(), io.bytes), now)) return;
    if (!transport_.is_tls() && io.bytes < l.buffer.size()) return;  // drained
  }
}

void MessagingConnection::Complete(const SlotBook::Entry& entry, Nanos now) {
  load().book.Complete(entry, first_byte_ == 0 ? now : first_byte_, now, Outcome::kReply, true,
                       [this] { return reader().message_bytes(); });
}

// One that may have come too late, or is to be told.
void MessagingConnection::CompleteNotable(const SlotBook::Entry& entry, Nanos now) {
  if (now - entry.sent > load().timeout && IsLate(entry, now)) return Fail(entry, Outcome::kRequestTimeout, now);
  Complete(entry, now);
  load().book.Trace(entry, Outcome::kReply, now, transport_.LocalPort());
}

// The message may be the reply to a request under way.
void MessagingConnection::TakeMessage(Nanos now) {
  MessagingLoad& load = this->load();
  Pipeline::Request* request = nullptr;
  if (load.reply_id.empty()) {
    if (pipeline_.size() > 0) request = &pipeline_.Oldest();
  } else {
    absl::string_view id;
    std::uint64_t slot = 0;
    load.json.Read(reader().payload());
    if (load.json.Get(load.reply_id, &id) && absl::SimpleAtoi(id, &slot))
      request = pipeline_.Find([slot](const Pipeline::Request& r) { return r.slot % kSlotModulus == slot; });
  }
  if (request == nullptr) {
    ++recorder().counters.orphan_messages;
    return;
  }
  const SlotBook::Entry entry = EntryOf(*request);
  if (now - entry.due >= load.book.notable()) [[unlikely]] {
    CompleteNotable(entry, now);
  } else {
    Complete(entry, now);
  }
  if (path_.AreOf(entry.slot)) [[unlikely]]
    path_.Record(&loop(), &transport_, true);
  Prove();
  pipeline_.Remove(request);
  WatchReplies();
  OnRoom(now);
}

// A request under way has ended, and the connection lives on.
void MessagingConnection::OnRoom(Nanos now) {
  if (room_since_ == 0) room_since_ = now;
  if (has_slot_) return;  // which is on its way; the next one follows it
  if (load().new_connection) Close();
  Rest(now);
}

// The state's deadline: of the oldest request under way, or of the one that is being sent.
void MessagingConnection::WatchReplies() {
  Nanos until = pipeline_.size() > 0 ? pipeline_.Oldest().sent + load().timeout : TimeoutWheel::kNever;
  if (state_ == State::kSending) until = std::min(until, sent_ + load().timeout);
  Watch(until);
}

void MessagingConnection::WakeAt(Nanos instant) {
  channel_ != nullptr ? Watch(instant) : loop().wheel->Schedule(this, instant);
}

void MessagingConnection::OnDeadline() {
  if (state_ >= State::kSubscribing && !IsDeadlineOver()) return;
  if (EndThinking()) return;
  state_ < State::kIdle ? OnLinkDeadline() : OnReplyDeadline();
}

// The oldest request has got no reply in time. Where replies name their request, the others go on; else nobody could
// tell whose the next reply is.
void MessagingConnection::OnReplyDeadline() {
  LoopState& l = loop();
  if (pipeline_.size() == 0 || pipeline_.Oldest().sent + load().timeout > l.now) return OnEnd(ETIMEDOUT);
  FailUnderWay(&pipeline_.Oldest(), ETIMEDOUT, l.now);
  if (load().reply_id.empty()) {
    FailAllUnderWay(ECANCELED);
    if (state_ == State::kSending) return OnEnd(ETIMEDOUT);
    Close();
    return has_slot_ ? Open() : Rest(l.now);
  }
  WatchReplies();
  OnRoom(l.now);
}

void MessagingConnection::GoOn() {
  if (EndControlWait() && state_ == State::kIdle && has_slot_) Send();
}

void MessagingConnection::StopWaiting(NeverSent reason) {
  if (StopSlot(&reason) || sent_bytes_ > 0) return;
  if (channel_->is_amid_request) {
    Close();
  } else {
    state_ = State::kIdle;  // for those under way
    WatchReplies();
  }
  NeverSend(reason);
  Settle();
}

void MessagingConnection::CutOff() {
  if (state_ >= State::kIdle && (pipeline_.size() > 0 || state_ == State::kSending)) OnEnd(ECANCELED);
}

void MessagingConnection::FailUnderWay(Pipeline::Request* request, int error, Nanos now) {
  Fail(EntryOf(*request), OutcomeOf(error), now);
  if (path_.AreOf(request->slot)) path_.Drop(&loop());
  Prove();
  pipeline_.Remove(request);
}

void MessagingConnection::FailAllUnderWay(int error) {
  if (pipeline_.size() == 0) return;
  const Nanos now = loop().ReadClock();
  while (pipeline_.size() > 0) FailUnderWay(&pipeline_.Oldest(), error, now);
}

void MessagingConnection::OnEnd(int error) {
  if (FailSubscribing(error)) return;
  const bool had_some = pipeline_.size() > 0;
  FailAllUnderWay(error == ETIMEDOUT ? ECANCELED : error);
  if (state_ == State::kSending) return FailRequest(error);
  if (!had_some || has_slot_) return LoseIdle();
  Close();
  Rest(loop().now);
}

// The connection broke, or ran out of time, while the request in its hands was being sent.
void MessagingConnection::FailRequest(int error) {
  if (sent_bytes_ == 0) return NeverSendFor(error);  // nothing of it went out
  const Nanos now = loop().ReadClock();
  Fail(SlotInHand(), OutcomeOf(error), now);
  LeaveSlot();
  Close();
  Rest(now);
}

// The connection is gone before a byte of its slot's request went out on it.
void MessagingConnection::LoseUnused(int error) {
  FailAllUnderWay(error);
  FailConnect(Phase::kConnect, error, kClosedIdle);
}

void MessagingConnection::LoseIdle() {
  if (has_slot_) return LoseUnused(ECONNRESET);
  NoteAlert();
  Close();
  OnIdleLost();
}

void MessagingConnection::OnClosing() {
  FailAllUnderWay(ECANCELED);
  is_filling_ = false;
  room_since_ = first_byte_ = 0;
  WebSocketLink::OnClosing();
}

}  // namespace tidemark
