#include "coordinator/report/html_charts.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/plan/expectation.h"
#include "common/units.h"
#include "coordinator/analysis/usl.h"
#include "coordinator/report/decimal.h"
#include "coordinator/report/figures.h"
#include "coordinator/report/html_data.h"
#include "coordinator/report/html_table.h"
#include "coordinator/report/phrases.h"

namespace tidemark {
namespace {

constexpr int kMaxCurves = 4;
constexpr int kMaxAgentCharts = 12;
// Rows of the table of a chart over time: a point is cut into as many spans as fit.
constexpr int kMaxSpans = 24;

// Whether there are levels to draw anything over.
bool HasLevels(const proto::Report& report) {
  std::set<double> levels;
  for (const proto::Point& point : report.points()) levels.insert(LevelValue(report, point));
  return levels.size() > 1;
}

bool HasLatency(const proto::Report& report, const proto::Point& point) {
  return HeadlineOf(report, point).has_p50_us();
}

int PointsWithLatency(const proto::Report& report) {
  return static_cast<int>(std::count_if(report.points().begin(), report.points().end(),
                                        [&report](const proto::Point& p) { return HasLatency(report, p); }));
}

// ---- over time

// A row of Columns, or of the seconds where a report has no columns.
struct Moment {
  std::uint64_t requests = 0, success = 0, failed = 0, messages = 0;
  double p50_us = std::numeric_limits<double>::quiet_NaN();
  double p99_us = std::numeric_limits<double>::quiet_NaN();
};

double At(const proto::Numbers& numbers, int i) {
  return i < numbers.list_size() ? numbers.list(i) : std::numeric_limits<double>::quiet_NaN();
}

bool IsAny(const proto::Numbers& numbers) {
  return std::any_of(numbers.list().begin(), numbers.list().end(),
                     [](double value) { return std::isfinite(value) && value != 0; });
}

double Sum(const proto::Numbers& numbers) {
  double sum = 0;
  for (const double value : numbers.list()) sum += std::isfinite(value) ? value : 0;
  return sum;
}

struct FailureClass {
  absl::string_view name;  // in the data
  absl::string_view title;
  const proto::Numbers& (proto::Columns::*of)() const;
};
constexpr FailureClass kFailureClasses[] = {
    {"s4", "4xx", &proto::Columns::failed_4xx},
    {"s429", "429", &proto::Columns::failed_429},
    {"s5", "5xx", &proto::Columns::failed_5xx},
    {"other", "other status", &proto::Columns::failed_other_status},
    {"late", "timed out", &proto::Columns::timed_out},
    {"none", "no answer", &proto::Columns::no_answer},
    {"unsent", "never sent", &proto::Columns::never_sent},
};

// Those that any point has.
std::vector<FailureClass> ClassesOf(const proto::Report& report) {
  std::vector<FailureClass> classes;
  for (const FailureClass& row : kFailureClasses) {
    const auto has_it = [&row](const proto::Point& point) { return IsAny((point.columns().*row.of)()); };
    if (std::any_of(report.points().begin(), report.points().end(), has_it)) classes.push_back(row);
  }
  return classes;
}

int RowCount(const proto::Columns& columns) {
  return std::max({columns.requests().list_size(), columns.messages().list_size(), columns.p99_us().list_size()});
}

int MostRows(const proto::Report& report) {
  int most = 0;
  for (const proto::Point& point : report.points()) most = std::max(most, RowCount(point.columns()));
  return most;
}

// [first, last) rows of each span into which a point's rows are cut for a table.
std::vector<std::pair<int, int>> SpansOf(const proto::Report& report, const proto::Columns& columns) {
  const int per_point = std::max(1, kMaxSpans / std::max(1, report.points_size()));
  const int rows = RowCount(columns);
  const int length = std::max(1, (rows + per_point - 1) / per_point);
  std::vector<std::pair<int, int>> spans;
  for (int first = 0; first < rows; first += length) spans.emplace_back(first, std::min(rows, first + length));
  return spans;
}

std::string SpanName(const proto::Columns& columns, std::pair<int, int> span) {
  const std::uint64_t length = std::max(1u, columns.row_length_s());
  return absl::StrCat(static_cast<std::uint64_t>(span.first) * length, " to ",
                      static_cast<std::uint64_t>(span.second) * length);
}

// "39.6 ms" of the least or the largest of a figure's rows in a span; "-" of none.
std::string Extreme(const proto::Numbers& numbers, std::pair<int, int> span, bool is_least) {
  std::optional<double> found;
  for (int i = span.first; i < span.second; ++i) {
    const double value = At(numbers, i);
    if (!std::isfinite(value)) continue;
    if (!found || (is_least ? value < *found : value > *found)) found = value;
  }
  return found ? ShownLatency(*found) : "-";
}

double SumOf(const proto::Numbers& numbers, std::pair<int, int> span) {
  double sum = 0;
  for (int i = span.first; i < span.second; ++i) {
    if (const double value = At(numbers, i); std::isfinite(value)) sum += value;
  }
  return sum;
}

std::string TimeTable(const proto::Report& report) {
  const bool is_listening = IsListening(report);
  HtmlTable table(
      {{LevelTitle(report)}, {"seconds"}, {is_listening ? "messages" : "answers"}, {"least p99"}, {"largest p99"}});
  for (const proto::Point& point : report.points()) {
    const proto::Columns& columns = point.columns();
    for (const auto& span : SpansOf(report, columns))
      table.Row({LevelName(point), SpanName(columns, span),
                 ShownCount(SumOf(is_listening ? columns.messages() : columns.requests(), span)),
                 Extreme(columns.p99_us(), span, true), Extreme(columns.p99_us(), span, false)});
  }
  return table.ToHtml("Latency over time");
}

std::string FailureTable(const proto::Report& report, const std::vector<FailureClass>& classes) {
  std::vector<HtmlColumn> titles = {{LevelTitle(report)}, {"seconds"}};
  for (const FailureClass& row : classes) titles.push_back({std::string(row.title)});
  HtmlTable table(titles);
  for (const proto::Point& point : report.points()) {
    const proto::Columns& columns = point.columns();
    for (const auto& span : SpansOf(report, columns)) {
      std::vector<HtmlCell> cells = {LevelName(point), SpanName(columns, span)};
      for (const FailureClass& row : classes) cells.emplace_back(ShownCount(SumOf((columns.*row.of)(), span)));
      table.Row(std::move(cells));
    }
  }
  return table.ToHtml("Failures over time");
}

// ---- over the levels

// What the curve fitted to the throughput says of a level; nothing if none was fitted.
std::optional<double> FittedAt(const proto::Capacity& capacity, double n) {
  if (!capacity.refusal().empty() || !capacity.has_gamma_per_s()) return std::nullopt;
  return Usl{capacity.gamma_per_s(), capacity.sigma(), capacity.kappa()}.At(n);
}

std::string RateTable(const proto::Report& report) {
  const bool is_listening = IsListening(report);
  const bool has_fit = report.has_capacity() && FittedAt(report.capacity(), 1).has_value();
  std::vector<HtmlColumn> titles = {{LevelTitle(report)}, {is_listening ? "messages/s" : "successes/s"}};
  if (has_fit) titles.push_back({"fitted"});
  HtmlTable table(titles);
  for (const proto::Point& point : report.points()) {
    const bool has_rate = is_listening ? point.has_messages_per_s() : point.has_success_per_s();
    std::vector<HtmlCell> cells = {
        LevelName(point), has_rate ? ShownRate(is_listening ? point.messages_per_s() : point.success_per_s()) : "-"};
    if (has_fit) cells.emplace_back(ShownRate(*FittedAt(report.capacity(), static_cast<double>(point.connections()))));
    table.Row(std::move(cells));
  }
  return table.ToHtml("Throughput of each point");
}

std::string WithInterval(const proto::Latency& latency, absl::string_view name) {
  const std::string interval = ShownInterval(latency, name);
  return absl::StrCat(ShownQuantile(latency, name), interval.empty() ? "" : absl::StrCat(" (", interval, ")"));
}

std::string LatencyTable(const proto::Report& report) {
  HtmlTable table({{LevelTitle(report)}, {"p50"}, {"p90"}, {"p99"}, {"p99.9"}});
  for (const proto::Point& point : report.points()) {
    const proto::Latency& latency = HeadlineOf(report, point);
    table.Row({LevelName(point), WithInterval(latency, "p50_us"), WithInterval(latency, "p90_us"),
               WithInterval(latency, "p99_us"), WithInterval(latency, "p99_9_us")});
  }
  return table.ToHtml("Latency of each point");
}

// The first expectation of a latency: its limit is a line of the chart.
std::optional<Expectation> LatencyLimit(const proto::Report& report) {
  for (const proto::Point& point : report.points()) {
    for (const proto::Expected& expected : point.expected()) {
      const auto parsed = ParseExpectation(expected.text());
      if (parsed.ok() && parsed->IsLatency()) return *parsed;
    }
  }
  return std::nullopt;
}

// Whether the capacity's peak, its interval and its knee are drawn, and said below the title.
std::string FitWords(const proto::Report& report) {
  if (!report.has_capacity() || !report.capacity().refusal().empty()) return "";
  const proto::Capacity& capacity = report.capacity();
  std::string text = "; dashed: the Universal Scalability Law fitted to them";
  if (capacity.has_peak())
    absl::StrAppend(&text, "; dotted: its peak",
                    capacity.has_peak_connections_high() ? ", with the 95 % interval" : "");
  if (capacity.is_knee_clear()) absl::StrAppend(&text, "; grey band: the knee, by three rules");
  return text;
}

// ---- quantiles

// The points whose curves are drawn: the least and the highest level, the one that speaks for the run, one more
// between.
std::vector<int> CurvePoints(const proto::Report& report, const Answer& answer) {
  std::vector<int> usable;
  for (int i = 0; i < report.points_size(); ++i) {
    if (report.points(i).curve().beyond().list_size() >= 3) usable.push_back(i);
  }
  if (usable.size() <= kMaxCurves) return usable;
  std::set<int> chosen = {usable.front(), usable.back()};
  if (std::find(usable.begin(), usable.end(), answer.point) != usable.end()) chosen.insert(answer.point);
  // What is missing comes from where the gap between the chosen is widest.
  while (chosen.size() < kMaxCurves) {
    int best = usable.front();
    int gap = 0;
    for (auto next = std::next(chosen.begin()); next != chosen.end(); ++next) {
      const int width = *next - *std::prev(next);
      const int middle = (*next + *std::prev(next)) / 2;
      const auto near = std::lower_bound(usable.begin(), usable.end(), middle);
      if (width > gap && near != usable.end() && chosen.count(*near) == 0) gap = width, best = *near;
    }
    if (!chosen.insert(best).second) break;
  }
  return {chosen.begin(), chosen.end()};
}

std::string CurveTable(const proto::Report& report, const std::vector<int>& points) {
  HtmlTable table({{LevelTitle(report)}, {"p50"}, {"p90"}, {"p99"}, {"p99.9"}, {"p99.99"}, {"max"}});
  for (const int i : points) {
    const proto::Latency& latency = HeadlineOf(report, report.points(i));
    table.Row({LevelName(report.points(i)), ShownQuantile(latency, "p50_us"), ShownQuantile(latency, "p90_us"),
               ShownQuantile(latency, "p99_us"), ShownQuantile(latency, "p99_9_us"),
               ShownQuantile(latency, "p99_99_us"), ShownQuantile(latency, "max_us")});
  }
  return table.ToHtml("Quantiles of the curves");
}

// ---- agents

// Indices into report.agents() of those that are drawn: the highest p99 at any point first.
std::vector<std::uint32_t> WorstAgents(const proto::Report& report) {
  std::vector<std::pair<double, std::uint32_t>> worst;
  for (int i = 0; i < report.agents_size(); ++i) worst.emplace_back(-1, static_cast<std::uint32_t>(i));
  for (const proto::Point& point : report.points()) {
    const double all = HeadlineOf(report, point).p99_us();
    for (const proto::AgentRow& row : point.agents()) {
      if (!row.has_p99_us() || row.agent() >= worst.size() || all <= 0) continue;
      worst[row.agent()].first = std::max(worst[row.agent()].first, row.p99_us() / all);
    }
  }
  std::erase_if(worst, [](const auto& agent) { return agent.first < 0; });
  std::stable_sort(worst.begin(), worst.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  if (worst.size() > kMaxAgentCharts) worst.resize(kMaxAgentCharts);
  std::vector<std::uint32_t> agents;
  for (const auto& [ratio, agent] : worst) agents.push_back(agent);
  return agents;
}

std::string AgentTable(const proto::Report& report) {
  constexpr int kMaxRows = 1'000;
  HtmlTable table({{"agent"}, {"address", true}, {"sent"}, {"succeeded"}, {"largest p99"}, {"max"}, {"most CPU"}});
  struct Row {
    std::uint64_t sent = 0, success = 0;
    double p99 = -1, max = -1, cpu = -1;
  };
  std::vector<Row> rows(static_cast<std::size_t>(report.agents_size()));
  for (const proto::Point& point : report.points()) {
    for (const proto::AgentRow& agent : point.agents()) {
      if (agent.agent() >= rows.size()) continue;
      Row& row = rows[agent.agent()];
      row.sent += agent.sent();
      row.success += agent.success();
      if (agent.has_p99_us()) row.p99 = std::max(row.p99, agent.p99_us());
      if (agent.has_max_us()) row.max = std::max(row.max, agent.max_us());
      if (agent.has_cpu_percent()) row.cpu = std::max(row.cpu, agent.cpu_percent());
    }
  }
  for (int i = 0; i < std::min(report.agents_size(), kMaxRows); ++i) {
    const Row& row = rows[static_cast<std::size_t>(i)];
    const proto::AgentInfo& agent = report.agents(i);
    table.Row({absl::StrCat(i), absl::StrCat(agent.address(), agent.lost().empty() ? "" : ", LOST: ", agent.lost()),
               FormatCount(row.sent), FormatCount(row.success), row.p99 < 0 ? "-" : ShownLatency(row.p99),
               row.max < 0 ? "-" : ShownLatency(row.max),
               row.cpu < 0 ? "-" : absl::StrCat(Rounded(row.cpu, 0), kNoBreak, "%")});
  }
  std::string html = table.ToHtml("Agents");
  if (report.agents_size() > kMaxRows)
    absl::StrAppend(&html, "<p>... and ", report.agents_size() - kMaxRows, " more agents, in the JSON.</p>");
  return html;
}

// ---- the generator

std::string Whole(bool has_it, double percent) {
  return has_it ? absl::StrCat(Rounded(std::max(percent, 0.0), 0), kNoBreak, "%") : "-";
}

std::string LoadTable(const proto::Report& report) {
  HtmlTable table({{LevelTitle(report)}, {"CPU, of one core"}, {"waited for a core"}});
  for (const proto::Point& point : report.points())
    table.Row({LevelName(point), Whole(point.has_generator_cpu_percent(), point.generator_cpu_percent()),
               Whole(point.has_generator_wait_percent(), point.generator_wait_percent())});
  return table.ToHtml("CPU and waiting of the generator");
}

std::string DelayTable(const proto::Report& report) {
  HtmlTable table({{LevelTitle(report)}, {"lateness p99"}, {"loop lag p99"}});
  for (const proto::Point& point : report.points())
    table.Row({LevelName(point), ShownQuantile(point.lateness(), "p99_us"), ShownQuantile(point.loop_lag(), "p99_us")});
  return table.ToHtml("Delays of the generator");
}

const proto::Split* SplitOf(const proto::Point& point, absl::string_view name) {
  for (const proto::Split& split : point.splits()) {
    if (split.name() == name) return &split;
  }
  return nullptr;
}

// The quantile whose parts are drawn: p99 if any point has it, else p50, else the mean; empty if there is none.
std::string SplitName(const proto::Report& report) {
  for (const char* const name : {"p99_us", "p50_us", "mean_us"}) {
    const auto has_it = [name](const proto::Point& point) { return SplitOf(point, name) != nullptr; };
    if (std::any_of(report.points().begin(), report.points().end(), has_it)) return name;
  }
  return "";
}

// Of many points the figure that is drawn alone.
std::string SplitTable(const proto::Report& report, const std::string& drawn) {
  constexpr int kMaxWithAll = 5;
  HtmlTable table({{LevelTitle(report)}, {"of", true}, {"whole"}, {"ours"}, {"network"}, {"target"}});
  for (const proto::Point& point : report.points()) {
    for (const char* const name : {"mean_us", "p50_us", "p99_us"}) {
      const proto::Split* const split = SplitOf(point, name);
      if (split == nullptr || (report.points_size() > kMaxWithAll && name != drawn)) continue;
      const absl::string_view shown = name[0] == 'm' ? "mean" : name[1] == '5' ? "p50" : "p99";
      table.Row({LevelName(point), std::string(shown), ShownLatency(split->whole_us()), ShownLatency(split->ours_us()),
                 ShownLatency(split->network_us()), ShownLatency(split->target_us())});
    }
  }
  return table.ToHtml("Where the time went");
}

// ---- data

std::string LatencyData(const proto::Latency& latency) {
  JsonObject object;
  object.Number("p50_us", latency.has_p50_us(), latency.p50_us())
      .Number("p90_us", latency.has_p90_us(), latency.p90_us())
      .Number("p99_us", latency.has_p99_us(), latency.p99_us())
      .Number("p99_9_us", latency.has_p99_9_us(), latency.p99_9_us());
  std::vector<std::string> bounds;
  for (const std::string& name : latency.at_least()) bounds.push_back(JsonText(name));
  object.Raw("at_least", absl::StrCat("[", absl::StrJoin(bounds, ","), "]"));
  JsonObject intervals;
  for (const proto::Interval& interval : latency.intervals())
    intervals.Raw(interval.name(),
                  absl::StrCat("[", FourDigitsText(interval.low_us()), ",", FourDigitsText(interval.high_us()), "]"));
  return object.Raw("intervals", intervals.Json()).Json();
}

std::string ColumnsData(const proto::Columns& columns, const std::vector<FailureClass>& classes, bool is_alone,
                        bool is_listening) {
  JsonObject object;
  object.Number("row_s", true, std::max(1u, columns.row_length_s())).Number("rows", true, RowCount(columns));
  object.Column("p99_us", columns.p99_us());
  JsonObject failures;
  for (const FailureClass& row : classes) {
    if (IsAny((columns.*row.of)())) failures.Column(row.name, (columns.*row.of)());
  }
  object.Raw("failures", failures.Json());
  if (is_alone) {
    object.Column("p50_us", columns.p50_us()).Column("p99_9_us", columns.p99_9_us());
    object.Column("rate", is_listening ? columns.messages() : columns.success());
    object.Column("cpu", columns.generator_cpu_percent()).Column("lateness", columns.lateness_p99_us());
  }
  return object.Json();
}

std::string HeatData(const proto::HeatMap& heat) {
  const auto row = [](std::string* out, const proto::HeatRow& cells) {
    absl::StrAppend(out, "[");
    if (!cells.counts().empty()) absl::StrAppend(out, cells.first(), ",", absl::StrJoin(cells.counts(), ","));
    absl::StrAppend(out, "]");
  };
  return absl::StrCat("[", absl::StrJoin(heat.rows(), ",", row), "]");
}

bool HasHeat(const proto::Point& point) {
  return std::any_of(point.heat().rows().begin(), point.heat().rows().end(),
                     [](const proto::HeatRow& row) { return !row.counts().empty(); });
}

std::string CurveData(const proto::Curve& curve) {
  JsonObject object;
  return object.Column("beyond", curve.beyond())
      .Column("us", curve.value_us())
      .Number("at_least_from", curve.has_at_least_from(), curve.at_least_from())
      .Json();
}

std::string CapacityData(const proto::Capacity& c) {
  JsonObject object;
  object.Number("gamma", c.has_gamma_per_s(), c.gamma_per_s())
      .Number("sigma", c.has_sigma(), c.sigma())
      .Number("kappa", c.has_kappa(), c.kappa());
  if (c.has_peak()) {
    object.Number("peak", c.has_peak_connections(), c.peak_connections())
        .Number("low", c.has_peak_connections_low(), c.peak_connections_low())
        .Number("high", c.has_peak_connections_high(), c.peak_connections_high())
        .Number("most", c.has_max_requests_per_s(), c.max_requests_per_s());
    object.Text("peak_text", absl::StrCat("peak ", ShownCount(c.max_requests_per_s()), "/s"));
    object.Text("peak_at", absl::StrCat("at ", ShownCount(c.peak_connections()),
                                        c.has_peak_connections_high()
                                            ? absl::StrCat(" (", ShownCount(c.peak_connections_low()), " to ",
                                                           ShownCount(c.peak_connections_high()), ")")
                                            : ""));
  }
  if (c.is_knee_clear()) {
    const auto [low, high] = std::minmax({c.knee_power(), c.knee_crossing(), c.knee_kneedle()});
    object.Number("knee_low", true, low).Number("knee_high", true, high);
    object.Text("knee_text", absl::StrCat("knee ", ShownCount(low), " to ", ShownCount(high)));
  }
  return object.Json();
}

std::string PointData(const proto::Report& report, int i, const std::vector<FailureClass>& classes,
                      const std::vector<int>& curves, absl::string_view split_name) {
  const proto::Point& point = report.points(i);
  const bool is_listening = IsListening(report);
  JsonObject object;
  object.Number("level", true, LevelValue(report, point)).Text("name", LevelName(point));
  object.Raw("valid", point.verdict() == "VALID" ? "true" : "false").Text("verdict", point.verdict());
  object.Number("rate", is_listening ? point.has_messages_per_s() : point.has_success_per_s(),
                is_listening ? point.messages_per_s() : point.success_per_s());
  object.Raw("latency", LatencyData(HeadlineOf(report, point)));
  object.Number("cpu", point.has_generator_cpu_percent(), point.generator_cpu_percent());
  object.Number("wait", point.has_generator_wait_percent(), point.generator_wait_percent());
  object.Number("lateness", point.lateness().has_p99_us(), point.lateness().p99_us());
  object.Number("loop_lag", point.loop_lag().has_p99_us(), point.loop_lag().p99_us());
  if (const proto::Split* const split = SplitOf(point, split_name); split != nullptr)
    object.Raw("split", absl::StrCat("[", FourDigitsText(split->ours_us()), ",", FourDigitsText(split->network_us()),
                                     ",", FourDigitsText(split->target_us()), "]"));
  if (RowCount(point.columns()) > 0)
    object.Raw("time", ColumnsData(point.columns(), classes, !HasLevels(report), is_listening));
  if (HasHeat(point)) object.Raw("heat", HeatData(point.heat()));
  if (std::find(curves.begin(), curves.end(), i) != curves.end()) object.Raw("curve", CurveData(point.curve()));
  return object.Json();
}

std::string AgentsData(const proto::Report& report) {
  std::vector<std::string> agents;
  for (const std::uint32_t agent : WorstAgents(report)) {
    std::vector<std::string> p99;
    std::string over_time;
    for (const proto::Point& point : report.points()) {
      const auto row = std::find_if(point.agents().begin(), point.agents().end(),
                                    [agent](const proto::AgentRow& r) { return r.agent() == agent; });
      p99.push_back(row == point.agents().end() || !row->has_p99_us() ? "null" : FourDigitsText(row->p99_us()));
      if (row != point.agents().end() && !HasLevels(report) && over_time.empty() &&
          !row->columns().p99_us().list().empty())
        over_time = absl::StrCat("{\"row_s\":", std::max(1u, row->columns().row_length_s()),
                                 ",\"p99_us\":", NumberList(row->columns().p99_us()), "}");
    }
    JsonObject object;
    object.Text("name", absl::StrCat("agent ", agent)).Raw("p99", absl::StrCat("[", absl::StrJoin(p99, ","), "]"));
    if (!over_time.empty()) object.Raw("time", over_time);
    agents.push_back(object.Json());
  }
  return absl::StrCat("[", absl::StrJoin(agents, ","), "]");
}

// "rises from 10.3 ms at 2 to 137 ms at 512": the ends of what a chart over the levels shows.
std::string Ends(const proto::Report& report, std::string (*figure)(const proto::Report&, const proto::Point&)) {
  const proto::Point& first = report.points(0);
  const proto::Point& last = report.points(report.points_size() - 1);
  return absl::StrCat("from ", figure(report, first), " at ", LevelName(first), " to ", figure(report, last), " at ",
                      LevelName(last));
}

std::string RateFigure(const proto::Report& report, const proto::Point& point) {
  return absl::StrCat(ShownRate(IsListening(report) ? point.messages_per_s() : point.success_per_s()), "/s");
}

std::string TailFigure(const proto::Report& report, const proto::Point& point) {
  return ShownQuantile(HeadlineOf(report, point), "p99_us");
}

}  // namespace

std::string Chart(absl::string_view name, absl::string_view css, absl::string_view title, absl::string_view subtitle,
                  absl::string_view label, absl::string_view table) {
  return absl::StrCat("<figure class=\"", css, "\"><h3>", Html(title), "</h3><p class=\"sub\">", Html(subtitle),
                      "</p><div class=\"legend\"></div><div class=\"plot\" data-chart=\"", name, "\" data-label=\"",
                      Html(label), "\"></div>", table.empty() ? "" : Folded("Its figures", table), "</figure>\n");
}

const char* LatencyName(const proto::Report& report) {
  if (!IsListening(report)) return IsOpenLoop(report) ? "response time, from the due time" : "service time";
  return report.total().has_staleness() ? "staleness" : "interval between two messages";
}

std::string LevelTitle(const proto::Report& report) {
  return HasRates(report) ? "requests/s asked for" : "connections";
}

std::string LevelCharts(const proto::Report& report) {
  const bool is_listening = IsListening(report);
  const std::string rate_title = is_listening ? "Messages per second" : "Throughput";
  const std::string over = HasRates(report) ? "rate asked for" : "connections";
  if (!HasLevels(report)) {
    if (MostRows(report) < 3) return "";
    return absl::StrCat(
        "<div class=\"grid\">",
        Chart("rate-time", "", absl::StrCat(rate_title, " over time"),
              is_listening ? "messages of each second" : "successes of each second",
              absl::StrCat(rate_title, " over time"), ""),
        PointsWithLatency(report) == 0
            ? ""
            : Chart("latency-time", "", "Latency over time", absl::StrCat(LatencyName(report), " of each second"),
                    absl::StrCat("Latency over time, p99 ", TailFigure(report, report.points(0)), " in all"),
                    TimeTable(report)),
        "</div>\n");
  }
  const auto has_rate = [is_listening](const proto::Point& point) {
    return is_listening ? point.messages_per_s() > 0 : point.success_per_s() > 0;
  };
  if (std::none_of(report.points().begin(), report.points().end(), has_rate)) return "";
  std::string html = absl::StrCat(
      "<div class=\"grid\">",
      Chart("rate", "", absl::StrCat(rate_title, " over ", over),
            absl::StrCat(is_listening ? "messages" : "successes", " per second; hollow: not VALID", FitWords(report)),
            absl::StrCat(rate_title, " over ", over, ", ", Ends(report, RateFigure)), RateTable(report)));
  if (PointsWithLatency(report) >= 2) {
    absl::StrAppend(
        &html, Chart("latency", "", absl::StrCat("Latency over ", over),
                     absl::StrCat(LatencyName(report), "; bars: 95 % intervals; an arrow up: at least that much"),
                     absl::StrCat("Latency over ", over, ", p99 ", Ends(report, TailFigure)), LatencyTable(report)));
  }
  return html + "</div>\n";
}

std::string CurveChart(const proto::Report& report, const Answer& answer) {
  const std::vector<int> points = CurvePoints(report, answer);
  if (points.empty()) return "";
  return Chart(
      "curve", "wide", "Latency by quantile",
      absl::StrCat(LatencyName(report),
                   "; each step to the right is ten times rarer; thin and dotted: at least that much, because "
                   "requests without an answer lie there"),
      absl::StrCat("Latency by quantile, p99 of the last curve ", TailFigure(report, report.points(points.back()))),
      CurveTable(report, points));
}

std::string TimeCharts(const proto::Report& report) {
  std::string html;
  const bool has_heat = std::any_of(report.points().begin(), report.points().end(), HasHeat);
  const bool has_latency = std::any_of(report.points().begin(), report.points().end(),
                                       [](const proto::Point& point) { return IsAny(point.columns().p99_us()); });
  if (has_heat) {
    html = Chart("heat", "wide two", "Latency over time",
                 absl::StrCat("stronger: more ", IsListening(report) ? "messages" : "responses",
                              " in that second, on a log scale; line: p99 of the second"),
                 absl::StrCat("Heat map of the ", LatencyName(report), " over time, all points one after the other"),
                 TimeTable(report));
  } else if (has_latency && HasLevels(report) && MostRows(report) >= 3) {
    html =
        Chart("heat", "wide two", "Latency over time", "p99 of each second", "p99 of each second", TimeTable(report));
  }
  if (IsListening(report)) return html;
  const std::vector<FailureClass> classes = ClassesOf(report);
  if (!classes.empty()) {
    double failed = 0;
    for (const proto::Point& point : report.points()) {
      for (const FailureClass& row : classes) failed += Sum((point.columns().*row.of)());
    }
    absl::StrAppend(&html, Chart("failures", "wide two", "Failures over time", "failures per second, by class",
                                 absl::StrCat("Failures per second by class, about ", ShownCount(failed), " in all"),
                                 FailureTable(report, classes)));
  } else if (report.total().failed_requests() == 0 && report.total().accounting().never_sent() == 0) {
    absl::StrAppend(&html, "<p class=\"none\">No request failed.</p>\n");
  }
  return html;
}

std::string AgentCharts(const proto::Report& report) {
  if (report.agents_size() < 2) return "";
  const std::vector<std::uint32_t> agents = WorstAgents(report);
  const bool is_over_levels = HasLevels(report);
  const bool is_over_time =
      !is_over_levels && std::any_of(report.points().begin(), report.points().end(), [](const proto::Point& point) {
        return std::any_of(point.agents().begin(), point.agents().end(),
                           [](const proto::AgentRow& row) { return row.columns().p99_us().list_size() >= 3; });
      });
  std::string html = "<h2>Agents</h2>\n";
  if ((is_over_levels || is_over_time) && !agents.empty()) {
    absl::StrAppend(
        &html, "<p class=\"sub\">p99 of each, ", is_over_levels ? "over the levels" : "over time",
        ", all on the same axes; grey: all together.",
        agents.size() < static_cast<std::size_t>(report.agents_size())
            ? absl::StrCat(" Of ", report.agents_size(), " agents the ", agents.size(), " that stand out most.")
            : "",
        "</p>\n<div class=\"small\">");
    for (std::size_t i = 0; i < agents.size(); ++i)
      absl::StrAppend(&html, "<figure><h3>agent ", agents[i],
                      "</h3><div class=\"plot\" data-chart=\"agent\" data-index=\"", i, "\" data-label=\"p99 of agent ",
                      agents[i], "\"></div></figure>\n");
    absl::StrAppend(&html, "</div>\n");
  }
  const std::string table = AgentTable(report);
  return absl::StrCat(html, report.agents_size() <= kMaxAgentCharts ? table : Folded("All agents", table));
}

std::string GeneratorCharts(const proto::Report& report) {
  if (report.points().empty()) return "";
  std::string html;
  const bool has_levels = HasLevels(report);
  const proto::Columns& columns = report.points_size() > 0 ? report.points(0).columns() : proto::Columns();
  if (has_levels || IsAny(columns.generator_cpu_percent()))
    absl::StrAppend(&html, Chart("cpu", "", "CPU and waiting",
                                 "of one core, all workers together; waiting: ready to run, but without a core",
                                 "CPU and waiting of the generator", LoadTable(report)));
  else
    absl::StrAppend(&html, LoadTable(report));
  const bool has_delay = std::any_of(report.points().begin(), report.points().end(), [](const proto::Point& point) {
    return point.lateness().has_p99_us() || point.loop_lag().has_p99_us();
  });
  if (has_delay && (has_levels || IsAny(columns.lateness_p99_us())))
    absl::StrAppend(&html, Chart("delay", "", "Its own delay, p99",
                                 "lateness: due to sent; loop lag: a turn of a worker's event loop",
                                 "Delays of the generator, p99", DelayTable(report)));
  else if (has_delay)
    absl::StrAppend(&html, DelayTable(report));
  if (const std::string name = SplitName(report); !name.empty()) {
    const std::string of = name == "mean_us" ? "mean" : name == "p50_us" ? "p50" : "p99";
    absl::StrAppend(&html, Chart("split", "wide two", absl::StrCat("Where the time of the ", of, " went"),
                                 "by kernel time stamps of a sample; ours: in the generator",
                                 absl::StrCat("Parts of the ", of, ": ours, the network's, the target's"),
                                 SplitTable(report, name)));
  }
  return absl::StrCat("<div class=\"grid\">", html, "</div>\n");
}

std::string ChartData(const proto::Report& report, const Answer& answer) {
  const std::vector<FailureClass> classes = ClassesOf(report);
  const std::vector<int> curves = CurvePoints(report, answer);
  const std::string split = SplitName(report);
  std::vector<std::string> points;
  for (int i = 0; i < report.points_size(); ++i) points.push_back(PointData(report, i, classes, curves, split));
  JsonObject data;
  data.Text("levels", LevelTitle(report)).Raw("points", absl::StrCat("[", absl::StrJoin(points, ",\n"), "]"));
  std::vector<std::string> titles;
  for (const FailureClass& row : classes)
    titles.push_back(absl::StrCat("[", JsonText(row.name), ",", JsonText(row.title), "]"));
  data.Raw("classes", absl::StrCat("[", absl::StrJoin(titles, ","), "]"));
  if (report.has_capacity() && report.capacity().refusal().empty())
    data.Raw("capacity", CapacityData(report.capacity()));
  if (const auto limit = LatencyLimit(report)) {
    const std::string text = ShownExpectation(limit->text);
    data.Raw("limit", JsonObject()
                          .Number("us", true, limit->limit / 1e3)
                          .Text("text", text.substr(0, text.find(kNoBreak)))
                          .Text("value", ShownLatency(limit->limit / 1e3))
                          .Json());
  }
  data.Raw("agents", AgentsData(report));
  return InScript(data.Json());
}

}  // namespace tidemark
