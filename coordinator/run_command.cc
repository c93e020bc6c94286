#include "coordinator/run_command.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/plan.h"
#include "common/split.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "coordinator/fail.h"
#include "coordinator/fleet.h"
#include "coordinator/plan_file.h"
#include "coordinator/report/csv.h"
#include "coordinator/report/files.h"
#include "coordinator/report/hdr.h"
#include "coordinator/report/json.h"
#include "coordinator/report/summary.h"
#include "coordinator/report/text.h"
#include "coordinator/run.h"
#include "coordinator/signal_watcher.h"
#include "coordinator/verdict.h"

namespace tidemark {
namespace {

std::string DescribeSplit(const proto::Plan& plan, const std::vector<FoundAgent>& agents) {
  const proto::Sweep& sweep = plan.sweep();
  std::string out = absl::StrCat("# ", agents.size(), agents.size() == 1 ? " agent\n" : " agents\n");
  for (std::size_t i = 0; i < agents.size(); ++i) {
    const proto::DescribeResponse& who = agents[i].description;
    absl::StrAppend(&out, "#   ", i, ": ", agents[i].address, ", tidemark ", who.version(), ", ",
                    plan.threads() > 0 ? plan.threads() : who.cores(), " workers, may hold ", who.descriptor_limit(),
                    " connections, has ", absl::StrJoin(who.addresses(), " "), "\n");
  }
  std::int64_t all = 0;
  for (int point = 0; point < PointCount(sweep); ++point) {
    const auto& [connections, stages] = PointAt(sweep, point);
    const std::vector<std::int64_t> shares = SplitEvenly(connections, static_cast<std::int64_t>(agents.size()));
    absl::StrAppend(&out, "# point of ", connections, " connections: ");
    for (std::size_t i = 0; i < shares.size() && i < 20; ++i) absl::StrAppend(&out, i == 0 ? "" : " + ", shares[i]);
    if (shares.size() > 20) absl::StrAppend(&out, " + ...");
    std::int64_t requests = sweep.requests() != 0 ? sweep.requests() : connections * sweep.requests_per_connection();
    if (requests == 0) {  // the area under the rate; Poisson arrivals are that many on average
      for (const RateStage& stage : stages) {
        requests += static_cast<std::int64_t>(static_cast<double>(stage.from_millis + stage.to_millis) / 2e3 *
                                              (static_cast<double>(stage.duration) / 1e9));
      }
    }
    if (!sweep.rates().empty()) absl::StrAppend(&out, " at ", sweep.rates(point), "/s");
    all += requests + connections * sweep.warmup_requests_per_connection();
    if (requests != 0) absl::StrAppend(&out, "; ", requests, " requests");
    if (sweep.has_warmup())
      absl::StrAppend(&out, "; after ", FormatDuration(FromProto(sweep.warmup())), " of the same");
    absl::StrAppend(&out, "; ", connections * sweep.warmup_requests_per_connection(), " for warm-up\n");
  }
  if (!sweep.has_duration()) absl::StrAppend(&out, "# ", all, " requests in all\n");
  return out;
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
  switch (output.format) {
    case Output::Format::kJson:
      return WriteFile(output.path, ToJson(report));
    case Output::Format::kCsv:
      return WriteFile(output.path, ToCsv(report));
    case Output::Format::kHlog:
      return WriteFile(output.path, ToHlog(result));
    case Output::Format::kHgrm: {
      const std::vector<std::string> tags = PointTags(result.points);
      for (std::size_t i = 0; i < result.points.size(); ++i) {
        TIDEMARK_RETURN_IF_ERROR(WriteFile(PathForPoint(output.path, tags[i], tags.size()),
                                           ToHgrm(result.points[i].merger->histogram(Metric::kService))));
      }
    }
  }
  return absl::OkStatus();
}

Progress::Mode ProgressMode(const RunOptions& options) {
  if (options.is_quiet) return Progress::Mode::kQuiet;
  return isatty(STDERR_FILENO) != 0 ? Progress::Mode::kTerminal : Progress::Mode::kPlain;
}

}  // namespace

int RunCommand(const RunOptions& options) {
  if (const absl::Status status = CheckOutputs(options.outputs); !status.ok())
    return Fail(kExitUsage, status.message());
  RunEvents events;
  const SignalWatcher signals(&events);

  auto fleet = GatherFleet(options.agents);
  if (!fleet.ok())
    return Fail(absl::IsInvalidArgument(fleet.status()) ? kExitUsage : kExitAgents, fleet.status().message());
  if (const absl::Status status = CheckCapacity(options.plan, fleet->agents); !status.ok())
    return Fail(kExitUsage, status.message());
  if (options.is_dry_run) {
    std::printf("%s%s", PrintPlan(PlanForPrinting(options.plan)).c_str(),
                DescribeSplit(options.plan, fleet->agents).c_str());
    return kExitOk;
  }

  Progress progress(ProgressMode(options));
  RunResult result = Run(options.plan, fleet->agents, &events, &progress).Execute();
  for (const std::string& note : result.notes) Fail(0, note);
  // A run that never sent anything has no result to print.
  const bool has_result =
      !result.points.empty() && (result.points[0].merger->counters().sent > 0 || result.points[0].warmup.sent > 0);
  if (!has_result && result.exit_code != 0) return result.exit_code;

  proto::Report report = Summarise(result, options.plan);
  for (const proto::Point& point : report.points()) {
    const bool is_refused =
        point.verdict() == Name(Verdict::kGeneratorLimited) || point.verdict() == Name(Verdict::kNotSteady);
    if (options.is_strict && is_refused) result.exit_code = GraverExit(kExitStrict, result.exit_code);
    for (const proto::Expected& expected : point.expected()) {
      if (!expected.is_met()) result.exit_code = GraverExit(kExitExpectation, result.exit_code);
    }
  }
  report.set_exit_code(result.exit_code);
  bool is_stdout_taken = options.is_quiet;
  for (const Output& output : options.outputs) is_stdout_taken = is_stdout_taken || output.path == "-";
  if (!is_stdout_taken) {
    const bool has_color = options.has_color && getenv("NO_COLOR") == nullptr && isatty(STDOUT_FILENO) != 0;
    const std::string text = ToText(report, {.has_color = has_color, .has_latency_detail = options.has_latency_detail});
    std::fputs(text.c_str(), stdout);
  }
  for (const Output& output : options.outputs) {
    if (const absl::Status status = WriteOutput(output, result, report); !status.ok()) {
      result.exit_code = GraverExit(Fail(kExitUsage, status.message()), result.exit_code);
    }
  }
  return result.exit_code;
}

}  // namespace tidemark
