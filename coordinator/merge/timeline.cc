#include "coordinator/merge/timeline.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/check.h"
#include "common/stats/histogram_codec.h"

namespace tidemark {
namespace {

// Each is a multiple of the one before, and kMaxRows of that are a whole number of it: where rows become longer a new
// one begins.
constexpr std::uint32_t kLengths[] = {1, 10, 60, 600, 3'600};

}  // namespace

void Timeline::Add(std::uint32_t window, const Counters& delta, const Histogram* latency,
                   std::vector<std::uint64_t>* scratch) {
  while (window / row_length_s_ >= kMaxRows && row_length_s_ != *std::rbegin(kLengths))
    Lengthen(*std::upper_bound(std::begin(kLengths), std::end(kLengths), row_length_s_));
  const std::size_t index = window / row_length_s_;
  if (index >= rows_.size()) {
    CloseRow();
    rows_.resize(index + 1);
    if (keeps_latencies_) latencies_.resize(index + 1);
  }
  Row& row = rows_[index];
  ++row.windows;
  row.requests += delta.Complete();
  row.success += delta.success;
  row.messages += delta.messages - delta.early_messages;
  row.cpu_ns += delta.cpu_ns;
  if (!keeps_latencies_ || latency == nullptr || latency->count() == 0) return;
  row.max = std::max(row.max, latency->max());
  open_.Add(*latency, scratch);
}

void Timeline::Finish() {
  CloseRow();
  for (std::size_t i = 0; i < latencies_.size(); ++i) {
    if (!latencies_[i].empty()) rows_[i].p99 = std::min(rows_[i].max, LatencyOf(i).Quantile(99, 100));
  }
  latencies_ = {};
}

void Timeline::CloseRow() {
  const Histogram latency = std::exchange(open_, SparseHistogram()).ToHistogram();
  if (latency.count() != 0) latencies_.back() = EncodeV2(latency);
}

void Timeline::Lengthen(std::uint32_t length_s) {
  CloseRow();
  const std::size_t factor = length_s / row_length_s_;
  row_length_s_ = length_s;
  std::vector<Row> rows((rows_.size() + factor - 1) / factor);
  std::vector<std::string> latencies(latencies_.empty() ? 0 : rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Histogram latency;
    for (std::size_t k = i * factor; k < std::min(rows_.size(), (i + 1) * factor); ++k) {
      rows[i].windows += rows_[k].windows;
      rows[i].requests += rows_[k].requests;
      rows[i].success += rows_[k].success;
      rows[i].messages += rows_[k].messages;
      rows[i].cpu_ns += rows_[k].cpu_ns;
      rows[i].max = std::max(rows[i].max, rows_[k].max);
      if (!latencies.empty()) latency.Add(LatencyOf(k));
    }
    if (latency.count() != 0) latencies[i] = EncodeV2(latency);
  }
  rows_ = std::move(rows);
  latencies_ = std::move(latencies);
}

Histogram Timeline::LatencyOf(std::size_t row) const {
  if (latencies_[row].empty()) return Histogram();
  absl::StatusOr<Histogram> latency = DecodeHdr(latencies_[row]);
  CHECK(latency.ok());
  return *std::move(latency);
}

}  // namespace tidemark
