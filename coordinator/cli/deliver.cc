#include "coordinator/cli/deliver.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/cli/chart_files.h"
#include "coordinator/cli/fail.h"
#include "coordinator/cli/files.h"
#include "coordinator/report/answer.h"
#include "coordinator/report/figures.h"
#include "coordinator/report/hdr.h"
#include "coordinator/report/summary.h"
#include "coordinator/report/text.h"
#include "coordinator/verdict/verdict.h"

namespace tidemark {
namespace {

bool IsSet(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

// A file of its own for each point, if there are several: "run.hgrm" becomes "run.c100.hgrm".
std::string PathForPoint(const std::string& path, const std::string& tag, std::size_t points) {
  if (points == 1 || path == "-") return path;
  const std::size_t dot = path.rfind('.');
  const std::size_t slash = path.rfind('/');
  if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) return absl::StrCat(path, ".", tag);
  return absl::StrCat(path.substr(0, dot), ".", tag, path.substr(dot));
}

absl::Status WriteOutput(const Output& output, const RunResult& result, const proto::Report& report) {
  const std::vector<std::string> texts = output.format->render(result, report);
  if (output.format->is_folder) return WriteChartFiles(texts[0], output);
  const std::vector<std::string> tags =
      output.format->is_per_point ? PointTags(result.points) : std::vector<std::string>();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string path = tags.empty() ? output.path : PathForPoint(output.path, tags[i], tags.size());
    TIDEMARK_RETURN_IF_ERROR(WriteFile(path, texts[i]));
  }
  return absl::OkStatus();
}

// Of standard output, in characters; 0 if it is no terminal, where any line will do.
int TerminalWidth() {
  winsize size = {};
  return isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// With -q too: what was asked for, and is not so. `is_strict`: sound verdicts were.
void PrintMissed(const proto::Report& report, bool is_strict) {
  constexpr int kMaxLines = 20;
  int missed = 0;
  for (const proto::Point& point : report.points()) {
    if (is_strict && !IsSound(point.verdict()) && ++missed <= kMaxLines)
      Fail(0, absl::StrCat(LevelOf(report, point), ": ", point.verdict(), ": ", point.verdict_reason()));
    for (const proto::Expected& expected : point.expected()) {
      if (expected.is_met() || ++missed > kMaxLines) continue;
      const std::string figure = ShownFigure(expected);
      Fail(0, absl::StrCat(LevelOf(report, point), ": ", expected.text(), " MISSED", figure.empty() ? "" : ", it is ",
                           PlainFigures(figure)));
    }
  }
  if (missed > kMaxLines) Fail(0, absl::StrCat("... and ", missed - kMaxLines, " more were missed"));
}

// Those formats that say with which code all ended, or the others. Returns the exit code.
int WriteOutputs(const RunResult& result, const proto::Report& report, const RunOptions& options, bool is_last) {
  int exit_code = kExitOk;
  for (const Output& output : options.outputs) {
    if (output.format->is_last != is_last) continue;
    if (const absl::Status status = WriteOutput(output, result, report); !status.ok())
      exit_code = Fail(kExitUsage, status.message());
  }
  return exit_code;
}

// Unless standard output is wanted for something else, or for nothing: then false.
bool PrintText(const proto::Report& report, const RunOptions& options) {
  bool is_stdout_taken = options.is_quiet;
  for (const Output& output : options.outputs) is_stdout_taken = is_stdout_taken || output.path == "-";
  if (is_stdout_taken) return false;
  const bool has_color = options.has_color && !IsSet("NO_COLOR") && isatty(STDOUT_FILENO) != 0;
  const std::string text = ToText(report, {.has_color = has_color,
                                           .is_explained = options.is_explained,
                                           .has_latency_detail = options.has_latency_detail,
                                           .width = TerminalWidth()});
  std::fputs(text.c_str(), stdout);
  return true;
}

bool IsSound(const proto::Report& report) {
  return std::all_of(report.points().begin(), report.points().end(),
                     [](const proto::Point& point) { return tidemark::IsSound(point.verdict()); });
}

}  // namespace

void PrintNotes(const RunResult& result) {
  constexpr std::size_t kMaxLines = 20;
  for (std::size_t i = 0; i < std::min(kMaxLines, result.notes.size()); ++i) Fail(0, result.notes[i]);
  if (result.notes.size() > kMaxLines)
    Fail(0, absl::StrCat("... and ", result.notes.size() - kMaxLines, " more such lines, in the JSON"));
}

int Deliver(RunResult result, const proto::Plan& plan, const RunOptions& options) {
  if (result.exit_code == kExitOk && !HasSuccess(result, plan)) {
    result.Note(kExitTarget, WhyNoSuccess(result, plan));
    Fail(0, result.notes.back());
  }
  proto::Report report = Summarise(result, plan);
  if (options.is_strict && !IsSound(report)) result.exit_code = GraverExit(kExitStrict, result.exit_code);
  for (const proto::Point& point : report.points()) {
    // Of what was the generator's doing, or is not all there, --strict makes no fault of the target's.
    const bool is_targets = point.generator() == Name(Generator::kTrusted);
    for (const proto::Expected& expected : point.expected()) {
      if (!expected.is_met() && (is_targets || !options.is_strict))
        result.exit_code = GraverExit(kExitExpectation, result.exit_code);
    }
  }
  if (!PrintText(report, options)) PrintMissed(report, options.is_strict);
  for (const bool is_last : {false, true}) {
    report.set_exit_code(result.exit_code);
    result.exit_code = GraverExit(WriteOutputs(result, report, options, is_last), result.exit_code);
  }
  return result.exit_code;
}

int DeliverAgain(const proto::Report& report, const RunOptions& options) {
  int exit_code = options.is_strict && !IsSound(report) ? kExitStrict : kExitOk;
  PrintText(report, options);
  for (const bool is_last : {false, true})
    exit_code = GraverExit(WriteOutputs(RunResult(), report, options, is_last), exit_code);
  return exit_code;
}

}  // namespace tidemark
