// The flags that `run` and `search` share: the request, the target, the agents.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "coordinator/cli/plan_flags.h"
#include "coordinator/cli/request_flags.h"
#include "coordinator/run/agents.h"
#include "protos/plan.pb.h"

namespace tidemark {

// As they were typed; empty means not given. They stay where they are while an app that they were added to is used.
struct LoadFlags {
  std::vector<std::string> sources;
  std::vector<std::string> variables;  // "NAME=VALUE"
  PlanFlags plan;
  RequestFlags request;
  bool is_ipv4_only = false, is_ipv6_only = false;
  std::vector<std::string> agents, allow_targets, outputs;
  std::string wait_timeout, wait_agents, control_certs;
  bool is_insecure_control = false;
  bool is_quiet = false, is_without_color = false;
};

// The operand: what is loaded.
void AddSources(CLI::App* app, LoadFlags* flags);
// All else but the load; without `is_run` what is not of `run` alone.
void AddRest(CLI::App* app, bool is_run, LoadFlags* flags);
void AddColorFlag(CLI::App* app, bool* is_without_color);

// The plan that the flags and the plan file make, without its defaults.  Errors: InvalidArgument, NotFound.
absl::StatusOr<proto::Plan> MakePlan(const LoadFlags& flags);
// Gives it its defaults and a seed, and checks it.  Errors: InvalidArgument.
absl::Status ResolvePlan(proto::Plan* plan);
absl::StatusOr<AgentOptions> ResolveAgents(const LoadFlags& flags);

// Parses `text` with `parse` into *set, naming `flag` in errors; does nothing if it was not given.
template <typename Parse, typename Set>
absl::Status Apply(absl::string_view flag, const std::string& text, Parse parse, Set set) {
  if (text.empty()) return absl::OkStatus();
  const auto value = parse(text);
  if (!value.ok()) return absl::InvalidArgumentError(absl::StrCat(flag, ": ", value.status().message()));
  set(*value);
  return absl::OkStatus();
}

}  // namespace tidemark
