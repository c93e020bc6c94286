// Waits for agents, and loses those that nobody should wait for any longer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "coordinator/run/agent_events.h"
#include "coordinator/run/losses.h"
#include "coordinator/run/run_state.h"

namespace tidemark {

// While a run waits its agents' leases are kept by heartbeats, and broken streams are taken up again.  Threads: one.
class Waiting {
 public:
  Waiting(RunState* run, AgentEvents* agent_events, Losses* losses)
      : run_(run), agent_events_(agent_events), losses_(losses) {}

  // Handles events until `is_done(agent)` holds for every agent that is not lost; false if the run must end. `limit` is
  // that of the whole step, counted from its begin; 0: of the point, from its start or from when it was stopped.
  bool ForAll(const std::function<bool(const AgentState&)>& is_done, Nanos limit, absl::string_view what);
  // Handles events for so long. False if the run must end.
  bool For(Nanos length);
  // Asks all agents what their clocks read; returns the id of the question.
  std::uint64_t PingAll();

 private:
  void Heartbeat(Nanos now);
  void LoseTheLate(Nanos begin, Nanos limit, std::size_t agent, absl::string_view what);
  std::string WhyLateAtTheEnd(const AgentState& agent, Nanos now) const;
  void Reconnect(std::size_t agent);
  void Ping(std::size_t agent, bool is_heartbeat);

  RunState* const run_;
  AgentEvents* const agent_events_;
  Losses* const losses_;
  Nanos last_heartbeat_ = 0;
  std::uint64_t last_ping_ = 0;  // its id
};

}  // namespace tidemark
