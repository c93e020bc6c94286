// The histograms that exist: agents record them, shards carry them by number, reports name them.
#pragma once

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace tidemark {

enum class Metric : std::uint8_t {
#define METRIC(name, json, label, bounded_by, need) k##name,
#include "common/stats/metrics.def"
  kCount
};

inline constexpr std::size_t kMetricCount = static_cast<std::size_t>(Metric::kCount);

// What is recorded once for a connection, before the start too.
inline constexpr std::array<Metric, 5> kConnectionMetrics = {Metric::kConnect, Metric::kTls, Metric::kUpgrade,
                                                             Metric::kSubscribe, Metric::kFirstEvent};

// See common/stats/metrics.def.
struct MetricRow {
  absl::string_view json;
  absl::string_view label;
  Metric bounded_by = Metric::kCount;
};
// The rows of the table.
inline constexpr std::array<MetricRow, kMetricCount> kMetricRows = {{
#define METRIC(name, json, label, bounded_by, need) {json, label, Metric::bounded_by},
#include "common/stats/metrics.def"
}};

constexpr absl::string_view Label(Metric metric) { return kMetricRows[static_cast<std::size_t>(metric)].label; }

}  // namespace tidemark
