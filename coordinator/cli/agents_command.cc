#include "coordinator/cli/agents_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/exit_code.h"
#include "common/inert_text.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "coordinator/cli/fail.h"
#include "coordinator/run/agent_link.h"
#include "coordinator/run/agents.h"

namespace tidemark {
namespace {

constexpr char kAgentsExamples[] = R"(
Examples:
  tidemark agents --agents 10.0.0.5,10.0.0.6
  tidemark agents --agents dns:agents.load.svc

LOAD is the average number of tasks of the last minute, in percent of the machine's cores. CLOCK is the agent's monotonic
clock against this machine's, right within the figure behind it.
Exit codes: 0 all answered; 1 usage; 2 one did not.)";

constexpr char kStopExamples[] = R"(
Examples:
  tidemark stop 20261123T120000Z-1f2e3d --agents 10.0.0.5,10.0.0.6

A run's id is shown by 'tidemark agents'. Its coordinator, if it lives, reports what was measured until then.
Exit codes: 0 stopped, and its agents are free; 1 usage, or no agent had the run; 2 an agent did not answer, or is
still busy.)";

void AddAgentFlags(CLI::App* app, AgentOptions* options) {
  app->add_option("--agents", options->addresses, "HOST[:PORT],... or dns:NAME[:PORT]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("ADDRESS")
      ->required();
  app->add_option("--control-certs", options->control_certs,
                  "folder with ca.pem, cert.pem, key.pem, see 'tidemark certs'; default ~/.config/tidemark/certs, for "
                  "agents beyond loopback")
      ->type_name("FOLDER");
  app->add_flag("--insecure-control", options->is_insecure_control,
                "speak to agents beyond loopback in plain text; only in a network you trust");
}

absl::Status CheckAgentFlags(const AgentOptions& options) {
  return options.control_certs.empty() || !options.is_insecure_control
             ? absl::OkStatus()
             : absl::InvalidArgumentError("--control-certs and --insecure-control: exclude each other; leave one out");
}

std::string Clock(const AgentAnswer& answer) {
  const Nanos round_trip = answer.answered - answer.asked;
  const Nanos offset = static_cast<Nanos>(answer.agent.description.monotonic_ns()) - (answer.asked + round_trip / 2);
  return absl::StrFormat("%+.3f s within %s", static_cast<double>(offset) / 1e9, FormatDuration(round_trip / 2));
}

int FailToAsk(const absl::Status& status) {
  return Fail(absl::IsInvalidArgument(status) ? kExitUsage : kExitAgents, status.message());
}

int ShowAgents(const AgentOptions& options) {
  const auto answers = AskAgents(options, MonotonicNow() + kDescribeTimeout);
  if (!answers.ok()) return FailToAsk(answers.status());
  int exit_code = kExitOk;
  std::printf("%-24s %-8s %-10s %5s %5s %11s  %s\n", "AGENT", "STATE", "VERSION", "CORES", "LOAD", "CONNECTIONS",
              "CLOCK");
  for (const AgentAnswer& answer : *answers) {
    const proto::DescribeResponse& who = answer.agent.description;
    if (!answer.status.ok()) {
      std::printf("%-24s %-8s\n", answer.agent.address.c_str(), "silent");
      exit_code = Fail(kExitAgents, answer.status.message());
      continue;
    }
    std::printf("%-24s %-8s %-10s %5d %4d%% %11lld  %s\n", answer.agent.address.c_str(),
                who.busy_with().empty() ? "free" : "busy", who.version().c_str(), who.cores(), who.load_percent(),
                static_cast<long long>(who.descriptor_limit()), Clock(answer).c_str());
    if (!who.busy_with().empty()) std::printf("  %s\n", who.busy_with().c_str());
  }
  return exit_code;
}

int Stop(const AgentOptions& options, const std::string& run) {
  const auto answers = AskAgents(options, MonotonicNow() + kDescribeTimeout);
  if (!answers.ok()) return FailToAsk(answers.status());
  int exit_code = kExitOk;
  int stopped = 0;
  for (const AgentAnswer& answer : *answers) {
    const std::string& address = answer.agent.address;
    const auto answered = answer.status.ok()
                              ? StopRun(answer.agent.channel, address, run, MonotonicNow() + kDescribeTimeout)
                              : absl::StatusOr<proto::StopRunResponse>(answer.status);
    if (!answered.ok()) {
      exit_code = Fail(kExitAgents, answered.status().message());
      continue;
    }
    stopped += answered->is_stopped() ? 1 : 0;
    if (answered->is_stopped() && !answered->has_ended()) {
      exit_code = Fail(kExitAgents, absl::StrCat("agent ", address,
                                                 " is told to stop, and still busy; look again with "
                                                 "'tidemark agents'"));
      continue;
    }
    std::printf("agent %s: %s\n", address.c_str(), answered->is_stopped() ? "stopped, and free" : "has no such run");
  }
  if (exit_code == kExitOk && stopped == 0)
    return Fail(kExitUsage,
                absl::StrCat("run: no agent has '", InertText(run, 64), "'; 'tidemark agents' shows their runs"));
  return exit_code;
}

}  // namespace

Prepare AddAgents(CLI::App* app) {
  const auto options = std::make_shared<AgentOptions>();
  app->footer(kAgentsExamples);
  AddAgentFlags(app, options.get());
  return [options]() -> absl::StatusOr<Prepared> {
    TIDEMARK_RETURN_IF_ERROR(CheckAgentFlags(*options));
    return Prepared{.act = [options] { return ShowAgents(*options); }};
  };
}

Prepare AddStop(CLI::App* app) {
  struct Flags {
    AgentOptions agents;
    std::string run;
  };
  const auto flags = std::make_shared<Flags>();
  app->footer(kStopExamples);
  app->add_option("run", flags->run, "the run's id")->required()->type_name("RUN");
  AddAgentFlags(app, &flags->agents);
  return [flags]() -> absl::StatusOr<Prepared> {
    TIDEMARK_RETURN_IF_ERROR(CheckAgentFlags(flags->agents));
    return Prepared{.act = [flags] { return Stop(flags->agents, flags->run); }};
  };
}

}  // namespace tidemark
