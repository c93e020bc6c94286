#include "coordinator/report/tables.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/check.h"
#include "common/plan/measured.h"
#include "common/stats/outcome.h"
#include "common/units.h"
#include "coordinator/report/decimal.h"
#include "coordinator/report/model/slowest.h"
#include "coordinator/report/model/sums.h"
#include "coordinator/report/phrases.h"

namespace tidemark {
namespace {

using google::protobuf::FieldDescriptor;

// A column of a table whose rows are made of a Row each.
template <typename Row>
struct Column {
  std::string title;
  std::string meaning;
  std::function<std::string(const Row&)> cell;  // empty: not measured
};

std::string Cell(double value) { return std::isfinite(value) ? Decimal(value) : std::string(); }

std::string CountCell(bool is_there, std::uint64_t count) { return is_there ? absl::StrCat(count) : std::string(); }

// A field of `message`; empty if it is absent.
std::string FieldCell(const google::protobuf::Message& message, const std::string& name) {
  const FieldDescriptor* const field = message.GetDescriptor()->FindFieldByName(name);
  CHECK(field != nullptr);
  const auto& reflection = *message.GetReflection();
  if (field->has_presence() && !reflection.HasField(message, field)) return "";
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(reflection.GetInt64(message, field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(reflection.GetUInt64(message, field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Cell(reflection.GetDouble(message, field));
    default:  // words of our own, which need no quotes
      return reflection.GetString(message, field);
  }
}

std::string WallTime(const RunResult& result, const PointResult& point, std::uint32_t second) {
  return FormatWallTime(result.started_wall_s + static_cast<double>(point.start_offset) / 1e9 + second);
}

// What a row of points.csv is made of.
struct PointRow {
  const proto::Report& report;
  int index;

  const proto::Point& point() const { return report.points(index); }
  const proto::Latency& headline() const { return HeadlineOf(report, point()); }
};

// What a row of series.csv is made of: of a window of all, or of a row of one agent's timeline.
struct SeriesRow {
  const RunResult& result;
  PointRow point;
  const Measured& measured;
  std::uint32_t second;
  std::uint32_t seconds;
  const WindowSum* window;     // null: of an agent
  const Timeline::Row* times;  // null: of all
  std::size_t agent;           // of `times`

  std::string Count(Need need, std::uint64_t WindowSum::*of_all, std::uint64_t Timeline::Row::*of_agent) const {
    return CountCell(measured.Has(need), window != nullptr ? window->*of_all : times->*of_agent);
  }
  // Of a window with latencies; of an agent there is none.
  std::string Latency(double WindowSum::*of_all) const {
    return window == nullptr || window->latency_v2.empty() ? "" : Cell(window->*of_all);
  }
};

// What the rows of both tables begin with.
template <typename Row, typename ToPoint>
std::vector<Column<Row>> BeginOf(ToPoint to_point) {
  return {
      {"run", "the run's id", [to_point](const Row& row) { return to_point(row).report.run(); }},
      {"point", "its number, from 0", [to_point](const Row& row) { return absl::StrCat(to_point(row).index); }},
      {"connections", "that were asked for, over all agents",
       [to_point](const Row& row) { return FieldCell(to_point(row).point(), "connections"); }},
      {"rate_per_s", "of an open loop with rates: what was asked for",
       [to_point](const Row& row) { return FieldCell(to_point(row).point(), "rate_per_s"); }},
  };
}

using PointList = std::vector<Column<PointRow>>;

void AddField(const std::string& title, const std::string& field, const std::string& meaning, PointList* columns) {
  columns->push_back({title, meaning, [field](const PointRow& row) { return FieldCell(row.point(), field); }});
}

void AddAccount(const std::string& field, const std::string& meaning, PointList* columns) {
  columns->push_back(
      {field, meaning, [field](const PointRow& row) { return FieldCell(row.point().accounting(), field); }});
}

std::string IntervalCell(const proto::Latency& latency, const std::string& name, bool is_low) {
  for (const proto::Interval& interval : latency.intervals()) {
    if (interval.name() == name) return Cell(is_low ? interval.low_us() : interval.high_us());
  }
  return "";
}

// A figure of the headline, whether it is a lower bound, and of a quantile its interval.
void AddQuantile(const std::string& name, const std::string& meaning, PointList* columns) {
  const std::string stem = name.substr(0, name.size() - 3);  // without "_us"
  columns->push_back({name, meaning, [name](const PointRow& row) { return FieldCell(row.headline(), name); }});
  columns->push_back({absl::StrCat(stem, "_at_least"), "1 if that is a lower bound, since requests were given up",
                      [name](const PointRow& row) {
                        const auto& at_least = row.headline().at_least();
                        const bool is_bound = std::count(at_least.begin(), at_least.end(), name) != 0;
                        return CountCell(!FieldCell(row.headline(), name).empty(), is_bound ? 1 : 0);
                      }});
  if (stem == "max") return;
  columns->push_back({absl::StrCat(stem, "_low_us"), "where it may truly lie, 95 %: from ...",
                      [name](const PointRow& row) { return IntervalCell(row.headline(), name, true); }});
  columns->push_back({absl::StrCat(stem, "_high_us"), "... to",
                      [name](const PointRow& row) { return IntervalCell(row.headline(), name, false); }});
}

void AddLatency(PointList* columns) {
  const std::pair<const char*, const char*> kMoments[] = {{"mean_us", "mean latency: see above"},
                                                          {"min_us", "the least"}};
  for (const auto& row : kMoments) {
    const std::string name = row.first;
    columns->push_back({name, row.second, [name](const PointRow& r) { return FieldCell(r.headline(), name); }});
  }
  AddQuantile("p50_us", "half of them are at most that", columns);
  AddQuantile("p90_us", "90 % of them are", columns);
  AddQuantile("p95_us", "95 % of them are", columns);
  AddQuantile("p99_us", "99 % of them are", columns);
  AddQuantile("p99_9_us", "99.9 % of them are", columns);
  AddQuantile("p99_99_us", "99.99 % of them are", columns);
  AddQuantile("max_us", "the largest", columns);
}

PointList MakePointColumns() {
  PointList columns = BeginOf<PointRow>([](const PointRow& row) -> const PointRow& { return row; });
  AddField("started_at", "started_at", "UTC", &columns);
  AddField("connections_up", "connections_up", "established when the point started", &columns);
  AddField("duration_s", "duration_s", "how long the point took", &columns);
  AddAccount("planned", "requests", &columns);
  AddAccount("sent", "requests whose first byte went out", &columns);
  AddAccount("never_sent", "requests planned and given up", &columns);
  AddAccount("success", "complete, and of a status that counts as success", &columns);
  AddField("failed", "failed_requests", "planned, and without success; those that were never sent are among them",
           &columns);
  AddField("error_rate_percent", "error_rate_percent",
           "of requests; of streams: of connection time, 100 - availability", &columns);
  for (const EndRow& row : kOutcomeRows) {
    const std::string name(row.json);
    columns.push_back({name, absl::StrCat("sent requests that ended so: ", row.label), [name](const PointRow& r) {
                         const proto::Count* const count = FindCount(r.point().accounting().outcomes(), name);
                         return CountCell(count != nullptr, count == nullptr ? 0 : count->count());
                       }});
  }
  AddField("requests_per_s", "requests_per_s", "complete responses within the duration", &columns);
  AddField("success_per_s", "success_per_s", "successes within the duration", &columns);
  AddField("messages_per_s", "messages_per_s", "WebSocket: messages within the duration", &columns);
  AddLatency(&columns);
  columns.push_back({"lateness_p99_us", "99 % of requests were sent at most so long after they were due",
                     [](const PointRow& row) { return FieldCell(row.point().lateness(), "p99_us"); }});
  AddField("cpu_percent", "generator_cpu_percent", "of one core, all workers together", &columns);
  AddField("wait_percent", "generator_wait_percent", "of the duration: workers ready to run, but without a core",
           &columns);
  AddField("availability_percent", "availability_percent", "connection time up / asked for", &columns);
  AddField("dead_seconds", "dead_seconds", "seconds in which the target served nobody", &columns);
  AddField("status", "status", "COMPLETE, PARTIAL or INTERRUPTED", &columns);
  AddField("verdict", "verdict", "PARTIAL, TARGET_FAILING, GENERATOR_LIMITED, TARGET_LIMITED, NOT_STEADY or VALID",
           &columns);
  AddField("generator", "generator", "TRUSTED or LIMITED; not of what is partial", &columns);
  AddField("target", "target", "STEADY, NOT_STEADY, LIMITED or FAILING; not of what is partial", &columns);
  return columns;
}

using SeriesList = std::vector<Column<SeriesRow>>;

// The failures of one window; of an agent there are none.
void AddFailure(const std::string& name, const std::string& meaning, std::uint64_t Failures::*of, SeriesList* columns) {
  columns->push_back({name, meaning, [name, of](const SeriesRow& row) {
                        const bool is_there = row.window != nullptr && row.measured.Has(absl::StrCat("Columns.", name));
                        return CountCell(is_there, is_there ? row.window->failures.*of : 0);
                      }});
}

SeriesList MakeSeriesColumns() {
  SeriesList columns = BeginOf<SeriesRow>([](const SeriesRow& row) -> const PointRow& { return row.point; });
  const SeriesList time = {
      {"agent", "all, or the number of the agent whose row it is",
       [](const SeriesRow& row) { return row.window != nullptr ? "all" : absl::StrCat(row.agent); }},
      {"second", "since the point's start, where the row begins",
       [](const SeriesRow& row) { return absl::StrCat(row.second); }},
      {"seconds", "its length in s: 1, of agents in a point longer than 60 s more",
       [](const SeriesRow& row) { return absl::StrCat(row.seconds); }},
      {"started_at", "UTC",
       [](const SeriesRow& row) {
         return WallTime(row.result, row.result.points[static_cast<std::size_t>(row.point.index)], row.second);
       }},
      {"requests", "complete responses",
       [](const SeriesRow& row) { return row.Count(Need::kRequests, &WindowSum::requests, &Timeline::Row::requests); }},
      {"success", "complete, and of a status that counts as success",
       [](const SeriesRow& row) { return row.Count(Need::kRequests, &WindowSum::success, &Timeline::Row::success); }},
  };
  columns.insert(columns.end(), time.begin(), time.end());
  AddFailure("failed_4xx", "complete responses of status 400 to 499, without 429", &Failures::status_4xx, &columns);
  AddFailure("failed_429", "complete responses of status 429", &Failures::status_429, &columns);
  AddFailure("failed_5xx", "complete responses of status 500 to 599", &Failures::status_5xx, &columns);
  AddFailure("failed_other_status", "complete responses of any other status that is no success",
             &Failures::other_status, &columns);
  AddFailure("timed_out", "requests that timed out", &Failures::timed_out, &columns);
  AddFailure("no_answer", "requests that were answered by no complete response", &Failures::no_answer, &columns);
  AddFailure("never_sent", "requests planned and given up", &Failures::never_sent, &columns);
  const SeriesList rest = {
      {"messages", "WebSocket: messages received",
       [](const SeriesRow& row) {
         return row.Count(Need::kWebSocket, &WindowSum::messages, &Timeline::Row::messages);
       }},
      {"mean_us", "mean latency: see above", [](const SeriesRow& row) { return row.Latency(&WindowSum::mean_us); }},
      {"p50_us", "half of them are at most that", [](const SeriesRow& row) { return row.Latency(&WindowSum::p50_us); }},
      {"p90_us", "90 % of them are", [](const SeriesRow& row) { return row.Latency(&WindowSum::p90_us); }},
      {"p99_us", "99 % of them are; of agents too",
       [](const SeriesRow& row) {
         if (row.window != nullptr) return row.Latency(&WindowSum::p99_us);
         return row.times->p99 < 0 ? std::string() : Cell(Micros(row.times->p99));
       }},
      {"p99_9_us", "99.9 % of them are", [](const SeriesRow& row) { return row.Latency(&WindowSum::p99_9_us); }},
      {"max_us", "the largest", [](const SeriesRow& row) { return row.Latency(&WindowSum::max_us); }},
      {"lateness_p99_us", "99 % of requests were sent at most so long after they were due",
       [](const SeriesRow& row) {
         return row.window == nullptr || row.window->lateness_p99_us < 0 ? "" : Cell(row.window->lateness_p99_us);
       }},
      {"cpu_percent", "of one core, all workers together",
       [](const SeriesRow& row) {
         const std::uint64_t cpu_ns = row.window != nullptr ? row.window->cpu_ns : row.times->cpu_ns;
         return Cell(static_cast<double>(cpu_ns) / 1e7 / row.seconds);
       }},
      {"availability_percent", "connection time up / asked for",
       [](const SeriesRow& row) {
         const bool is_there =
             row.window != nullptr && row.window->availability >= 0 && row.measured.Has(Need::kConnections);
         return is_there ? Cell(100 * row.window->availability) : "";
       }},
  };
  columns.insert(columns.end(), rest.begin(), rest.end());
  return columns;
}

struct TraceRow {
  PointRow point;
  double start_wall_s;  // T0
  proto::SlowRequest request = {};
};

using TraceList = std::vector<Column<TraceRow>>;

// A name of the plan's author, as RFC 4180 has it.
std::string Quoted(absl::string_view text) {
  if (text.find_first_of(",\"\n\r") == absl::string_view::npos) return std::string(text);
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

TraceList MakeTraceColumns() {
  TraceList columns = BeginOf<TraceRow>([](const TraceRow& row) -> const PointRow& { return row.point; });
  const TraceList rest = {
      {"agent", "which sent it", [](const TraceRow& row) { return absl::StrCat(row.request.agent()); }},
      {"port", "from which its connection came",
       [](const TraceRow& row) { return CountCell(row.request.has_port(), row.request.port()); }},
      {"slot", "its number, as {slot}", [](const TraceRow& row) { return absl::StrCat(row.request.slot()); }},
      {"request", "of a mix, its name", [](const TraceRow& row) { return Quoted(row.request.request()); }},
      {"sent_at", "UTC", [](const TraceRow& row) { return FormatWallTime(row.start_wall_s + row.request.sent_s()); }},
      {"due_s", "when it should have gone out, since the point's start",
       [](const TraceRow& row) { return Cell(row.request.due_s()); }},
      {"sent_s", "when its first byte did", [](const TraceRow& row) { return Cell(row.request.sent_s()); }},
      {"response_us", "open loop: from its due time to the last byte of its answer, or to its end without",
       [](const TraceRow& row) { return IsOpenLoop(row.point.report) ? Cell(row.request.took_us()) : ""; }},
      {"service_us", "the same from its first byte on",
       [](const TraceRow& row) { return Cell(row.request.service_us()); }},
      {"outcome", "as in [outcomes](outcomes.md)", [](const TraceRow& row) { return row.request.outcome(); }},
      {"trace_id", "that its header traceparent carried", [](const TraceRow& row) { return row.request.trace_id(); }},
  };
  columns.insert(columns.end(), rest.begin(), rest.end());
  return columns;
}

template <typename Row>
std::string TitlesOf(const std::vector<Column<Row>>& columns) {
  return absl::StrCat(
      absl::StrJoin(columns, ",", [](std::string* out, const Column<Row>& column) { *out += column.title; }), "\n");
}

template <typename Row>
std::string CellsOf(const std::vector<Column<Row>>& columns, const Row& row) {
  return absl::StrCat(
      absl::StrJoin(columns, ",", [&row](std::string* out, const Column<Row>& column) { *out += column.cell(row); }),
      "\n");
}

template <typename Row>
std::vector<ColumnRow> RowsOf(const std::vector<Column<Row>>& columns) {
  std::vector<ColumnRow> rows;
  for (const Column<Row>& column : columns) rows.push_back({column.title, column.meaning});
  return rows;
}

}  // namespace

std::vector<ColumnRow> PointsColumns() { return RowsOf(MakePointColumns()); }

std::vector<ColumnRow> SeriesColumns() { return RowsOf(MakeSeriesColumns()); }

std::vector<ColumnRow> TraceColumns() { return RowsOf(MakeTraceColumns()); }

std::string ToPointsCsv(const proto::Report& report) {
  const PointList columns = MakePointColumns();
  std::string out = TitlesOf(columns);
  for (int i = 0; i < report.points_size(); ++i) out += CellsOf(columns, PointRow{.report = report, .index = i});
  return out;
}

std::string ToSeriesCsv(const RunResult& result, const proto::Report& report) {
  const SeriesList columns = MakeSeriesColumns();
  std::string out = TitlesOf(columns);
  const Measured measured(report.plan());
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const PointResult& point = result.points[i];
    const PointRow begin = {.report = report, .index = static_cast<int>(i)};
    const auto whole = static_cast<std::uint32_t>(DurationOf(report.plan(), point) / kSecond);
    for (const WindowSum& window : point.merger->windows()) {
      if (window.second >= whole) break;
      out += CellsOf(columns, SeriesRow{.result = result,
                                        .point = begin,
                                        .measured = measured,
                                        .second = window.second,
                                        .seconds = 1,
                                        .window = &window,
                                        .times = nullptr,
                                        .agent = 0});
    }
    for (std::size_t agent = 0; agent < point.shares.size(); ++agent) {
      const Timeline& timeline = point.merger->agents()[agent].timeline;
      const std::uint32_t length_s = timeline.row_length_s();
      for (std::uint32_t row = 0; row < timeline.rows().size() && (row + 1) * length_s <= whole; ++row) {
        if (timeline.rows()[row].windows == 0) continue;
        out += CellsOf(columns, SeriesRow{.result = result,
                                          .point = begin,
                                          .measured = measured,
                                          .second = row * length_s,
                                          .seconds = length_s,
                                          .window = nullptr,
                                          .times = &timeline.rows()[row],
                                          .agent = agent});
      }
    }
  }
  return out;
}

std::string ToTraceCsv(const RunResult& result, const proto::Report& report) {
  const TraceList columns = MakeTraceColumns();
  std::string out = TitlesOf(columns);
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const PointResult& point = result.points[i];
    const double start_wall_s = result.started_wall_s + static_cast<double>(point.start_offset) / 1e9;
    for (const AgentTrace& trace : point.merger->traces().sampled()) {
      TraceRow row = {.point = {.report = report, .index = static_cast<int>(i)}, .start_wall_s = start_wall_s};
      FillSlowRequest(report.plan(), report.run(), point, trace, &row.request);
      out += CellsOf(columns, row);
    }
  }
  return out;
}

}  // namespace tidemark
