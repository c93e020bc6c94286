#include "coordinator/cli/load_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <random>

#include "absl/strings/match.h"
#include "common/plan/defaults.h"
#include "common/plan/holes.h"
#include "common/plan/validate.h"
#include "common/plan/variables.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "coordinator/cli/plan_file.h"

namespace tidemark {
namespace {

constexpr int kMaxAgents = 100'000;

absl::Status ApplyFamily(const LoadFlags& f, proto::Plan* plan) {
  if (f.is_ipv4_only && f.is_ipv6_only)
    return absl::InvalidArgumentError("-4 and -6: exclude each other; leave both out for all addresses");
  if (f.is_ipv4_only || f.is_ipv6_only) plan->set_ip_family(f.is_ipv4_only ? "4" : "6");
  return absl::OkStatus();
}

bool IsUrl(const std::string& text) { return absl::StrContains(text, "://") || absl::StartsWith(text, "unix:"); }

bool IsPlanFile(const std::string& text) { return absl::EndsWith(text, ".yaml") || absl::EndsWith(text, ".yml"); }

}  // namespace

void AddSources(CLI::App* app, LoadFlags* f) {
  app->add_option("target", f->sources,
                  "URL (http, https, ws, wss, unix:SOCKET:/PATH) or a plan file (.yaml), or both: the plan against the "
                  "URL")
      ->required()
      ->type_name("URL|FILE.yaml");
}

void AddColorFlag(CLI::App* app, bool* is_without_color) {
  app->add_flag("--no-color", *is_without_color, "no colours (also: NO_COLOR in the environment)");
}

void AddRest(CLI::App* app, bool is_run, LoadFlags* f) {
  auto* request = app->add_option_group("Request");
  RequestFlags* const r = &f->request;
  request->add_option("-X,--method", r->method, "HTTP method; default GET, with a body POST")->type_name("METHOD");
  request->add_option("-H,--header", r->headers, "'Name: value' (repeatable)")
      ->allow_extra_args(false)
      ->type_name("HEADER");
  request
      ->add_option_function<std::string>(
          "--data", [r](const std::string& text) { r->data = text; },
          "request body, or WebSocket message; or @FILE, or @- for standard input; '' is a body of length 0")
      ->type_name("TEXT");
  request
      ->add_option_function<std::string>(
          "--json", [r](const std::string& text) { r->json = text; },
          "the same, of JSON that is checked, with Content-Type and Accept of it")
      ->type_name("TEXT");
  request->add_option("-F,--form", r->form, "NAME=VALUE of a form, which is URL-encoded (repeatable)")
      ->allow_extra_args(false)
      ->type_name("NAME=VALUE");
  request->add_option("-u,--user", r->user, "NAME:PASSWORD, sent as Authorization: Basic")->type_name("NAME:PASSWORD");
  request
      ->add_option("--var", f->variables,
                   "NAME=VALUE: what stands for {NAME} in the target, paths, headers, bodies, messages (repeatable)")
      ->allow_extra_args(false)
      ->type_name("NAME=VALUE");
  f->plan.AddGroup("Request", is_run, request);
  f->plan.AddGroup("WebSocket", is_run, app->add_option_group("WebSocket"));
  auto* target = app->add_option_group("Target");
  f->plan.AddGroup("Target", is_run, target);
  target->add_flag("-4", f->is_ipv4_only, "only the target's IPv4 addresses");
  target->add_flag("-6", f->is_ipv6_only, "only its IPv6 addresses");
  target
      ->add_option("--allow-target", f->allow_targets,
                   "HOST or CIDR that may be loaded besides loopback and private ranges; "
                   "for the agent in this process only")
      ->allow_extra_args(false)
      ->type_name("HOST|CIDR");
  auto* agents = app->add_option_group("Agents");
  agents->add_option("--agents", f->agents, "HOST[:PORT],... or dns:NAME[:PORT]; default: one in this process")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("ADDRESS");
  agents->add_option("--wait-agents", f->wait_agents, "wait until this many agents answer, and use them")
      ->type_name("COUNT");
  agents->add_option("--wait-timeout", f->wait_timeout, "... for at most this long; default 60s")
      ->type_name("DURATION");
  agents
      ->add_option("--control-certs", f->control_certs,
                   "folder with ca.pem, cert.pem, key.pem, see 'tidemark certs'; default ~/.config/tidemark/certs, for "
                   "agents beyond loopback")
      ->type_name("FOLDER");
  agents->add_flag("--insecure-control", f->is_insecure_control,
                   "speak to agents beyond loopback in plain text; only in a network you trust");
  f->plan.AddGroup("Agents", is_run, agents);
}

absl::StatusOr<proto::Plan> MakePlan(const LoadFlags& f) {
  std::string url;
  std::string file;
  for (const std::string& source : f.sources) {
    if (!IsUrl(source) && !IsPlanFile(source))
      return absl::InvalidArgumentError(
          absl::StrCat("'", source, "' is neither a URL nor a plan file; write http://", source, " or NAME.yaml"));
    std::string& kind = IsUrl(source) ? url : file;
    if (!kind.empty())
      return absl::InvalidArgumentError(absl::StrCat("'", source, "' stands beside '", kind, "'; give one ",
                                                     IsUrl(source) ? "URL" : "plan file", " at a time"));
    kind = source;
  }
  proto::Plan plan;
  if (!file.empty()) {
    TIDEMARK_ASSIGN_OR_RETURN(plan, ReadPlanFile(file));
  }
  if (!url.empty()) plan.set_target(url);
  TIDEMARK_RETURN_IF_ERROR(SetVariables(f.variables, &plan));
  TIDEMARK_RETURN_IF_ERROR(f.plan.ApplyTo(&plan));
  TIDEMARK_RETURN_IF_ERROR(ApplyRequestFlags(f.request, &plan));
  TIDEMARK_RETURN_IF_ERROR(ApplyFamily(f, &plan));
  TIDEMARK_RETURN_IF_ERROR(ApplyVariables(&plan));
  return plan;
}

absl::StatusOr<AgentOptions> ResolveAgents(const LoadFlags& f) {
  AgentOptions agents{.addresses = f.agents,
                      .allow_targets = f.allow_targets,
                      .control_certs = f.control_certs,
                      .is_insecure_control = f.is_insecure_control};
  for (auto agent = f.agents.begin(); agent != f.agents.end(); ++agent) {
    if (std::find(f.agents.begin(), agent, *agent) != agent)
      return absl::InvalidArgumentError(absl::StrCat("--agents: '", *agent, "' is given twice; it is one agent"));
  }
  if (f.agents.empty() && (!f.control_certs.empty() || f.is_insecure_control))
    return absl::InvalidArgumentError("--control-certs and --insecure-control: have no effect without --agents");
  if (f.agents.empty() && f.plan.Has("on_agent_loss"))
    return absl::InvalidArgumentError("--on-agent-loss: has no effect without --agents; leave it out");
  if (!f.control_certs.empty() && f.is_insecure_control)
    return absl::InvalidArgumentError("--control-certs and --insecure-control: exclude each other");
  if (f.agents.empty() && (!f.wait_agents.empty() || !f.wait_timeout.empty())) {
    return absl::InvalidArgumentError("--wait-agents and --wait-timeout: need --agents, which names where to look");
  }
  if (!f.wait_timeout.empty() && f.wait_agents.empty())
    return absl::InvalidArgumentError("--wait-timeout: needs --wait-agents");
  TIDEMARK_RETURN_IF_ERROR(Apply("--wait-agents", f.wait_agents, ParseCount, [&](std::int64_t v) {
    agents.wait_for = static_cast<int>(std::min<std::int64_t>(v, kMaxAgents + 1));
  }));
  if (!f.wait_agents.empty() && (agents.wait_for < 1 || agents.wait_for > kMaxAgents))
    return absl::InvalidArgumentError(absl::StrCat("--wait-agents: ", f.wait_agents, " is outside 1 to ", kMaxAgents));
  if (!f.agents.empty() && !f.allow_targets.empty()) {
    return absl::InvalidArgumentError(
        "--allow-target: has no effect on other agents; start each tidemark-agent with it");
  }
  TIDEMARK_RETURN_IF_ERROR(
      Apply("--wait-timeout", f.wait_timeout, ParseDuration, [&](Nanos v) { agents.wait_timeout = v; }));
  return agents;
}

absl::Status ResolvePlan(proto::Plan* plan) {
  ApplyDefaults(plan);
  proto::Sweep* const sweep = plan->mutable_sweep();
  if (sweep->seed() == 0 && (sweep->arrivals() == "poisson" || HasRandom(*plan))) {
    std::random_device device;
    sweep->set_seed(device() | 1);
  }
  return ValidatePlan(*plan);
}

}  // namespace tidemark
