#include "coordinator/report/text.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/plan/durations.h"
#include "common/plan/sweep.h"
#include "common/stats/outcome.h"
#include "common/units.h"
#include "coordinator/report/mix_text.h"
#include "coordinator/report/phrases.h"
#include "coordinator/report/stream_text.h"
#include "coordinator/verdict/split.h"
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

bool IsOpenLoop(const proto::Report& report) { return tidemark::IsOpenLoop(report.plan().sweep()); }

// Never rounded up to 100 %.
std::string Percent(double percent) { return absl::StrFormat("%.2f %%", std::min(percent, 99.99)); }

std::string PointName(const proto::Point& p) {
  return p.rate_per_s() != 0 ? WriteRate(p.rate_per_s()) : absl::StrCat(p.connections());
}

// The latencies of an open loop count from the due time; the service times, which leave out what waited, follow below.
std::string PointRow(const std::string& name, const proto::Point& p, bool is_open) {
  const proto::Latency& l = is_open ? p.response() : p.latency();
  return Row(
      {name, FormatCount(p.total_requests()), FormatCount(p.successful_requests()), FormatCount(p.failed_requests()),
       p.has_error_rate_percent() ? absl::StrFormat("%.2f", p.error_rate_percent()) : "-",
       p.has_requests_per_s() ? FormatMeasuredRate(p.requests_per_s()) : "-",
       p.has_received_bytes_per_s() ? FormatMebibytes(p.received_bytes_per_s()) : "-", Mean(l), Quantile(l, "p50_us"),
       Quantile(l, "p90_us"), Quantile(l, "p95_us"), Quantile(l, "p99_us"), Quantile(l, "p99_9_us"),
       Quantile(l, "max_us"), p.has_duration_s() ? FormatLatency(p.duration_s() * 1e6) : "-", p.verdict()});
}

// Latencies below those of a point, under a name.
std::string LatencyRow(const char* name, const proto::Latency& l) {
  return Row({"", "", "", "", "", name, "", Mean(l), Quantile(l, "p50_us"), Quantile(l, "p90_us"),
              Quantile(l, "p95_us"), Quantile(l, "p99_us"), Quantile(l, "p99_9_us"), Quantile(l, "max_us")});
}

std::string AccountLine(const proto::Accounting& a) {
  std::string line = absl::StrCat("planned ", FormatCount(a.planned()), " = sent ", FormatCount(a.sent()));
  absl::StrAppend(&line, " + never sent ", FormatCount(a.never_sent()));
  if (a.waiting() != 0) absl::StrAppend(&line, " + waiting ", FormatCount(a.waiting()));
  if (a.never_sent() != 0) absl::StrAppend(&line, " (", Terms(a.never_sent_by_reason(), kNeverSentRows), ")");
  absl::StrAppend(&line, "; sent = ", Terms(a.outcomes(), kOutcomeRows));
  if (a.in_flight() != 0) absl::StrAppend(&line, " + in flight ", FormatCount(a.in_flight()));
  return absl::StrCat(line, a.identity_holds() ? "" : "  IDENTITY BROKEN");
}

bool IsListening(const proto::Report& report) { return report.plan().web_socket().has_listen(); }

std::string LoadLine(const proto::Report& report) {
  const proto::Sweep& sweep = report.plan().sweep();
  std::string line = IsListening(report) ? "listening, " : "closed loop, ";
  if (IsOpenLoop(report)) {
    line = absl::StrCat("open loop, ", sweep.arrivals(), " arrivals",
                        sweep.seed() == 0 ? "" : absl::StrCat(" (seed ", sweep.seed(), ")"), ", ", sweep.connections(0),
                        " connections, latency from the due time, ");
  }
  if (!sweep.stages().empty()) {
    absl::StrAppend(&line, sweep.stages_size(), sweep.stages_size() == 1 ? " stage" : " stages");
  } else if (sweep.has_duration()) {
    absl::StrAppend(&line, FormatDuration(FromProto(sweep.duration())), " per point");
  } else if (sweep.requests() != 0) {
    absl::StrAppend(&line, FormatCount(static_cast<std::uint64_t>(sweep.requests())), " requests per point");
  } else {
    absl::StrAppend(&line, FormatCount(static_cast<std::uint64_t>(sweep.requests_per_connection())),
                    " requests per connection");
  }
  if (sweep.warmup_requests_per_connection() != 0) {
    absl::StrAppend(&line, " after ", sweep.warmup_requests_per_connection(), " for warm-up");
  }
  if (sweep.has_warmup()) absl::StrAppend(&line, " after ", FormatDuration(FromProto(sweep.warmup())), " of warm-up");
  if (!sweep.until().empty()) absl::StrAppend(&line, " or until ", sweep.until());
  if (sweep.new_connection()) absl::StrAppend(&line, ", a new connection for each");
  if (sweep.reconnect_after() != 0) absl::StrAppend(&line, ", a new connection after ", sweep.reconnect_after());
  if (report.plan().follow() != 0)
    absl::StrAppend(&line, ", up to ", report.plan().follow(), report.plan().follow() == 1 ? " redirect" : " redirects",
                    " followed");
  if (sweep.has_drain()) absl::StrAppend(&line, ", drain ", FormatDuration(FromProto(sweep.drain())));
  if (sweep.has_think_time()) {
    absl::StrAppend(&line, ", think time ", FormatDuration(FromProto(sweep.think_time())));
  }
  return absl::StrCat(line, ", time-out ", FormatDuration(FromProto(report.plan().timeout())));
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

// Counters that no sentence of their own tells of.
std::string CountersOf(const proto::Counts& counts) {
  std::vector<std::string> terms;
  for (const CounterRow& row : kCounterRows) {
    const std::uint64_t count = row.label.empty() ? 0 : CountOf(counts, row.name);
    if (count != 0) terms.push_back(absl::StrCat(row.label, " ", FormatCount(count)));
  }
  return absl::StrJoin(terms, ", ");
}

// Why the target ended TLS, in its own words.
void AppendAlerts(const proto::Accounting& account, const proto::Accounting& warmup, std::string* out) {
  proto::Counts alerts = account.tls_alerts();
  AddCounts(warmup.tls_alerts(), &alerts);
  if (alerts.list().empty()) return;
  absl::StrAppend(out, "  TLS      : the target's alerts: ", Terms(alerts, kTlsAlertRows),
                  CountOf(alerts, kCertificateRequired.json) == 0 ? "" : absl::StrCat("; ", kClientCertificateRemedy),
                  "\n");
}

// "200 1,000 + 401 3 + upgrade 503 7"
std::string StatusTerms(const proto::Accounting& account) {
  std::vector<std::string> terms;
  for (const proto::StatusRow& row : account.statuses())
    terms.push_back(absl::StrCat(row.is_upgrade() ? "upgrade " : "", row.status(), " ", FormatCount(row.count())));
  return absl::StrJoin(terms, " + ");
}

bool HasAnswers(const proto::Accounting& account) {
  return std::any_of(account.statuses().begin(), account.statuses().end(),
                     [](const proto::StatusRow& row) { return row.has_body(); });
}

// How the target answered, by status, and what it said first where that was no success. Of 200 alone the account tells.
void AppendStatuses(const proto::Accounting& account, absl::string_view when, std::string* out) {
  const auto is_ok = [](const proto::StatusRow& row) { return row.status() == 200 && !row.has_body(); };
  if (std::all_of(account.statuses().begin(), account.statuses().end(), is_ok)) return;
  absl::StrAppend(out, "  Statuses : ", when, StatusTerms(account), "\n");
  for (const proto::StatusRow& row : account.statuses()) {
    if (!row.has_body()) continue;
    absl::StrAppend(out, "  Answer   : ", when, row.is_upgrade() ? "upgrade " : "", row.status(),
                    row.has_content_type() ? absl::StrCat(" (", row.content_type(), ")") : "",
                    row.body().empty() ? ", without a body" : absl::StrCat(": ", row.body()), "\n");
  }
}

// Those of the target's addresses that had no success, or none any more.
void AppendAddresses(const proto::Point& total, std::string* out) {
  std::vector<std::string> parts;
  for (const proto::AddressRow& row : total.addresses()) {
    if (row.has_silent_from_s()) {
      parts.push_back(absl::StrCat(row.address(), ": ", FormatCount(row.success()), " successes, none from second ",
                                   row.silent_from_s(), " on"));
      continue;
    }
    if (row.success() != 0 || row.attempts() + row.failed() == 0) continue;
    parts.push_back(absl::StrCat(row.address(), ": ", FormatCount(row.established()), " of ",
                                 FormatCount(row.attempts()), " connections established",
                                 row.failed() == 0 ? "" : absl::StrCat(", no request of ", FormatCount(row.failed()))));
  }
  if (!parts.empty())
    absl::StrAppend(out, "  Addresses: ", absl::StrJoin(parts, "; "), "; the other ",
                    total.addresses_size() - static_cast<int>(parts.size()), " had successes\n");
}

// "p50 1.20ms +-1.3 %": how sure the quantiles of a point are.
void AppendIntervals(const proto::Latency& l, const std::string& who, std::string* out) {
  std::vector<std::string> parts;
  for (const proto::Interval& interval : l.intervals()) {
    const double centre = (interval.low_us() + interval.high_us()) / 2;
    const bool is_wide = interval.low_us() == 0;  // cut off there
    std::string name = interval.name().substr(0, interval.name().rfind('_'));
    std::replace(name.begin(), name.end(), '_', '.');
    parts.push_back(is_wide ? absl::StrCat(name, " more than +-100 %")
                            : absl::StrFormat("%s +-%.1f %%", name, (interval.high_us() - centre) / centre * 100));
  }
  if (!parts.empty())
    absl::StrAppend(out, "  Interval : ", who, absl::StrJoin(parts, ", "), " (95 %, from 20 spans of time)\n");
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
                          FormatCount(static_cast<std::uint64_t>(c.max_requests_per_s())));
  } else {
    absl::StrAppendFormat(out, "largest at %.0f connections", c.peak_connections());
    if (c.has_peak_connections_high())
      absl::StrAppendFormat(out, " (%.0f to %.0f)", c.peak_connections_low(), c.peak_connections_high());
    absl::StrAppend(out, ": ", FormatCount(static_cast<std::uint64_t>(c.max_requests_per_s())), "/s\n");
  }
  absl::StrAppendFormat(out, "  Knee     : %s%.0f connections by power, %.0f by asymptotes, %.0f by Kneedle\n",
                        c.is_knee_clear() ? "" : "not clear, ", c.knee_power(), c.knee_crossing(), c.knee_kneedle());
}

// "established 50 before the start; established 3 + refused 1 since", as the two accounts of the JSON.
std::string ConnectTerms(const proto::Point& total) {
  const auto is_empty = [](const proto::Counts& counts) {
    return std::all_of(counts.list().begin(), counts.list().end(),
                       [](const proto::Count& count) { return count.count() == 0; });
  };
  const proto::Counts& before = total.warmup().connections();
  const proto::Counts& since = total.accounting().connections();
  std::vector<std::string> parts;
  if (!is_empty(before)) parts.push_back(absl::StrCat(Terms(before, kConnectResultRows), " before the start"));
  if (!is_empty(since)) parts.push_back(absl::StrCat(Terms(since, kConnectResultRows), " since"));
  return parts.empty() ? "none" : absl::StrJoin(parts, "; ");
}

// How long the target served nobody, and how much of the connection time that was asked for there was, if not all.
void AppendService(const proto::Point& point, const std::string& who, const std::string& red, const std::string& reset,
                   std::string* out) {
  const bool has_missing = point.has_availability_percent() && point.availability_percent() < 100;
  if (point.dead_seconds() > 0 || has_missing) {
    absl::StrAppend(out, "  Service  : ", who);
    if (point.dead_seconds() > 0)
      absl::StrAppend(out, red, "DEAD for ", point.dead_seconds(), point.dead_seconds() == 1 ? " second" : " seconds",
                      reset, has_missing ? ", " : "");
    if (has_missing)
      absl::StrAppend(out, "connections up for ", Percent(point.availability_percent()), " of the time asked for");
    absl::StrAppend(out, "\n");
  }
  if (point.generator_seconds() > 0)
    absl::StrAppend(out, "  Remark   : ", who, "nothing can be said of ", point.generator_seconds(),
                    point.generator_seconds() == 1 ? " second" : " seconds", ": the generator itself stood still\n");
  // Each connection of a closed loop drains one at most; more than a hundredth of all says something of the target.
  if (point.accounting().drained() * 100 > point.total_requests())
    absl::StrAppend(out, "  Drained  : ", who, FormatCount(point.accounting().drained()),
                    " responses came after the end: they are in the latencies and totals, and in no rate\n");
}

// "p99 39.6ms: 0.1ms ours, 0.4ms network, 39.1ms target": where the time of the median and of the tail went.
void AppendSplits(const proto::Point& point, const std::string& who, bool is_open, std::string* out) {
  std::vector<std::string> parts;
  for (const proto::Split& split : point.splits()) {
    if (split.name() != "mean_us" && split.name() != "p50_us" && split.name() != "p99_us") continue;
    parts.push_back(absl::StrCat(ShownName(split.name()), " ", FormatLatency(split.whole_us()), ": ",
                                 FormatLatency(split.ours_us()), " ours, ", FormatLatency(split.network_us()),
                                 " network, ", FormatLatency(split.target_us()), " target"));
  }
  if (!parts.empty())
    absl::StrAppend(out, "  Split    : ", who, is_open ? "of the service time: " : "", absl::StrJoin(parts, "; "),
                    "\n");
}

void AppendAgents(const proto::Report& report, std::string* out) {
  // Lists of more than this many agents help nobody in a terminal; the JSON has them all.
  constexpr int kMaxAgentLines = 20;
  for (int i = 0; i < std::min(report.agents_size(), kMaxAgentLines); ++i) {
    const proto::AgentInfo& agent = report.agents(i);
    absl::StrAppend(
        out, "  Agent ", i, "  : ", agent.address(),
        agent.has_workers() ? absl::StrCat(", ", agent.workers(), agent.workers() == 1 ? " worker" : " workers") : "",
        agent.target_addresses().empty() ? ""
        : report.plan().proxy().empty()  ? ", target "
                                         : ", proxy ",
        absl::StrJoin(agent.target_addresses(), " "), agent.left_out_addresses().empty() ? "" : ", nothing listens on ",
        absl::StrJoin(agent.left_out_addresses(), " "), agent.is_insecure_control() ? ", INSECURE CONTROL CHANNEL" : "",
        agent.permission().empty() ? "" : ", with permission: ", agent.permission(),
        agent.resumed_streams() == 0 ? "" : absl::StrCat(", stream resumed ", agent.resumed_streams(), " times"),
        agent.lost().empty() ? "" : ", LOST: ", agent.lost(), "\n");
  }
  if (report.agents_size() <= kMaxAgentLines) return;
  absl::StrAppend(out, "  ... and ", report.agents_size() - kMaxAgentLines, " more agents\n");
  for (const proto::Point& point : report.points()) {
    std::vector<std::pair<double, std::uint32_t>> p99s;
    for (const proto::AgentRow& row : point.agents()) {
      if (row.has_p99_us()) p99s.emplace_back(row.p99_us(), row.agent());
    }
    if (p99s.empty()) continue;
    std::sort(p99s.begin(), p99s.end());
    absl::StrAppend(out, "  Agents   : ", point.connections(), ": p99 of each from ", FormatLatency(p99s.front().first),
                    " to ", FormatLatency(p99s.back().first), " (agent ", p99s.back().second, "), median ",
                    FormatLatency(p99s[p99s.size() / 2].first), "\n");
  }
}

void AppendGenerator(const proto::Point& total, std::string* out) {
  std::vector<std::string> parts;
  if (total.has_generator_cpu_percent()) {
    parts.push_back(absl::StrFormat("CPU %.0f %% of one core", total.generator_cpu_percent()));
    parts.push_back(absl::StrFormat("waited for a core %.0f %%", total.generator_wait_percent()));
  }
  if (total.has_lateness()) parts.push_back("lateness p99 " + Quantile(total.lateness(), "p99_us"));
  parts.push_back("loop lag p99 " + Quantile(total.loop_lag(), "p99_us"));
  absl::StrAppend(out, "  Generator: ", absl::StrJoin(parts, ", "), "\n");
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
  const bool is_counted = report.plan().sweep().requests() != 0 || report.plan().sweep().requests_per_connection() != 0;
  titles[0] = is_open && !report.plan().sweep().rates().empty() ? "rate" : "conns";
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
    if (!point.verdict_reason().empty())
      absl::StrAppend(&out, "  Verdict  : ", who, point.verdict(), ": ", point.verdict_reason(), "\n");
    for (const std::string& note : point.verdict_notes()) absl::StrAppend(&out, "  Remark   : ", who, note, "\n");
    AppendService(point, who, red, reset, &out);
    if (point.status() == "PARTIAL" && point.has_coverage_percent())
      absl::StrAppendFormat(&out, "  Coverage : %s%.1f %% of the planned %s\n", who, point.coverage_percent(),
                            is_counted ? "requests" : "connection time");
    AppendSplits(point, who, is_open, &out);
    if (point.app_to_wire().count() != 0 && point.wire().count() != 0) {
      absl::StrAppendFormat(
          &out, "  Stamps   : %s%s sampled; p50: %s to the wire, %s on it and in the target, %s back to us\n", who,
          FormatCount(point.wire().count()), Quantile(point.app_to_wire(), "p50_us"), Quantile(point.wire(), "p50_us"),
          Quantile(point.wire_to_app(), "p50_us"));
    }
    AppendMix(point, who, is_open, &out);
    AppendStreams(point, who, &out);
    for (const proto::Expected& expected : point.expected()) {
      // What a latency is of is said where it need not be what comes to mind.
      const std::string of = IsListening(report) && !expected.of().empty() ? absl::StrCat(" of ", expected.of()) : "";
      absl::StrAppend(&out, expected.is_met() ? "" : red, "  Expected : ", who, expected.text(), of,
                      expected.is_met() ? ": met" : ": MISSED", expected.is_met() ? "" : reset,
                      expected.is_met_on_wire() ? ", but not clearly: on the wire it is met"
                      : expected.is_clear()     ? ""
                                                : ", but not clearly: the limit is within its interval",
                      "\n");
    }
    const proto::Latency& heard = point.has_staleness() ? point.staleness() : point.interval();
    AppendIntervals(IsListening(report) ? heard : is_open ? point.response() : point.latency(), who, &out);
  }
  if (report.has_capacity()) AppendCapacity(report.capacity(), &out);
  if (!IsListening(report)) {
    absl::StrAppend(&out, "  Account  : ", AccountLine(total.accounting()), "\n");
    if (total.warmup().planned() != 0)
      absl::StrAppend(&out, "  Warm-up  : ", AccountLine(total.warmup()), " (not in the figures)\n");
  }
  AppendStatuses(total.accounting(), "", &out);
  if (HasAnswers(total.warmup())) AppendStatuses(total.warmup(), "before the start, ", &out);
  AppendAddresses(total, &out);
  absl::StrAppend(&out, "  Connect  : ", ConnectTerms(total));
  if (const std::uint64_t resumed = total.accounting().tls_resumed() + total.warmup().tls_resumed(); resumed != 0) {
    absl::StrAppend(&out, "; ", FormatCount(resumed), " TLS sessions resumed");
  }
  absl::StrAppend(&out, "\n");
  AppendAlerts(total.accounting(), total.warmup(), &out);
  AppendWebSockets(total.accounting(), total.warmup(), &out);
  absl::StrAppend(&out, "  Bytes    : ", FormatBytes(static_cast<double>(total.accounting().bytes_sent())), " sent, ",
                  FormatBytes(static_cast<double>(total.accounting().bytes_received())), " received");
  if (total.accounting().unsolicited_bytes() != 0) {
    absl::StrAppend(&out, ", ", FormatCount(total.accounting().unsolicited_bytes()), " bytes nobody had asked for");
  }
  proto::Counts counters = total.accounting().counters();
  AddCounts(total.accounting().web_socket().counters(), &counters);
  proto::Counts before = total.warmup().counters();
  AddCounts(total.warmup().web_socket().counters(), &before);
  std::vector<std::string> counted;
  if (std::string terms = CountersOf(counters); !terms.empty()) counted.push_back(std::move(terms));
  if (const std::string terms = CountersOf(before); !terms.empty())
    counted.push_back(absl::StrCat("before the start: ", terms));
  if (!counted.empty()) absl::StrAppend(&out, "\n  Counted  : ", absl::StrJoin(counted, "; "));
  absl::StrAppend(&out, "\n  Merge    : ", report.merge().is_exact() ? "exact" : "NOT COMPLETE", ", ",
                  report.agents_size(), report.agents_size() == 1 ? " agent, " : " agents, ",
                  FormatCount(report.merge().shards()), " shards, ", report.merge().duplicates(), " duplicates, ",
                  report.merge().rejected(), " rejected, ", report.merge().late(), " late\n");
  AppendGenerator(total, &out);
  AppendAgents(report, &out);
  for (const std::string& note : report.notes()) absl::StrAppend(&out, red, "  Note     : ", note, reset, "\n");
  return out;
}

}  // namespace tidemark
