// Requests on a WebSocket: messages that go out, and the replies to them, several under way at once.
#pragma once

#include <cstdint>
#include <string>

#include "agent/exchange/pipeline.h"
#include "agent/exchange/requester.h"
#include "agent/exchange/web_socket_link.h"

namespace tidemark {

// What such connections share.
struct MessagingLoad : WebSocketLoad {
  using WebSocketLoad::WebSocketLoad;

  std::string reply_id;      // JSON pointer; empty: the next message is the reply
  std::size_t pipeline = 1;  // requests under way at once
};

// It has more methods than most, as HttpConnection has, and for its reason: they are what may happen to a request.
// Threads: one worker.
// Invariants, beside those of Requester: the slot in its hands is in flight in the book while kSending and its first
// byte is out; those in pipeline_ are in flight.
class MessagingConnection final : public Requester<MessagingConnection, WebSocketLink> {
 public:
  using Shared = MessagingLoad;
  MessagingConnection(MessagingLoad* load, std::int64_t index, std::uint64_t quota) : Requester(load, index) {
    quota_ = quota;
  }

  // epoll has `events` for its descriptor.
  void OnEvents(std::uint32_t events);
  // The deadline that it set on the wheel has passed.
  void OnDeadline();
  // Sends the slot in its hands. Nothing happens if its peer has closed it in this turn.
  void Send();
  // The ceiling that has kept it from sending lets it now.
  void GoOn();
  // No further request: a slot that waits is counted as never sent for `reason`; those in flight go on.
  void StopWaiting(NeverSent reason);
  // Ends requests in flight as cut off, and closes.
  void CutOff();

  // Of Requester.
  bool HasUnderWay() const { return pipeline_.size() > 0; }
  void WakeAt(Nanos instant);
  void NoteRoom(Nanos due) { room_since_ = channel_ == nullptr ? 0 : due; }

  // Of WebSocketLink::TakeFrames.
  void TakeMessage(Nanos now);
  void Complete(const SlotBook::Entry& entry, Nanos now);
  [[gnu::noinline]] void CompleteNotable(const SlotBook::Entry& entry, Nanos now);
  bool TakeEarlyMessage(Nanos) {
    ++recorder().counters.orphan_messages;
    return false;
  }
  void PassOver(Nanos) {}
  void OnBetweenMessages() { first_byte_ = 0; }

 private:
  MessagingLoad& load() const { return static_cast<MessagingLoad&>(*load_); }
  SlotBook::Entry EntryOf(const Pipeline::Request& request) const {
    return {.slot = request.slot, .due = request.due, .sent = request.sent, .address = address_};
  }
  // The bytes of the request in its hands; of one of which nothing has gone out yet, made anew.
  const std::string& FrameNow() {
    RequestBytes& request = load().requests[load().RequestIndex(slot_)];
    if (request.has_holes && sent_bytes_ == 0) NoteMoment();
    return request.FrameOf(BytesOf(&request, slot_), slot_, channel_->is_deflated ? load().deflate.get() : nullptr);
  }

  bool HasControlToSend();
  IoResult SendStamped(absl::string_view frame);
  void ContinueSending();
  void OnMessageSent();
  void FillPipeline();
  void WatchReplies();
  void OnRoom(Nanos now);
  void OnReplyDeadline();
  void FailUnderWay(Pipeline::Request* request, int error, Nanos now);
  void FailAllUnderWay(int error);
  void FailRequest(int error);
  void LoseUnused(int error);
  void LoseIdle();

  bool TakeBytes(absl::string_view bytes, Nanos now) override { return TakeFrames(this, bytes, now); }
  void OnFramesReadable() override;
  void OnSubscribed(Nanos now) override;
  void OnEnd(int error) override;
  void OnClosing() override;

  Pipeline pipeline_;
  Nanos room_since_ = 0;  // when it had room for a request that has not been taken yet
  bool is_filling_ = false;
};

}  // namespace tidemark
