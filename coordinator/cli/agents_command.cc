#include "coordinator/cli/agents_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/exit_code.h"
#include "common/inert_text.h"
#include "common/units.h"
#include "coordinator/cli/fail.h"
#include "coordinator/cli/parse_arguments.h"
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

void AddAgents(CLI::App* app, AgentOptions* options) {
  app->add_option("--agents", options->addresses, "HOST[:PORT],... or dns:NAME[:PORT]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->required();
  app->add_option("--control-certs", options->control_certs,
                  "folder with ca.pem, cert.pem, key.pem, see 'tidemark certs'; default ~/.config/tidemark/certs, for "
                  "agents beyond loopback")
      ->type_name("FOLDER");
  app->add_flag("--insecure-control", options->is_insecure_control,
                "speak to agents beyond loopback in plain text; only in a network you trust");
}

// Parses the arguments and asks the agents that they name. If that fails, says why and sets *exit_code.
std::optional<std::vector<AgentAnswer>> Ask(CLI::App* app, std::vector<std::string> arguments, AgentOptions* options,
                                            int* exit_code) {
  AddAgents(app, options);
  if (const auto code = ParseArguments(app, std::move(arguments))) {
    *exit_code = *code;
    return std::nullopt;
  }
  auto answers = AskAgents(*options, MonotonicNow() + kDescribeTimeout);
  if (answers.ok()) return *std::move(answers);
  *exit_code = Fail(absl::IsInvalidArgument(answers.status()) ? kExitUsage : kExitAgents, answers.status().message());
  return std::nullopt;
}

std::string Clock(const AgentAnswer& answer) {
  const Nanos round_trip = answer.answered - answer.asked;
  const Nanos offset = static_cast<Nanos>(answer.agent.description.monotonic_ns()) - (answer.asked + round_trip / 2);
  return absl::StrFormat("%+.3f s within %s", static_cast<double>(offset) / 1e9, FormatDuration(round_trip / 2));
}

}  // namespace

int AgentsCommand(std::vector<std::string> arguments) {
  CLI::App app{"Who the agents are, and what they are doing.", "tidemark agents"};
  app.footer(kAgentsExamples);
  AgentOptions options;
  int exit_code = kExitOk;
  const auto answers = Ask(&app, std::move(arguments), &options, &exit_code);
  if (!answers) return exit_code;
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

int StopCommand(std::vector<std::string> arguments) {
  CLI::App app{"Ends a run at its agents.", "tidemark stop"};
  app.footer(kStopExamples);
  AgentOptions options;
  std::string run;
  app.add_option("run", run, "the run's id")->required();
  int exit_code = kExitOk;
  const auto answers = Ask(&app, std::move(arguments), &options, &exit_code);
  if (!answers) return exit_code;
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
    return Fail(kExitUsage, absl::StrCat("stop: no agent has run ", InertText(run, 64)));
  return exit_code;
}

}  // namespace tidemark
