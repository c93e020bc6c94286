#include "coordinator/cli/compare_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "coordinator/analysis/compare.h"
#include "coordinator/cli/fail.h"
#include "coordinator/cli/plan_file.h"
#include "coordinator/run/run.h"
#include "coordinator/verdict/verdict.h"

namespace tidemark {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxResultBytes = 256 << 20;
constexpr int kResamples = 10'000;

constexpr char kExamples[] = R"(
Examples:
  tidemark compare before.json -- after.json
  tidemark compare before-*.json -- after-*.json

The unit is the run: a quantile of each run is one value, since the requests of a run depend on each other. Ten runs a
side, taken in turn, show a change of 3 % if runs vary by 1 %. One against one is only indicative. Results of another
plan or another number of agents, and points that are not VALID or TARGET_LIMITED, are not compared.

Words: regressed, improved (p < 0.05 by Mann and Whitney, and the interval of the ratio leaves 1 out), equivalent (that
interval lies within 3 % of 1), inconclusive.
Exit codes: 0 nothing regressed; 99 something did; 1 usage, or results that cannot be compared.)";

// One result file.
struct Result {
  std::string path;
  json::value report;
};

const json::value* Find(const json::value& value, std::initializer_list<absl::string_view> path) {
  const json::value* here = &value;
  for (const absl::string_view part : path) {
    if (!here->is_object()) return nullptr;
    here = here->as_object().if_contains(json::string_view(part.data(), part.size()));
    if (here == nullptr) return nullptr;
  }
  return here;
}

absl::StatusOr<Result> Read(const std::string& path) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxResultBytes));
  json::error_code error;
  Result result{.path = path, .report = json::parse(text, error)};
  const json::value* const points = error ? nullptr : Find(result.report, {"points"});
  const json::value* const agents = error ? nullptr : Find(result.report, {"agents"});
  if (points == nullptr || !points->is_array() || points->as_array().empty() || agents == nullptr ||
      !agents->is_array() || Find(result.report, {"plan"}) == nullptr)
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' is no result of tidemark; write one with -o json=FILE"));
  return result;
}

// What must be the same in all runs: the plan but for its random seed, the agents' number, the version.
std::string Setting(const Result& result) {
  json::value plan = *Find(result.report, {"plan"});
  if (plan.is_object() && plan.as_object().contains("sweep") && plan.at("sweep").is_object())
    plan.at("sweep").as_object().erase("seed");
  const json::value* const version = Find(result.report, {"version"});
  return absl::StrCat(std::string(json::serialize(plan)), "; agents ",
                      Find(result.report, {"agents"})->as_array().size(), "; version ",
                      version == nullptr ? "" : std::string(json::serialize(*version)));
}

// A run counts once: the same file again, or a copy of it, would make chance look small.
absl::Status CheckDistinct(absl::Span<const Result> side) {
  std::map<std::string, std::string> paths;
  for (const Result& result : side) {
    const json::value* const run = Find(result.report, {"run"});
    if (run == nullptr || !run->is_string()) continue;
    const auto [known, is_new] = paths.emplace(run->as_string().c_str(), result.path);
    if (!is_new)
      return absl::InvalidArgumentError(
          absl::StrCat("'", result.path, "' and '", known->second, "' are one run; give each once on a side"));
  }
  return absl::OkStatus();
}

absl::Status CheckComparable(const std::vector<Result>& before, const std::vector<Result>& after) {
  std::vector<const Result*> results;
  for (const Result& result : before) results.push_back(&result);
  for (const Result& result : after) results.push_back(&result);
  const std::string setting = Setting(before[0]);
  const std::size_t points = Find(before[0].report, {"points"})->as_array().size();
  for (const Result* const result : results) {
    if (Setting(*result) != setting || Find(result->report, {"points"})->as_array().size() != points) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", result->path, "' and '", before[0].path,
                       "' differ in plan, version or number of agents; compare like with like"));
    }
    for (const json::value& point : Find(result->report, {"points"})->as_array()) {
      const json::value* const verdict = Find(point, {"verdict"});
      const std::string word = verdict != nullptr && verdict->is_string()
                                   ? std::string(verdict->as_string().data(), verdict->as_string().size())
                                   : "missing";
      if (!IsSound(word)) {
        return absl::InvalidArgumentError(
            absl::StrCat("'", result->path, "' has a point whose verdict is ", word.substr(0, 64), "; run it again"));
      }
    }
  }
  return absl::OkStatus();
}

// The latency that a point is about.
const json::value* Headline(const json::value& point) {
  for (const char* name : {"response", "staleness", "interval"}) {
    const json::value* const latency = Find(point, {name});
    const json::value* const count = latency == nullptr ? nullptr : Find(*latency, {"count"});
    if (count != nullptr && count->is_number() && count->to_number<double>() > 0) return latency;
  }
  return Find(point, {"latency"});
}

// One value per run; empty if a run lacks it.
std::vector<double> Figures(const std::vector<Result>& results, std::size_t point, const char* name) {
  std::vector<double> values;
  for (const Result& result : results) {
    const json::value* const latency = Headline(Find(result.report, {"points"})->as_array()[point]);
    const json::value* const value = latency == nullptr ? nullptr : Find(*latency, {name});
    if (value == nullptr || !value->is_number() || !(value->to_number<double>() > 0)) return {};
    values.push_back(value->to_number<double>());
  }
  return values;
}

// The same figure of each second of one run, where the series has it.
std::vector<double> Seconds(const Result& result, std::size_t point, const char* name) {
  std::vector<double> values;
  const json::value* const series = Find(Find(result.report, {"points"})->as_array()[point], {"series"});
  if (series == nullptr || !series->is_array()) return values;
  for (const json::value& second : series->as_array()) {
    const json::value* const value = Find(second, {name});
    if (value != nullptr && value->is_number() && value->to_number<double>() > 0)
      values.push_back(value->to_number<double>());
  }
  return values;
}

// One run against one: an interval of the ratio by resampling seconds. It knows nothing of the spread between runs.
std::string Indicative(const Result& before, const Result& after, std::size_t point, const char* name) {
  const std::vector<double> a = Seconds(before, point, name);
  const std::vector<double> b = Seconds(after, point, name);
  if (a.size() < 5 || b.size() < 5) return "one run a side and too few seconds to say more";
  std::mt19937_64 rng(1);
  const auto mean = [&rng](const std::vector<double>& from) {
    double sum = 0;
    for (std::size_t i = 0; i < from.size(); ++i) sum += from[rng() % from.size()];
    return sum / static_cast<double>(from.size());
  };
  std::vector<double> ratios(kResamples);
  for (double& ratio : ratios) ratio = mean(b) / mean(a);
  std::sort(ratios.begin(), ratios.end());
  return absl::StrFormat("indicative: %.3f to %.3f over its seconds, which say nothing of other runs",
                         ratios[kResamples / 40], ratios[kResamples - kResamples / 40 - 1]);
}

const char* Word(Change change) {
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

std::string PointName(const json::value& point) {
  const json::value* const rate = Find(point, {"rate_per_s"});
  if (rate != nullptr && rate->is_number() && rate->to_number<double>() > 0)
    return FormatRate(rate->to_number<double>());
  const json::value* const connections = Find(point, {"connections"});
  return connections != nullptr && connections->is_number() ? absl::StrCat(connections->to_number<std::int64_t>())
                                                            : "?";
}

int Print(const std::vector<Result>& before, const std::vector<Result>& after) {
  int exit_code = kExitOk;
  bool has_figures = false;
  std::printf("%zu runs against %zu; latency, after / before, 95 %% interval\n", before.size(), after.size());
  const auto& points = Find(before[0].report, {"points"})->as_array();
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (const char* name : {"mean_us", "p50_us", "p99_us", "p99_9_us"}) {
      const std::vector<double> a = Figures(before, i, name);
      const std::vector<double> b = Figures(after, i, name);
      if (a.empty() || b.empty()) continue;
      has_figures = true;
      const Comparison c = CompareRuns(a, b);
      const std::string row = absl::StrFormat("  %8s  %-9s %8s -> %8s", PointName(points[i]), name,
                                              FormatLatency(c.before), FormatLatency(c.after));
      if (a.size() == 1 && b.size() == 1) {
        std::printf("%s  %.3f  %s\n", row.c_str(), c.ratio, Indicative(before[0], after[0], i, name).c_str());
        continue;
      }
      std::printf("%s  %.3f (%.3f to %.3f)  p %.3g  %s%s\n", row.c_str(), c.ratio, c.interval.low, c.interval.high,
                  c.p_value, Word(c.change),
                  c.change == Change::kInconclusive
                      ? absl::StrCat("; about ", c.runs_needed, " runs a side would tell").c_str()
                      : "");
      if (c.change == Change::kRegressed) exit_code = kExitExpectation;
    }
  }
  if (has_figures) return exit_code;
  return Fail(kExitUsage, "compare: not all of these results have a latency above 0; nothing was compared");
}

absl::StatusOr<std::vector<Result>> ReadSide(const std::vector<std::string>& paths) {
  std::vector<Result> side;
  for (const std::string& path : paths) {
    TIDEMARK_ASSIGN_OR_RETURN(Result result, Read(path));
    side.push_back(std::move(result));
  }
  TIDEMARK_RETURN_IF_ERROR(CheckDistinct(side));
  return side;
}

struct CompareFlags {
  std::vector<std::string> before, after;
};

int Compare(const CompareFlags& flags) {
  const auto before = ReadSide(flags.before);
  if (!before.ok()) return Fail(kExitUsage, before.status().message());
  const auto after = ReadSide(flags.after);
  if (!after.ok()) return Fail(kExitUsage, after.status().message());
  if (const absl::Status status = CheckComparable(*before, *after); !status.ok())
    return Fail(kExitUsage, status.message());
  return Print(*before, *after);
}

}  // namespace

Prepare AddCompare(CLI::App* app) {
  const auto flags = std::make_shared<CompareFlags>();
  app->footer(kExamples);
  app->add_option("results", flags->before, "results of one side, then '--', then those of the other")
      ->type_name("FILE.json");
  app->add_option("--after", flags->after, "")->group("");
  return [flags]() -> absl::StatusOr<Prepared> {
    if (flags->before.empty() || flags->after.empty())
      return absl::InvalidArgumentError("compare: give results on both sides: BEFORE.json... -- AFTER.json...");
    if (flags->before.size() + flags->after.size() > 1'000)
      return absl::InvalidArgumentError("compare: more than 1000 results");
    return Prepared{.act = [flags] { return Compare(*flags); }};
  };
}

}  // namespace tidemark
