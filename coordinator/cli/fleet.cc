#include "coordinator/cli/fleet.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/exit_code.h"
#include "common/plan/split.h"
#include "common/status_macros.h"
#include "coordinator/cli/fail.h"
#include "coordinator/run/agent_link.h"

namespace tidemark {

int FailForWantOfAgents(const absl::Status& status) {
  return Fail(absl::IsInvalidArgument(status) ? kExitUsage : kExitAgents, status.message());
}

absl::StatusOr<Fleet> GatherFleet(const AgentOptions& options) {
  Fleet fleet;
  if (!options.addresses.empty()) {
    TIDEMARK_ASSIGN_OR_RETURN(fleet.agents, FindAgents(options));
    return fleet;
  }
  TIDEMARK_ASSIGN_OR_RETURN(fleet.local, LocalAgent::Start(options.allow_targets, options.is_local_leased));
  FoundAgent agent{.address = "in process", .channel = fleet.local->Dial()};
  TIDEMARK_ASSIGN_OR_RETURN(agent.description,
                            Describe(agent.channel, agent.address, MonotonicNow() + kDescribeTimeout));
  TIDEMARK_RETURN_IF_ERROR(CheckAgent(agent));
  fleet.agents.push_back(std::move(agent));
  return fleet;
}

absl::Status CheckCapacity(const proto::Plan& plan, const std::vector<FoundAgent>& agents) {
  for (const std::int64_t connections : plan.sweep().connections()) {
    const std::vector<std::int64_t> shares = SplitEvenly(connections, static_cast<std::int64_t>(agents.size()));
    for (std::size_t i = 0; i < agents.size(); ++i) {
      const proto::DescribeResponse& agent = agents[i].description;
      if (shares[i] > agent.descriptor_limit()) {
        return absl::ResourceExhaustedError(absl::StrCat("sweep.connections: ", connections, " give agent ",
                                                         agents[i].address, " ", shares[i],
                                                         " connections, but it may hold ", agent.descriptor_limit(),
                                                         "; raise its descriptor limit (ulimit -n) or add agents"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace tidemark
