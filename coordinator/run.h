// One run: every point of the sweep prepared, started together, merged.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordinator/agent_link.h"
#include "coordinator/agents.h"
#include "coordinator/clock_sync.h"
#include "coordinator/ledger.h"
#include "coordinator/merger.h"
#include "coordinator/report/progress.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Exit codes, as README lists them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 1;
inline constexpr int kExitAgents = 2;
inline constexpr int kExitAccounting = 3;
inline constexpr int kExitStrict = 4;
inline constexpr int kExitTarget = 5;
inline constexpr int kExitInternal = 70;
inline constexpr int kExitExpectation = 99;
inline constexpr int kExitInterrupted = 130;

// Of two exit codes the graver: 70, 3, 130, 2, 5, 99, 4, 1, 0.
int GraverExit(int a, int b);

struct PointResult {
  std::int64_t connections = 0;
  std::int64_t rate = 0;                     // of an open loop with rates; else 0
  std::int64_t connections_up = 0;           // at the start
  std::vector<std::int64_t> shares;          // connections per agent
  std::vector<std::int64_t> request_shares;  // planned requests per agent; 0: not known beforehand
  std::unique_ptr<Merger> merger;
  Counters warmup;
  Histogram warmup_connect;
  Histogram warmup_tls;
  bool is_partial = false;
  bool is_interrupted = false;
  bool is_precise = false;  // it ended when its interval was as narrow as the plan asks
  std::uint64_t unaccounted_max = 0;
  Nanos start_skew_bound = 0;
  Nanos start_offset = 0;  // T0, counted from the start of the run
};

struct AgentFacts {
  std::string address;
  std::string version;
  int workers = 0;
  bool is_insecure = false;
  std::vector<std::string> target_addresses;
  std::vector<std::string> left_out_addresses;
  std::string lost;  // why, empty if it was not
};

struct RunResult {
  std::string run;
  std::string started_at;
  double started_wall_s = 0;
  std::vector<AgentFacts> agents;
  std::vector<PointResult> points;
  std::uint64_t shards = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t rejected = 0;
  int exit_code = 0;
  std::vector<std::string> notes;  // one line each; what went wrong, first to last
};

// The state machine of a run. Threads: one; links and signals speak to it through `events`.
class Run {
 public:
  // `plan` is valid; `agents` have been checked. An event of kind kInterrupt stops the run in order.
  Run(const proto::Plan& plan, std::vector<FoundAgent> agents, RunEvents* events, Progress* progress);
  RunResult Execute();

 private:
  struct AgentState {
    std::unique_ptr<AgentLink> link;
    std::uint64_t incarnation = 0;
    bool is_opened = false;
    bool is_lost = false;
    // Of the current point:
    bool is_ready = false;
    bool is_armed = false;
    bool is_final = false;
    std::int64_t up = 0;
    Nanos margin = 0;
    Nanos last_heard = 0;
    ClockOffset clock;
    int pongs = 0;
    Nanos ping_sent = 0;
    std::vector<proto::ConnectError> errors;
  };

  bool Open();
  bool HasPorts();
  bool RunPoint(std::uint32_t index);
  void Prepare(std::uint32_t index, PointResult* point);
  bool SynchroniseAndArm(std::uint32_t index, PointResult* point);
  void FinishPoint(PointResult* point);
  bool TargetAnswers(const PointResult& point);

  // Handles events until `is_done(agent)` holds for every agent that is not lost; false if the run must end.
  template <typename IsDone>
  bool WaitForAll(IsDone is_done, Nanos limit, absl::string_view what);
  void Handle(RunEvent event);
  void HandleEvent(AgentState* agent, std::size_t index, proto::Event event, Nanos received);
  void HandleShard(std::size_t index, proto::Shard shard);
  void SendTo(std::size_t agent, const proto::Command& command);
  void StopAll();
  void Lose(std::size_t agent, int exit_code, const std::string& why);
  void Note(int exit_code, std::string text);
  void FinishIfPrecise();
  void ShowProgress();

  const proto::Plan plan_;
  const std::vector<FoundAgent> found_;
  RunEvents* const events_;
  Progress* const progress_;
  std::vector<AgentState> agents_;
  RunResult result_;
  std::unique_ptr<Ledger> ledger_;
  PointResult* point_ = nullptr;
  std::size_t seconds_looked_at_ = 0;  // of the current point, by FinishIfPrecise
  Nanos last_heartbeat_ = 0;
  Nanos started_ = 0;
  bool is_interrupted_ = false;
  bool is_failed_ = false;
  bool is_running_ = false;  // between Arm and the last final shard
};

}  // namespace tidemark
