// What is measured of each request of a mix, beside the sums of all: a series is a metric and a request.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "common/stats/histogram.h"
#include "common/stats/metric.h"
#include "common/stats/outcome.h"
#include "protos/shard.pb.h"

namespace tidemark {

// Requests that a plan may mix.
inline constexpr std::size_t kMaxRequests = 256;

// The metrics that each has histograms of; a series without values costs nothing.
inline constexpr std::array<Metric, 5> kRequestMetrics = {Metric::kService, Metric::kResponse, Metric::kFirstByte,
                                                          Metric::kCensored, Metric::kUnanswered};
inline constexpr std::size_t kRequestMetricCount = kRequestMetrics.size();
// Of such a metric its place there; of others kRequestMetricCount.
constexpr std::size_t RequestMetricIndex(Metric metric) {
  std::size_t index = 0;
  while (index < kRequestMetricCount && kRequestMetrics[index] != metric) ++index;
  return index;
}

struct RequestCounts {
  std::uint64_t sent = 0;
  std::uint64_t success = 0;
  std::uint64_t bytes = 0;  // of its responses: on the wire, of those that failed too; of replies, their payloads
  std::array<std::uint64_t, kOutcomeCount> outcomes{};

  std::uint64_t Complete() const { return CompleteOf(outcomes); }
  void Add(const RequestCounts& other);
  bool operator==(const RequestCounts&) const = default;
};

// Of an interval.  Threads: one at a time.
struct RequestSum {
  RequestCounts counts;
  std::array<Histogram, kRequestMetricCount> histograms;

  // REQUIRES: one of kRequestMetrics.
  Histogram& operator[](Metric metric) { return histograms[RequestMetricIndex(metric)]; }
  const Histogram& operator[](Metric metric) const { return histograms[RequestMetricIndex(metric)]; }
  bool IsEmpty() const;
  void Add(const RequestSum& other);
  void Clear();
};

// Since T0, as one agent tells it.
struct RequestTotal {
  RequestCounts counts;
  std::array<HistogramFacts, kRequestMetricCount> facts{};

  void Add(const RequestSum& sum);
};

// Request `index` of a shard, on and off the wire: what an interval had, and what it adds up to.
void ToProto(std::size_t index, const RequestSum& sum, const RequestTotal& total, proto::RequestSum* out);

// Decodes into `sum`, which is cleared first and means nothing after an error; its counts are those since `before`.
// *now is what it adds up to.
// Errors: InvalidArgument or DataLoss saying what does not fit `before`, or itself.
absl::Status FromProto(const proto::RequestSum& in, const RequestTotal& before, RequestSum* sum, RequestTotal* now);

}  // namespace tidemark
