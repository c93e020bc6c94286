#include "coordinator/cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <random>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/arguments.h"
#include "common/inert_text.h"
#include "common/plan/defaults.h"
#include "common/plan/durations.h"
#include "common/plan/expectation.h"
#include "common/plan/limits.h"
#include "common/plan/schedule.h"
#include "common/plan/target.h"
#include "common/plan/validate.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "coordinator/cli/plan_file.h"
#include "coordinator/cli/plan_flags.h"
#include "coordinator/cli/request_flags.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

constexpr int kUsageError = 1;
constexpr int kMaxAgents = 100'000;

constexpr char kExamples[] = R"(
Examples:
  tidemark run http://127.0.0.1:8080/                        the sweep 10,50,100,500,1000 x 100 requests
  tidemark run -c 64 -d 30s http://127.0.0.1:8080/           64 connections for half a minute
  tidemark run -c 10,100,1000 -o run.json https://gateway.internal/api/v3/time
  tidemark run -R 5k -d 1m https://gateway.internal/         5,000 requests a second, whatever it answers
  tidemark run -R 30/m -c 1 -d 1h http://127.0.0.1:8080/     one request every two seconds
  tidemark run --json '{"id":"{slot}"}' -u me:secret http://127.0.0.1:8080/orders
  tidemark run plan.yaml http://127.0.0.1:8080/ -o run.json  the plan against this target
  tidemark run plan.yaml --agents 10.0.0.5,10.0.0.6          the same on two machines
  tidemark run plan.yaml --dry-run                           what would happen, and nothing more

Counts take k, M, G, and rates too: 5k, 0.5, 30/m or 10/h; durations need a unit (500us, 20ms, 30s, 2m).
Exit codes: 0 done; 1 usage, plan, refused target, limits; 2 agents; 3 accounting broken or a point
left partial; 4 with --strict; 5 target unresolvable, refused, TLS failure, or nothing succeeded; 70 internal error;
99 an expectation missed; 130 interrupted.)";

constexpr char kSearchExamples[] = R"(
Examples:
  tidemark search --rate --expect 'p99<20ms' --expect 'error_rate<0.1%' http://127.0.0.1:8080/
  tidemark search --rate --from 0.5 --to 50 --expect 'p99<2s' http://127.0.0.1:8080/report
  tidemark search --connections --from 50 --expect 'p99<50ms' -d 30s https://gateway.internal/

Doubles the load until an expectation is missed, then halves the gap. The answer is a bracket: a level that was met, and
confirmed by a longer trial, and one that was missed; levels between that the trials could not decide are named.
Exit codes: 0 a level was found; 99 not even the lowest met it; 4 the generator was the limit; others as of run.)";

// Flags as they were typed; empty means not given.
struct Flags {
  std::vector<std::string> sources;
  PlanFlags plan;
  RequestFlags request;
  bool is_ipv4_only = false, is_ipv6_only = false;
  std::vector<std::string> agents, allow_targets, outputs;
  std::string wait_timeout, wait_agents, control_certs, journal;
  bool has_no_journal = false;
  bool is_insecure_control = false;
  bool is_dry_run = false, is_quiet = false, is_without_color = false, has_latency_detail = false, is_strict = false;
  bool is_rate_search = false, is_connection_search = false;
  std::string from, to, within;
};

// What `run` and `search` share, but for the load.
void AddRest(CLI::App* app, bool is_run, Flags* f) {
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

void AddOutput(CLI::App* app, Flags* f, const std::string& formats) {
  auto* output = app->add_option_group("Output");
  output->add_option("-o,--output", f->outputs, formats)->allow_extra_args(false);
  output->add_flag("-q,--quiet", f->is_quiet, "no progress, no table");
}

void AddSources(CLI::App* app, Flags* f) {
  app->add_option("target", f->sources,
                  "URL (http, https, ws, wss, unix:SOCKET:/PATH) or a plan file (.yaml), or both: the plan against the "
                  "URL")
      ->required();
}

void AddRun(CLI::App* run, Flags* f) {
  AddSources(run, f);
  f->plan.AddGroup("Load", true, run->add_option_group("Load"));
  AddRest(run, true, f);
  AddOutput(run, f, absl::StrCat(FormatEndings(), "; or json=FILE, csv=-, ...; - is stdout (repeatable)"));
  auto* report = run->add_option_group("Report");
  report
      ->add_option("--journal", f->journal,
                   "keep what the run is made of in this file, see 'tidemark report'; default with --agents: until "
                   "the result is delivered")
      ->type_name("FILE");
  report->add_flag("--no-journal", f->has_no_journal, "none");
  report->add_flag("--latency", f->has_latency_detail, "print every histogram of every point");
  report->add_flag("--strict", f->is_strict, "exit 4 if a point is not VALID or TARGET_LIMITED");
  report->add_flag("--no-color", f->is_without_color, "no colours (also: NO_COLOR in the environment)");
  report->add_flag("--dry-run", f->is_dry_run, "print the resolved plan and its split, start nothing");
}

void AddSearch(CLI::App* search, Flags* f) {
  AddSources(search, f);
  auto* what = search->add_option_group("Search");
  what->add_flag("--rate", f->is_rate_search, "for the highest rate, in an open loop");
  what->add_flag("--connections", f->is_connection_search, "for the largest number of connections, in a closed loop");
  what->add_option("--from", f->from, "where to begin; default 100 requests a second, or 10 connections")
      ->type_name("COUNT");
  what->add_option("--to", f->to, "where to end at most; default 1M requests a second, or 10k connections")
      ->type_name("COUNT");
  what->add_option("--within", f->within, "how far apart the two ends of the answer may be; default 2%")
      ->type_name("PERCENT");
  f->plan.Add("sweep.duration", "-d,--duration",
              "of a trial; default 5s. One that leaves the answer open goes on up to four times as long", what);
  auto* load = search->add_option_group("Load");
  f->plan.Add("sweep.connections", "-c", "connections of each trial at a rate; default 100", load);
  f->plan.AddGroup("Load", false, load);
  AddRest(search, false, f);
  AddOutput(search, f, "FILE.json, or json=FILE; - is stdout (repeatable)");
}

absl::Status Blame(absl::string_view flag, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", status.message()));
}

// Parses `text` with `parse` into *set, naming `flag` in errors; does nothing if it was not given.
template <typename Parse, typename Set>
absl::Status Apply(absl::string_view flag, const std::string& text, Parse parse, Set set) {
  if (text.empty()) return absl::OkStatus();
  const auto value = parse(text);
  if (!value.ok()) return Blame(flag, value.status());
  set(*value);
  return absl::OkStatus();
}

absl::Status ApplyFamily(const Flags& f, proto::Plan* plan) {
  if (f.is_ipv4_only && f.is_ipv6_only)
    return absl::InvalidArgumentError("-4 and -6: exclude each other; leave both out for all addresses");
  if (f.is_ipv4_only || f.is_ipv6_only) plan->set_ip_family(f.is_ipv4_only ? "4" : "6");
  return absl::OkStatus();
}

bool IsUrl(const std::string& text) { return absl::StrContains(text, "://") || absl::StartsWith(text, "unix:"); }

bool IsPlanFile(const std::string& text) { return absl::EndsWith(text, ".yaml") || absl::EndsWith(text, ".yml"); }

// The plan that the flags and the plan file make, without its defaults.
absl::StatusOr<proto::Plan> MakePlan(const Flags& f) {
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
  TIDEMARK_RETURN_IF_ERROR(f.plan.ApplyTo(&plan));
  TIDEMARK_RETURN_IF_ERROR(ApplyRequestFlags(f.request, &plan));
  TIDEMARK_RETURN_IF_ERROR(ApplyFamily(f, &plan));
  return plan;
}

absl::StatusOr<AgentOptions> ResolveAgents(const Flags& f) {
  AgentOptions agents{.addresses = f.agents,
                      .allow_targets = f.allow_targets,
                      .control_certs = f.control_certs,
                      .is_insecure_control = f.is_insecure_control};
  if (f.agents.empty() && (!f.control_certs.empty() || f.is_insecure_control))
    return absl::InvalidArgumentError("--control-certs and --insecure-control: have no effect without --agents");
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

absl::Status ApplyCounts(const Flags& f, SearchOptions* search) {
  *search = {.from = 10, .to = 10'000};
  TIDEMARK_RETURN_IF_ERROR(Apply("--from", f.from, ParseCount, [&](std::int64_t v) { search->from = v; }));
  TIDEMARK_RETURN_IF_ERROR(Apply("--to", f.to, ParseCount, [&](std::int64_t v) { search->to = v; }));
  if (search->from >= 1 && search->from <= search->to) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--from and --to: ", search->from, " to ", search->to, " is empty; begin at 1 or more"));
}

// Levels are whole requests per second if both ends are, else the coarsest step in which both are whole.
absl::Status ApplyRates(const Flags& f, RunOptions* options) {
  double from = 100;
  double to = 1'000'000;
  TIDEMARK_RETURN_IF_ERROR(Apply("--from", f.from, ParseRate, [&](double v) { from = v; }));
  TIDEMARK_RETURN_IF_ERROR(Apply("--to", f.to, ParseRate, [&](double v) { to = v; }));
  if (from == 0 || from > to || to > static_cast<double>(kMaxRate))
    return absl::InvalidArgumentError(absl::StrCat("--from and --to: ", FormatRate(from), " to ", FormatRate(to),
                                                   " is empty, or more than ", FormatRate(kMaxRate)));
  constexpr std::int64_t kTenThousandth = kOnePerSecond / 10'000;
  for (const std::int64_t step : {kOnePerSecond, kTenThousandth, std::int64_t{1}}) {
    if (ScheduleRate(from) % step != 0 || ScheduleRate(to) % step != 0) continue;
    options->search_step = step;
    options->search = {.from = ScheduleRate(from) / step, .to = ScheduleRate(to) / step};
    break;
  }
  return absl::OkStatus();
}

// Turns the plan into that of the first trial.
absl::Status ResolveSearch(const Flags& f, RunOptions* options) {
  SearchOptions& search = options->search;
  proto::Sweep* const sweep = options->plan.mutable_sweep();
  if (f.is_rate_search == f.is_connection_search)
    return absl::InvalidArgumentError("search: say what for, --rate or --connections");
  if (options->plan.expect().empty())
    return absl::InvalidArgumentError("search: needs an expectation, as --expect 'p99<20ms'");
  options->is_rate_search = f.is_rate_search;
  TIDEMARK_RETURN_IF_ERROR(f.is_rate_search ? ApplyRates(f, options) : ApplyCounts(f, &search));
  TIDEMARK_RETURN_IF_ERROR(
      Apply("--within", f.within, ParsePercent, [&](double percent) { search.resolution = percent / 100; }));
  if (search.resolution < 0.001 || search.resolution > 1)
    return absl::InvalidArgumentError("--within: must lie between 0.1% and 100%");
  if (f.is_connection_search && f.plan.Has("sweep.connections"))
    return absl::InvalidArgumentError("-c: has no effect on a search over connections; use --from and --to");
  if (!sweep->stages().empty() || sweep->requests() != 0 || sweep->requests_per_connection() != 0) {
    return absl::InvalidArgumentError(
        "search: the plan has stages or a number of requests; trials last for a time, leave them out");
  }
  if (sweep->has_duration()) search.trial = FromProto(sweep->duration());
  if (search.trial < kSecond) return absl::InvalidArgumentError("-d/--duration: a trial lasts 1s at least");
  *sweep->mutable_duration() = ToDurationProto(search.trial);
  sweep->clear_rates();
  if (f.is_rate_search) {
    sweep->add_rates(PerSecond(search.from * options->search_step));
  } else {
    sweep->clear_connections();
    sweep->add_connections(search.from);
  }
  return absl::OkStatus();
}

absl::StatusOr<RunOptions> Resolve(const Flags& f, bool is_search) {
  RunOptions options;
  TIDEMARK_ASSIGN_OR_RETURN(options.plan, MakePlan(f));
  if (is_search) TIDEMARK_RETURN_IF_ERROR(ResolveSearch(f, &options));
  ApplyDefaults(&options.plan);
  proto::Sweep* const sweep = options.plan.mutable_sweep();
  if (sweep->arrivals() == "poisson" && sweep->seed() == 0) {
    std::random_device device;
    sweep->set_seed(device() | 1);
  }
  TIDEMARK_RETURN_IF_ERROR(ValidatePlan(options.plan));
  TIDEMARK_ASSIGN_OR_RETURN(options.agents, ResolveAgents(f));
  for (const std::string& text : f.outputs) {
    TIDEMARK_ASSIGN_OR_RETURN(Output output, ParseOutput(text));
    if (is_search && output.format->name != "json")
      return absl::InvalidArgumentError(absl::StrCat("-o: '", text, "': a search writes json=FILE alone"));
    options.outputs.push_back(std::move(output));
  }
  if (!f.journal.empty() && f.has_no_journal)
    return absl::InvalidArgumentError("--journal and --no-journal: exclude each other");
  options.journal = f.journal;
  options.has_no_journal = f.has_no_journal;
  options.is_dry_run = f.is_dry_run;
  options.is_quiet = f.is_quiet;
  options.has_color = !f.is_without_color;
  options.has_latency_detail = f.has_latency_detail;
  options.is_strict = f.is_strict;
  return options;
}

}  // namespace

absl::StatusOr<Output> ParseOutput(const std::string& text) {
  for (const FormatRow& format : Formats()) {
    const std::string prefix = absl::StrCat(format.name, "=");
    if (absl::StartsWith(text, prefix) && text.size() > prefix.size())
      return Output{.format = &format, .path = text.substr(prefix.size())};
  }
  for (const FormatRow& format : Formats()) {
    const std::string ending = absl::StrCat(".", format.name);
    if (absl::EndsWith(text, ending) && text.size() > ending.size()) return Output{.format = &format, .path = text};
  }
  return absl::InvalidArgumentError(absl::StrCat("-o: '", InertText(text, 128), "' does not say in which form; write ",
                                                 FormatEndings(), ", or json=FILE"));
}

CommandLine ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app{"Tidemark: how many connections, and how many requests a second, does this HTTP API hold?", "tidemark"};
  app.set_version_flag("-V,--version", std::string("tidemark ") + TIDEMARK_VERSION);
  app.require_subcommand(0, 1);  // so that an unknown command is named, not only missed
  app.footer("Try 'tidemark run --help'.");
  Flags flags;
  Flags search_flags;
  CLI::App* run = app.add_subcommand("run", "run a sweep against a target");
  run->footer(kExamples);
  AddRun(run, &flags);
  CLI::App* search =
      app.add_subcommand("search", "find the highest rate, or number of connections, that meets an expectation");
  search->footer(kSearchExamples);
  AddSearch(search, &search_flags);
  const CLI::App* selftest = app.add_subcommand(
      "selftest", "what this machine can measure, and whether the promises hold on it; 20 s, exit 70 if one does not");
  // These are done before this; named here for the help.
  for (const auto& [verb, what] : {std::pair{"compare", "compare two sets of results"},
                                   {"report", "a result again, from a run's journal"},
                                   {"agents", "who the agents are, and what they are doing"},
                                   {"stop", "end a run at its agents"},
                                   {"certs", "certificates for agents on other hosts"},
                                   {"reference", "what a plan may hold, and a report holds"}})
    app.add_subcommand(verb, absl::StrCat(what, "; see tidemark ", verb, " --help"));
  const absl::string_view verb = argc > 1 ? argv[1] : "";
  const std::string program = verb == "run" || verb == "search" ? absl::StrCat("tidemark ", verb) : "tidemark";
  if (const auto end = ReadArguments(&app, program, {argv + std::min(argc, 1), argv + argc}, {"--data"})) {
    if (!end->is_error) return {.exit_code = 0, .text = end->text};
    return {.exit_code = kUsageError, .text = absl::StrCat("tidemark: ", end->text, "\n")};
  }
  if (selftest->parsed()) return {.command = Command::kSelftest};
  if (!run->parsed() && !search->parsed())
    return {.exit_code = kUsageError,
            .text = "tidemark: a command is missing: 'tidemark run URL'; see 'tidemark run --help'\n"};
  auto options = Resolve(search->parsed() ? search_flags : flags, search->parsed());
  if (!options.ok())
    return {.exit_code = kUsageError, .text = absl::StrCat("tidemark: ", options.status().message(), "\n")};
  return {.command = search->parsed() ? Command::kSearch : Command::kRun, .options = *std::move(options)};
}

}  // namespace tidemark
