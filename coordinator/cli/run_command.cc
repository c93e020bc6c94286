#include "coordinator/cli/run_command.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/plan/durations.h"
#include "common/plan/plan_memory.h"
#include "common/plan/redact.h"
#include "common/plan/schedule.h"
#include "common/plan/split.h"
#include "common/plan/sweep.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "coordinator/cli/deliver.h"
#include "coordinator/cli/fail.h"
#include "coordinator/cli/files.h"
#include "coordinator/cli/fleet.h"
#include "coordinator/cli/plan_text.h"
#include "coordinator/cli/signal_watcher.h"
#include "coordinator/cli/unused_proxy.h"
#include "coordinator/observe/detached_observer.h"
#include "coordinator/observe/progress.h"
#include "coordinator/observe/terminal.h"
#include "coordinator/observe/terminal_view.h"
#include "coordinator/run/run.h"
#include "coordinator/store/journal.h"
#include "protos/plan.pb.h"
#include "protos/report.pb.h"

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
  std::int64_t most = 0;
  for (int point = 0; point < PointCount(sweep); ++point) most = std::max(most, PointAt(sweep, point).connections);
  if (!agents.empty()) {
    const auto count = static_cast<std::int64_t>(agents.size());
    const std::int64_t workers = plan.threads() > 0 ? plan.threads() : agents[0].description.cores();
    const std::int64_t connections = (most + count - 1) / count;
    const PlanMemory memory = MemoryOf(plan);
    const auto bytes = [](std::int64_t amount) { return FormatBytes(static_cast<double>(amount)); };
    absl::StrAppend(&out, "# memory: about ", bytes(memory.Of(workers, connections)),
                    " at each agent, which gives half of what it has; up to ",
                    bytes(memory.MostOf(workers, connections)),
                    " if on every connection at once the target sends all that it may");
    absl::StrAppend(&out,
                    memory.answers_per_worker == 0
                        ? "\n"
                        : absl::StrCat(", messages of ", bytes(plan.max_response_bytes()),
                                       " among it (max_response_bytes): those that find no room end as oversized\n"));
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
        requests += std::llround(PerSecond(stage.from + stage.to) / 2 * (static_cast<double>(stage.duration) / 1e9));
      }
    }
    if (!sweep.rates().empty()) absl::StrAppend(&out, " at ", FormatRate(sweep.rates(point)));
    all += requests + connections * sweep.warmup_requests_per_connection();
    if (requests != 0) absl::StrAppend(&out, "; ", requests, " requests");
    if (sweep.has_warmup())
      absl::StrAppend(&out, "; after ", FormatDuration(FromProto(sweep.warmup())), " of the same");
    absl::StrAppend(&out, "; ", connections * sweep.warmup_requests_per_connection(), " for warm-up\n");
  }
  if (sweep.arrivals() == "poisson" && !agents.empty()) {
    double highest = 0;
    for (int point = 0; point < PointCount(sweep); ++point) {
      for (const RateStage& stage : PointAt(sweep, point).stages)
        highest = std::max(highest, PerSecond(std::max(stage.from, stage.to)));
    }
    const double share = highest * static_cast<double>(1 + plan.follow()) / static_cast<double>(agents.size());
    absl::StrAppend(&out, "# arrivals at random: an agent whose allow-list caps the target's rate needs a max_rate of ",
                    std::ceil(CeilingFor(share, false)), " (its share of ", FormatRate(std::ceil(share)),
                    " and four times its root), and more for what opens connections; with --arrivals constant the "
                    "share will do\n");
  }
  if (!sweep.has_duration()) absl::StrAppend(&out, "# ", all, " requests in all\n");
  return out;
}

// What shows the run; on `terminal` if there is one.
std::unique_ptr<RunObserver> MakeView(const RunOptions& options, const std::string& run, Terminal* terminal,
                                      RunEvents* events) {
  if (terminal != nullptr) {
    const Surroundings surroundings = SurroundingsOf();
    proto::Report head;
    head.set_version(TIDEMARK_VERSION);
    head.set_run(run);
    *head.mutable_plan() = PlanForPrinting(options.plan);
    return std::make_unique<TerminalView>(
        std::move(head), terminal,
        TerminalView::Options{.has_color = options.has_color && surroundings.no_color.empty(),
                              .is_utf8 = IsUtf8(surroundings),
                              .end_after_point = [events] { events->Push({.kind = RunEvent::Kind::kLastPoint}); }});
  }
  const bool is_line = options.progress == ProgressForm::kLine || options.progress == ProgressForm::kLive;
  return std::make_unique<Progress>(options.progress == ProgressForm::kNone ? Progress::Mode::kQuiet
                                    : is_line                               ? Progress::Mode::kTerminal
                                                                            : Progress::Mode::kPlain);
}

// Null if there is to be none.
absl::StatusOr<std::unique_ptr<Journal>> OpenJournal(const RunOptions& options, const std::string& run) {
  if (!options.journal.empty()) return Journal::Create(options.journal);
  if (options.has_no_journal || options.agents.addresses.empty()) return nullptr;
  const std::string dir = JournalDir();
  if (dir.empty()) return absl::NotFoundError("--journal: neither XDG_STATE_HOME nor HOME is set");
  return Journal::Create(absl::StrCat(dir, "/", run));
}

}  // namespace

int RunCommand(const RunOptions& options) {
  if (const absl::Status status = CheckOutputs(options.outputs); !status.ok())
    return Fail(kExitUsage, status.message());
  // Before all threads, whose signals are the watcher's.
  const bool is_live = options.progress == ProgressForm::kLive && !options.is_dry_run;
  const std::unique_ptr<Terminal> terminal = is_live ? Terminal::Open() : nullptr;
  RunEvents events;
  const SignalWatcher signals(&events, terminal.get());

  auto fleet = GatherFleet(options.agents);
  if (!fleet.ok()) return FailForWantOfAgents(fleet.status());
  if (const absl::Status status = CheckCapacity(options.plan, fleet->agents); !status.ok())
    return Fail(kExitUsage, status.message());
  if (options.is_dry_run) {
    if (!options.agents.addresses.empty())
      std::printf("# Beside this file: --agents %s\n", absl::StrJoin(options.agents.addresses, ",").c_str());
    if (!options.plan.trace_sample().empty()) std::printf("# Beside this file: -o trace=FILE\n");
    std::printf("%s%s", PlanAsFile(options.plan).c_str(), DescribeSplit(options.plan, fleet->agents).c_str());
    return kExitOk;
  }

  std::unique_ptr<RunObserver> view;
  std::optional<DetachedObserver> shown;
  Run run(options.plan, fleet->agents, &events, nullptr);
  const auto journal = OpenJournal(options, run.id());
  if (!journal.ok() && !options.journal.empty()) return Fail(kExitUsage, journal.status().message());
  if (!journal.ok()) Fail(0, absl::StrCat(journal.status().message(), "; the run goes on without a journal"));
  if (journal.ok()) run.WriteTo(journal->get());
  view = MakeView(options, run.id(), terminal.get(), &events);
  // Whoever does not read stderr keeps no agent waiting.
  shown.emplace(view.get());
  run.Show(&*shown);
  RunResult result = run.Execute();
  shown.reset();  // all has been said
  view.reset();   // ... and the terminal is as it was
  if (std::string remark = RemarkOnUnusedProxy(options.plan, std::getenv); !remark.empty())
    result.Note(kExitOk, std::move(remark));
  if (journal.ok() && *journal != nullptr && (*journal)->dropped() > 0) {
    result.Note(kExitOk, absl::StrCat("the journal is incomplete: ", (*journal)->dropped(),
                                      " records were dropped, the disk or its 1 GiB are full"));
  }
  PrintNotes(result);
  // A run that never started has nothing to print but what the target said instead; files have all that is known.
  const PointResult* const first = result.points.empty() ? nullptr : &result.points[0];
  const bool was_started = first != nullptr && (first->is_started || first->warmup.sent > 0);
  const bool has_answer = first != nullptr && !first->warmup_statuses.answers().empty();
  const bool has_result = was_started || (first != nullptr && result.exit_code == kExitTarget);
  RunOptions delivered = options;
  delivered.is_quiet = options.is_quiet || (!was_started && !has_answer);
  const int exit_code =
      !has_result && result.exit_code != 0 ? result.exit_code : Deliver(std::move(result), options.plan, delivered);
  // What was delivered needs no journal, unless it was asked for.
  if (journal.ok() && *journal != nullptr && options.journal.empty()) unlink((*journal)->path().c_str());
  return exit_code;
}

}  // namespace tidemark
