// One run at one agent: prepare, arm, run, drain, point after point.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/control/shard_sender.h"
#include "agent/engine/target_clock.h"
#include "agent/engine/worker.h"
#include "agent/guard/target_guard.h"
#include "agent/host/interrupt.h"
#include "agent/host/machine.h"
#include "agent/net/aim.h"
#include "agent/net/name_watch.h"
#include "common/mutex.h"
#include "common/plan/plan_memory.h"
#include "protos/agent.pb.h"

namespace tidemark {

// Owns the workers of a run and a thread that turns their reports into events.
// Threads: control; Open, Prepare, Arm, Stop and the destructor from one thread. `emit` is called from several and
// must be thread-safe; it may block while the stream is full.
// Its members are many since three threads meet here; they stand in groups, by who may touch them.
class Session {
 public:
  using Emit = std::function<void(const proto::Event&)>;
  // After Stop, a request in flight gets this long, or its own time-out if that is shorter.
  static constexpr Nanos kStopGrace = 2 * kSecond;

  // Validates the plan, resolves the target, asks the guard, starts the workers; waits no longer for others than
  // `patience`, whose interrupt ends what the session waits for later as well.
  // `lease`, which outlives the session: its end. What was frozen until then sends nothing more; null: none.
  // Errors: InvalidArgument (plan), PermissionDenied (guard), NotFound (target's name, a secret, its clock),
  // Unavailable (a name that was not found in time), Cancelled (interrupted).
  static absl::StatusOr<std::unique_ptr<Session>> Open(const proto::Open& open, const TargetGuard& guard,
                                                       std::uint64_t incarnation, Emit emit,
                                                       const Patience& patience = Patience(),
                                                       const std::atomic<Nanos>* lease = nullptr);
  ~Session();  // closes every connection and joins every thread; interrupt the patience before

  // Starts opening connections; a Ready event follows.
  // Errors: ResourceExhausted (descriptors, ports), PermissionDenied (the guard's ceilings), FailedPrecondition (a
  // point is still running), InvalidArgument.
  absl::Status Prepare(const proto::Prepare& prepare);
  // Starts at its instant, unless that has passed: the margin in the event tells. Errors: FailedPrecondition (it is not
  // prepared).
  absl::Status Arm(const proto::Arm& arm);
  // Ends the current point, if any, with a final shard; what is in flight has `most` at most to be answered. From any
  // thread.
  void Stop(Nanos most = kStopGrace);
  // Whether there is no point whose final shard has not been said. From any thread.
  bool IsIdle();
  // Ends the current point as if its duration were over.
  void Finish();

  // What was sent of the latest point that was prepared.
  struct Account {
    std::uint32_t point = 0;
    std::uint32_t attempt = 0;
    std::uint64_t sent = 0;  // requests from T0 on, redirects too
  };
  // Ends the workers, and tells. REQUIRES: nothing else is called but the destructor.
  Account End();

 private:
  Session(const proto::Open& open, std::uint64_t incarnation, Emit emit);
  void Deliver(WorkerReport report);  // from worker threads
  void SendEvents();                  // the sender thread
  void Handle(WorkerReport report);   // in it
  void SendReady();
  void WatchNames(const proto::Plan& plan, const TargetGuard& guard, const Target& target, const Aim& aim,
                  const Patience& patience);
  std::vector<std::uint32_t> IndicesOf(absl::Span<const SocketAddress> addresses);
  void Follow(const NameWatch::News& news);
  absl::Status CheckCeiling(const proto::Prepare& prepare) const;
  std::vector<std::optional<Arrivals>> SplitArrivals(const proto::Prepare& prepare,
                                                     const std::vector<std::int64_t>& connections,
                                                     bool is_warmup) const;

  const proto::Open open_;
  const std::uint64_t incarnation_;
  const Emit emit_;
  std::unique_ptr<TargetClock> target_clock_;  // of a plan that has one; the workers read it
  std::vector<std::unique_ptr<Worker>> workers_;
  std::size_t target_count_ = 1;
  std::size_t source_count_ = 1;
  bool is_unix_ = false;
  bool is_web_socket_ = false;
  bool is_tunnelled_ = false;
  TargetGuard::Ceiling ceiling_;
  PlanMemory memory_;
  // Set before a point's workers start, read by what they report afterwards:
  HostCounters host_at_start_;
  std::uint32_t attempt_ = 0;
  std::uint32_t latest_ = 0;  // point

  // The sender thread's own.
  std::optional<ShardSender> shards_;
  std::vector<std::string> address_names_;  // of the target's addresses, by their index in AddressTally
  Recorder before_start_;                   // sum of the workers' reports of kind kReady
  ConnectErrors connect_errors_;
  std::vector<std::int64_t> up_;
  int ready_count_ = 0;

  Mutex mutex_;
  CondVar changed_;
  std::vector<WorkerReport> mailbox_ ABSL_GUARDED_BY(mutex_);
  std::vector<NameWatch::News> news_ ABSL_GUARDED_BY(mutex_);   // of the target's name, for the workers
  std::optional<std::uint32_t> point_ ABSL_GUARDED_BY(mutex_);  // the one that is prepared or running
  std::uint64_t prepared_ ABSL_GUARDED_BY(mutex_) = 0;          // points, and those ...
  std::uint64_t told_ ABSL_GUARDED_BY(mutex_) = 0;              // ... of which the final shard has been said
  bool is_closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread sender_;
  std::unique_ptr<NameWatch> names_;  // of a plan that wants it; tells the sender
};

}  // namespace tidemark
