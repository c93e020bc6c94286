// What the parts of a run share: the run, its agents and its current point.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "coordinator/merge/claims.h"
#include "coordinator/merge/ledger.h"
#include "coordinator/merge/run_result.h"
#include "coordinator/run/agent_stream.h"
#include "coordinator/run/agents.h"
#include "coordinator/run/clock_sync.h"
#include "coordinator/run/run_limits.h"
#include "coordinator/store/journal.h"
#include "protos/agent.pb.h"
#include "protos/plan.pb.h"

namespace tidemark {

// How far an agent is with its part of the current point.
struct AgentPart {
  bool is_preparing = false;  // it was told to, and is not ready
  bool is_ready = false;
  bool is_arming = false;
  bool is_armed = false;
  bool is_final = false;
  bool has_left_early = false;           // its final shard came before the point's end
  std::unique_ptr<const Claims> claims;  // null: it has no part yet
  Nanos prepared_at = 0;
  Nanos last_shard = 0;
  std::int64_t up = 0;
  Nanos margin = 0;
  std::vector<proto::ConnectError> errors;
};

struct AgentState {
  AgentState(std::size_t agent, const FoundAgent* found, RunEvents* events) : stream(agent, found, events) {}

  AgentStream stream;
  AgentClock clock;
  std::uint64_t incarnation = 0;
  int workers = 0;
  Ceilings ceilings;
  bool is_opened = false;
  bool is_lost = false;
  bool may_be_asked = false;  // since it was lost, what it had sent
  std::string busy;           // with whose run, as it says; it refused ours
  AgentPart part;
};

// The current point. Instants are 0 before they have come.
struct PointState {
  PointResult* result = nullptr;
  std::unique_ptr<Ledger> ledger;
  Nanos start = 0;                    // T0
  Nanos stopped_at = 0;               // since when its agents have been told to stop
  Nanos stood_still = 0;              // for so long we were kept from our core, or stopped ...
  Nanos woke_at = 0;                  // ... the last time until then, of an earlier point too
  bool is_running = false;            // between Arm and the last final shard
  bool has_remark = false;            // an agent has said what keeps connections from coming up
  std::size_t seconds_looked_at = 0;  // by FinishIfPrecise
};

// An agent was lost; the point is made again by the others.
struct Redo {
  bool is_due = false;
  std::string note;    // of the agent that was lost first ...
  std::string phrase;  // ... and what the notes say of that
};

// Threads: one.
struct RunState {
  const proto::Plan plan;
  const std::vector<FoundAgent> found;
  RunEvents* const events;
  const RunLimits limits;
  Journal* journal =
      nullptr;  // all that the result is made of is written there before an agent is told that it was heard
  std::vector<AgentState> agents = {};
  RunResult result = {};
  PointState point = {};
  Redo redo = {};
  Nanos started = 0;
  bool is_interrupted = false;
  bool is_last_point = false;  // the user wants no other
  bool is_failed = false;

  bool IsEnding() const { return is_interrupted || is_failed || redo.is_due; }
  // Nothing to one that is lost, or was given back.
  void SendTo(std::size_t agent, proto::Command command);
  // Tells all agents to end the point.
  void StopAll();
};

}  // namespace tidemark
