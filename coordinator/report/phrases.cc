#include "coordinator/report/phrases.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>

namespace tidemark {

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
