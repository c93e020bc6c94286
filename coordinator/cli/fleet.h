// The agents of a command: those that the user names, or one inside this process.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/cli/run_options.h"
#include "coordinator/run/agents.h"
#include "coordinator/run/local_agent.h"

namespace tidemark {

struct Fleet {
  std::unique_ptr<LocalAgent> local;  // null if there are others
  std::vector<FoundAgent> agents;
};

// Starts or finds them, and asks each who it is.
// Errors: InvalidArgument (an address, an allowed target); others as FindAgents.
absl::StatusOr<Fleet> GatherFleet(const AgentOptions& options);

// Says why there are none; the exit code of that.
int FailForWantOfAgents(const absl::Status& status);

// Whether they may hold the plan's connections; local ports are checked once the target is resolved, see Run.
// Errors: ResourceExhausted naming the agent and the remedy.
absl::Status CheckCapacity(const proto::Plan& plan, const std::vector<FoundAgent>& agents);

}  // namespace tidemark
