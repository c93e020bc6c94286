// Reads straight down: OnReached -> OnSubscribed -> OnFramesReadable -> TakeMessage; then silence, churn and storms.
#include "agent/exchange/listening_connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tidemark {

void ListeningConnection::Begin(std::uint64_t, Nanos) {
  is_settled_ = false;
  is_held_ = is_succeeding_ = false;  // whose connections are asked for is counted anew
  HoldIfOurs();
  failures_ = 0;
  if ((state_ > State::kBackoff && state_ < State::kIdle) || awaits_turn_) return;
  if (state_ == State::kBackoff) LeaveBackOff();
  KeepListening();
}

void ListeningConnection::KeepListening() {
  if (load_->pacer.IsStopped()) return Settle();
  if (state_ == State::kClosed) return Open();
  if (loop().is_preparing) Settle();
}

void ListeningConnection::OnReached() {
  listener_ = std::make_unique<StreamListener>(&load().rules.streams, &load().json);
  WebSocketLink::OnReached();
}

void ListeningConnection::OnSubscribed(Nanos now) {
  subscribed_ = now;
  close_at_ = load().rules.hold == TimeoutWheel::kNever ? TimeoutWheel::kNever : now + load().rules.hold;
  WatchSilence(now);
  if (const Nanos storm = std::exchange(storm_, 0); storm != 0) recorder()[Metric::kBack].Record(now - storm);
  KeepListening();
}

void ListeningConnection::OnEvents(std::uint32_t events) {
  if ((events & kEnding) != 0) [[unlikely]]
    return DealWithEnding(this, events);
  if (state_ >= State::kSubscribing) return OnFramesReadable();
  state_ == State::kUpgrading ? OnUpgradeReadable() : OnOpeningEvents();
}

void ListeningConnection::OnFramesReadable() {
  LoopState& l = loop();
  if (!FlushControl()) return;
  // Reads are sampled: all events of one.
  const bool is_sampled = state_ == State::kIdle && !l.stamps.Passes();
  bool is_taken = false;
  Nanos came = 0;
  while (true) {
    const IoResult io = is_sampled ? transport_.ReceiveWithStamp(l.buffer.data(), l.buffer.size(), &came)
                                   : transport_.Receive(l.buffer.data(), l.buffer.size());
    if (io.kind == IoResult::Kind::kWantRead || io.kind == IoResult::Kind::kWantWrite) return;
    if (io.kind == IoResult::Kind::kFailed || io.kind == IoResult::Kind::kClosed) return EndStream(io, 0);
    const Nanos now = l.ReadClock();
    l.recorder->counters.bytes_received += io.bytes;
    if (io.bytes == l.buffer.size()) l.behind_at = now;  // and there may be more
    const absl::string_view bytes(l.buffer.data(), io.bytes);
    if (is_sampled) [[unlikely]] {
      if (!std::exchange(is_taken, true)) l.stamps.Take(now);
      if (!TakeStampedFrames(bytes, now, came)) return;
    } else if (!TakeFrames(this, bytes, now)) {
      return;
    }
    if (!transport_.is_tls() && io.bytes < l.buffer.size()) return;  // drained
  }
}

// What was read, the last of it came at `came` on the wall clock; 0: nobody knows.
bool ListeningConnection::TakeStampedFrames(absl::string_view bytes, Nanos now, Nanos came) {
  const Nanos read = WallNow();
  load().noted.clear();
  listener_->NoteInto(&load().noted);
  if (!TakeFrames(this, bytes, now)) return false;
  listener_->NoteInto(nullptr);
  if (came != 0 && !load().noted.empty()) RecordArrivals(now, read, came);
  return true;
}

// When the events of a read at `now`, which is `read` on the wall clock, came, of which the last came at `came`. The
// kernel joins what lies in a socket's queue, and keeps the last stamp alone. What may have lain there while this
// thread was kept from reading is taken to have come as soon after its event as the last one did, or without times
// evenly; all else came together.
void ListeningConnection::RecordArrivals(Nanos now, Nanos read, Nanos came) {
  LoopState& l = loop();
  Recorder& recorder = *l.recorder;
  const std::vector<StreamListener::Noted>& noted = load().noted;
  const auto count = static_cast<Nanos>(noted.size());
  const Nanos unread = count == 1 ? 0 : l.attention.UnreadBefore(now - (read - came));
  const Nanos usual = came - noted.back().at;
  const auto came_at = [&](Nanos i) {
    const Nanos at = noted[static_cast<std::size_t>(i)].at;
    return at == 0 ? came - unread * (count - 1 - i) / count : std::clamp(at + usual, came - unread, came);
  };
  bool has_lost = false;
  const bool has_path = noted.back().at != 0 && path_.Look(&l, transport_.fd(), usual, &has_lost);
  for (Nanos i = 0; i < count; ++i) {
    const StreamListener::Noted& event = noted[static_cast<std::size_t>(i)];
    recorder[Metric::kWireToApp].Record(read - came_at(i));
    if (event.at == 0) continue;
    recorder[Metric::kStamped].Record(event.staleness);
    recorder[Metric::kWire].Record(came_at(i) - event.at);
    if (has_path) path_.RecordTarget(&l, came_at(i) - event.at, has_lost, true);
  }
}

StreamListener::Arrival ListeningConnection::ArrivalAt(Nanos now) const {
  const LoopState& l = loop();
  const ListeningLoad& load = this->load();
  return {.now = now,
          .since_start = l.is_preparing ? -1 : now - l.start,
          .clock_offset = load.target_clock == nullptr ? 0 : load.target_clock->load(std::memory_order_relaxed),
          .behind_at = l.behind_at};
}

// A message of a stream.
void ListeningConnection::TakeMessage(Nanos now) {
  Recorder& recorder = *loop().recorder;
  ++recorder.addresses.succeeded[address_];
  if (!listener_->Take(reader().payload(), reader().message_bytes(), ArrivalAt(now), &recorder)) return;
  recorder.last_end = now;
  if (!is_proven_ && state_ == State::kIdle) Prove();  // what comes before the acks proves nothing
  if (const Nanos subscribed = std::exchange(subscribed_, 0); subscribed != 0)
    recorder[Metric::kFirstEvent].Record(now - subscribed);
  if (state_ == State::kIdle) WatchSilence(now);
}

// Events may come before the last ack.
bool ListeningConnection::TakeEarlyMessage(Nanos now) {
  const std::uint64_t unread = recorder().counters[Finding::kUnread];
  TakeMessage(now);
  return recorder().counters[Finding::kUnread] == unread;
}

// It may carry a number of the sequence all the same.
void ListeningConnection::PassOver(Nanos now) {
  ++recorder().addresses.succeeded[address_];
  listener_->PassOver(reader().payload(), ArrivalAt(now), &recorder());
}

// A message has just come, or may come: how long it may be silent from now on.
void ListeningConnection::WatchSilence(Nanos now) { Watch(std::min(now + listener_->Patience(), close_at_)); }

void ListeningConnection::OnDeadline() {
  if (state_ >= State::kSubscribing && !IsDeadlineOver()) return;
  state_ < State::kIdle ? OnLinkDeadline() : OnSilence();
}

// Nothing has come for as long as the rules allow, or the connection has been held long enough.
void ListeningConnection::OnSilence() {
  if (loop().ReadClock() < close_at_) {
    ++recorder().counters[Finding::kSilence];  // once, until the next message
    return Watch(close_at_);
  }
  ++recorder().counters[Finding::kHeld];
  ++renewals_;
  Close();
  HoldForSuccessor();
  Open();
}

void ListeningConnection::Storm() {
  if (state_ != State::kIdle) return;
  ++recorder().counters[Finding::kStorm];
  Close();
  storm_ = loop().now;
  if (load().rules.jitter == ListenRules::Jitter::kNone) return Open();
  HoldClosed();
  BackOffUntil(ComeBackAt());
}

// When the next attempt is due after a storm.
Nanos ListeningConnection::ComeBackAt() {
  LoopState& l = loop();
  const ListenRules& rules = load().rules;
  if (rules.jitter == ListenRules::Jitter::kFixed) return l.now + rules.delay;
  return l.now + static_cast<Nanos>(l.NextRandom() % static_cast<std::uint64_t>(rules.delay + 1));
}

// It is not there, and is wanted: after a storm when its rules say, else after a pause.
void ListeningConnection::PauseBeforeNext() {
  if (!ComesBackByRules()) return BackOff();
  loop().ReadClock();
  BackOffUntil(ComeBackAt());
}

void ListeningConnection::OnEnd(int error) {
  if (FailSubscribing(error)) return;
  NoteAlert();
  Close();
  if (!loop().is_preparing) ++recorder().counters[Finding::kReconnect];
  // At once if its peer has served it since it was opened.
  if (!load_->pacer.IsStopped()) return is_proven_ && !ComesBackByRules() ? Open() : PauseBeforeNext();
  if (is_settled_) HoldClosed();
}

void ListeningConnection::OnLost(NeverSent reason, int, bool) {
  if (load_->pacer.IsStopped()) return Settle();
  if (!IsOutOfPatience()) return PauseBeforeNext();
  load_->last_refusal = reason;
  if (!loop().is_preparing) ++recorder().counters.given_up;
  Settle();
}

void ListeningConnection::StopWaiting(NeverSent) {
  if (state_ > State::kBackoff && state_ < State::kIdle) Close();
  if (state_ == State::kBackoff) LeaveBackOff();
  is_held_back_ = false;
  Settle();
}

void ListeningConnection::OnClosing() {
  if (listener_ != nullptr) listener_->End(&recorder());
  WebSocketLink::OnClosing();
  listener_.reset();
  subscribed_ = 0;
}

}  // namespace tidemark
