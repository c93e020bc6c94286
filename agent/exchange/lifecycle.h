// A connection's life, whatever is said on it: connecting, tunnel, TLS, back-off, turns and ceilings, closing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/exchange/load.h"
#include "agent/exchange/loop_state.h"
#include "agent/exchange/stamped_path.h"
#include "agent/host/event_loop.h"
#include "agent/net/transport.h"
#include "common/clock.h"
#include "common/stats/outcome.h"

namespace tidemark {

// An attempt to connect that is younger lacks no answer yet: the kernel sends its first SYN again after a second
// (RFC 6298, section 2).
inline constexpr Nanos kYoungAttempt = kSecond;
inline constexpr char kClosedIdle[] = "the peer closed an idle connection";
inline constexpr std::uint32_t kEndOfStream = EPOLLHUP | EPOLLRDHUP;
inline constexpr std::uint32_t kEnding = EPOLLERR | kEndOfStream;
// What goes out at once, whatever the peer does: longer requests may wait for its window, which is no time of ours.
// Source: RFC 6928, the initial window.
inline constexpr std::size_t kInitialWindow = 14'600;

// The base of every connection. A protocol derives from it and gets the rest by five calls, all of them rare: none is
// made for a request. What it is asked each turn - its events, deadlines, sends - the worker calls on the class itself.
// Its members lie side by side, and are more than most classes have: a connection is made a hundred thousand times, and
// each indirection would cost it a pointer.
// Owner: the worker, which keeps it at one address.  Threads: one worker.
// Invariants: (1) transport_ is open from kConnecting on, and in no state before; (2) it counts as up from
// BecomeUp to Close; (3) it is asked for unless is_held_.
class Lifecycle : public TimeoutWheel::Node {
 public:
  Lifecycle(const Lifecycle&) = delete;
  Lifecycle& operator=(const Lifecycle&) = delete;

  // Opens the connection for its first use. REQUIRES: it is closed.
  void Open();

  // The ceiling that has kept it from opening lets it now.
  void GoOnConnecting();

  void Close();

  // Why a slot that waits for this connection is never sent, if what ends its wait is `reason`: where the connection is
  // not up, that it could not be had.
  NeverSent WhyUnsent(NeverSent reason) const;
  // Whether a ceiling, or the rate of new connections, keeps it from going on.
  bool IsHeldByUs() const { return awaits_turn_ || is_held_back_; }
  bool IsSettled() const { return is_settled_; }

 protected:
  // kUpgrading and kSubscribing are a WebSocket's own ways to be not yet up, kSending and kReceiving of requests.
  enum class State : std::uint8_t {
    kClosed,
    kBackoff,
    kConnecting,
    kTunnelling,
    kHandshaking,
    kUpgrading,
    kSubscribing,
    kIdle,
    kSending,
    kReceiving
  };

  // `index`: number of this connection in the run; picks its target and source address in turn.
  Lifecycle(Load* load, std::int64_t index) : load_(load), index_(static_cast<std::uint32_t>(index)) {}
  ~Lifecycle() { TimeoutWheel::Cancel(this); }

  // The protocol's part:
  //
  // What is sent from now on, the target gets. It calls BecomeUp when requests may go out.
  virtual void OnReached() = 0;
  // It is closed, and may open now: its turn to connect has come (has_turn_), or its back-off is over.
  virtual void OnTurn() = 0;
  // The attempt to get a connection failed, or one that `was_up` and had nothing in flight is gone: it is closed.
  virtual void OnLost(NeverSent reason, int error, bool was_up) = 0;
  // A rate of new connections, or a ceiling, keeps it from going on, from now on. `turn`: when it may; 0: unknown.
  virtual void OnKept(Nanos turn) = 0;
  // It is being closed, and its transport is open still.
  virtual void OnClosing() = 0;

  LoopState& loop() const { return *load_->loop; }
  Recorder& recorder() const { return *load_->loop->recorder; }

  // epoll has events for a connection that has not reached its target.
  void OnOpeningEvents();
  // A deadline has passed on one.
  void OnOpeningDeadline();
  // epoll has events with an end of the stream, or an error: what came before is dealt with, unless that is no more
  // than a time stamp; then, if there is an end, exchange->OnEndOfStream() reads up to it: nothing more may go out. Had
  // another connection taken this one's place meanwhile, there would be nothing to read. `exchange`: what this is.
  template <class Exchange>
  void DealWithEnding(Exchange* exchange, std::uint32_t events) {
    if (IsStampAlone(events)) return;
    exchange->OnEvents((events & ~kEnding) | EPOLLIN);
    if ((events & kEndOfStream) != 0) exchange->OnEndOfStream();
  }
  // A deadline has passed while this thread stood still. All that had come by then has been read since: what has not
  // answered at all is late, but what needs us to go on, since `sent_`, has had less than its time, and gets the rest.
  bool NeedsMoreTime(Nanos limit);
  bool IsOpening() const { return state_ > State::kConnecting && state_ < State::kSubscribing; }

  // It is established: idle, and counted as up.
  void BecomeUp();
  // The peer serves this connection, or has had its chance to.
  void Prove() {
    failures_ = 0;
    if (!is_proven_) [[unlikely]] {
      is_proven_ = true;
      ++loop().open_credits;
    }
  }
  // The attempt failed, or one that is up and has nothing in flight was lost; ends in OnLost.
  void FailConnect(Phase phase, int error, std::string text, std::string detail = "");
  void NoteError(ConnectResult result, std::string text, std::string detail = "");
  // A connection that is lost with an alert: what it was.
  void NoteAlert();
  // Whether nobody should try any longer.
  bool IsOutOfPatience() const;
  void BackOff();
  void BackOffUntil(Nanos instant);
  void LeaveBackOff();
  // Nothing is left to do in this phase.
  void Settle();

  // Whether one more message may go out now; else GoOn is called when it may.
  bool MaySend() {
    if (!load_->sends.IsOn() || load_->sends.Take(loop().now)) return true;
    HoldBack();
    return false;
  }
  void HoldBack();
  // The same of what takes a connection a step further that is not up: while it waits no deadline runs.
  bool MayAskToOpen();
  // The ceiling lets it go on. False if it does not wait for that any more, or what it waited for was no protocol's.
  bool EndWait();
  // A ceiling is no doing of the target's.
  void HoldIfOurs();
  // We keep the connection closed ourselves: nobody asks for it until it is opened again.
  void HoldClosed();
  void ReleaseHold();
  // The end of the connection was announced, or is our own: the time that its successor takes to open is nobody's,
  // unless it fails to.
  void HoldForSuccessor();

  // What is filled in from now on is of this moment, or of a microsecond later than what went before: what goes out on
  // one connection has moments that rise.
  void NoteMoment();
  Occasion OccasionOf(std::uint64_t slot) const {
    return {.slot = slot, .seed = load_->seed, .moment = moment_, .trace_point = load_->trace_point};
  }
  // What goes out for the slot, of the moment that was noted. Valid as RequestBytes::Of says.
  const std::string& BytesOf(RequestBytes* request, std::uint64_t slot) const {
    if (!request->has_holes) [[likely]]
      return *request->bytes;
    return request->Of(OccasionOf(slot));
  }

  void SetInterest(std::uint32_t events) {
    if (interest_ == events) return;
    interest_ = events;
    loop().loop->Modify(transport_.fd(), events, this);
  }
  // As a message names who is dialled.
  std::string WhoIsDialled() const;

  Load* const load_;
  Transport transport_;
  StampedPath path_;
  std::unique_ptr<std::string> spill_;  // bytes of an incomplete header, kept between two reads
  Nanos sent_ = 0;                      // when what it waits for began: the attempt, the handshake, the request
  Nanos moment_ = 0;                    // since 1970: see NoteMoment
  Nanos held_since_ = 0;                // while is_held_back_, or awaits_turn_
  Nanos failing_since_ = 0;             // the first connection attempt that failed in a row ...
  std::uint32_t index_ = 0;
  std::uint32_t interest_ = 0;
  std::uint32_t renewals_ = 0;  // how often the connection was made anew on purpose
  std::uint32_t address_ = 0;   // that it is connected to, or was last, as of AddressTally
  std::uint8_t failures_ = 0;   // ... and how many there were
  State state_ = State::kClosed;
  NeverSent refusal_ = NeverSent::kCount;  // why its last attempt failed; kCount: it did not
  bool is_settled_ = false;
  bool is_proven_ = false;     // the peer has answered on this connection
  bool awaits_turn_ = false;   // in kBackoff: a rate of new connections keeps it closed, the plan's or the ceiling's
  bool has_turn_ = false;      // ... and does so no more
  bool is_held_ = false;       // we keep it closed ourselves
  bool is_held_back_ = false;  // a ceiling keeps it from connecting, in kBackoff, or else from sending
  bool is_queued_to_send_ = false;  // at the gates, whether or not it still waits
  bool is_queued_to_connect_ = false;
  bool is_succeeding_ = false;  // held as long as the successor of a connection whose end was announced takes to open

 private:
  bool IsStampAlone(std::uint32_t events);
  void AwaitTurn(Nanos turn);
  void AwaitCeiling();
  void EndTurn();
  void Connect();
  void CountSynRetransmits();
  void OnConnected();
  void BeginTunnel();
  void AskForTunnel();
  void OnTunnelReadable();
  void OnRouteOpen();
  void OnHandshake();
  // One that is made anew goes to the next address each time; one that is lost comes back to its own.
  std::size_t Turn() const { return index_ + renewals_; }
  const SocketAddress& target() const { return load_->targets[Turn() % load_->targets.size()]; }
};

}  // namespace tidemark
