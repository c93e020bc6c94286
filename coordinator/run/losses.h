// What is done about an agent that is lost.
#pragma once

#include <cstddef>
#include <string>

#include "common/clock.h"
#include "coordinator/merge/run_result.h"
#include "coordinator/run/run_state.h"

namespace tidemark {

// Threads: one.
class Losses {
 public:
  explicit Losses(RunState* run) : run_(run) {}

  // What the agent delivered is kept. Unless the plan says that the run ends here, the others make the point again, or
  // go on without it. `has_left`: it said itself that it ends.
  void Lose(std::size_t agent, int exit_code, const std::string& why, bool has_left = false);

 private:
  Departure DepartureOf(const AgentState& agent, Nanos now, bool has_left) const;

  RunState* const run_;
};

}  // namespace tidemark
