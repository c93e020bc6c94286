// A WebSocket: upgrade, subscriptions, control frames, and how it ends; what its messages mean is another's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/audit/stream_listener.h"
#include "agent/exchange/first_answers.h"
#include "agent/exchange/lifecycle.h"
#include "agent/exchange/response_parser.h"
#include "agent/wire/json_pointers.h"
#include "agent/wire/web_socket.h"

namespace tidemark {

// What the connections of a WebSocket load share.
struct WebSocketLoad : Load {
  using Load::Load;

  // From the plan, constant.
  RequestBytes upgrade;
  std::string subprotocols;                 // offered
  std::unique_ptr<MessageDeflate> deflate;  // offered, if there is one
  ResponseLimits limits;
  std::vector<RequestBytes> subscribe;  // messages that open a connection
  Match ack;                            // what answers each of them; without a pointer nothing is awaited
  Nanos control_interval = 0;           // between subscriptions, pings and pongs; 0: none
  Nanos ping_every = 0;                 // 0: the client sends no pings
  std::string ping_text;                // empty: ping frames
  std::string ping_reply;               // the message that answers ping_text, or "POINTER=VALUE" of it; empty: none
  Match ping_match;                     // ... in the latter case
  bool must_read = false;               // what messages say counts, and not only that they come

  std::int64_t message_room = 0;  // bytes that messages in pieces may still take
  JsonPointers json;
  FirstAnswers first_refusals;  // of upgrades

  void RecordInto(Recorder* recorder) {
    Load::RecordInto(recorder);
    first_refusals.RecordInto(recorder == nullptr ? nullptr : &recorder->statuses);
  }
  void BeginAnswers() {
    StatusSet upgraded;
    first_refusals.Begin(upgraded.set(kSwitchingProtocols));
  }
};

// The base of connections that speak WebSocket. What derives from it says what messages are.
// Threads: one worker.   Invariant: there is a channel_ in states kUpgrading and above, and in no other.
class WebSocketLink : public Lifecycle {
 public:
  // Of Lifecycle.
  void OnEndOfStream() { ReadOn(); }
  // Sends what keeps the connection alive, if it is up and not in the midst of a message.
  void Ping();
  // It has waited for an ack since `instant` or longer: what came instead, in a sentence. Else empty.
  std::string LacksAckSince(Nanos instant) const;

 protected:
  using Lifecycle::Lifecycle;
  ~WebSocketLink() = default;

  // Its subscriptions are acked, and it is up.
  virtual void OnSubscribed(Nanos now) = 0;
  // The WebSocket is over; what was in flight on it ends with `error`, as OutcomeOf reads it.
  virtual void OnEnd(int error) = 0;

  // What the peer sent is read. See TakeFrames; false if the connection is closed, or another one has taken its place.
  virtual bool TakeBytes(absl::string_view bytes, Nanos now) = 0;
  // Reads what is there. A turn's events call it on the class itself.
  virtual void OnFramesReadable() = 0;

  WebSocketLoad& shared() const { return static_cast<WebSocketLoad&>(*load_); }
  const FrameReader& reader() const { return channel_->reader; }

  void OnReached() override;
  void OnClosing() override;
  void OnUpgradeReadable();
  void ReadOn() {
    if (state_ >= State::kSubscribing) OnFramesReadable();
  }

  // Deals with the frames in `bytes`. `exchange`, which this is, has TakeMessage(now), TakeEarlyMessage(now) (while
  // acks are awaited; true if it is an event), PassOver(now) (a message that is none of the streams') and
  // OnBetweenMessages(): called as its own, once a message. False if the connection is closed, or another one has taken
  // its place.
  template <class Exchange>
  bool TakeFrames(Exchange* exchange, absl::string_view bytes, Nanos now);

  // The state waits until `until`; what the rate holds back may be due before.
  void Watch(Nanos until);
  // What was held back has been sent, if that is what was due. False if the state's own deadline lies ahead still.
  bool IsDeadlineOver();
  void OnLinkDeadline();
  // The ceiling lets it go on: true if a request of the exchange may be what has waited.
  bool EndControlWait();
  // Writes subscriptions, pings and pongs as the rate allows; the rest waits for its time.
  void SendControl();
  bool FlushControl();
  // The connection broke: once, whether a read or a write meets it.
  void CountBreak();
  // No further byte comes. A write that failed had found the reset before: the kernel tells of it once.
  void EndStream(const IoResult& io, std::size_t under_way);
  // It has ended while it was subscribing. False if it was not.
  bool FailSubscribing(int error);

  // What a connection has from its upgrade on.
  struct Channel {
    FrameReader reader;
    std::size_t interim_bytes = 0;         // that preceded the answer to the upgrade
    std::string key;                       // sent with the upgrade
    std::uint64_t opening = 0;             // tells what is random in what opens it from what is elsewhere
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
    bool has_pong = false;         // that has to wait
    bool has_ping = false;         // one of ours has to
    bool is_pacing = false;        // control_at is a deadline: something waits for it
    int unanswered_pings = 0;      // in messages
    std::string pong;              // payload of the latest ping, while has_pong
    Nanos control_at = 0;          // when the next subscription, ping or pong may go
    Nanos deadline = TimeoutWheel::kNever;  // of what the state waits for
    std::size_t subscriptions = 0;          // that were sent
    std::size_t acks = 0;                   // that came
  };
  std::unique_ptr<Channel> channel_;

 private:
  void AskForUpgrade();
  bool EndRefused(absl::string_view bytes, bool is_over);
  void Subscribe(Nanos now);
  void ContinueSubscribing(Nanos now);
  bool TakeAck();
  void BecomeSubscribed(Nanos now);
  void HearWhileSubscribing(bool is_event);
  std::string HeardInstead() const;
  bool IsPong();
  bool TakePing();
  void TakeClose();
  void CountControlSent(std::size_t bytes);
  void EndViolated();
};

template <class Exchange>
bool WebSocketLink::TakeFrames(Exchange* exchange, absl::string_view bytes, Nanos now) {
  const WebSocketLoad& load = shared();
  Counters& counters = recorder().counters;
  while (true) {
    FrameReader& reader = channel_->reader;
    switch (reader.Next(&bytes, load.limits.max_body_bytes, load.must_read)) {
      case FrameReader::Event::kNeedMore:
        return true;
      case FrameReader::Event::kMessage:
        ++counters.messages;
        counters.compressed_messages += reader.is_compressed() ? 1 : 0;
        counters.message_bytes += reader.message_bytes();
        if (IsPong()) [[unlikely]] {
          exchange->PassOver(now);
        } else if (state_ != State::kSubscribing) [[likely]] {
          exchange->TakeMessage(now);
        } else if (TakeAck()) {
          exchange->PassOver(now);
          if (channel_->acks == load.subscribe.size()) BecomeSubscribed(now);
        } else {
          HearWhileSubscribing(exchange->TakeEarlyMessage(now));
        }
        exchange->OnBetweenMessages();
        if (state_ < State::kSubscribing) return false;
        break;
      case FrameReader::Event::kPing:
        if (!TakePing()) return false;
        if (!reader.IsInMessage()) exchange->OnBetweenMessages();
        break;
      case FrameReader::Event::kPong:
        ++counters.pongs;
        if (!reader.IsInMessage()) exchange->OnBetweenMessages();
        break;
      case FrameReader::Event::kClose:
        TakeClose();
        OnEnd(0);
        return false;
      case FrameReader::Event::kFailed:
        EndViolated();
        return false;
    }
  }
}

}  // namespace tidemark
