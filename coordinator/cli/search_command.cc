#include "coordinator/cli/search_command.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "common/plan/durations.h"
#include "common/plan/expectation.h"
#include "common/plan/redact.h"
#include "common/plan/schedule.h"
#include "common/units.h"
#include "coordinator/cli/fail.h"
#include "coordinator/cli/files.h"
#include "coordinator/cli/fleet.h"
#include "coordinator/cli/signal_watcher.h"
#include "coordinator/cli/unused_proxy.h"
#include "coordinator/observe/progress.h"
#include "coordinator/report/json.h"
#include "coordinator/report/phrases.h"
#include "coordinator/report/summary.h"
#include "coordinator/run/run.h"
#include "coordinator/verdict/verdict.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

constexpr int kAttempts = 3;  // at a trial in which the generator was the limit

const char* Word(Assessment answer) {
  switch (answer) {
    case Assessment::kMet:
      return "met";
    case Assessment::kMissed:
      return "missed";
    case Assessment::kUnsure:
      return "unsure";
  }
  return "";
}

// A search under way: makes its trials, each a run of its own, and keeps what they said.
class Searcher {
 public:
  Searcher(const RunOptions& options, const std::vector<FoundAgent>& agents, RunEvents* events)
      : options_(options), agents_(agents), events_(events) {
    for (const std::string& text : options_.plan.expect()) {
      auto expectation = ParseExpectation(text);
      CHECK(expectation.ok());  // the plan is valid
      expectations_.push_back(*std::move(expectation));
    }
    report_.set_version(TIDEMARK_VERSION);
    report_.set_started_at(FormatWallTime(WallSeconds()));
    *report_.mutable_plan() = PlanForPrinting(options_.plan);
    report_.set_is_over_rates(options_.is_rate_search);
  }

  proto::SearchReport Execute() {
    if (!options_.is_quiet) {
      std::fprintf(stderr, "%9s %9s %9s %10s %9s  %s\n", Unit(), "for", IsListening() ? "msg/s" : "req/s", "p99",
                   "errors", "answer");
    }
    const SearchResult result = FindHighest(
        options_.search, expectations_, [this](std::int64_t level, Nanos duration) { return Try(level, duration); },
        [this](const Trial& trial) { Show(trial); });
    if (result.met != 0) report_.set_met(Load(result.met));
    if (result.missed != 0) report_.set_missed(Load(result.missed));
    for (const std::int64_t level : result.unsure) report_.add_unsure(Load(level));
    report_.set_is_confirmed(result.is_confirmed);
    report_.set_is_monotone(result.is_monotone);
    if (result.met == 0 && result.missed != 0) exit_code_ = GraverExit(exit_code_, kExitExpectation);
    if (!result.trials.empty() && !has_success_)
      Note(kExitTarget, absl::StrCat("target ", options_.plan.target(), ": not one ",
                                     IsListening() ? "message came" : "request succeeded", ", in any trial"));
    if (!result.is_complete && exit_code_ == kExitOk)
      Note(kExitStrict, "too many trials: the answers contradict each other; make them longer (-d)");
    report_.set_exit_code(exit_code_);
    return report_;
  }

  // "1,600/s" or "1,600 connections".
  std::string LoadName(double load) const {
    return options_.is_rate_search ? FormatRate(load) : FormatCount(static_cast<std::uint64_t>(load)) + " connections";
  }

 private:
  // What a level of the search is: a rate per second, or a number of connections.
  double Load(std::int64_t level) const {
    return options_.is_rate_search ? PerSecond(level * options_.search_step) : static_cast<double>(level);
  }
  bool IsListening() const { return options_.plan.web_socket().has_listen(); }
  std::string Rate(const proto::Point& point) const {
    if (!point.has_duration_s()) return "-";
    return FormatMeasuredRate(IsListening() ? point.messages_per_s() : point.requests_per_s());
  }
  const char* Unit() const { return options_.is_rate_search ? "rate" : "conns"; }

  void Note(int exit_code, const std::string& text) {
    exit_code_ = GraverExit(exit_code_, exit_code);
    report_.add_notes(text);
  }

  // A machine that was busy for a moment does not end the search: such a trial is made again.
  std::optional<Evidence> Try(std::int64_t level, Nanos duration) {
    std::optional<Evidence> evidence;
    for (int i = 0; i < kAttempts && !evidence && exit_code_ == kExitOk; ++i)
      evidence = TryOnce(level, duration, i + 1 == kAttempts);
    return evidence;
  }

  // Nothing if the trial cannot be used; `is_last`: no other follows.
  std::optional<Evidence> TryOnce(std::int64_t level, Nanos duration, bool is_last) {
    proto::Plan plan = options_.plan;
    proto::Sweep* const sweep = plan.mutable_sweep();
    *sweep->mutable_duration() = ToDurationProto(duration);
    if (options_.is_rate_search) {
      sweep->set_rates(0, Load(level));
      // Each trial has arrivals of its own, which the search's seed gives again.
      if (sweep->seed() != 0) sweep->set_seed(sweep->seed() + report_.trials_size());
    } else {
      sweep->set_connections(0, level);
    }
    if (const absl::Status status = CheckCapacity(plan, agents_); !status.ok()) {
      Note(kExitUsage, std::string(status.message()));
      return std::nullopt;
    }
    Progress progress(Progress::Mode::kQuiet);
    const RunResult result = Run(plan, agents_, events_, &progress).Execute();
    for (const std::string& note : result.notes) report_.add_notes(note);
    if (result.exit_code != kExitOk || result.points.empty()) {
      exit_code_ = GraverExit(exit_code_, result.exit_code);
      return std::nullopt;
    }
    has_success_ = has_success_ || HasSuccess(result, plan);
    proto::SearchTrial* const trial = report_.add_trials();
    trial->set_level(Load(level));
    *trial->mutable_point() = Summarise(result, plan).points(0);
    trial->mutable_point()->clear_slowest();  // of a run one asks for them
    // Whole seconds alone, and not the first, in which all connections start at once.
    Evidence evidence = EvidenceOf(plan, result.points[0]);
    const auto whole = static_cast<std::size_t>(duration / kSecond);
    for (std::size_t i = whole; whole > 0 && i < evidence.seconds.size(); ++i)
      evidence.seconds[whole - 1].Add(evidence.seconds[i]);  // drained: late, not left out
    if (evidence.seconds.size() > whole) evidence.seconds.resize(whole);
    evidence.is_failing = trial->point().verdict() == Name(Verdict::kTargetFailing);
    if (evidence.seconds.size() >= 3) evidence.seconds.erase(evidence.seconds.begin());
    // What the generator adds makes a figure worse: what is met in spite of it is met, what is missed may be its fault.
    const bool is_met = !evidence.is_failing &&
                        std::all_of(expectations_.begin(), expectations_.end(), [&evidence](const Expectation& e) {
                          return Assess(e, evidence) == Assessment::kMet;
                        });
    if (!is_met && trial->point().generator() == Name(Generator::kLimited)) {
      trial->set_answer("unusable");
      if (!is_last) return std::nullopt;
      Note(kExitStrict, absl::StrCat("at ", LoadName(Load(level)), " the generator was the limit: ",
                                     trial->point().generator_reason(), "; add agents or cores"));
      return std::nullopt;
    }
    return evidence;
  }

  void Show(const Trial& trial) {
    proto::SearchTrial* const entry = report_.mutable_trials(report_.trials_size() - 1);
    entry->set_duration_s(static_cast<double>(trial.duration) / 1e9);
    entry->set_is_confirmation(trial.is_confirmation);
    entry->set_answer(Word(trial.answer));
    if (options_.is_quiet) return;
    std::vector<std::string> open;
    for (std::size_t i = 0; i < expectations_.size(); ++i) {
      if (trial.answers[i] != Assessment::kMet) open.push_back(expectations_[i].text);
    }
    const proto::Point& point = entry->point();
    if (point.verdict() == Name(Verdict::kTargetFailing))
      open.push_back(absl::StrCat("the target fails: ", point.target_reason()));
    const proto::Latency& latency = point.has_staleness()     ? point.staleness()
                                    : IsListening()           ? point.interval()
                                    : options_.is_rate_search ? point.response()
                                                              : point.latency();
    const std::string errors =
        point.has_error_rate_percent() ? absl::StrFormat("%.2f%%", point.error_rate_percent()) : "-";
    std::fprintf(stderr, "%9s %9s %9s %10s %9s  %s%s%s%s\n", WriteRate(Load(trial.level)).c_str(),
                 FormatDuration((trial.duration + kSecond / 2) / kSecond * kSecond).c_str(), Rate(point).c_str(),
                 Quantile(latency, "p99_us").c_str(), errors.c_str(), Word(trial.answer), open.empty() ? "" : ": ",
                 absl::StrJoin(open, ", ").c_str(), trial.is_confirmation ? " (confirmation)" : "");
  }

  const RunOptions& options_;
  const std::vector<FoundAgent>& agents_;
  RunEvents* const events_;
  std::vector<Expectation> expectations_;
  proto::SearchReport report_;
  bool has_success_ = false;
  int exit_code_ = kExitOk;
};

std::string ToText(const proto::SearchReport& report, const Searcher& searcher) {
  std::string out;
  const std::string expected = absl::StrJoin(report.plan().expect(), " and ");
  for (const proto::Expected& entry : report.trials(0).point().expected()) {
    if (!report.plan().web_socket().has_listen() || entry.of().empty()) continue;
    absl::StrAppend(&out, "Latencies are of the ", entry.of(), "\n");
    break;
  }
  if (report.met() == 0) {
    absl::StrAppend(
        &out,
        report.missed() == 0 ? "No answer" : absl::StrCat("Missed already at ", searcher.LoadName(report.missed())),
        ": ", expected, "\n");
  } else {
    absl::StrAppend(&out, "Holds ", searcher.LoadName(report.met()), " with ", expected,
                    report.is_confirmed() ? "" : " (not confirmed)", "\n",
                    report.missed() == 0 ? "No higher level was missed"
                                         : absl::StrCat("Misses it at ", searcher.LoadName(report.missed())),
                    "\n");
  }
  std::vector<std::string> unsure;
  for (const double level : report.unsure()) unsure.push_back(searcher.LoadName(level));
  if (!unsure.empty())
    absl::StrAppend(&out, "Not decided at ", absl::StrJoin(unsure, ", "), ": longer trials (-d) would tell\n");
  if (!report.is_monotone())
    absl::StrAppend(&out, "A level above that was met: the target does not get slower evenly\n");
  return out;
}

}  // namespace

int SearchCommand(const RunOptions& options) {
  if (const absl::Status status = CheckOutputs(options.outputs); !status.ok())
    return Fail(kExitUsage, status.message());
  RunEvents events;
  const SignalWatcher signals(&events);
  auto fleet = GatherFleet(options.agents);
  if (!fleet.ok()) return FailForWantOfAgents(fleet.status());
  if (const std::string remark = RemarkOnUnusedProxy(options.plan, std::getenv); !remark.empty()) Fail(0, remark);
  Searcher searcher(options, fleet->agents, &events);
  const proto::SearchReport report = searcher.Execute();
  for (const std::string& note : report.notes()) Fail(0, note);
  int exit_code = report.exit_code();
  bool is_stdout_taken = false;
  for (const Output& output : options.outputs) is_stdout_taken = is_stdout_taken || output.path == "-";
  if (!is_stdout_taken && report.trials_size() > 0) std::fputs(ToText(report, searcher).c_str(), stdout);
  for (const Output& output : options.outputs) {
    if (const absl::Status status = WriteFile(output.path, ToJson(report)); !status.ok())
      exit_code = GraverExit(Fail(kExitUsage, status.message()), exit_code);
  }
  return exit_code;
}

}  // namespace tidemark
