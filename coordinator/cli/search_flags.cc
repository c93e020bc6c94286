#include "coordinator/cli/search_flags.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "common/plan/durations.h"
#include "common/plan/limits.h"
#include "common/plan/schedule.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "coordinator/cli/load_flags.h"
#include "coordinator/cli/search_command.h"

namespace tidemark {
namespace {

constexpr char kExamples[] = R"(
Examples:
  tidemark search --rate --expect 'p99<20ms' --expect 'error_rate<0.1%' http://127.0.0.1:8080/
  tidemark search --rate --from 0.5 --to 50 --expect 'p99<2s' http://127.0.0.1:8080/report
  tidemark search --connections --from 50 --expect 'p99<50ms' -d 30s https://gateway.internal/

Doubles the load until an expectation is missed, then halves the gap. The answer is a bracket: a level that was met, and
confirmed by a longer trial, and one that was missed; levels between that the trials could not decide are named.
Exit codes: 0 a level was found; 99 not even the lowest met it; 4 the generator was the limit; others as of run.)";

struct SearchFlags {
  LoadFlags load;
  bool is_rate_search = false, is_connection_search = false;
  std::string from, to, within;
};

absl::Status ApplyCounts(const SearchFlags& f, SearchOptions* search) {
  *search = {.from = 10, .to = 10'000};
  TIDEMARK_RETURN_IF_ERROR(Apply("--from", f.from, ParseCount, [&](std::int64_t v) { search->from = v; }));
  TIDEMARK_RETURN_IF_ERROR(Apply("--to", f.to, ParseCount, [&](std::int64_t v) { search->to = v; }));
  if (search->from >= 1 && search->from <= search->to) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--from and --to: ", search->from, " to ", search->to, " is empty; begin at 1 or more"));
}

// Levels are whole requests per second if both ends are, else the coarsest step in which both are whole.
absl::Status ApplyRates(const SearchFlags& f, RunOptions* options) {
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
absl::Status ResolveSearch(const SearchFlags& f, RunOptions* options) {
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
  if (f.is_connection_search && f.load.plan.Has("sweep.connections"))
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

absl::StatusOr<RunOptions> Resolve(const SearchFlags& f) {
  RunOptions options;
  TIDEMARK_ASSIGN_OR_RETURN(options.plan, MakePlan(f.load));
  TIDEMARK_RETURN_IF_ERROR(ResolveSearch(f, &options));
  TIDEMARK_RETURN_IF_ERROR(ResolvePlan(&options.plan));
  TIDEMARK_ASSIGN_OR_RETURN(options.agents, ResolveAgents(f.load));
  TIDEMARK_ASSIGN_OR_RETURN(options.outputs, ParseOutputs(f.load.outputs));
  for (std::size_t i = 0; i < options.outputs.size(); ++i) {
    if (options.outputs[i].format->name != "json")
      return absl::InvalidArgumentError(
          absl::StrCat("-o/--output: '", f.load.outputs[i], "': a search is written as json=FILE alone"));
  }
  options.is_quiet = f.load.is_quiet;
  options.has_color = !f.load.is_without_color;
  return options;
}

}  // namespace

Prepare AddSearch(CLI::App* app) {
  const auto flags = std::make_shared<SearchFlags>();
  SearchFlags* const f = flags.get();
  app->footer(kExamples);
  AddSources(app, &f->load);
  auto* what = app->add_option_group("Search");
  what->add_flag("--rate", f->is_rate_search, "for the highest rate, in an open loop");
  what->add_flag("--connections", f->is_connection_search, "for the largest number of connections, in a closed loop");
  what->add_option("--from", f->from, "where to begin; default 100 requests a second, or 10 connections")
      ->type_name("COUNT");
  what->add_option("--to", f->to, "where to end at most; default 1M requests a second, or 10k connections")
      ->type_name("COUNT");
  what->add_option("--within", f->within, "how far apart the two ends of the answer may be; default 2%")
      ->type_name("PERCENT");
  f->load.plan.Add("sweep.duration", "-d,--duration",
                   "of a trial; default 5s. One that leaves the answer open goes on up to four times as long", what);
  auto* load = app->add_option_group("Load");
  f->load.plan.Add("sweep.connections", "-c", "connections of each trial at a rate; default 100", load);
  f->load.plan.AddGroup("Load", false, load);
  AddRest(app, false, &f->load);
  auto* output = app->add_option_group("Output");
  AddOutputFlag(output, true, &f->load.outputs);
  output->add_flag("-q,--quiet", f->load.is_quiet, "no progress; the answer alone");
  AddColorFlag(output, &f->load.is_without_color);
  return [flags]() -> absl::StatusOr<Prepared> {
    TIDEMARK_ASSIGN_OR_RETURN(RunOptions resolved, Resolve(*flags));
    const auto options = std::make_shared<const RunOptions>(std::move(resolved));
    return Prepared{.act = [options] { return SearchCommand(*options); }, .options = options};
  };
}

}  // namespace tidemark
