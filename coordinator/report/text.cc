#include "coordinator/report/text.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/plan/durations.h"
#include "common/plan/sweep.h"
#include "common/stats/outcome.h"
#include "common/units.h"
#include "coordinator/report/account_text.h"
#include "coordinator/report/agent_text.h"
#include "coordinator/report/phrases.h"
#include "coordinator/report/point_text.h"
#include "coordinator/report/stream_text.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

struct Column {
  const char* title;
  int width;
};
constexpr Column kColumns[] = {{"", 7},      {"requests", 11}, {"ok", 11},      {"failed", 9},
                               {"err %", 7}, {"req/s", 9},     {"MiB/s", 8},    {"avg", 8},
                               {"p50", 8},   {"p90", 8},       {"p95", 8},      {"p99", 8},
                               {"p99.9", 8}, {"max", 8},       {"duration", 9}, {"verdict", 19}};

std::string Row(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) absl::StrAppendFormat(&line, "%*s", kColumns[i].width, cells[i]);
  return line;
}

// The latencies of an open loop count from the due time; the service times, which leave out what waited, follow below.
std::string PointRow(const std::string& name, const proto::Point& p, bool is_open) {
  const proto::Latency& l = is_open ? p.response() : p.latency();
  return Row({name, FormatCount(p.total_requests()), FormatCount(p.successful_requests()),
              FormatCount(p.failed_requests()), p.has_error_rate_percent() ? Percent(p.error_rate_percent()) : "-",
              p.has_requests_per_s() ? FormatMeasuredRate(p.requests_per_s()) : "-",
              p.has_received_bytes_per_s() ? FormatMebibytes(p.received_bytes_per_s()) : "-", Mean(l),
              Quantile(l, "p50_us"), Quantile(l, "p90_us"), Quantile(l, "p95_us"), Quantile(l, "p99_us"),
              Quantile(l, "p99_9_us"), Quantile(l, "max_us"),
              p.has_duration_s() ? FormatLatency(p.duration_s() * 1e6) : "-", p.verdict()});
}

// Latencies below those of a point, under a name.
std::string LatencyRow(const char* name, const proto::Latency& l) {
  return Row({"", "", "", "", "", name, "", Mean(l), Quantile(l, "p50_us"), Quantile(l, "p90_us"),
              Quantile(l, "p95_us"), Quantile(l, "p99_us"), Quantile(l, "p99_9_us"), Quantile(l, "max_us")});
}

std::string LatencyLine(absl::string_view name, const proto::Latency& l) {
  if (l.count() == 0 && l.censored() == 0) return "";
  std::string line = absl::StrFormat(
      "    %-11s n %12s  mean %8s  min %8s  p50 %8s  p90 %8s  p99 %8s  p99.9 %8s  p99.99 %8s  max %8s\n", name,
      FormatCount(l.count()), Mean(l), l.has_min_us() ? FormatLatency(l.min_us()) : "-", Quantile(l, "p50_us"),
      Quantile(l, "p90_us"), Quantile(l, "p99_us"), Quantile(l, "p99_9_us"), Quantile(l, "p99_99_us"),
      Quantile(l, "max_us"));
  if (l.overflow() + l.clock_error() != 0) {
    absl::StrAppend(&line, "      above 1 h: ", l.overflow(), ", negative (clock stepped): ", l.clock_error(), "\n");
  }
  return line;
}

std::string LatencyDetail(const proto::Report& report) {
  std::string out;
  for (const proto::Point& p : report.points()) {
    absl::StrAppend(&out, "  ", p.connections(), " connections",
                    p.rate_per_s() == 0 ? "" : absl::StrCat(", ", FormatRate(p.rate_per_s())), "\n");
    for (const MetricRow& row : kMetricRows) {
      if (const proto::Latency* const latency = LatencyOf(p, row))
        absl::StrAppend(&out, LatencyLine(row.label, *latency));
    }
  }
  return out;
}

void AppendCapacity(const proto::Capacity& c, std::string* out) {
  if (!c.refusal().empty()) {
    absl::StrAppend(out, "  Capacity : not fitted: ", c.refusal(), "\n");
    return;
  }
  absl::StrAppendFormat(out, "  Capacity : X(n) = %.4g n / (1 + %.3g (n-1) + %.3g n (n-1)) a second, ", c.gamma_per_s(),
                        c.sigma(), c.kappa());
  if (!c.has_peak()) {
    absl::StrAppendFormat(out, "no peak within the sweep, at most %s/s in it\n",
                          FormatCount(static_cast<std::uint64_t>(std::llround(c.max_requests_per_s()))));
  } else {
    absl::StrAppendFormat(out, "largest at %.0f connections", c.peak_connections());
    if (c.has_peak_connections_high())
      absl::StrAppendFormat(out, " (%.0f to %.0f)", c.peak_connections_low(), c.peak_connections_high());
    absl::StrAppend(out, ": ", FormatCount(static_cast<std::uint64_t>(std::llround(c.max_requests_per_s()))), "/s\n");
  }
  absl::StrAppendFormat(out, "  Knee     : %s%.0f connections by power, %.0f by asymptotes, %.0f by Kneedle\n",
                        c.is_knee_clear() ? "" : "not clear, ", c.knee_power(), c.knee_crossing(), c.knee_kneedle());
}

}  // namespace

std::string ToText(const proto::Report& report, const TextOptions& options) {
  const std::string bold = options.has_color ? "\x1b[1m" : "";
  const std::string red = options.has_color ? "\x1b[31m" : "";
  const std::string reset = options.has_color ? "\x1b[0m" : "";
  std::string out = absl::StrCat("tidemark ", report.version(), "  ", report.plan().target(), "  run ", report.run(),
                                 "\n", LoadLine(report), "\n\n");

  std::vector<std::string> titles;
  for (const Column& column : kColumns) titles.push_back(column.title);
  const bool is_open = IsOpenLoop(report);
  titles[0] = is_open && HasRates(report) ? "rate" : "conns";
  absl::StrAppend(&out, bold, IsListening(report) ? StreamTitles() : Row(titles) + "\n", reset);
  for (const proto::Point& point : report.points()) {
    if (IsListening(report)) {
      absl::StrAppend(&out, StreamRow(PointName(point), point));
      if (point.wire().count() != 0) absl::StrAppend(&out, WireRow(point.wire()));
      continue;
    }
    const bool is_bad = point.failed_requests() > 0 || point.status() != "COMPLETE";
    absl::StrAppend(
        &out, is_bad ? red : "", PointRow(PointName(point), point, is_open), is_bad ? reset : "",
        point.status() == "COMPLETE" || point.status() == point.verdict() ? "" : absl::StrCat("  ", point.status()),
        "\n");
    if (is_open) absl::StrAppend(&out, LatencyRow("service", point.latency()), "\n");
    if (point.wire().count() != 0) absl::StrAppend(&out, LatencyRow("on wire", point.wire()), "\n");
  }
  const proto::Point& total = report.total();
  if (report.points_size() > 1)
    absl::StrAppend(&out, IsListening(report) ? StreamRow("total", total) : PointRow("total", total, is_open) + "\n");
  if (options.has_latency_detail) absl::StrAppend(&out, "\n", LatencyDetail(report));

  absl::StrAppend(&out, "\n");
  for (const proto::Point& point : report.points()) {
    const std::string who = report.points_size() == 1 ? "" : absl::StrCat(PointName(point), ": ");
    AppendPointLines(report.plan(), point, who, options, &out);
  }
  if (report.has_capacity()) AppendCapacity(report.capacity(), &out);
  AppendAccounts(report.plan(), total, &out);
  absl::StrAppend(&out, "  Merge    : ", report.merge().is_exact() ? "exact" : "NOT COMPLETE", ", ",
                  report.agents_size(), report.agents_size() == 1 ? " agent, " : " agents, ",
                  FormatCount(report.merge().shards()), " shards, ", report.merge().duplicates(), " duplicates, ",
                  report.merge().rejected(), " rejected, ", report.merge().late(), " late\n");
  AppendGenerator(report, &out);
  for (const std::string& note : report.notes()) absl::StrAppend(&out, red, "  Note     : ", note, reset, "\n");
  return out;
}

}  // namespace tidemark
