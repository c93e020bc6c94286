// One run: every point of the sweep prepared, started together, merged.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/control/address.h"
#include "common/control/outbox.h"
#include "coordinator/merge/claims.h"
#include "coordinator/merge/ledger.h"
#include "coordinator/merge/run_result.h"
#include "coordinator/observe/progress.h"
#include "coordinator/run/agent_link.h"
#include "coordinator/run/agents.h"
#include "coordinator/run/clock_sync.h"
#include "coordinator/store/journal.h"
#include "protos/plan.pb.h"

namespace tidemark {

// How long a coordinator waits for an agent, which is lost then.
struct RunLimits {
  Nanos heartbeat = kHeartbeatMillis * kMillisecond;  // between two questions ...
  Nanos silence = 5 * kSecond;                        // ... of which one is answered within that
  Nanos open = 30 * kSecond;                          // includes the agent's name resolution
  Nanos answer = 10 * kSecond;
  Nanos stop = 4 * kSecond;  // an agent waits two seconds at most for what is in flight, and has as long to tell of it
  Nanos shard = 10 * kSecond;  // one comes each second, of a busy agent later
  // A stream that broke is taken up again while the agent's lease lasts, and a little longer, for its refusal to
  // arrive.
  Nanos resume = kLeaseMillis * kMillisecond + 500 * kMillisecond;
  // At the end of a run agents close their streams; after an interrupt nobody waits for long.
  Nanos close = 2 * kSecond;
  Nanos interrupted_close = 500 * kMillisecond;
  // For what an agent that was lost had sent, from the end of the run and of its lease on.
  Nanos account = kSecond;
};

// The state machine of a run. Threads: one; links and signals speak to it through `events`.
class Run {
 public:
  // `plan` is valid; `agents` have been checked. An event of kind kInterrupt stops the run in order.
  Run(const proto::Plan& plan, std::vector<FoundAgent> agents, RunEvents* events, Progress* progress,
      const RunLimits& limits = {});

  // UTC time of its making, and six random hexadecimal digits.
  const std::string& id() const { return result_.run; }
  // All that the result is made of will be written there before an agent is told that it was heard. May be null.
  void WriteTo(Journal* journal) { journal_ = journal; }
  RunResult Execute();

 private:
  struct AgentState {
    std::unique_ptr<AgentLink> link;
    std::uint64_t link_id = 0;  // of those that the agent has had
    std::uint64_t incarnation = 0;
    int workers = 0;
    Ceilings ceilings;
    bool is_opened = false;
    bool is_lost = false;
    bool may_be_asked = false;  // since it was lost, what it had sent
    std::string busy;           // with whose run, as it says; it refused ours
    Outbox<proto::Command> outbox;
    Inbox inbox;
    std::string broken;                                 // why the stream is not there right now; empty if it is
    Nanos broken_at = 0;                                // ... since when ...
    bool is_refused = false;                            // ... whether another one ended as well ...
    Nanos retry_at = 0;                                 // ... and when the next is tried
    std::deque<std::pair<std::uint64_t, Nanos>> pings;  // id and time of those under way
    std::uint64_t last_pong = 0;
    ClockDrift drift;
    // Of the current point:
    bool is_preparing = false;  // it was told to, and is not ready
    bool is_ready = false;
    bool is_arming = false;
    bool is_armed = false;
    bool is_final = false;
    bool has_left_early = false;  // its final shard came before the point's end
    std::optional<Claims> claims;
    Nanos prepared_at = 0;
    Nanos last_shard = 0;
    std::int64_t up = 0;
    Nanos margin = 0;
    Nanos last_heard = 0;
    ClockOffset clock;
    std::vector<proto::ConnectError> errors;
  };

  bool Open();
  bool OpenAll();
  void SendOpen(std::size_t agent);
  void Release(const std::vector<std::size_t>& agents);
  bool Pause(Nanos length);
  bool HasPorts();
  bool RunPoint(std::uint32_t index);
  bool TryPoint(std::uint32_t index, PointResult* point);
  void Prepare(std::uint32_t index, PointResult* point);
  bool SynchroniseAndArm(std::uint32_t index, PointResult* point);
  void EndPoint(PointResult* point);
  void AskTheLost();
  const proto::ConnectError* MostFrequentError() const;
  void SayWhatIsNotUp(const PointResult& point);
  bool TargetAnswers(const PointResult& point);

  // Handles events until `is_done(agent)` holds for every agent that is not lost; false if the run must end.
  template <typename IsDone>
  bool WaitForAll(IsDone is_done, Nanos limit, absl::string_view what);
  bool IsEnding() const { return is_interrupted_ || is_failed_ || must_redo_; }
  void LoseTheLate(Nanos begin, Nanos limit, std::size_t agent, absl::string_view what);
  std::string WhyLateAtTheEnd(const AgentState& agent, Nanos now) const;
  absl::Status CheckState(const AgentState& agent, const proto::Event& event) const;
  Departure DepartureOf(const AgentState& agent, Nanos now, bool has_left) const;
  void Ping(std::size_t agent, bool is_heartbeat);
  void Break(std::size_t agent, const std::string& why);
  void Reconnect(std::size_t agent);
  void Handle(RunEvent event);
  void HandleEvent(AgentState* agent, std::size_t index, proto::Event event, Nanos received);
  void HandleShard(std::size_t index, proto::Shard shard);
  bool IsEarly(std::size_t index, const proto::Shard& last) const;
  void SendTo(std::size_t agent, proto::Command command);
  void StopAll();
  // `has_left`: it said itself that it ends.
  void Lose(std::size_t agent, int exit_code, const std::string& why, bool has_left = false);
  void FinishIfPrecise();
  Progress::Counts CountsNow() const;
  void ShowProgress();

  const proto::Plan plan_;
  const std::vector<FoundAgent> found_;
  RunEvents* const events_;
  Progress* const progress_;
  const RunLimits limits_;
  Journal* journal_ = nullptr;
  std::vector<AgentState> agents_;
  RunResult result_;
  std::unique_ptr<Ledger> ledger_;
  PointResult* point_ = nullptr;
  std::size_t seconds_looked_at_ = 0;  // of the current point, by FinishIfPrecise
  Nanos last_heartbeat_ = 0;
  std::uint64_t last_ping_ = 0;  // its id
  Nanos started_ = 0;
  Nanos point_start_ = 0;  // T0 of the current point; 0: not yet
  Nanos stopped_at_ = 0;   // since when its agents have been told to stop; 0: they have not
  Nanos stood_still_ = 0;  // in the current point, for which we were kept from our core, or stopped ...
  Nanos woke_at_ = 0;      // ... the last time until then
  bool is_interrupted_ = false;
  bool is_failed_ = false;
  bool must_redo_ = false;   // an agent was lost; the point is made again by the others
  std::string redo_note_;    // of the agent that was lost first ...
  std::string redo_phrase_;  // ... and what the notes say of that
  bool is_running_ = false;  // between Arm and the last final shard
  bool has_remark_ = false;  // of the point: an agent has said what keeps connections from coming up
};

}  // namespace tidemark
