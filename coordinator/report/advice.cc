#include "coordinator/report/advice.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/plan/durations.h"
#include "coordinator/report/answer.h"
#include "coordinator/report/phrases.h"
#include "coordinator/verdict/verdict.h"

namespace tidemark {
namespace {

// "10,50" of the points with that verdict, as a flag takes them; empty if there is none.
std::string LevelsOf(const proto::Report& report, Verdict verdict) {
  std::vector<std::string> levels;
  for (const proto::Point& point : report.points()) {
    if (point.verdict() == Name(verdict)) levels.push_back(PointName(point));
  }
  return absl::StrJoin(levels, ",");
}

// "-c 10,50", "-R 5000".
std::string Flag(const proto::Report& report, const std::string& levels) {
  return absl::StrCat(HasRates(report) ? "-R " : "-c ", levels);
}

// Points of which the text says no more than the largest reason.
bool HasMoreToSay(const proto::Report& report) {
  return std::any_of(report.points().begin(), report.points().end(), [](const proto::Point& point) {
    return !IsSound(point.verdict()) && !point.verdict_notes().empty();
  });
}

// " (it waited for a core up to 35 % of the time)", where that is much.
std::string WaitedForACore(const proto::Report& report) {
  double most = 0;
  for (const proto::Point& point : report.points()) {
    if (point.verdict() == Name(Verdict::kGeneratorLimited)) most = std::max(most, point.generator_wait_percent());
  }
  return most < 5 ? "" : absl::StrFormat(" (it waited for a core up to %.0f %% of the time)", most);
}

void AddDoubts(const proto::Report& report, std::vector<std::string>* steps) {
  if (const std::string levels = LevelsOf(report, Verdict::kPartial); !levels.empty())
    steps->push_back(absl::StrCat("a part is missing at ", levels, ": run it again, ", Flag(report, levels)));
  if (const std::string levels = LevelsOf(report, Verdict::kTargetFailing); !levels.empty())
    steps->push_back(absl::StrCat("the target fails at ", levels,
                                  ": its own log says why; the figures there are those of what it still served"));
  if (const std::string levels = LevelsOf(report, Verdict::kGeneratorLimited); !levels.empty())
    steps->push_back(
        absl::StrCat("the generator was the limit at ", levels, WaitedForACore(report),
                     ": give it cores that neither the target nor other programs use (taskset), or agents on "
                     "other machines (--agents), then ",
                     Flag(report, levels)));
  if (const std::string levels = LevelsOf(report, Verdict::kNotSteady); !levels.empty()) {
    const proto::Sweep& sweep = report.plan().sweep();
    const std::string longer =
        sweep.has_duration() ? absl::StrCat("-d ", FormatDuration(4 * FromProto(sweep.duration()))) : "-d 30s";
    steps->push_back(absl::StrCat("it was still moving at ", levels, ": measure for longer, ", Flag(report, levels),
                                  " ", longer, ", or warm it up first, --warmup 10s"));
  }
}

// A closed loop's sweep that did not reach the most that the target holds.
void AddCapacity(const proto::Report& report, std::vector<std::string>* steps) {
  const proto::Capacity& capacity = report.capacity();
  if (!report.has_capacity() || !capacity.refusal().empty() || capacity.has_peak()) return;
  std::int64_t most = 0;
  for (const proto::Point& point : report.points()) most = std::max<std::int64_t>(most, point.connections());
  steps->push_back(absl::StrCat("throughput still grew: go higher, -c ", 2 * most, ",", 5 * most));
}

// As a shell takes it for one word.
std::string ForAShell(absl::string_view word) {
  constexpr absl::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/._-";
  if (word.find_first_not_of(kPlain) == absl::string_view::npos) return std::string(word);
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

// A limit that this target can keep: above the least p99 that was measured, a round number. Empty if none was.
std::string SomeLimit(const proto::Report& report) {
  double least = 0;
  for (const proto::Point& point : report.points()) {
    const double p99 = HeadlineOf(report, point).p99_us();
    if (p99 > 0 && (least == 0 || p99 < least)) least = p99;
  }
  if (least == 0) return "";
  double limit = 1e3;                       // us
  constexpr double kSteps[] = {2, 2.5, 2};  // 1, 2, 5, 10 ...
  for (int i = 0; limit < 2 * least; ++i) limit *= kSteps[i % 3];
  return FormatDuration(static_cast<Nanos>(limit * 1e3));
}

}  // namespace

std::vector<std::string> NextSteps(const proto::Report& report, bool is_explained) {
  if (report.status() == "INTERRUPTED") return {"it was interrupted, and what follows was not run: run it again"};
  std::vector<std::string> steps;
  if (AnswerOf(report).word == "FAILED") return steps;  // what was said is all there is
  AddDoubts(report, &steps);
  AddCapacity(report, &steps);
  if (steps.empty() && report.plan().expect().empty() && !IsListening(report)) {
    if (const std::string limit = SomeLimit(report); !limit.empty())
      steps.push_back(
          absl::StrCat("how much it holds within a limit, with this run's other flags: tidemark search --rate "
                       "--expect 'p99<",
                       limit, "' ", ForAShell(report.plan().target())));
  }
  if (is_explained) {
    if (steps.empty()) steps.push_back("with charts, to mail around: -o report.html");
  } else if (HasMoreToSay(report)) {
    steps.push_back("why, and how sure it is, in full: --explain; with charts: -o report.html");
  } else if (steps.size() < 2) {
    steps.push_back("every figure with its meaning: --explain; with charts, to mail around: -o report.html");
  }
  return steps;
}

}  // namespace tidemark
