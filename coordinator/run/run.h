// One run: every point of the sweep prepared, started together, merged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/merge/run_result.h"
#include "coordinator/observe/run_observer.h"
#include "coordinator/run/agent_events.h"
#include "coordinator/run/agent_link.h"
#include "coordinator/run/agents.h"
#include "coordinator/run/losses.h"
#include "coordinator/run/opening.h"
#include "coordinator/run/point_run.h"
#include "coordinator/run/run_limits.h"
#include "coordinator/run/run_state.h"
#include "coordinator/run/views.h"
#include "coordinator/run/waiting.h"
#include "coordinator/store/journal.h"
#include "protos/plan.pb.h"

namespace tidemark {

// The state machine of a run, each of its parts in a class of its own that knows those before it. Threads: one; links
// and signals speak to it through `events`.
class Run {
 public:
  // `plan` is valid; `agents` have been checked. An event of kind kInterrupt stops the run in order. `observer` lives
  // longer, as do those of Show; it may be null.
  Run(const proto::Plan& plan, std::vector<FoundAgent> agents, RunEvents* events, RunObserver* observer,
      const RunLimits& limits = {});
  Run(const Run&) = delete;  // its parts know where the others are
  Run& operator=(const Run&) = delete;

  // UTC time of its making, and six random hexadecimal digits.
  const std::string& id() const { return state_.result.run; }
  // All that the result is made of will be written there before an agent is told that it was heard. May be null.
  void WriteTo(Journal* journal) { state_.journal = journal; }
  // Another that looks at it.
  void Show(RunObserver* observer) { views_.Add(observer); }
  RunResult Execute();

 private:
  bool RunPoint(std::uint32_t index);
  void Close();
  void AskTheLost();

  RunState state_;
  Views views_;
  Losses losses_;
  AgentEvents agent_events_;
  Waiting waiting_;
  Opening opening_;
  PointRun point_run_;
};

}  // namespace tidemark
