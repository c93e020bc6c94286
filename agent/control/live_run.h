// One run at this agent, over one stream after another.
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "agent/control/session.h"
#include "agent/host/interrupt.h"
#include "common/control/outbox.h"
#include "common/mutex.h"
#include "protos/agent.pb.h"

namespace tidemark {

// What the coordinator is told if its run cannot go on here, with the exit code that it should end with.
proto::Event FailureEvent(const absl::Status& status);

// The session of a run and what it has to say. A stream takes it over, and lets it go when it breaks; what was said
// meanwhile, or was not heard, is said on the next one.
// Threads: Say, Abandon from any; the others from the streams' threads, of which one has the run at a time. `session`
// belongs to the one that has it, once WaitUntilOpen has returned.
class LiveRun {
 public:
  // How a stream is written to and ended. `cancel` makes its reader return; it may be called from any thread.
  struct Stream {
    std::function<void(const proto::Event&)> write;
    std::function<void()> cancel;
  };

  LiveRun(std::string id, std::uint64_t incarnation) : id_(std::move(id)), incarnation_(incarnation) {}
  ~LiveRun() { End(); }
  const std::string& id() const { return id_; }

  // Opens the session in a thread of its own, so that the stream is listened to meanwhile. If that fails, the
  // coordinator is told why, and the run is over.
  using Opener = std::function<absl::StatusOr<std::unique_ptr<Session>>(const Patience&)>;
  void Open(Nanos limit, Opener opener);
  // Waits for that until `deadline`; whether there is a session.
  bool WaitUntilOpen(Nanos deadline);
  // Interrupts what the run waits for, and ends its session. Returns what that had sent, if there was one.
  std::optional<Session::Account> End();

  bool Is(const std::string& id, std::uint64_t incarnation) const { return id == id_ && incarnation == incarnation_; }
  bool Is(const std::string& id) const { return id == id_; }

  // Takes the run over from the stream that has it, which is cancelled. `heard` is what the coordinator has; the rest
  // is said again, after `greeting`. False if the run is over.
  bool Attach(Stream stream, std::uint64_t heard, const proto::Event* greeting);
  // Lets it go; with `is_over` no other may take it.
  void Detach(bool is_over);
  // After Detach: waits until `deadline` for a stream to take the run over; false, and the run is over, if none does.
  bool WaitForTakeover(Nanos deadline);

  // Numbers the event, keeps it until it is heard, and sends it if there is a stream. May block while it is full.
  void Say(proto::Event event);
  // Sends it if there is a stream.
  void SayOnce(proto::Event event);
  void Fail(const absl::Status& status) { Say(FailureEvent(status)); }
  // Ends the point that is running, if any: what is in flight has `limit` to be answered; and waits until its final
  // shard has been said, or should have been. From any thread.
  void Drain(Nanos limit);

  // Takes note of what the coordinator has heard. Errors: FailedPrecondition if a command is missing before this one,
  // ResourceExhausted if the coordinator hears nothing. *is_new is false for a command that was obeyed before.
  absl::Status Hear(const proto::Command& command, bool* is_new);

  // Ends the run from outside: its stream is cancelled, and no other may take it over.
  void Abandon();

  // Until when the coordinator wants what the run does: the workers look at it before they send. While a command is
  // obeyed it does not end.
  std::atomic<Nanos> lease{std::numeric_limits<Nanos>::max()};
  std::unique_ptr<Session> session;

  // How long somebody who was told that the run is over may take to leave by himself.
  static constexpr Nanos kLeave = 200 * kMillisecond;

 private:
  void OpenNow(Nanos limit, const Opener& opener);

  const std::string id_;
  const std::uint64_t incarnation_;

  const std::shared_ptr<Interrupt> interrupt_ = std::make_shared<Interrupt>();
  std::thread opener_;   // of the stream that began the run
  Mutex session_mutex_;  // held where `session` is made, is given up, or is used by who does not have the run

  Mutex owner_mutex_;  // which stream has the run
  CondVar changed_;
  std::function<void()> cancel_ ABSL_GUARDED_BY(owner_mutex_);  // null: none
  int takers_ ABSL_GUARDED_BY(owner_mutex_) = 0;                // streams that wait for it
  bool is_over_ ABSL_GUARDED_BY(owner_mutex_) = false;
  bool is_opening_ ABSL_GUARDED_BY(owner_mutex_) = false;

  Mutex mutex_;  // what is said; held while a stream is written to
  std::function<void(const proto::Event&)> write_ ABSL_GUARDED_BY(mutex_);
  Outbox<proto::Event> outbox_ ABSL_GUARDED_BY(mutex_);
  Inbox inbox_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tidemark
