#include "coordinator/report/compared.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/inert_text.h"
#include "common/status_macros.h"
#include "coordinator/report/json.h"
#include "coordinator/report/read_json.h"
#include "coordinator/verdict/verdict.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

constexpr int kResamples = 10'000;
constexpr std::size_t kLeastSeconds = 5;
constexpr absl::string_view kFigures[] = {"mean_us", "p50_us", "p99_us", "p99_9_us"};

// What must be the same in all runs: the plan but for its random seed and which server stands behind the target's name;
// the agents' number, the version.
proto::Plan PlanToCompare(const proto::Report& report) {
  proto::Plan plan = report.plan();
  plan.mutable_sweep()->clear_seed();
  plan.clear_resolve();
  plan.clear_connect_to();
  return plan;
}

std::string Setting(const proto::Report& report) {
  return absl::StrCat(ToJson(PlanToCompare(report)), "; agents ", report.agents_size(), "; version ", report.version());
}

// Where they differ first: "the plan's target: 'http://a/' and 'http://b/'".
std::string DifferenceOf(const proto::Report& a, const proto::Report& b) {
  if (a.version() != b.version()) return absl::StrCat("version: ", a.version(), " and ", b.version());
  if (a.agents_size() != b.agents_size())
    return absl::StrCat("number of agents: ", a.agents_size(), " and ", b.agents_size());
  const proto::Plan plan_a = PlanToCompare(a);
  const proto::Plan plan_b = PlanToCompare(b);
  if (plan_a.target() != plan_b.target())
    return absl::StrCat("the plan's target: '", InertText(plan_a.target(), 64), "' and '",
                        InertText(plan_b.target(), 64), "' (--connect-to reaches another server by the same name)");
  std::string differences;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&differences);
  if (!differencer.Compare(plan_a, plan_b))
    return absl::StrCat("the plan: ", InertText(differences.substr(0, differences.find('\n')), 160));
  return absl::StrCat("number of points: ", a.points_size(), " and ", b.points_size());
}

absl::Status CheckComparable(const std::vector<Result>& before, const std::vector<Result>& after) {
  std::vector<const Result*> results;
  for (const Result& result : before) results.push_back(&result);
  for (const Result& result : after) results.push_back(&result);
  const Result& first = before[0];
  const std::string setting = Setting(first.report);
  for (const Result* const result : results) {
    if (Setting(result->report) != setting || result->report.points_size() != first.report.points_size())
      return absl::InvalidArgumentError(absl::StrCat("'", result->path, "' and '", first.path, "' differ in ",
                                                     DifferenceOf(first.report, result->report),
                                                     "; compare like with like"));
    for (const proto::Point& point : result->report.points()) {
      if (IsSound(point.verdict())) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("'", result->path, "' has a point whose verdict is ",
                       point.verdict().empty() ? "missing" : point.verdict().substr(0, 64), "; run it again"));
    }
  }
  return absl::OkStatus();
}

// 0 if there is none.
double FigureOf(const google::protobuf::Message& message, absl::string_view name) {
  const auto* const field = message.GetDescriptor()->FindFieldByName(std::string(name));
  return field == nullptr ? 0 : message.GetReflection()->GetDouble(message, field);
}

// One value per run; empty if a run lacks it.
std::vector<double> Figures(const std::vector<Result>& side, int point, absl::string_view name) {
  std::vector<double> values;
  for (const Result& result : side) {
    const double value = FigureOf(ComparedLatency(result.report.points(point)), name);
    if (!(value > 0)) return {};
    values.push_back(value);
  }
  return values;
}

// The same figure of each second of one run, where the series has it.
std::vector<double> Seconds(const Result& result, int point, absl::string_view name) {
  std::vector<double> values;
  for (const proto::Window& second : result.report.points(point).series()) {
    if (const double value = FigureOf(second, name); value > 0) values.push_back(value);
  }
  return values;
}

// An interval of the ratio by resampling seconds.
std::optional<Interval> RatioOverSeconds(const std::vector<double>& before, const std::vector<double>& after) {
  if (before.size() < kLeastSeconds || after.size() < kLeastSeconds) return std::nullopt;
  std::mt19937_64 rng(1);
  const auto mean = [&rng](const std::vector<double>& from) {
    double sum = 0;
    for (std::size_t i = 0; i < from.size(); ++i) sum += from[rng() % from.size()];
    return sum / static_cast<double>(from.size());
  };
  std::vector<double> ratios(kResamples);
  for (double& ratio : ratios) ratio = mean(after) / mean(before);
  std::sort(ratios.begin(), ratios.end());
  return Interval{.low = ratios[kResamples / 40], .high = ratios[kResamples - kResamples / 40 - 1]};
}

}  // namespace

const proto::Latency& ComparedLatency(const proto::Point& point) {
  for (const proto::Latency* const latency : {&point.response(), &point.staleness(), &point.interval()}) {
    if (latency->count() > 0) return *latency;
  }
  return point.latency();
}

absl::StatusOr<std::vector<Result>> ReadSide(const std::vector<std::string>& paths) {
  std::vector<Result> side;
  std::map<std::string, std::string> files;  // by run
  for (const std::string& path : paths) {
    TIDEMARK_ASSIGN_OR_RETURN(proto::Report report, ReadReportFile(path));
    const std::string run = report.run();
    side.push_back({.path = path, .report = std::move(report)});
    if (run.empty()) continue;
    const auto [known, is_new] = files.emplace(run, path);
    if (!is_new)
      return absl::InvalidArgumentError(
          absl::StrCat("'", path, "' and '", known->second, "' are one run; give each once on a side"));
  }
  return side;
}

absl::StatusOr<std::vector<ComparedFigure>> CompareSides(const std::vector<Result>& before,
                                                         const std::vector<Result>& after) {
  TIDEMARK_RETURN_IF_ERROR(CheckComparable(before, after));
  std::vector<ComparedFigure> figures;
  for (int point = 0; point < before[0].report.points_size(); ++point) {
    for (const absl::string_view name : kFigures) {
      const std::vector<double> a = Figures(before, point, name);
      const std::vector<double> b = Figures(after, point, name);
      if (a.empty() || b.empty()) continue;
      ComparedFigure& figure = figures.emplace_back();
      figure.point = point;
      figure.name = name;
      figure.comparison = CompareRuns(a, b);
      figure.is_indicative = a.size() == 1 && b.size() == 1;
      if (figure.is_indicative)
        figure.over_seconds = RatioOverSeconds(Seconds(before[0], point, name), Seconds(after[0], point, name));
    }
  }
  if (figures.empty())
    return absl::InvalidArgumentError("compare: not all of these results have a latency above 0; nothing was compared");
  return figures;
}

const char* NameOf(Change change) {
  switch (change) {
    case Change::kRegressed:
      return "regressed";
    case Change::kImproved:
      return "improved";
    case Change::kEquivalent:
      return "equivalent";
    case Change::kInconclusive:
      return "inconclusive";
  }
  return "";
}

std::string Indication(const ComparedFigure& figure) {
  if (!figure.over_seconds) return "one run a side and too few seconds to say more";
  return absl::StrFormat("indicative: %.3f to %.3f over its seconds, which say nothing of other runs",
                         figure.over_seconds->low, figure.over_seconds->high);
}

}  // namespace tidemark
