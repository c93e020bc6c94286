// Reads straight down: OnReached -> Send -> OnReadable -> CompleteResponse -> Rest, which sends the next slot; then how
// a request fails, and at the end the redirects.
#include "agent/exchange/http_connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tidemark {
namespace {

// How long a body waits for 100 Continue: as long as curl has it wait.
constexpr Nanos kContinueWait = kSecond;

}  // namespace

void HttpConnection::OnReached() {
  served_ = 0;
  parser_.Rest(&load().known_header);
  BecomeUp();
  if (TakeUp()) Send();
}

void HttpConnection::OnEvents(std::uint32_t events) {
  if ((events & kEnding) != 0) [[unlikely]]
    return DealWithEnding(this, events);
  if (state_ == State::kReceiving) [[likely]]
    return OnReadable();
  switch (state_) {
    case State::kSending:
      // An answer, or a reset, may come before the request is out.
      if ((events & EPOLLIN) != 0) OnReadable();
      if (state_ == State::kSending && (events & EPOLLOUT) != 0) ContinueSending();
      return;
    case State::kIdle:
      return OnIdleReadable();
    default:
      return OnOpeningEvents();
  }
}

void HttpConnection::Send() {
  HttpLoad& load = this->load();
  LoopState& l = loop();
  if (state_ != State::kIdle) [[unlikely]]
    return;
  if (!load.is_one_request && IsFollowing()) return SendHop();
  RequestBytes& source = RequestInHand();
  if (source.has_holes) [[unlikely]]
    NoteMoment();
  const std::string& request = BytesOf(&source, slot_);
  parser_.Start(source.is_head);
  first_byte_ = 0;
  sent_ = l.ReadClock();
  const bool is_stamped = !l.stamps.Passes();
  const IoResult io = load.is_plain_send && !is_stamped ? transport_.Send(request) : SendFirst(request, is_stamped);
  if (io.kind >= IoResult::Kind::kClosed) {
    if (io.kind == IoResult::Kind::kHeldBack) return;
    // Not a byte went out: the peer closed an idle connection. The slot waits for a new one.
    return LoseUnused(io.error);
  }
  state_ = State::kSending;
  sent_bytes_ = io.bytes;
  l.wheel->Schedule(this, sent_ + load.timeout);
  l.recorder->counters.bytes_sent += io.bytes;
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
IoResult HttpConnection::SendFirst(absl::string_view bytes, bool is_stamped) {
  LoopState& l = loop();
  if (!MaySendRequest()) return {.kind = IoResult::Kind::kHeldBack};
  const std::size_t head_bytes = RequestInHand().head_bytes;
  awaits_continue_ = head_bytes != 0;
  if (awaits_continue_) bytes = bytes.substr(0, head_bytes);
  path_.Drop(&l);
  if (is_stamped) is_stamped = l.stamps.Take(sent_);
  if (!is_stamped || awaits_continue_ || bytes.size() > kInitialWindow) return transport_.Send(bytes);
  path_.Begin(&l, slot_);
  return transport_.SendWithStamp(bytes);
}

// The head of the request is out. RFC 9110 section 10.1.1: the body follows when the target says 100 Continue, never if
// it answers at once, and if it says nothing, after a while all the same.
void HttpConnection::AwaitContinue() {
  parser_.ForgetContinue();
  SetInterest(kToRead);
  loop().wheel->Schedule(this, sent_ + std::min(kContinueWait, load().timeout));
}

void HttpConnection::SendBody() {
  awaits_continue_ = false;
  loop().wheel->Schedule(this, sent_ + load().timeout);
  SetInterest(kToReadAndWrite);
  ContinueSending();
}

void HttpConnection::ContinueSending() {
  LoopState& l = loop();
  RequestBytes& source = RequestInHand();
  if (source.has_holes && sent_bytes_ == 0) NoteMoment();
  const std::string& request = BytesOf(&source, slot_);
  const std::size_t size = awaits_continue_ ? source.head_bytes : request.size();
  const Nanos now = sent_bytes_ == 0 ? l.ReadClock() : 0;
  const IoResult io = transport_.Send(absl::string_view(request).substr(sent_bytes_, size - sent_bytes_));
  if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) {
    if (sent_bytes_ == 0) return LoseUnused(io.error);
    return FailRequest(io.error == 0 ? ECONNRESET : io.error);
  }
  if (sent_bytes_ == 0 && io.bytes > 0) {
    if (IsFollowing()) {
      ++l.recorder->counters.redirects_followed;
    } else {
      sent_ = now;
      MarkSent();
    }
  }
  sent_bytes_ += io.bytes;
  l.recorder->counters.bytes_sent += io.bytes;
  if (sent_bytes_ < size) return;
  if (awaits_continue_) return AwaitContinue();
  state_ = State::kReceiving;
  SetInterest(kToRead);
}

void HttpConnection::OnReadable() {
  HttpLoad& load = this->load();
  LoopState& l = loop();
  while (true) {
    const std::size_t kept = spill_ == nullptr ? 0 : spill_->size();
    if (kept > 0) std::memcpy(l.buffer.data(), spill_->data(), kept);
    const std::size_t room = l.buffer.size() - kept;
    char* const into = l.buffer.data() + kept;
    const IoResult io = path_.IsWanted() ? transport_.ReceiveWithStamp(into, room, path_.from_wire_into())
                                         : transport_.Receive(into, room);
    if (io.kind == IoResult::Kind::kWantRead || io.kind == IoResult::Kind::kWantWrite) return;
    if (io.kind == IoResult::Kind::kFailed) return FailRequest(io.error);
    if (io.kind == IoResult::Kind::kClosed) return OnPeerClosed();

    const Nanos now = l.ReadClock();
    if (first_byte_ == 0) first_byte_ = now;
    load.book.Receive(slot_, io.bytes);
    const absl::string_view bytes(l.buffer.data(), kept + io.bytes);
    const ResponseParser::Result result = parser_.Feed(bytes, load.limits, &load.known_header);
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
    if (now - sent_ > load.timeout && now > l.attention.Extended(sent_ + load.timeout) &&
        now - l.attention.stood_still_to() >= TimeoutWheel::kTick)
      return FailRequest(ETIMEDOUT);
  }
}

// More came than was asked for: the framing is not to be trusted any more.
void HttpConnection::RefuseRest(std::size_t bytes) {
  recorder().counters.unsolicited_bytes += bytes;
  Close();
}

void HttpConnection::OnPeerClosed() {
  // RFC 9112 section 9.8: a body that runs until close is not known to be whole then.
  const bool is_cut = transport_.IsCut();
  const ResponseParser::Result result =
      is_cut ? ResponseParser::Result{.progress = ResponseParser::Progress::kFailed} : parser_.FeedEnd();
  if (result.progress == ResponseParser::Progress::kMayLead) return CompleteOrFollow(loop().ReadClock());
  if (result.progress != ResponseParser::Progress::kComplete) {
    if (is_cut && sent_bytes_ > 0) ++recorder().counters.ended_without_close_notify;
    return FailRequest(result.error);
  }
  CompleteResponse(loop().ReadClock());
}

// One that may have come too late, or is to be told.
void HttpConnection::CompleteNotable(Nanos done, std::size_t status, bool is_success) {
  if (done - sent_ > load().timeout && IsLate(SlotInHand(), done))
    return Fail(SlotInHand(), Outcome::kRequestTimeout, done);
  load().book.CompleteStatus(SlotInHand(), first_byte_, done, status, is_success);
  load().book.Trace(SlotInHand(), OutcomeOfStatus(static_cast<int>(status)), done, transport_.LocalPort());
}

// The response is whole: the book makes numbers of it, and the connection takes its next slot.
void HttpConnection::CompleteResponse(Nanos done) {
  HttpLoad& load = this->load();
  if (sent_bytes_ == 0) return FailRequest(EBADMSG);  // an answer to nothing
  const auto status = static_cast<std::size_t>(parser_.status());
  const bool is_success = status < load.success.size() && load.success[status];
  if (done - due_ >= load.book.notable()) [[unlikely]] {
    CompleteNotable(done, status, is_success);
  } else {
    load.book.CompleteStatus(SlotInHand(), first_byte_, done, status, is_success);
  }
  LeaveSlot();
  if (path_.IsWanted()) [[unlikely]]
    path_.Record(&loop(), &transport_, is_success);
  parser_.Rest(&load.known_header);
  const bool is_reusable = parser_.keep_alive() && state_ == State::kReceiving && transport_.fd() >= 0;
  if (is_reusable && load.is_plain_reuse) [[likely]] {
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
  CloseForSuccessor();
  Rest(done);
}

void HttpConnection::CloseForSuccessor() {
  Close();
  HoldForSuccessor();
}

// Whether the connection ends, by the plan, with the request that has just been answered on it.
bool HttpConnection::IsLastRequest() {
  HttpLoad& load = this->load();
  if (load.is_lasting) return false;
  ++served_;
  const bool is_last = served_ == load.reconnect_after || load.requests[load.RequestIndex(slot_)].is_last;
  if (is_last && !load.new_connection) ++renewals_;
  return is_last;
}

void HttpConnection::OnIdleReadable() {
  LoopState& l = loop();
  const IoResult io = transport_.Receive(l.buffer.data(), l.buffer.size());
  if (io.kind == IoResult::Kind::kWantRead || io.kind == IoResult::Kind::kWantWrite) return;
  if (io.kind == IoResult::Kind::kDone) l.recorder->counters.unsolicited_bytes += io.bytes;
  if (has_slot_) return LoseUnused(ECONNRESET);
  ++l.recorder->counters.unannounced_closes;
  NoteAlert();
  Close();
  OnIdleLost();
}

// The connection is gone before a byte of its slot's request went out on it.
void HttpConnection::LoseUnused(int error) {
  ++recorder().counters.unannounced_closes;
  FailConnect(Phase::kConnect, error, kClosedIdle);
}

// The connection broke, or ran out of time, while a request was on it.
void HttpConnection::FailRequest(int error) {
  LoopState& l = loop();
  if (sent_bytes_ == 0 && !IsFollowing()) return NeverSendFor(error);  // nothing of it went out
  const Outcome outcome = OutcomeOf(error);
  // What was malformed lies in the buffer; of a first read it is the answer's beginning.
  const bool is_first_read = first_byte_ == l.now;
  if (error == EBADMSG && is_first_read && !transport_.is_tls() && IsTlsRecord({l.buffer.data(), 2}))
    ++l.recorder->counters.tls_answers;
  const Nanos now = l.ReadClock();
  Fail(SlotInHand(), outcome, now);
  LeaveSlot();
  hop_.reset();
  parser_.Rest(&load().known_header);
  Close();
  Rest(now);
}

void HttpConnection::OnDeadline() {
  if (EndThinking()) return;
  if (state_ < State::kIdle) return OnOpeningDeadline();
  if (state_ == State::kIdle) return;
  const bool is_half_done = state_ == State::kSending || first_byte_ != 0;
  if (is_half_done && !awaits_continue_ && NeedsMoreTime(load().timeout)) return;
  if (awaits_continue_ && loop().now - sent_ < load().timeout) {
    ++recorder().counters.sent_without_continue;
    return SendBody();
  }
  FailRequest(ETIMEDOUT);
}

void HttpConnection::GoOn() {
  if (is_held_back_ && state_ != State::kBackoff) {
    loop().ReadClock();
    ResumeHop();
  }
  if (EndWait() && state_ == State::kIdle && has_slot_) Send();
}

void HttpConnection::StopWaiting(NeverSent reason) {
  if (IsFollowing()) {
    if (sent_bytes_ > 0 || state_ == State::kReceiving) return;  // in flight
    Close();
    CutHop();
    return Settle();
  }
  if (StopSlot(&reason) || state_ == State::kReceiving || sent_bytes_ > 0) return;
  Close();
  NeverSend(reason);
  Settle();
}

void HttpConnection::CutOff() {
  if (state_ == State::kSending || state_ == State::kReceiving) return FailRequest(ECANCELED);
  if (!IsFollowing()) return;
  Close();
  LoseHop(ECANCELED);
  Rest(loop().now);
}

void HttpConnection::OnTurn() {
  if (has_turn_) ResumeHop();
  Requester::OnTurn();
}

void HttpConnection::OnKept(Nanos turn) {
  PauseHop();
  Requester::OnKept(turn);
}

void HttpConnection::OnLost(NeverSent reason, int error, bool was_up) {
  if (IsFollowing()) {
    // Of a hop not a byte went out: it may go out on the next connection, once.
    if (was_up && !load().IsOver(loop().now) && !std::exchange(hop_->is_reopened, true)) return Open();
    LoseHop(error);
  }
  Requester::OnLost(reason, error, was_up);
}

// An answer is whole that may lead elsewhere: it is the slot's, or the slot goes on.
void HttpConnection::CompleteOrFollow(Nanos done) {
  if (sent_bytes_ == 0) return FailRequest(EBADMSG);
  Direction direction;
  if (MayFollow(done, &direction)) return Follow(std::move(direction), done);
  parser_.KeepPart();
  if (hop_ != nullptr) hop_->is_over = true;
  CompleteResponse(done);
  hop_.reset();
}

// Whether the slot goes on, and where. A redirect that is not followed is an answer like others, and counted besides.
bool HttpConnection::MayFollow(Nanos done, Direction* direction) {
  const HttpLoad& load = this->load();
  Counters& counters = recorder().counters;
  if (!IsRedirect(parser_.status())) return false;
  if (done - sent_ > load.timeout) return false;
  const bool is_over = load.IsOver(done);
  if (is_over || (hop_ != nullptr && hop_->made >= load.follow)) {
    ++(is_over ? counters.redirects_ended : counters.redirects_cut);
    return false;
  }
  const absl::string_view request = BytesOf(&RequestOfSlot(), slot_);
  *direction =
      WhereTo(parser_.location(), load.tls != nullptr, request, hop_ == nullptr ? PathOf(request) : hop_->path);
  if (direction->lead == Direction::Lead::kHere) return true;
  const bool is_known = direction->lead == Direction::Lead::kElsewhere;
  ++(is_known ? counters.redirects_elsewhere : counters.redirects_unreadable);
  return false;
}

// The slot goes on, on this connection, or if that has ended with the answer on the next.
void HttpConnection::Follow(Direction direction, Nanos done) {
  LoopState& l = loop();
  if (hop_ == nullptr) {
    hop_ = std::make_unique<Hop>();
    hop_->sent = sent_;
  }
  hop_->path = std::move(direction.path);
  hop_->is_get = hop_->is_get || BecomesGet(parser_.status(), MethodOf(BytesOf(&RequestOfSlot(), slot_)));
  hop_->is_reopened = false;
  ++hop_->made;
  sent_bytes_ = 0;
  path_.Drop(&l);  // they are of one request, and the slot's time is of several
  TimeoutWheel::Clear(this);
  Prove();
  parser_.Rest(&load().known_header);
  const bool is_last = IsLastRequest();
  if (is_last || !parser_.keep_alive() || state_ != State::kReceiving || transport_.fd() < 0) {
    CloseForSuccessor();
    l.now = done;
    return Open();
  }
  state_ = State::kIdle;
  SendSoon();
  // The peer's close_notify may have been read with the response.
  if (state_ == State::kIdle && load().tls != nullptr && transport_.MayHoldMore()) OnIdleReadable();
}

void HttpConnection::SendHop() {
  LoopState& l = loop();
  Hop& hop = *hop_;
  is_kept_ = false;
  l.ReadClock();
  if (load().IsOver(l.now)) {
    CutHop();
    return Rest(l.now);
  }
  if (!MaySend()) return PauseHop();
  hop.request = MakeHop(BytesOf(&RequestOfSlot(), slot_), hop.path, hop.is_get);
  parser_.Start(hop.request.is_head);
  parser_.ParseAnyway();
  first_byte_ = 0;
  sent_ = hop.sent;
  state_ = State::kSending;
  const Nanos limit = hop.sent + load().timeout;
  if (l.now >= limit) return FailRequest(ETIMEDOUT);  // its connection took that long
  l.wheel->Schedule(this, limit);
  ContinueSending();
  if (state_ == State::kSending) SetInterest(kToReadAndWrite);
}

// The slot would go on, but a ceiling or a rate of new connections keeps it from that, from now on: what it waits is no
// time of the target's.
void HttpConnection::PauseHop() {
  if (!IsFollowing() || hop_->paused_at != 0) return;
  hop_->paused_at = loop().now;
  load().book.Pause(loop().now);
}

void HttpConnection::ResumeHop() {
  if (!IsFollowing() || hop_->paused_at == 0) return;
  const Nanos length = loop().now - std::exchange(hop_->paused_at, 0);
  hop_->sent += length;
  due_ += length;
  load().book.Resume(loop().now);
}

// The slot cannot go on, for want of a connection.
void HttpConnection::LoseHop(int error) {
  ResumeHop();
  Fail({.slot = slot_, .due = due_, .sent = hop_->sent, .address = address_}, OutcomeOf(error), loop().ReadClock());
  hop_.reset();
  has_slot_ = is_kept_ = false;
}

// The point ended before the hop went out.
void HttpConnection::CutHop() {
  ++recorder().counters.redirects_ended;
  LoseHop(ECANCELED);
}

}  // namespace tidemark
