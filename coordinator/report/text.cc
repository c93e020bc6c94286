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
#include "coordinator/report/advice.h"
#include "coordinator/report/agent_text.h"
#include "coordinator/report/answer.h"
#include "coordinator/report/colours.h"
#include "coordinator/report/figures.h"
#include "coordinator/report/glossary.h"
#include "coordinator/report/phrases.h"
#include "coordinator/report/point_text.h"
#include "coordinator/report/stream_text.h"
#include "coordinator/report/text_table.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

std::vector<TextColumn> PointColumns(bool has_rates) {
  return {{has_rates ? "rate" : "conns"},
          {"requests", 7},
          {"ok", 9},
          {"failed"},
          {"err %", 6},
          {"req/s"},
          {"MiB/s", 8},
          {"avg", 5},
          {"p50", 1},
          {"p90", 4},
          {"p95", 10},
          {"p99"},
          {"p99.9", 2},
          {"max", 3},
          {"duration", 11},
          {"verdict"}};
}

// The latencies of an open loop count from the due time.
std::vector<std::string> PointCells(const proto::Report& report, const proto::Point& p) {
  const proto::Latency& l = HeadlineOf(report, p);
  std::vector<std::string> cells = {LevelName(p),
                                    FormatCount(p.total_requests()),
                                    FormatCount(p.successful_requests()),
                                    FormatCount(p.failed_requests()),
                                    p.has_error_rate_percent() ? Percent(p.error_rate_percent()) : "-",
                                    p.has_requests_per_s() ? PlainFigures(ShownRate(p.requests_per_s())) : "-",
                                    p.has_received_bytes_per_s() ? FormatMebibytes(p.received_bytes_per_s()) : "-",
                                    Mean(l),
                                    Quantile(l, "p50_us"),
                                    Quantile(l, "p90_us"),
                                    Quantile(l, "p95_us"),
                                    Quantile(l, "p99_us"),
                                    Quantile(l, "p99_9_us"),
                                    Quantile(l, "max_us"),
                                    p.has_duration_s() ? FormatLatency(p.duration_s() * 1e6) : "-",
                                    p.verdict()};
  if (p.status() != "COMPLETE" && p.status() != p.verdict()) cells.push_back(p.status());
  return cells;
}

// Other latencies of the point above, under a name.
std::vector<std::string> LatencyCells(const char* name, const proto::Latency& l) {
  return {name,
          "",
          "",
          "",
          "",
          "",
          "",
          Mean(l),
          Quantile(l, "p50_us"),
          Quantile(l, "p90_us"),
          Quantile(l, "p95_us"),
          Quantile(l, "p99_us"),
          Quantile(l, "p99_9_us"),
          Quantile(l, "max_us")};
}

// Whether what the kernel saw is told beside it: the generator's own part is what is wrong with the point.
bool ShowsWire(const proto::Point& point, const TextOptions& options) {
  return point.wire().count() != 0 && (options.is_explained || point.verdict() == "GENERATOR_LIMITED");
}

std::string Table(const proto::Report& report, const TextOptions& options) {
  const Colours colours(options.has_color);
  const bool is_listening = IsListening(report);
  TextTable table(is_listening ? StreamColumns() : PointColumns(HasRates(report)));
  for (const proto::Point& point : report.points()) {
    if (is_listening) {
      table.Add(StreamCells(LevelName(point), point));
      if (ShowsWire(point, options)) table.Add(StreamWireCells(point.wire()));
      continue;
    }
    const bool is_bad = point.failed_requests() > 0 || point.status() != "COMPLETE";
    table.Add(PointCells(report, point), is_bad ? colours.red : "", is_bad ? colours.reset : "");
    if (options.is_explained && IsOpenLoop(report)) table.Add(LatencyCells("service", point.latency()));
    if (ShowsWire(point, options)) table.Add(LatencyCells("on wire", point.wire()));
  }
  return table.Render(options.width, colours.bold, colours.reset);
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

namespace {

// What the run came to, and what it was.
std::string Head(const proto::Report& report, const Answer& answer, const TextOptions& options) {
  const Colours colours(options.has_color);
  const std::string& tone = answer.tone == Tone::kGood  ? colours.green
                            : answer.tone == Tone::kBad ? colours.red
                                                        : colours.yellow;
  const auto line = [&options](const std::string& text) { return Wrapped(PlainFigures(text), options.width) + "\n"; };
  std::string out = line(absl::StrCat(tone, answer.word, tone.empty() ? "" : colours.reset, "  ", answer.sentence));
  for (const std::string& sentence : answer.more) absl::StrAppend(&out, line(sentence));
  absl::StrAppend(&out, "\n", line(absl::StrCat(report.plan().target(), ", run ", report.run())),
                  line(absl::StrCat(LoadLine(report), "; tidemark ", report.version())), "\n");
  return out;
}

}  // namespace

std::string ToText(const proto::Report& report, const TextOptions& options) {
  const Colours colours(options.has_color);
  const Answer answer = AnswerOf(report);
  std::string out = Head(report, answer, options);
  absl::StrAppend(&out, Table(report, options));
  if (options.has_latency_detail) absl::StrAppend(&out, "\n", LatencyDetail(report));

  std::string lines;
  for (int i = 0; i < report.points_size(); ++i) {
    const proto::Point& point = report.points(i);
    const std::string who = report.points_size() == 1 ? "" : absl::StrCat(PointName(point), ": ");
    AppendPointLines(report.plan(), point, who, i == answer.point, options, &lines);
  }
  if (report.has_capacity() && options.is_explained) AppendCapacity(report.capacity(), &lines);
  AppendAccounts(report.plan(), report.total(), options.is_explained, &lines);
  if (options.is_explained || !report.merge().is_exact())
    absl::StrAppend(&lines, "  Merge    : ", report.merge().is_exact() ? "exact" : "NOT COMPLETE", ", ",
                    report.agents_size(), report.agents_size() == 1 ? " agent, " : " agents, ",
                    FormatCount(report.merge().shards()), " shards, ", report.merge().duplicates(), " duplicates, ",
                    report.merge().rejected(), " rejected, ", report.merge().late(), " late\n");
  AppendGenerator(report, options.is_explained, &lines);
  for (const std::string& note : report.notes())
    absl::StrAppend(&lines, colours.red, "  Note     : ", note, colours.reset, "\n");
  for (const std::string& step : NextSteps(report, options.is_explained))
    absl::StrAppend(&lines, "  Next     : ", step, "\n");
  absl::StrAppend(&out, "\n", Wrapped(lines, options.width));
  if (options.is_explained) absl::StrAppend(&out, "\n", Wrapped(Glossary(out), options.width));
  return out;
}

}  // namespace tidemark
