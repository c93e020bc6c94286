#include "coordinator/cli/compare_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/exit_code.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "coordinator/cli/chart_files.h"
#include "coordinator/cli/fail.h"
#include "coordinator/report/compared.h"
#include "coordinator/report/html_compared.h"
#include "coordinator/report/phrases.h"

namespace tidemark {
namespace {

constexpr char kExamples[] = R"(
Examples:
  tidemark compare before.json -- after.json
  tidemark compare before-*.json -- after-*.json
  tidemark compare before-*.json -- after-*.json -o html=compare.html

The unit is the run: a quantile of each run is one value, since the requests of a run depend on each other. Ten runs a
side, taken in turn, show a change of 3 % if runs vary by 1 %. One against one is only indicative. Results of another
plan or another number of agents, and points that are not VALID or TARGET_LIMITED, are not compared.

Words: regressed, improved (p < 0.05 by Mann and Whitney, and the interval of the ratio leaves 1 out), equivalent (that
interval lies within 3 % of 1), inconclusive.
Exit codes: 0 nothing regressed; 99 something did; 1 usage, or results that cannot be compared.)";

void Print(const std::vector<Result>& before, const std::vector<Result>& after,
           const std::vector<ComparedFigure>& figures) {
  std::printf("%zu runs against %zu; latency, after / before, 95 %% interval\n", before.size(), after.size());
  for (const ComparedFigure& figure : figures) {
    const Comparison& c = figure.comparison;
    const std::string row = absl::StrFormat("  %8s  %-9s %8s -> %8s", LevelName(before[0].report.points(figure.point)),
                                            figure.name, FormatLatency(c.before), FormatLatency(c.after));
    if (figure.is_indicative) {
      std::printf("%s  %.3f  %s\n", row.c_str(), c.ratio, Indication(figure).c_str());
      continue;
    }
    std::printf("%s  %.3f (%.3f to %.3f)  p %.3g  %s%s\n", row.c_str(), c.ratio, c.interval.low, c.interval.high,
                c.p_value, NameOf(c.change),
                c.change == Change::kInconclusive
                    ? absl::StrCat("; about ", c.runs_needed, " runs a side would tell").c_str()
                    : "");
  }
}

bool HasRegressed(const std::vector<ComparedFigure>& figures) {
  return std::any_of(figures.begin(), figures.end(), [](const ComparedFigure& figure) {
    return !figure.is_indicative && figure.comparison.change == Change::kRegressed;
  });
}

constexpr char kPage[] = "html";

}  // namespace

absl::Status CheckComparison(const CompareOptions& options) {
  for (const Output& output : options.outputs) {
    if (output.format->name != kPage && !output.format->is_folder)
      return absl::InvalidArgumentError(absl::StrCat(
          "-o/--output: ", output.format->name, " is the form of one result; of several there are html, svg and png"));
  }
  if (options.before.size() + options.after.size() > kMaxResults)
    return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxResults, " results; give fewer"));
  return absl::OkStatus();
}

int Compare(const CompareOptions& options) {
  const auto before = ReadSide(options.before);
  if (!before.ok()) return Fail(kExitUsage, before.status().message());
  const auto after = ReadSide(options.after);
  if (!after.ok()) return Fail(kExitUsage, after.status().message());
  const auto figures = CompareSides(*before, *after);
  if (!figures.ok() && !options.shows_all) return Fail(kExitUsage, figures.status().message());
  if (const absl::Status status = CheckOutputs(options.outputs); !status.ok())
    return Fail(kExitUsage, status.message());
  int exit_code = kExitOk;
  bool is_stdout_taken = options.is_quiet;
  for (const Output& output : options.outputs) is_stdout_taken = is_stdout_taken || output.path == "-";
  if (!figures.ok()) {
    Fail(0, absl::StrCat("not compared: ", figures.status().message()));
  } else {
    if (!is_stdout_taken) Print(*before, *after, *figures);
    if (!options.shows_all && HasRegressed(*figures)) exit_code = kExitExpectation;
  }
  for (const Output& output : options.outputs) {
    const std::string page = ToHtml(*before, *after, figures);
    const absl::Status status = output.format->is_folder ? WriteChartFiles(page, output) : WriteFile(output.path, page);
    if (!status.ok()) exit_code = Fail(kExitUsage, status.message());
  }
  return exit_code;
}

Prepare AddCompare(CLI::App* app) {
  struct Flags {
    CompareOptions options;
    std::vector<std::string> outputs;
  };
  const auto flags = std::make_shared<Flags>();
  app->footer(kExamples);
  app->add_option("results", flags->options.before, "results of one side, then '--', then those of the other")
      ->type_name("FILE.json");
  app->add_option("--after", flags->options.after, "")->group("");
  app->add_option("-o,--output", flags->outputs,
                  "or FILE.html: a page with both sides, or its charts as files; - is stdout (repeatable)")
      ->allow_extra_args(false)
      ->type_name("html=FILE|svg=FOLDER|png=FOLDER");
  return [flags]() -> absl::StatusOr<Prepared> {
    if (flags->options.before.empty() || flags->options.after.empty())
      return absl::InvalidArgumentError("compare: give results on both sides: BEFORE.json... -- AFTER.json...");
    TIDEMARK_ASSIGN_OR_RETURN(flags->options.outputs, ParseOutputs(flags->outputs));
    TIDEMARK_RETURN_IF_ERROR(CheckComparison(flags->options));
    return Prepared{.act = [flags] { return Compare(flags->options); }};
  };
}

}  // namespace tidemark
