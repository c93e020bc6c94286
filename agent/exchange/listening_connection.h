// A WebSocket that is listened to: streams of events, churn and storms.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "agent/audit/stream_listener.h"
#include "agent/exchange/web_socket_link.h"

namespace tidemark {

// How a connection listens.
struct ListenRules {
  StreamRules streams;
  Nanos hold = TimeoutWheel::kNever;  // churn
  enum class Jitter : std::uint8_t { kNone, kFixed, kFull };
  Jitter jitter = Jitter::kNone;  // of a storm
  Nanos delay = 0;
};

// What such connections share.
struct ListeningLoad : WebSocketLoad {
  using WebSocketLoad::WebSocketLoad;

  ListenRules rules;
  std::vector<StreamListener::Noted> noted;  // the events of a read that is stamped
};

// It takes no slots: it is settled when it is up, or the point is over.  Threads: one worker.
class ListeningConnection final : public WebSocketLink {
 public:
  using Shared = ListeningLoad;
  ListeningConnection(ListeningLoad* load, std::int64_t index, std::uint64_t) : WebSocketLink(load, index) {}

  // A new phase begins.
  void Begin(std::uint64_t, Nanos);
  // epoll has `events` for its descriptor.
  void OnEvents(std::uint32_t events);
  // The deadline that it set on the wheel has passed.
  void OnDeadline();
  // The ceiling that has kept it from sending lets it now.
  void GoOn() { EndControlWait(); }
  // The point is over.
  void StopWaiting(NeverSent);
  // Closes, and comes back as the rules of the storm say. Nothing happens unless it is up.
  void Storm();

  // Of WebSocketLink::TakeFrames.
  void TakeMessage(Nanos now);
  bool TakeEarlyMessage(Nanos now);
  void PassOver(Nanos now);
  void OnBetweenMessages() {}

 private:
  ListeningLoad& load() const { return static_cast<ListeningLoad&>(*load_); }
  void KeepListening();
  bool TakeStampedFrames(absl::string_view bytes, Nanos now, Nanos came);
  void RecordArrivals(Nanos now, Nanos read, Nanos came);
  StreamListener::Arrival ArrivalAt(Nanos now) const;
  void WatchSilence(Nanos now);
  void OnSilence();
  bool ComesBackByRules() const { return storm_ != 0 && load().rules.jitter != ListenRules::Jitter::kNone; }
  void PauseBeforeNext();
  Nanos ComeBackAt();

  bool TakeBytes(absl::string_view bytes, Nanos now) override { return TakeFrames(this, bytes, now); }
  void OnReached() override;
  void OnFramesReadable() override;
  void OnSubscribed(Nanos now) override;
  void OnEnd(int error) override;
  void OnTurn() override { KeepListening(); }
  void OnKept(Nanos) override {}
  void OnLost(NeverSent reason, int error, bool was_up) override;
  void OnClosing() override;

  std::unique_ptr<StreamListener> listener_;  // from the upgrade on
  Nanos subscribed_ = 0;                      // when events were due to begin; 0 once one has come
  Nanos close_at_ = TimeoutWheel::kNever;     // churn
  Nanos storm_ = 0;                           // that it has not come back from; 0: there is none
};

}  // namespace tidemark
