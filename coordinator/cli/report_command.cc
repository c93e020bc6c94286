#include "coordinator/cli/report_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "coordinator/cli/compare_command.h"
#include "coordinator/cli/deliver.h"
#include "coordinator/cli/fail.h"
#include "coordinator/cli/files.h"
#include "coordinator/cli/load_flags.h"
#include "coordinator/cli/run_options.h"
#include "coordinator/report/read_json.h"
#include "coordinator/store/journal.h"

namespace tidemark {
namespace {

constexpr char kExamples[] = R"(
Examples:
  tidemark report run.json
  tidemark report run.json -o html=run.html -o markdown=summary.md
  tidemark report before.json after.json -o html=compare.html
  tidemark report --from-journal 20261123T120000Z-1f2e3d
  tidemark report --from-journal ./run.journal -o json=run.json

Of what -o json= has written each other form can be made that needs no more: the table, html, markdown, csv, points, and
json again. Of several results there is a page with both sides, and what 'tidemark compare' says of them. A run with --agents writes a journal while it goes on, and removes it when its result is delivered. One that
is left is of a coordinator that died; what had arrived until then is merged again, exactly.
Exit codes: 0 written, of a JSON, whatever the run came to; 1 usage, or what cannot be read; 3 if the run of a journal had
not ended; others, of a journal, as of the run; 4 with --strict.)";

// The journals that are left, by the names of their runs.
std::string LeftBehind() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(JournalDir(), ignored))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names.empty() ? "there is none in the journals' folder"
                       : absl::StrCat("there are: ", absl::StrJoin(names, " "));
}

struct ReportFlags {
  std::string journal;
  std::vector<std::string> files;
  std::vector<std::string> after;
  std::vector<std::string> outputs;
  RunOptions options;
  bool is_without_color = false;
};

int ReportJson(const std::string& file, const RunOptions& options) {
  for (const Output& output : options.outputs) {
    if (!output.format->needs.empty())
      return Fail(kExitUsage, absl::StrCat("-o/--output: ", output.format->name, " is made of ", output.format->needs,
                                           ", which a result's JSON does not have; write it with the run"));
  }
  const auto report = ReadReportFile(file);
  if (!report.ok()) return Fail(kExitUsage, report.status().message());
  if (const absl::Status status = CheckOutputs(options.outputs); !status.ok())
    return Fail(kExitUsage, status.message());
  return DeliverAgain(*report, options);
}

int ReportJournal(const std::string& journal, const RunOptions& options) {
  if (const absl::Status status = CheckOutputs(options.outputs); !status.ok())
    return Fail(kExitUsage, status.message());
  const bool is_path = journal.find('/') != std::string::npos || std::filesystem::exists(journal);
  auto run = ReadJournal(is_path ? journal : absl::StrCat(JournalDir(), "/", journal));
  if (!run.ok())
    return Fail(kExitUsage, absl::StrCat(run.status().message(), absl::IsNotFound(run.status()) ? "; " : "",
                                         absl::IsNotFound(run.status()) ? LeftBehind() : ""));
  PrintNotes(run->result);
  if (run->result.points.empty()) return Fail(kExitAccounting, "report: the run had not begun its first point");
  return Deliver(std::move(run->result), run->plan, options);
}

// Errors: InvalidArgument if it is not said which results are of which side.
absl::StatusOr<CompareOptions> SidesOf(const ReportFlags& flags) {
  CompareOptions sides = {.before = flags.files,
                          .after = flags.after,
                          .outputs = flags.options.outputs,
                          .is_quiet = flags.options.is_quiet,
                          .shows_all = true};
  if (sides.after.empty()) {
    if (sides.before.size() > 2)
      return absl::InvalidArgumentError(
          "report: which results are of which side? put '--' between: BEFORE.json... -- AFTER.json...");
    sides.after = {sides.before[1]};
    sides.before.pop_back();
  }
  if (flags.options.is_strict || flags.options.is_explained || flags.options.has_latency_detail)
    return absl::InvalidArgumentError("report: --strict, --explain and --latency are of one result; leave them out");
  TIDEMARK_RETURN_IF_ERROR(CheckComparison(sides));
  return sides;
}

}  // namespace

Prepare AddReport(CLI::App* app) {
  const auto flags = std::make_shared<ReportFlags>();
  app->footer(kExamples);
  app->add_option("results", flags->files,
                  "what -o json= has written; of two the first is what was before, of more '--' parts the sides")
      ->type_name("FILE.json");
  app->add_option("--after", flags->after, "")->group("");
  app->add_option("--from-journal", flags->journal, "instead: a run's id, or the path of a journal")
      ->type_name("RUN|FILE");
  AddOutputFlag(app, false, &flags->outputs);
  app->add_flag("-q,--quiet", flags->options.is_quiet, "no table");
  app->add_flag("--explain", flags->options.is_explained,
                "print all that is known of each point, and where every request went");
  app->add_flag("--latency", flags->options.has_latency_detail, "print every histogram of every point");
  app->add_flag("--strict", flags->options.is_strict, "exit 4 if a point is not VALID or TARGET_LIMITED");
  AddColorFlag(app, &flags->is_without_color);
  return [flags]() -> absl::StatusOr<Prepared> {
    flags->options.has_color = !flags->is_without_color;
    TIDEMARK_ASSIGN_OR_RETURN(flags->options.outputs, ParseOutputs(flags->outputs));
    if (flags->files.empty() == flags->journal.empty() || (flags->files.empty() && !flags->after.empty()))
      return absl::InvalidArgumentError(flags->files.empty() ? "report: of what? give FILE.json, or --from-journal RUN"
                                                             : "report: give FILE.json or --from-journal, not both");
    if (!flags->journal.empty())
      return Prepared{.act = [flags] { return ReportJournal(flags->journal, flags->options); }};
    if (flags->files.size() == 1 && flags->after.empty())
      return Prepared{.act = [flags] { return ReportJson(flags->files[0], flags->options); }};
    TIDEMARK_ASSIGN_OR_RETURN(const CompareOptions sides, SidesOf(*flags));
    return Prepared{.act = [sides] { return Compare(sides); }};
  };
}

}  // namespace tidemark
