#include "coordinator/report/phrases.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>

#include "common/plan/durations.h"
#include "common/plan/sweep.h"

namespace tidemark {

bool IsOpenLoop(const proto::Report& report) { return IsOpenLoop(report.plan().sweep()); }

bool HasRates(const proto::Report& report) { return !report.plan().sweep().rates().empty(); }

double LevelValue(const proto::Report& report, const proto::Point& point) {
  return HasRates(report) ? point.rate_per_s() : static_cast<double>(point.connections());
}

bool IsListening(const proto::Report& report) { return report.plan().web_socket().has_listen(); }

std::string PointName(const proto::Point& point) {
  return point.rate_per_s() != 0 ? WriteRate(point.rate_per_s()) : absl::StrCat(point.connections());
}

std::string LevelName(const proto::Point& point) {
  return point.rate_per_s() != 0 ? FormatRate(point.rate_per_s())
                                 : FormatCount(static_cast<std::uint64_t>(point.connections()));
}

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
    absl::StrAppend(&line, FormatCount(static_cast<std::uint64_t>(sweep.requests())),
                    sweep.requests() == 1 ? " request per point" : " requests per point");
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

const proto::Latency& HeadlineOf(const proto::Report& report, const proto::Point& point) {
  if (IsListening(report)) return point.has_staleness() ? point.staleness() : point.interval();
  return IsOpenLoop(report) ? point.response() : point.latency();
}

std::string Percent(double percent) {
  if (percent > 0 && percent < 0.005) return "<0.01";
  if (percent < 100 && percent >= 99.995) return "99.99";
  return Rounded(std::max(percent, 0.0), 2);
}

std::string Quantile(const proto::Latency& latency, absl::string_view name) {
  const auto* const field = proto::Latency::descriptor()->FindFieldByName(std::string(name));
  if (!latency.GetReflection()->HasField(latency, field)) return "-";
  const bool is_bound =
      std::find(latency.at_least().begin(), latency.at_least().end(), name) != latency.at_least().end();
  if (latency.count() == 0 && !is_bound) return "-";
  return absl::StrCat(is_bound ? ">=" : "", FormatLatency(latency.GetReflection()->GetDouble(latency, field)));
}

std::string Mean(const proto::Latency& latency) {
  return latency.has_mean_us() ? FormatLatency(latency.mean_us()) : "-";
}

const proto::Count* FindCount(const proto::Counts& counts, absl::string_view name) {
  for (const proto::Count& count : counts.list()) {
    if (count.name() == name) return &count;
  }
  return nullptr;
}

std::uint64_t CountOf(const proto::Counts& counts, absl::string_view name) {
  const proto::Count* const found = FindCount(counts, name);
  return found == nullptr ? 0 : found->count();
}

std::string CountOrDash(const proto::Counts& counts, absl::string_view name) {
  const proto::Count* const found = FindCount(counts, name);
  return found == nullptr ? "-" : FormatCount(found->count());
}

std::string Terms(const proto::Counts& counts, absl::Span<const EndRow> rows) {
  std::vector<std::string> terms;
  for (const EndRow& row : rows) {
    const std::uint64_t value = CountOf(counts, row.json);
    if (value != 0) terms.push_back(absl::StrCat(row.label, " ", FormatCount(value)));
  }
  return terms.empty() ? "0" : absl::StrJoin(terms, " + ");
}

const proto::Latency* LatencyOf(const proto::Point& point, const MetricRow& metric) {
  if (metric.json.empty()) return nullptr;
  const auto* const field = proto::Point::descriptor()->FindFieldByName(std::string(metric.json));
  if (field != nullptr) {
    const auto& message = point.GetReflection()->GetMessage(point, field);
    return point.GetReflection()->HasField(point, field) ? static_cast<const proto::Latency*>(&message) : nullptr;
  }
  for (const proto::NamedLatency& named : point.histograms().list()) {
    if (named.name() == metric.json) return &named.latency();
  }
  return nullptr;
}

void AddCounts(const proto::Counts& from, proto::Counts* to) {
  for (const proto::Count& count : from.list()) {
    const auto found = std::find_if(to->mutable_list()->begin(), to->mutable_list()->end(),
                                    [&](const proto::Count& other) { return other.name() == count.name(); });
    if (found == to->mutable_list()->end()) {
      *to->add_list() = count;
    } else {
      found->set_count(found->count() + count.count());
    }
  }
}

}  // namespace tidemark
