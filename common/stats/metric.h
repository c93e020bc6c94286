// The histograms that exist: agents record them, shards carry them by number, reports name them.
#pragma once

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace tidemark {

enum class Metric : std::uint8_t {
#define METRIC(name, json, label, bounded_by, need) k##name,
#include "common/stats/metrics.def"
  kRequest,  // of a mix: service times of its first request, and so on, kMaxRequests of them
  kCount = kRequest + 16
};

inline constexpr std::size_t kMetricCount = static_cast<std::size_t>(Metric::kCount);

// Requests that a plan may mix.
inline constexpr std::size_t kMaxRequests = kMetricCount - static_cast<std::size_t>(Metric::kRequest);
// REQUIRES: index < kMaxRequests.
constexpr Metric MetricOfRequest(std::size_t index) {
  return static_cast<Metric>(static_cast<std::size_t>(Metric::kRequest) + index);
}

// What is recorded once for a connection, before the start too.
inline constexpr std::array<Metric, 5> kConnectionMetrics = {Metric::kConnect, Metric::kTls, Metric::kUpgrade,
                                                             Metric::kSubscribe, Metric::kFirstEvent};

// See common/stats/metrics.def.
struct MetricRow {
  absl::string_view json;
  absl::string_view label;
  Metric bounded_by = Metric::kCount;
};
// The rows of the table; those of a mix's requests, which a report lists by their own names, are none of them.
inline constexpr std::array<MetricRow, static_cast<std::size_t>(Metric::kRequest)> kMetricRows = {{
#define METRIC(name, json, label, bounded_by, need) {json, label, Metric::bounded_by},
#include "common/stats/metrics.def"
}};

// The label of any metric.
constexpr absl::string_view Label(Metric metric) {
  return metric < Metric::kRequest ? kMetricRows[static_cast<std::size_t>(metric)].label : "request of a mix";
}

}  // namespace tidemark
