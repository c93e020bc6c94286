// HTTP/1: one request on the wire at a time, and the redirects that a slot follows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/compose/redirect.h"
#include "agent/compose/request_source.h"
#include "agent/exchange/first_answers.h"
#include "agent/exchange/requester.h"
#include "agent/exchange/response_parser.h"
#include "common/plan/status_set.h"

namespace tidemark {

// What the connections of an HTTP load share.
struct HttpLoad : Load {
  using Load::Load;

  // From the plan, constant.
  RequestMix last_requests;  // the requests, as the last on a connection; with reconnect_after
  StatusSet success;
  ResponseLimits limits;
  std::int64_t follow = 0;           // redirects that a slot follows at most; 0: they are answers like others
  std::int64_t reconnect_after = 0;  // requests on a connection, before a new one takes its place; 0: no limit
  bool is_lasting = true;            // no request is the last on its connection by the plan
  bool is_plain_reuse = true;        // ... and there is no TLS, which may hold an end that no event tells of
  bool is_one_request = true;        // all slots send the same one
  bool is_plain_send = true;         // all at once, and without a ceiling

  KnownHeader known_header;
  FirstAnswers first_answers;

  void RecordInto(Recorder* recorder) {
    Load::RecordInto(recorder);
    first_answers.RecordInto(recorder == nullptr ? nullptr : &recorder->statuses);
  }
  // From now on the first answer of each failing status is wanted, whether or not its header is known.
  void BeginAnswers() {
    first_answers.Begin(success);
    known_header = {.first_answers = &first_answers, .is_followed = follow != 0};
  }
};

// Threads: one worker.
// Invariants, beside those of Requester: in kSending and kReceiving the slot is in flight in the book from its first
// byte on, and while IsFollowing() in all states.
// It has more methods than most: what may happen to a request on the wire is what HTTP is, and it is said in one place.
class HttpConnection final : public Requester<HttpConnection, Lifecycle> {
 public:
  using Shared = HttpLoad;
  HttpConnection(HttpLoad* load, std::int64_t index, std::uint64_t quota) : Requester(load, index) { quota_ = quota; }

  // epoll has `events` for its descriptor.
  void OnEvents(std::uint32_t events);
  // The deadline that it set on the wheel has passed.
  void OnDeadline();
  // Sends the slot in its hands, or the hop that it has led to. Nothing happens if its peer has closed it in this turn.
  void Send();
  // The ceiling that has kept it from sending lets it now.
  void GoOn();
  // No further request: a slot that waits is counted as never sent for `reason`; one in flight goes on.
  void StopWaiting(NeverSent reason);
  // Ends a request in flight as cut off, and closes.
  void CutOff();

  // Of Lifecycle, and of Requester.
  void OnEndOfStream() {
    if (state_ == State::kIdle) OnIdleReadable();
  }
  bool HasUnderWay() const { return false; }
  void WakeAt(Nanos instant) { loop().wheel->Schedule(this, instant); }
  void NoteRoom(Nanos) {}

 private:
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

  HttpLoad& load() const { return static_cast<HttpLoad&>(*load_); }
  // The request in its hands.
  RequestBytes& RequestInHand() {
    if (load().is_one_request) [[likely]]
      return load().requests[0];
    return IsFollowing() ? hop_->request : RequestOfSlot();
  }
  // The one of the plan that the slot in its hands sends first.
  RequestBytes& RequestOfSlot() {
    HttpLoad& load = this->load();
    const bool is_last = load.reconnect_after != 0 && served_ + 1 >= load.reconnect_after;
    return (is_last ? load.last_requests : load.requests)[load.RequestIndex(slot_)];
  }

  IoResult SendFirst(absl::string_view bytes, bool is_stamped);
  void ContinueSending();
  void AwaitContinue();
  void SendBody();
  void OnReadable();
  void RefuseRest(std::size_t bytes);
  void OnPeerClosed();
  void CompleteResponse(Nanos done);
  [[gnu::noinline]] void CompleteNotable(Nanos done, std::size_t status, bool is_success);
  bool IsLastRequest();
  void FailRequest(int error);
  void OnIdleReadable();
  void LoseUnused(int error);
  void CloseForSuccessor();

  bool IsFollowing() const { return hop_ != nullptr && !hop_->is_over; }
  void CompleteOrFollow(Nanos done);
  bool MayFollow(Nanos done, Direction* direction);
  void Follow(Direction direction, Nanos done);
  void SendHop();
  void PauseHop();
  void ResumeHop();
  void LoseHop(int error);
  void CutHop();

  void OnReached() override;
  void OnTurn() override;
  void OnKept(Nanos turn) override;
  void OnLost(NeverSent reason, int error, bool was_up) override;
  void OnClosing() override { awaits_continue_ = false; }

  ResponseParser parser_;
  std::unique_ptr<Hop> hop_;      // while its slot follows a redirect
  std::int64_t served_ = 0;       // requests on this connection; counted unless all connections last
  bool awaits_continue_ = false;  // the head of its request is out, and the body waits
};

}  // namespace tidemark
