// tidemark: plans a sweep, runs it on its agents, reports.
#include <grpc/support/log.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/machine.h"
#include "common/plan.h"
#include "common/split.h"
#include "common/status_macros.h"
#include "coordinator/cli.h"
#include "coordinator/compare_command.h"
#include "coordinator/local_agent.h"
#include "coordinator/plan_file.h"
#include "coordinator/report/csv.h"
#include "coordinator/report/hdr.h"
#include "coordinator/report/json.h"
#include "coordinator/report/summary.h"
#include "coordinator/report/text.h"
#include "coordinator/run.h"
#include "coordinator/verdict.h"

namespace tidemark {
namespace {

int Fail(int code, absl::string_view message) {
  std::fprintf(stderr, "tidemark: %.*s\n", static_cast<int>(message.size()), message.data());
  return code;
}

// Turns the first SIGINT or SIGTERM into an event and the second into the end of the process.
// The signals are blocked in every thread but this one's sigwait.
class SignalWatcher {
 public:
  explicit SignalWatcher(RunEvents* events) {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    thread_ = std::thread([this, events] {
      int seen = 0;
      while (true) {
        int signal = 0;
        sigwait(&set_, &signal);
        if (signal == SIGUSR1) return;  // from our destructor
        if (++seen > 1) _exit(kExitInterrupted);
        events->Push({.kind = RunEvent::Kind::kInterrupt});
      }
    });
  }
  ~SignalWatcher() {
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }

 private:
  sigset_t set_;
  std::thread thread_;
};

// What stands in the way of the plan at these agents. Local ports are checked once the target is resolved, see Run.
absl::Status CheckCapacity(const proto::Plan& plan, const std::vector<FoundAgent>& agents) {
  for (const std::int64_t connections : plan.sweep().connections()) {
    const std::vector<std::int64_t> shares = SplitEvenly(connections, static_cast<std::int64_t>(agents.size()));
    for (std::size_t i = 0; i < agents.size(); ++i) {
      const proto::DescribeResponse& agent = agents[i].description;
      if (shares[i] > agent.descriptor_limit()) {
        return absl::ResourceExhaustedError(absl::StrCat("sweep.connections: ", connections, " give agent ",
                                                         agents[i].address, " ", shares[i],
                                                         " connections, but it may hold ", agent.descriptor_limit(),
                                                         "; raise its descriptor limit (ulimit -n) or add agents"));
      }
    }
  }
  return absl::OkStatus();
}

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

absl::Status WriteFile(const std::string& path, const std::string& content) {
  if (path == "-") {
    std::fwrite(content.data(), 1, content.size(), stdout);
    return absl::OkStatus();
  }
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << content;
  out.close();
  return out ? absl::OkStatus()
             : absl::NotFoundError(absl::StrCat("-o: '", path, "' cannot be written; check the folder and the space"));
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

// Before the run, so that no result is lost to a typing error: can every output be written?
absl::Status CheckOutputs(const std::vector<Output>& outputs) {
  for (const Output& output : outputs) {
    if (output.path == "-") continue;
    const bool is_new = access(output.path.c_str(), F_OK) != 0;
    std::ofstream out(output.path, std::ios::binary | std::ios::app);
    if (!out) return absl::NotFoundError(absl::StrCat("-o: '", output.path, "' cannot be written; check the folder"));
    out.close();
    if (is_new) unlink(output.path.c_str());
  }
  return absl::OkStatus();
}

Progress::Mode ProgressMode(const RunOptions& options) {
  if (options.is_quiet) return Progress::Mode::kQuiet;
  return isatty(STDERR_FILENO) != 0 ? Progress::Mode::kTerminal : Progress::Mode::kPlain;
}

absl::StatusOr<std::vector<FoundAgent>> FindLocal(LocalAgent* local) {
  FoundAgent agent{.address = "in process", .channel = local->Dial()};
  TIDEMARK_ASSIGN_OR_RETURN(agent.description,
                            Describe(agent.channel, agent.address, MonotonicNow() + kDescribeTimeout));
  TIDEMARK_RETURN_IF_ERROR(CheckAgent(agent));
  return std::vector<FoundAgent>{agent};
}

int RunCommand(const RunOptions& options) {
  if (const absl::Status status = CheckOutputs(options.outputs); !status.ok())
    return Fail(kExitUsage, status.message());
  RunEvents events;
  const SignalWatcher signals(&events);

  std::unique_ptr<LocalAgent> local;
  if (options.agents.empty()) {
    auto started = LocalAgent::Start(options.allow_targets);
    if (!started.ok()) return Fail(kExitUsage, started.status().message());
    local = *std::move(started);
  }
  auto agents =
      local != nullptr ? FindLocal(local.get()) : FindAgents(options.agents, options.wait_agents, options.wait_timeout);
  if (!agents.ok())
    return Fail(absl::IsInvalidArgument(agents.status()) ? kExitUsage : kExitAgents, agents.status().message());
  if (const absl::Status status = CheckCapacity(options.plan, *agents); !status.ok())
    return Fail(kExitUsage, status.message());
  if (options.is_dry_run) {
    std::printf("%s%s", PrintPlan(PlanForPrinting(options.plan)).c_str(), DescribeSplit(options.plan, *agents).c_str());
    return kExitOk;
  }

  Progress progress(ProgressMode(options));
  RunResult result = Run(options.plan, *std::move(agents), &events, &progress).Execute();
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

int Main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  gpr_set_log_function([](gpr_log_func_args*) {});  // its reasons come back as statuses
  RaiseDescriptorLimit();
  if (argc > 1 && absl::string_view(argv[1]) == "compare") return CompareCommand({argv + 2, argv + argc});
  const CommandLine command = ParseCommandLine(argc, argv);
  if (!command.is_run) {
    std::fputs(command.text.c_str(), command.exit_code == 0 ? stdout : stderr);
    return command.exit_code;
  }
  return RunCommand(command.options);
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  try {
    return tidemark::Main(argc, argv);
  } catch (const std::exception& error) {
    return tidemark::Fail(tidemark::kExitInternal, absl::StrCat("internal error: ", error.what()));
  }
}
