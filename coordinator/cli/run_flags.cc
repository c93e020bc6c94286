#include "coordinator/cli/run_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "coordinator/cli/load_flags.h"
#include "coordinator/cli/run_command.h"

namespace tidemark {
namespace {

constexpr char kExamples[] = R"(
Examples:
  tidemark run http://127.0.0.1:8080/                        10, 20, 50, ... 1000 connections, 10 s each
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

struct RunFlags {
  LoadFlags load;
  std::string journal, progress;
  bool has_no_journal = false;
  bool is_dry_run = false, is_explained = false, has_latency_detail = false, is_strict = false;
};

void AddReportGroup(CLI::App* app, RunFlags* f) {
  auto* report = app->add_option_group("Report");
  report
      ->add_option("--journal", f->journal,
                   "keep what the run is made of in this file, see 'tidemark report'; default with --agents: until "
                   "the result is delivered")
      ->type_name("FILE");
  report->add_flag("--no-journal", f->has_no_journal, "none");
  report->add_flag("--explain", f->is_explained, "print all that is known of each point, and where every request went");
  report->add_flag("--latency", f->has_latency_detail, "print every histogram of every point");
  report->add_flag("--strict", f->is_strict, "exit 4 if a point is not VALID or TARGET_LIMITED");
  AddColorFlag(report, &f->load.is_without_color);
  report->add_flag("--dry-run", f->is_dry_run, "print the resolved plan and its split, start nothing");
}

absl::StatusOr<RunOptions> Resolve(const RunFlags& f) {
  RunOptions options;
  TIDEMARK_ASSIGN_OR_RETURN(options.plan, MakePlan(f.load));
  TIDEMARK_RETURN_IF_ERROR(ResolvePlan(&options.plan));
  TIDEMARK_ASSIGN_OR_RETURN(options.agents, ResolveAgents(f.load));
  TIDEMARK_ASSIGN_OR_RETURN(options.outputs, ParseOutputs(f.load.outputs));
  const bool is_traced = std::any_of(options.outputs.begin(), options.outputs.end(),
                                     [](const Output& output) { return output.format->name == "trace"; });
  if (is_traced != !options.plan.trace_sample().empty() && (is_traced || !f.is_dry_run))
    return absl::InvalidArgumentError(
        is_traced ? "--output: trace has nothing to write; add --trace-sample 1/1000"
                  : "trace_sample: has no effect; add -o trace=FILE, where the sample is written");
  if (!f.journal.empty() && f.has_no_journal)
    return absl::InvalidArgumentError("--journal and --no-journal: exclude each other");
  options.journal = f.journal;
  options.has_no_journal = f.has_no_journal;
  options.is_dry_run = f.is_dry_run;
  options.is_quiet = f.load.is_quiet;
  if (f.load.is_quiet && !f.progress.empty() && f.progress != "none")
    return absl::InvalidArgumentError("-q and --progress: exclude each other; -q shows none");
  TIDEMARK_ASSIGN_OR_RETURN(options.progress, ProgressFormOf(f.load.is_quiet      ? "none"
                                                             : f.progress.empty() ? "auto"
                                                                                  : f.progress,
                                                             SurroundingsOf()));
  options.has_color = !f.load.is_without_color;
  options.is_explained = f.is_explained;
  options.has_latency_detail = f.has_latency_detail;
  options.is_strict = f.is_strict;
  return options;
}

}  // namespace

Prepare AddRun(CLI::App* app) {
  const auto flags = std::make_shared<RunFlags>();
  app->footer(kExamples);
  AddSources(app, &flags->load);
  flags->load.plan.AddGroup("Load", true, app->add_option_group("Load"));
  AddRest(app, true, &flags->load);
  auto* output = app->add_option_group("Output");
  AddOutputFlag(output, false, &flags->load.outputs);
  output->add_flag("-q,--quiet", flags->load.is_quiet, "no progress, no table; what was missed is still said");
  output
      ->add_option("--progress", flags->progress,
                   "what is shown while it runs: a live view of the terminal, one line, lines that stay, or nothing; "
                   "default auto: live on a terminal of 60 x 14 or more, line on a smaller one, else plain")
      ->type_name(kProgressForms);
  AddReportGroup(app, flags.get());
  return [flags]() -> absl::StatusOr<Prepared> {
    TIDEMARK_ASSIGN_OR_RETURN(RunOptions resolved, Resolve(*flags));
    const auto options = std::make_shared<const RunOptions>(std::move(resolved));
    return Prepared{.act = [options] { return RunCommand(*options); }, .options = options};
  };
}

}  // namespace tidemark
