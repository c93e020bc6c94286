// One connection of a worker, HTTP or WebSocket: what happens to a request between its due time and its outcome.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/audit/stream_listener.h"
#include "agent/compose/redirect.h"
#include "agent/compose/request_source.h"
#include "agent/exchange/first_answers.h"
#include "agent/exchange/pipeline.h"
#include "agent/exchange/response_parser.h"
#include "agent/host/attention.h"
#include "agent/host/event_loop.h"
#include "agent/measure/path_info.h"
#include "agent/measure/recorder.h"
#include "agent/measure/slot_book.h"
#include "agent/measure/stamp_sampler.h"
#include "agent/net/transport.h"
#include "agent/pace/budget.h"
#include "agent/pace/pacer.h"
#include "agent/wire/json_pointers.h"
#include "agent/wire/web_socket.h"
#include "common/plan/status_set.h"

namespace tidemark {

class Connection;

// Connection attempts that failed, by what is said of all of the kind. Bounded.
struct ConnectErrors {
  struct Entry {
    ConnectResult result = ConnectResult::kOther;
    std::int64_t count = 0;
    std::string detail = {};  // of one of them, as the reply that refused it

    void Add(const Entry& other);
  };
  std::map<std::string, Entry> by_text;
};

// How a connection listens.
struct ListenRules {
  StreamRules streams;
  Nanos hold = TimeoutWheel::kNever;  // churn
  enum class Jitter : std::uint8_t { kNone, kFixed, kFull };
  Jitter jitter = Jitter::kNone;  // of a storm
  Nanos delay = 0;
};

// What goes out at once, whatever the peer does: longer requests may wait for its window, which is no time of ours.
// Source: RFC 6928, the initial window.
inline constexpr std::size_t kInitialWindow = 14'600;

// What the connections of one worker share. Owned by the worker, which outlives them.
struct ConnectionContext {
  EventLoop* loop = nullptr;
  TimeoutWheel* wheel = nullptr;
  Recorder* recorder = nullptr;  // of the current interval
  SlotBook book;                 // which writes into it
  ClosedLoop pacer;
  Gate sends;             // every request, message, ping and subscription, and what opens a tunnel or a WebSocket
  Gate connects;          // every attempt to connect
  bool has_held = false;  // somebody waits at one of them
  std::optional<OpenLoop> open_loop;  // while a point with a schedule runs; then the pacer only says when to stop

  // From the plan, constant.
  RequestMix requests;
  RequestMix last_requests;  // the same, as the last on a connection; with reconnect_after
  StatusSet success;
  ResponseLimits limits;
  Nanos timeout = 0;
  Nanos connect_timeout = 0;
  Nanos think_time = 0;
  std::int64_t follow = 0;           // redirects that a slot follows at most; 0: they are answers like others
  std::int64_t stamp_every = 0;      // one of so many requests gets kernel time stamps; 0: as their rate demands
  bool has_stamps = false;           // the kernel can stamp what goes to the target
  bool is_single_use = false;        // each request on a connection of its own
  std::int64_t reconnect_after = 0;  // requests on a connection, before a new one takes its place; 0: no limit
  bool is_lasting = true;            // no request is the last on its connection by the plan
  bool is_plain_reuse = true;        // ... and there is no TLS, which may hold an end that no event tells of
  bool is_one_request = true;        // all slots send the same one
  bool is_plain_send = true;         // all at once, and without a ceiling
  Nanos drain = 0;                   // how long after the end of a point its answers are waited for
  Nanos connect_interval = 0;        // between two attempts to connect; 0: none
  Nanos may_connect_at = 0;          // ... when the next one may begin
  std::vector<SocketAddress> targets;
  std::vector<std::uint32_t> target_indices;  // of each, as of AddressTally
  std::vector<SocketAddress> sources;
  Nanos targets_since = 0;  // when they came in the place of others; 0: they are the first
  bool is_proxied = false;  // the targets are a proxy's addresses
  std::string tunnel;       // ... which is asked for a tunnel with this; empty: for each request
  SSL_CTX* tls = nullptr;
  std::string server_name;
  std::optional<UpgradeRequest> upgrade;   // of a WebSocket target
  std::string subprotocols;                // ... offered
  std::string reply_id;                    // ... JSON pointer; empty: the next message is the reply
  std::span<const std::string> subscribe;  // ... messages that open a connection
  Match ack;                               // ... what answers each of them; without a pointer nothing is awaited
  std::int64_t message_room = 0;           // ... bytes that messages in pieces may still take
  std::size_t pipeline = 1;                // ... requests under way at once
  Nanos control_interval = 0;              // ... between subscriptions, pings and pongs; 0: none
  const std::atomic<Nanos>* target_clock = nullptr;  // ... its offset to our wall clock; null: 0
  std::unique_ptr<MessageDeflate> deflate;           // ... offered, if there is one
  std::optional<ListenRules> listen;
  Nanos ping_every = 0;    // 0: the client sends no pings
  std::string ping_text;   // ... empty: ping frames
  std::string ping_reply;  // the message that answers ping_text, or "POINTER=VALUE" of it; empty: none
  Match ping_match;        // ... in the latter case

  // State of the worker as its connections see it.
  bool is_over = false;      // the time of the point has passed, or it was stopped: no hop begins
  bool is_preparing = true;  // connections stay open for the start, whether or not they have a slot
  KnownHeader known_header;
  const Masks* masks = nullptr;  // of the plan's secrets
  FirstAnswers first_answers;    // of responses
  FirstAnswers first_refusals;   // of upgrades
  std::uint64_t random = 0;      // state of NextRandom
  std::unique_ptr<JsonPointers> json;
  std::vector<char> buffer;                  // one read buffer for all
  StampSampler stamps;                       // which requests, or reads of streams, get kernel time stamps
  StampSwitch stamp_switch;                  // ... of what arrives
  std::vector<StreamListener::Noted> noted;  // listening: the events of a read that is stamped
  Nanos path_looked_at = 0;                  // when the path of a stamped connection was last looked at
  Nanos usual_wire = 0;                      // of stamped requests, on average ...
  Nanos usual_target = 0;                    // ... and without the network, where it lost nothing
  std::int64_t settled = 0;                  // connections with nothing left to do in this phase
  std::int64_t up = 0;                       // connections established now
  std::int64_t short_of_room = 0;            // attempts that wait for room in the target's accept queue
  std::int64_t backing_off = 0;              // connections that wait before they are tried again
  std::int64_t asked = 0;  // connections that should be up now: all but those that we hold closed ourselves
  Nanos counted_to = 0;    // up to when the recorder knows of both
  int open_credits = 0;    // see Worker::OpenConnections
  // Requests that are due go out together at the end of a turn: see Worker::Run.
  std::vector<Connection*> to_send;
  // Open loop: connections free to take a slot, longest first.
  Connection* first_free = nullptr;
  Connection* last_free = nullptr;
  bool is_in_turn = false;
  Nanos now = 0;        // the latest clock reading of this thread
  Nanos start = 0;      // T0 of the point; meaningful when not preparing
  Attention attention;  // of this thread
  Nanos behind_at = 0;  // when this thread last had not read for a while, or left more unread than fits its buffer
  NeverSent last_refusal = NeverSent::kCount;  // why the last attempt failed; kCount: it did not
  ConnectErrors connect_errors;

  void RecordInto(Recorder* current) {
    recorder = current;
    book.RecordInto(current);
    StatusCounts* const statuses = current == nullptr ? nullptr : &current->statuses;
    first_answers.RecordInto(statuses);
    first_refusals.RecordInto(statuses);
  }

  // From now on the first answer of each failing status is wanted, whether or not its header is known.
  void BeginAnswers() {
    first_answers.Begin(success);
    StatusSet upgraded;
    first_refusals.Begin(upgraded.set(kSwitchingProtocols));
    known_header = {.first_answers = &first_answers, .is_followed = follow != 0};
  }

  void BeginOpenLoop(const Arrivals& arrivals, Nanos begin) {
    open_loop.emplace(arrivals, begin);
    book.CountFromDue(true);
  }
  void EndOpenLoop() {
    open_loop.reset();
    book.CountFromDue(false);
  }

  // From T0 on, `connections` are asked for.
  void BeginCounting(Nanos instant, std::int64_t connections) {
    counted_to = instant;
    asked = connections;
  }
  // Whether nothing new may begin at `instant`, not even the hop of a slot that is under way.
  bool IsOver(Nanos instant) const { return is_over || pacer.IsStopped() || instant >= pacer.end(); }
  void EndCounting() { counted_to = TimeoutWheel::kNever; }
  // Brings the integrals of the connections that are up, and of those that are asked for, up to `instant`.
  void CountConnections(Nanos instant) {
    if (is_preparing || instant <= counted_to) return;
    const auto length = static_cast<std::uint64_t>(instant - counted_to);
    recorder->counters.up_ns += static_cast<std::uint64_t>(up) * length;
    recorder->counters.asked_ns += static_cast<std::uint64_t>(asked) * length;
    counted_to = instant;
  }
  // One more connection was asked for since `from`.
  void CountMissing(Nanos from) {
    if (is_preparing || counted_to == TimeoutWheel::kNever) return;
    recorder->counters.asked_ns += static_cast<std::uint64_t>(std::max<Nanos>(0, now - std::max(from, start)));
  }
  void ChangeUp(std::int64_t by) {
    CountConnections(now);
    up += by;
  }
  void ChangeAsked(std::int64_t by) {
    CountConnections(now);
    asked += by;
  }

  // The plan's rate of new connections: when an attempt may begin that wants to begin now. Turns of the last 100 ms
  // that nobody took may still be taken, so that a late wake-up costs none.
  Nanos TakeTurnToConnect() {
    const Nanos turn = std::max(may_connect_at, now - 100 * kMillisecond);
    may_connect_at = turn + connect_interval;
    return turn;
  }

  // Which request the slot sends.
  std::size_t RequestIndex(std::uint64_t slot) const {
    if (!requests.IsMixed()) [[likely]]
      return 0;
    return requests.IndexOf(slot, book.stride());
  }

  // Of keys and masks: what nobody can foretell without the seed.
  std::uint64_t NextRandom() { return Mix64(++random); }

  Nanos ReadClock() { return now = MonotonicNow(); }
};

// Threads: one worker. Owner: Worker, which keeps it at one address.
// Invariants: (1) has_slot_ in states kClosed to kSubscribing: the slot waits in the book;
// (2) in kSending and kReceiving it is in flight there from its first byte on, and while IsFollowing() in all states;
// (3) a slot leaves through exactly one of SlotBook::Complete, Fail and NeverSend.
class Connection : public TimeoutWheel::Node {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { TimeoutWheel::Cancel(this); }

  // `index`: number of this connection in the run; picks its target and source address in turn.
  // `quota`: requests it may send in the phase that begins.
  void Init(ConnectionContext* context, std::int64_t index, std::uint64_t quota);

  // Opens the connection for its first use. REQUIRES: it is closed.
  void Open();

  // A new phase begins: takes slots of `quota`, the first of them due at `due`. REQUIRES: no slot is in its hands.
  void Begin(std::uint64_t quota, Nanos due);

  // epoll has `events` for its descriptor.
  void OnEvents(std::uint32_t events);

  // The deadline that it set on the wheel has passed.
  void OnDeadline();

  // No further request: a slot that waits is counted as never sent for `reason`; one in flight goes on.
  void StopWaiting(NeverSent reason);

  // Listening: closes, and comes back as the rules of the storm say. Nothing happens unless it is up.
  void Storm();

  // Sends what keeps the connection alive, if it is up and not in the midst of a message.
  void Ping();

  // It has waited for an ack since `instant` or longer: what came instead, in a sentence. Else empty.
  std::string LacksAckSince(Nanos instant) const;

  // The ceiling that has kept it from sending, or from opening, lets it now.
  void GoOn();
  void GoOnConnecting();

  // A closed loop's time is over: what was held back is not sent any more, and was not planned.
  void DropHeld();

  // Ends a request in flight as cut off, and closes.
  void CutOff();

  void Close();

  // Why a slot that waits for this connection is never sent, if what ends its wait is `reason`: where the connection is
  // not up, that it could not be had.
  NeverSent WhyUnsent(NeverSent reason) const;
  // Whether a ceiling, or the rate of new connections, keeps it from going on.
  bool IsHeldByUs() const { return awaits_turn_ || is_held_back_; }

  // Sends the slot in its hands. REQUIRES: it is idle and has one.
  void Send();

  // Open loop: leaves the front of those that are free, and sends the oldest slot that waits, unless the connection has
  // gone meanwhile. `is_prompt`: the slot has only just fallen due.  REQUIRES: it is the first one free, a slot waits.
  void ServeWaiting(bool is_prompt);

  bool IsSettled() const { return is_settled_; }
  std::uint64_t quota() const { return quota_; }
  void ForgetQuota() { quota_ = 0; }

 private:
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

  struct WebSocket {
    FrameReader reader;
    std::size_t interim_bytes = 0;         // that preceded the answer to the upgrade
    std::string key;                       // sent with the upgrade
    std::string control;                   // what is to be sent before the next request: the upgrade, pongs, a close
    std::uint64_t control_sent = 0;        // bytes of it that have gone out
    std::vector<std::uint64_t> pong_ends;  // where in it the pongs end that have not gone out
    int write_error = 0;                   // a write has failed; what has come can still be read
    struct Heard {
      std::string message;    // the last one that was no ack
      bool is_event = false;  // ... it is one of a stream
      int close_code = 0;     // 0: no close frame has come
      std::string close_reason;
    };
    std::unique_ptr<Heard> heard;  // while subscribing, safe to print
    bool is_closing = false;
    bool is_deflated = false;
    bool is_amid_request = false;  // nothing may come between the parts of one: a frame, or a TLS record, is half sent
    Pipeline pipeline;
    bool is_filling = false;
    Nanos room_since = 0;  // when the pipeline had room for a request that has not been taken yet
    std::string pong;      // payload of the latest ping, while its pong has to wait
    bool has_pong = false;
    bool has_ping = false;                     // one of ours has to wait
    int unanswered_pings = 0;                  // in messages
    bool is_pacing = false;                    // control_at is a deadline: something waits for it
    Nanos control_at = 0;                      // when the next subscription, ping or pong may go
    Nanos deadline = TimeoutWheel::kNever;     // of what the state waits for
    Nanos close_at = TimeoutWheel::kNever;     // churn
    std::size_t subscriptions = 0;             // that were sent
    std::size_t acks = 0;                      // that came
    Nanos subscribed = 0;                      // when events were due to begin; 0 once one has come
    std::unique_ptr<StreamListener> listener;  // while listening
  };

  // Of a slot that follows a redirect: it is in flight since its first request, and its hops are requests besides.
  struct Hop {
    RequestBytes request;
    std::string path;
    bool is_get = false;       // it has become one
    std::int64_t made = 0;     // hops, with this one
    Nanos sent = 0;            // when the slot's first request went out, and as much later as we kept it from going on
    Nanos paused_at = 0;       // since when we keep it; 0: we do not
    bool is_reopened = false;  // an idle connection was lost, and another one has taken its place
    bool is_over = false;      // its answer is the slot's
  };

  void Connect();
  void CountSynRetransmits();
  void OnConnected();
  void BeginTunnel();
  void AskForTunnel();
  void OnTunnelReadable();
  void OnReached();
  std::string WhoIsDialled() const;
  void OnHandshake();
  void OnEstablished();
  void CountEstablished();
  void BeginUpgrade();
  void AskForUpgrade();
  void OnUpgradeReadable();
  void MarkSent();
  void ContinueSending();
  void OnReadable();
  void OnEnding(std::uint32_t events);
  void OnPeerClosed();
  IoResult SendFirst(bool is_stamped);
  void AwaitContinue();
  void SendBody();
  bool IsLastRequest();
  void RecordStamps(bool is_success);
  bool TakeStampedFrames(absl::string_view bytes, Nanos now, Nanos came);
  void RecordArrivals(Nanos now, Nanos read, Nanos came);
  bool LookAtPath(Nanos wire, bool* has_lost);
  void RecordPath(Nanos wire, bool has_lost, bool is_one_way);
  IoResult SendStampedMessage(absl::string_view frame);
  void OnIdleReadable();
  void LoseIdle();
  void OnFramesReadable();
  bool EndRefused(absl::string_view bytes, bool is_over);
  bool TakeFrames(absl::string_view bytes, Nanos now);
  void OnMessage(Nanos now);
  bool IsPong();
  void TakeReply(Nanos now);
  void FillPipeline();
  void SendMessage();
  void OnMessageSent();
  void FailUnderWay(Pipeline::Request* request, int error, Nanos now);
  void FailAllUnderWay(int error);
  void OnReplyDeadline();
  void OnRoom(Nanos now);
  void WatchReplies();
  void Watch(Nanos until);
  bool IsDeadlineOver();
  void Subscribe(Nanos now);
  void SendControl();
  void ContinueSubscribing(Nanos now);
  bool TakeAck(Nanos now);
  void OnSubscribed(Nanos now);
  void WatchSilence(Nanos now);
  StreamListener::Arrival ArrivalAt(Nanos now) const;
  void OnEvent(Nanos now);
  void OnListenDeadline();
  bool FlushControl();
  void CountControlSent(std::size_t bytes);
  void EndStream(const IoResult& io);
  void CountBreak();
  void EndViolated();
  void HearWhileSubscribing(bool is_event);
  void HearCloseWhileSubscribing();
  std::string HeardInstead() const;
  bool HasControlToSend();
  // The request in its hands.
  RequestBytes& RequestInHand() {
    ConnectionContext& c = *context_;
    if (c.is_one_request) [[likely]]
      return c.requests[0];
    return IsFollowing() ? hop_->request : RequestOfSlot();
  }
  // The one of the plan that the slot in its hands sends first.
  RequestBytes& RequestOfSlot() {
    ConnectionContext& c = *context_;
    const bool is_last = c.reconnect_after != 0 && served_ + 1 >= c.reconnect_after;
    return (is_last ? c.last_requests : c.requests)[c.RequestIndex(slot_)];
  }
  // Its bytes.
  const std::string& RequestNow() {
    RequestBytes& request = RequestInHand();
    if (web_socket_ == nullptr) [[likely]]
      return request.Of(slot_);
    return request.FrameOf(slot_, web_socket_->is_deflated ? context_->deflate.get() : nullptr);
  }
  void EndWebSocket(int error);
  void CompleteResponse(Nanos done);
  void RefuseRest(std::size_t bytes);
  bool IsFollowing() const { return hop_ != nullptr && !hop_->is_over; }
  void CompleteOrFollow(Nanos done);
  bool MayFollow(Nanos done, Direction* direction);
  bool NeedsMoreTime();
  void PauseHop();
  void ResumeHop();
  void Follow(Direction direction, Nanos done);
  void SendHop();
  void LoseHop(int error);
  void CutHop();
  bool ClaimSlot(Nanos due);
  void DeferSlot();
  void PlanDeferred();
  void Rest(Nanos done);
  void Think(Nanos until);
  void TakeNext(Nanos due);
  void AwaitTurn(Nanos turn);
  void AwaitCeiling();
  void EndTurn();
  bool MaySend();
  bool MaySendRequest();
  void HoldBack();
  void HoldIfOurs();
  void KeepListening();
  void HoldClosed();
  void ReleaseHold();
  Nanos ComeBackAt();
  void TakeWaiting();
  void Settle();
  void FailConnect(Phase phase, int error, std::string text, std::string detail = "");
  void NoteError(ConnectResult result, std::string text, std::string detail = "");
  void BackOff();
  void LeaveBackOff();
  bool IsLate(const SlotBook::Entry& entry, Nanos done) const;
  void ComeBack();
  void HoldForSuccessor();
  void GiveUp(NeverSent reason);
  void FailRequest(int error);
  void NeverSend(NeverSent reason);
  SlotBook::Entry SlotInHand() const { return {.slot = slot_, .due = due_, .sent = sent_, .address = address_}; }
  SlotBook::Entry EntryOf(const Pipeline::Request& request) const {
    return {.slot = request.slot, .due = request.due, .sent = request.sent, .address = address_};
  }
  void LeaveSlot();
  // The peer serves this connection, or has had its chance to.
  void Prove() {
    failures_ = 0;
    if (!is_proven_) [[unlikely]] {
      is_proven_ = true;
      ++context_->open_credits;
    }
  }
  void SetInterest(std::uint32_t events);
  // One that is made anew goes to the next address each time; one that is lost comes back to its own.
  std::size_t Turn() const { return index_ + renewals_; }
  const SocketAddress& target() const { return context_->targets[Turn() % context_->targets.size()]; }

  ConnectionContext* context_ = nullptr;
  Transport transport_;
  ResponseParser parser_;
  // Nobody waits for the stamps any more.
  void DropStamps() {
    if (stamps_.IsWanted()) context_->stamps.Settle(stamps_.sent, stamps_.from_wire != 0);
    stamps_ = {};
  }

  // Instants on the wall clock of a request that the kernel stamps; 0: not known yet.
  struct Stamps {
    bool IsWanted() const { return sent != 0; }
    bool AreOf(std::uint64_t number) const { return IsWanted() && slot == number; }

    std::uint64_t slot = 0;
    Nanos sent = 0;
    Nanos to_wire = 0;
    Nanos from_wire = 0;
  };
  Stamps stamps_;
  PathInfo path_;                          // when it was last looked at
  std::unique_ptr<WebSocket> web_socket_;  // from the upgrade on
  std::unique_ptr<std::string> spill_;     // bytes of an incomplete header, kept between two reads
  std::unique_ptr<Hop> hop_;               // while its slot follows a redirect
  Connection* next_free_ = nullptr;
  Nanos due_ = 0;           // of its slot; listening: the storm that it has not come back from, else 0
  Nanos sent_ = 0;          // also: when connecting or the handshake began
  Nanos first_byte_ = 0;    // of the response; 0: none yet
  std::uint64_t slot_ = 0;  // the number of the slot in its hands
  std::uint64_t quota_ = 0;
  std::size_t sent_bytes_ = 0;  // of the current request
  std::uint32_t index_ = 0;
  std::uint32_t interest_ = 0;
  std::uint32_t renewals_ = 0;  // how often the connection was made anew on purpose
  std::uint32_t address_ = 0;   // that it is connected to, or was last, as of AddressTally
  std::int64_t served_ = 0;     // requests on this connection; counted unless all connections last
  Nanos held_since_ = 0;        // while is_held_back_, or awaits_turn_
  Nanos failing_since_ = 0;     // the first connection attempt that failed in a row ...
  std::uint8_t failures_ = 0;   // ... and how many there were
  State state_ = State::kClosed;
  NeverSent refusal_ = NeverSent::kCount;  // why its last attempt failed; kCount: it did not
  bool has_slot_ = false;
  bool is_deferred_ = false;  // ... which is planned when there is a connection for it, or none can be had
  bool is_settled_ = false;
  bool is_done_ = false;          // it takes no more slots in this phase, and only opens for the next
  bool is_thinking_ = false;      // idle or closed until due_, when it takes its next slot
  bool is_free_ = false;          // in the list of those that are free
  bool is_prompt_ = false;        // its slot found it free when it fell due
  bool is_proven_ = false;        // the peer has answered on this connection
  bool awaits_continue_ = false;  // the head of its request is out, and the body waits
  bool awaits_turn_ = false;      // in kBackoff: a rate of new connections keeps it closed, the plan's or the ceiling's
  bool has_turn_ = false;         // ... and does so no more
  bool is_held_ = false;          // we keep it closed ourselves
  bool is_held_back_ = false;     // a ceiling keeps it from connecting, in kBackoff, or else from sending
  bool is_queued_to_send_ = false;  // at the gates, whether or not it still waits
  bool is_queued_to_connect_ = false;
  bool is_kept_ = false;        // its slot has outlived a connection, and was planned before
  bool is_succeeding_ = false;  // held as long as the successor of a connection whose end was announced takes to open
};

}  // namespace tidemark
