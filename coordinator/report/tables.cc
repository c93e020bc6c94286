#include "coordinator/report/tables.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "common/plan/measured.h"
#include "common/stats/outcome.h"
#include "common/units.h"
#include "coordinator/report/decimal.h"
#include "coordinator/report/model/sums.h"
#include "coordinator/report/phrases.h"

namespace tidemark {
namespace {

// One line in the making: the titles are those of the first.
class Line {
 public:
  void Add(absl::string_view title, std::string text) {
    titles_.emplace_back(title);
    cells_.push_back(std::move(text));
  }
  void Add(absl::string_view title, double value) { Add(title, std::isfinite(value) ? Decimal(value) : std::string()); }
  void AddCount(absl::string_view title, bool is_there, std::uint64_t count) {
    Add(title, is_there ? absl::StrCat(count) : std::string());
  }
  // A field of `message`; empty if it is absent.
  void AddField(absl::string_view title, const google::protobuf::Message& message, absl::string_view name);

  std::string Titles() const { return absl::StrCat(absl::StrJoin(titles_, ","), "\n"); }
  std::string Cells() const { return absl::StrCat(absl::StrJoin(cells_, ","), "\n"); }

 private:
  std::vector<std::string> titles_;
  std::vector<std::string> cells_;
};

void Line::AddField(absl::string_view title, const google::protobuf::Message& message, absl::string_view name) {
  using google::protobuf::FieldDescriptor;
  const FieldDescriptor* const field = message.GetDescriptor()->FindFieldByName(std::string(name));
  CHECK(field != nullptr);
  const auto& reflection = *message.GetReflection();
  if (field->has_presence() && !reflection.HasField(message, field)) return Add(title, std::string());
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64:
      return Add(title, absl::StrCat(reflection.GetInt64(message, field)));
    case FieldDescriptor::CPPTYPE_UINT64:
      return Add(title, absl::StrCat(reflection.GetUInt64(message, field)));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Add(title, reflection.GetDouble(message, field));
    default:  // words of our own, which need no quotes
      return Add(title, reflection.GetString(message, field));
  }
}

const proto::Latency& HeadlineOf(const proto::Point& point, Metric headline) {
  static const proto::Latency kNone;
  const proto::Latency* const latency = LatencyOf(point, kMetricRows[static_cast<std::size_t>(headline)]);
  return latency == nullptr ? kNone : *latency;
}

void AddLatency(const proto::Latency& latency, Line* line) {
  for (const char* name : {"mean_us", "min_us"}) line->AddField(name, latency, name);
  for (const char* name : {"p50_us", "p90_us", "p95_us", "p99_us", "p99_9_us", "p99_99_us", "max_us"}) {
    line->AddField(name, latency, name);
    const absl::string_view stem = absl::string_view(name).substr(0, absl::string_view(name).size() - 3);
    const bool is_bound = std::count(latency.at_least().begin(), latency.at_least().end(), name) != 0;
    const auto* const field = proto::Latency::descriptor()->FindFieldByName(name);
    line->AddCount(absl::StrCat(stem, "_at_least"), latency.GetReflection()->HasField(latency, field), is_bound);
    if (stem == "max") continue;
    const auto found = std::find_if(latency.intervals().begin(), latency.intervals().end(),
                                    [name](const proto::Interval& interval) { return interval.name() == name; });
    const bool has_interval = found != latency.intervals().end();
    line->Add(absl::StrCat(stem, "_low_us"), has_interval ? found->low_us() : NAN);
    line->Add(absl::StrCat(stem, "_high_us"), has_interval ? found->high_us() : NAN);
  }
}

// What all rows of a point begin with.
Line BeginOf(const proto::Report& report, std::size_t index) {
  Line line;
  const proto::Point& point = report.points(static_cast<int>(index));
  line.Add("run", report.run());
  line.Add("point", absl::StrCat(index));
  line.AddField("connections", point, "connections");
  line.AddField("rate_per_s", point, "rate_per_s");
  return line;
}

std::string WallTime(const RunResult& result, const PointResult& point, std::uint32_t second) {
  return FormatWallTime(result.started_wall_s + static_cast<double>(point.start_offset) / 1e9 + second);
}

// The failures of one window, in the order of the report's columns; of an agent there are none.
void AddFailures(const Measured& measured, const WindowSum* window, Line* line) {
  const auto add = [&](absl::string_view name, std::uint64_t Failures::*of) {
    const bool is_there = window != nullptr && measured.Has(absl::StrCat("Columns.", name));
    line->AddCount(name, is_there, is_there ? window->failures.*of : 0);
  };
  add("failed_4xx", &Failures::status_4xx);
  add("failed_429", &Failures::status_429);
  add("failed_5xx", &Failures::status_5xx);
  add("failed_other_status", &Failures::other_status);
  add("timed_out", &Failures::timed_out);
  add("no_answer", &Failures::no_answer);
  add("never_sent", &Failures::never_sent);
}

Line LineOfWindow(Line line, const Measured& measured, const std::string& started_at, const WindowSum& window) {
  const bool has_requests = measured.Has(Need::kRequests);
  const bool has_latency = !window.latency_v2.empty();
  const auto latency = [has_latency](double value) { return has_latency ? value : NAN; };
  line.Add("agent", std::string("all"));
  line.Add("second", absl::StrCat(window.second));
  line.Add("seconds", std::string("1"));
  line.Add("started_at", started_at);
  line.AddCount("requests", has_requests, window.requests);
  line.AddCount("success", has_requests, window.success);
  AddFailures(measured, &window, &line);
  line.AddCount("messages", measured.Has(Need::kWebSocket), window.messages);
  line.Add("mean_us", latency(window.mean_us));
  line.Add("p50_us", latency(window.p50_us));
  line.Add("p90_us", latency(window.p90_us));
  line.Add("p99_us", latency(window.p99_us));
  line.Add("p99_9_us", latency(window.p99_9_us));
  line.Add("max_us", latency(window.max_us));
  line.Add("lateness_p99_us", window.lateness_p99_us < 0 ? NAN : window.lateness_p99_us);
  line.Add("cpu_percent", static_cast<double>(window.cpu_ns) / 1e7);
  line.Add("availability_percent",
           window.availability < 0 || !measured.Has(Need::kConnections) ? NAN : 100 * window.availability);
  return line;
}

Line LineOfAgent(Line line, const Measured& measured, const std::string& started_at, std::size_t agent,
                 std::uint32_t second, std::uint32_t seconds, const Timeline::Row& row) {
  const bool has_requests = measured.Has(Need::kRequests);
  line.Add("agent", absl::StrCat(agent));
  line.Add("second", absl::StrCat(second));
  line.Add("seconds", absl::StrCat(seconds));
  line.Add("started_at", started_at);
  line.AddCount("requests", has_requests, row.requests);
  line.AddCount("success", has_requests, row.success);
  AddFailures(measured, nullptr, &line);
  line.AddCount("messages", measured.Has(Need::kWebSocket), row.messages);
  for (const char* none : {"mean_us", "p50_us", "p90_us"}) line.Add(none, NAN);
  line.Add("p99_us", row.p99 < 0 ? NAN : Micros(row.p99));
  for (const char* none : {"p99_9_us", "max_us", "lateness_p99_us"}) line.Add(none, NAN);
  line.Add("cpu_percent", static_cast<double>(row.cpu_ns) / 1e7 / seconds);
  line.Add("availability_percent", NAN);
  return line;
}

void Append(const Line& line, std::string* out) {
  if (out->empty()) *out = line.Titles();
  absl::StrAppend(out, line.Cells());
}

}  // namespace

std::string ToPointsCsv(const RunResult& result, const proto::Report& report) {
  std::string out;
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const proto::Point& point = report.points(static_cast<int>(i));
    Line line = BeginOf(report, i);
    line.Add("started_at", result.points[i].is_started ? WallTime(result, result.points[i], 0) : std::string());
    line.AddField("connections_up", point, "connections_up");
    line.AddField("duration_s", point, "duration_s");
    for (const char* name : {"planned", "sent", "never_sent", "success"}) line.AddField(name, point.accounting(), name);
    line.AddField("failed", point, "failed_requests");
    line.AddField("error_rate_percent", point, "error_rate_percent");
    for (const EndRow& row : kOutcomeRows) {
      const proto::Count* const count = FindCount(point.accounting().outcomes(), row.json);
      line.AddCount(row.json, count != nullptr, count == nullptr ? 0 : count->count());
    }
    line.AddField("requests_per_s", point, "requests_per_s");
    line.AddField("success_per_s", point, "success_per_s");
    line.AddField("messages_per_s", point, "messages_per_s");
    AddLatency(HeadlineOf(point, result.points[i].merger->headline()), &line);
    line.AddField("lateness_p99_us", point.lateness(), "p99_us");
    line.AddField("cpu_percent", point, "generator_cpu_percent");
    line.AddField("wait_percent", point, "generator_wait_percent");
    line.AddField("availability_percent", point, "availability_percent");
    line.AddField("dead_seconds", point, "dead_seconds");
    for (const char* name : {"status", "verdict", "generator", "target"}) line.AddField(name, point, name);
    Append(line, &out);
  }
  return out;
}

std::string ToSeriesCsv(const RunResult& result, const proto::Report& report) {
  std::string out;
  const Measured measured(report.plan());
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const PointResult& point = result.points[i];
    const Line begin = BeginOf(report, i);
    const auto whole = static_cast<std::uint32_t>(DurationOf(report.plan(), point) / kSecond);
    for (const WindowSum& window : point.merger->windows()) {
      if (window.second >= whole) break;
      Append(LineOfWindow(begin, measured, WallTime(result, point, window.second), window), &out);
    }
    for (std::size_t agent = 0; agent < point.shares.size(); ++agent) {
      const Timeline& timeline = point.merger->agents()[agent].timeline;
      const std::uint32_t length_s = timeline.row_length_s();
      for (std::uint32_t row = 0; row < timeline.rows().size() && (row + 1) * length_s <= whole; ++row) {
        if (timeline.rows()[row].windows == 0) continue;
        Append(LineOfAgent(begin, measured, WallTime(result, point, row * length_s), agent, row * length_s, length_s,
                           timeline.rows()[row]),
               &out);
      }
    }
  }
  return out;
}

}  // namespace tidemark
