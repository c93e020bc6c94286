#include "coordinator/cli/report_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/cli/cli.h"
#include "coordinator/cli/deliver.h"
#include "coordinator/cli/fail.h"
#include "coordinator/cli/files.h"
#include "coordinator/cli/parse_arguments.h"
#include "coordinator/store/journal.h"

namespace tidemark {
namespace {

constexpr char kExamples[] = R"(
Examples:
  tidemark report --from-journal 20261123T120000Z-1f2e3d
  tidemark report --from-journal ./run.journal -o json=run.json

A run with --agents writes a journal while it goes on, and removes it when its result is delivered. One that is left is
of a coordinator that died; what had arrived until then is merged again, exactly. Exit code 3 if the run had not ended.)";

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

}  // namespace

int ReportCommand(std::vector<std::string> arguments) {
  CLI::App app{"The result of a run, made again from its journal.", "tidemark report"};
  app.footer(kExamples);
  std::string journal;
  std::vector<std::string> outputs;
  RunOptions options;
  bool has_no_color = false;
  app.add_option("--from-journal", journal, "a run's id, or the path of a journal")->required()->type_name("RUN|FILE");
  app.add_option("-o,--output", outputs,
                 absl::StrCat(FormatEndings(), "; or json=FILE, csv=-, ...; - is stdout (repeatable)"))
      ->allow_extra_args(false);
  app.add_flag("-q,--quiet", options.is_quiet, "no table");
  app.add_flag("--latency", options.has_latency_detail, "print every histogram of every point");
  app.add_flag("--strict", options.is_strict, "exit 4 unless each point is VALID or TARGET_LIMITED");
  app.add_flag("--no-color", has_no_color, "no colours (also: NO_COLOR in the environment)");
  if (const auto exit_code = ParseArguments(&app, std::move(arguments))) return *exit_code;
  options.has_color = !has_no_color;
  for (const std::string& text : outputs) {
    auto output = ParseOutput(text);
    if (!output.ok()) return Fail(kExitUsage, output.status().message());
    options.outputs.push_back(*std::move(output));
  }
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

}  // namespace tidemark
