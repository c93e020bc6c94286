// One thread with its event loop and its connections: prepares a point, runs it, hands over what it measured.
#pragma once

#include <atomic>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "agent/engine/core_sharing.h"
#include "agent/engine/group.h"
#include "agent/engine/windows.h"
#include "agent/host/event_loop.h"
#include "agent/measure/recorder.h"
#include "agent/net/tls.h"
#include "protos/plan.pb.h"

namespace tidemark {

// A worker's share of one point.
struct WorkerShare {
  std::uint32_t point = 0;
  std::uint32_t attempt = 0;  // at it
  std::int64_t connections = 0;
  std::int64_t first_connection = 0;   // number in the run of the worker's first connection
  std::int64_t connection_stride = 1;  // ... and how far apart its others are
  std::uint64_t first_slot = 0;        // number of the worker's first slot
  std::uint64_t slot_stride = 1;       // ... and how far apart its others are
  std::int64_t requests = 0;           // of a total; 0 if the plan has none
  std::int64_t connecting = 1;         // workers that share ...
  std::int64_t message_room = std::numeric_limits<std::int64_t>::max();  // bytes, of messages that come in pieces
  std::int64_t connect_rate = 0;          // of the agent, connections per 1,000 hours; 0: no limit
  std::optional<Arrivals> arrivals = {};  // of an open loop
  std::optional<Arrivals> warmup = {};    // of an open loop that is warmed up for a time
  std::uint64_t seed = 0;                 // of what requests have that is random ...
  std::uint64_t warmup_seed = 0;          // ... before the start
};

// What a worker tells its session. `recorder` is to be given back with Worker::Recycle.
struct WorkerReport {
  enum class Kind { kProgress, kReady, kWindow };
  Kind kind = Kind::kProgress;
  int worker = 0;
  std::uint32_t point = 0;
  std::int64_t connections_up = 0;
  std::uint32_t window = 0;  // of kWindow
  bool is_final = false;     // the worker has nothing left to do in this point
  Pending pending = {};
  Nanos start_late = 0;                          // of kWindow: how long after T0 the worker began
  Nanos length = 0;                              // of kWindow: see Shard.length_ns
  std::unique_ptr<Recorder> recorder = nullptr;  // kReady: what happened before the start
  ConnectErrors connect_errors = {};
  std::string remark = {};  // of kProgress: what keeps connections from coming up
};

// Threads: Prepare, Start, Stop, Recycle from any thread; the thread itself starts with the object and ends with it.
// Reports come from the worker's thread; `report` must not block for long.
// It has more methods and members than most: each method is a step of a point, and read in order they are what a point
// is; what can be said of a part alone is in Group, Windows, LoopState and CoreSharing.
class Worker {
 public:
  using Settings = WorkerSettings;
  using Report = absl::AnyInvocable<void(WorkerReport)>;

  // `tls` is null for a plain target.
  Worker(int index, std::shared_ptr<const Settings> settings, SslContext tls, Report report);
  ~Worker();

  // Opens the share's connections and sends the warm-up requests; reports kReady when all that can be is up, at the
  // latest after PrepareLimit(), the ceilings' waits included, and after the warm-up's time if it has one.
  void Prepare(const WorkerShare& share);
  // Starts the point at `start` (an instant of this host); then reports a window each second, the last one final.
  void Start(Nanos start);
  // Ends the point as if its duration were over.
  void Finish();
  // Ends the point early: nothing more is sent, requests in flight get `grace` to finish.
  void Stop(Nanos grace);
  // New connections go to `targets`; those that are up stay. REQUIRES: not empty.
  void UseTargets(std::vector<SocketAddress> targets, std::vector<std::uint32_t> indices);
  // The target's name was looked up again: it had other addresses, or the old ones were kept, which `remark` tells of.
  void CountName(bool is_kept, std::string remark);
  // Ends the thread, closing what is open. Returns how many requests of the latest point were sent from its T0 on,
  // redirects too.
  std::uint64_t End();
  // Gives a recorder back. REQUIRES: it is cleared.
  void Recycle(std::unique_ptr<Recorder> recorder);

 private:
  enum class State { kVacant, kPreparing, kWarming, kReady, kRunning };

  void Run();
  // Whether the coordinator is there, or was at the latest clock reading.
  bool HasLease() const { return loop_state_.now <= lease_->load(std::memory_order_relaxed); }
  template <class Connections>
  void SendDue(const Connections& connections);
  void StopNow(Nanos grace);
  void StandStill(Nanos from, Nanos length);
  Nanos PrepareLimit() const;
  Nanos NextWake() const;
  void ServeHeld();
  void BeginConnections(std::uint64_t quota, Nanos start);
  void AfterTurn();
  void OpenConnections();
  void BeginWarmup();
  bool IsWarm() const;
  // Whether no slot waits, and none is in flight.
  bool IsBookClosed() const { return load().book.waiting() == 0 && load().book.in_flight() == 0; }
  bool IsOpenLoopOver() const { return load().open_loop->IsExhausted() && IsBookClosed(); }
  Load& load() { return group_.load(); }
  const Load& load() const { return group_.load(); }
  void FinishPreparing();
  void StartPoint(bool is_stopped);
  void ReleaseDue();
  void Storm();
  void PingDue();
  Nanos PingInterval() const;
  bool IsListening() const { return settings_.plan.web_socket().has_listen(); }
  void CutDuration();
  std::string RemarkOnAcks();
  void EndPoint(Nanos grace, NeverSent reason);
  void DropWaiting(NeverSent reason);
  NeverSent WhyUnsent(NeverSent reason) const;
  void FinishPoint();
  void HandOver(bool is_final);
  ConnectErrors TakeConnectErrors();

  const int index_;
  const std::shared_ptr<const Settings> shared_;
  const Settings& settings_;
  SslContext tls_;
  Report report_;
  const std::atomic<Nanos>* const lease_;

  EventLoop loop_;
  TimeoutWheel wheel_;
  LoopState loop_state_;
  Group group_;
  Windows windows_;

  State state_ = State::kVacant;
  WorkerShare share_;
  std::size_t opened_ = 0;  // connections opened so far
  Nanos phase_start_ = 0;   // of preparing; then T0
  Nanos phase_limit_ = 0;   // when preparing ends at the latest
  Nanos last_progress_ = 0;
  bool has_remarked_ = false;                  // that an ack does not come
  std::optional<Nanos> start_;                 // T0, once armed
  Nanos start_late_ = 0;                       // how long after T0 the point was started
  Nanos duration_end_ = TimeoutWheel::kNever;  // of the point, where it has a duration and this has not passed
  Nanos cut_off_at_ = TimeoutWheel::kNever;
  Nanos drain_ = 0;                  // how long after the end of a point its answers are waited for
  bool wants_ticks_ = false;         // a storm or churn has deadlines of some ms
  Nanos storm_at_ = 0;               // 0: none is to come
  Nanos pinged_ = 0;                 // pings sent in this point
  std::uint64_t names_changed_ = 0;  // since the last window
  std::uint64_t names_kept_ = 0;
  CoreSharing core_sharing_;
  Nanos next_tick_ = 0;
  bool is_quitting_ = false;

  std::thread thread_;
};

}  // namespace tidemark
