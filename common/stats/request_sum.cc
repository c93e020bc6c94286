#include "common/stats/request_sum.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/stats/histogram_codec.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

absl::Status Refuse(absl::string_view what) { return absl::DataLossError(absl::StrCat("a request of its mix ", what)); }

// Its place among kRequestMetrics; kRequestMetricCount of what is none of them.
std::size_t IndexOf(const proto::HistogramSummary& summary) {
  return summary.metric() < kMetricCount ? RequestMetricIndex(static_cast<Metric>(summary.metric()))
                                         : kRequestMetricCount;
}

}  // namespace

void RequestCounts::Add(const RequestCounts& other) {
  sent += other.sent;
  success += other.success;
  bytes += other.bytes;
  for (std::size_t i = 0; i < outcomes.size(); ++i) outcomes[i] += other.outcomes[i];
}

bool RequestSum::IsEmpty() const {
  return counts == RequestCounts() &&
         std::all_of(histograms.begin(), histograms.end(), [](const Histogram& h) { return h.IsEmpty(); });
}

void RequestSum::Add(const RequestSum& other) {
  counts.Add(other.counts);
  for (std::size_t i = 0; i < kRequestMetricCount; ++i) histograms[i].Add(other.histograms[i]);
}

void RequestSum::Clear() {
  counts = RequestCounts();
  for (Histogram& histogram : histograms) {
    if (!histogram.IsEmpty()) histogram.Clear();
  }
}

void RequestTotal::Add(const RequestSum& sum) {
  counts.Add(sum.counts);
  for (std::size_t i = 0; i < kRequestMetricCount; ++i) facts[i].Add(sum.histograms[i].Facts());
}

void ToProto(std::size_t index, const RequestSum& sum, const RequestTotal& total, proto::RequestSum* out) {
  out->set_request(static_cast<std::uint32_t>(index));
  out->set_sent(total.counts.sent);
  out->set_success(total.counts.success);
  out->set_bytes(total.counts.bytes);
  out->mutable_outcomes()->Assign(total.counts.outcomes.begin(), total.counts.outcomes.end());
  for (std::size_t i = 0; i < kRequestMetricCount; ++i) {
    const auto metric = static_cast<std::uint32_t>(kRequestMetrics[i]);
    if (!sum.histograms[i].IsEmpty()) ToProto(sum.histograms[i], metric, out->add_deltas());
    if (total.facts[i] != HistogramFacts()) ToProto(total.facts[i], metric, out->add_cumulative());
  }
}

absl::Status FromProto(const proto::RequestSum& in, const RequestTotal& before, RequestSum* sum, RequestTotal* now) {
  sum->Clear();
  *now = before;
  RequestCounts& counts = now->counts;
  if (static_cast<std::size_t>(in.outcomes_size()) != kOutcomeCount)
    return Refuse("has outcomes this version does not know");
  bool is_monotonic = in.sent() >= counts.sent && in.success() >= counts.success && in.bytes() >= counts.bytes;
  for (std::size_t i = 0; i < kOutcomeCount; ++i)
    is_monotonic = is_monotonic && in.outcomes(static_cast<int>(i)) >= counts.outcomes[i];
  if (!is_monotonic) return Refuse("went backwards");
  counts.sent = in.sent();
  counts.success = in.success();
  counts.bytes = in.bytes();
  std::copy(in.outcomes().begin(), in.outcomes().end(), counts.outcomes.begin());
  sum->counts = {.sent = counts.sent - before.counts.sent,
                 .success = counts.success - before.counts.success,
                 .bytes = counts.bytes - before.counts.bytes};
  for (std::size_t i = 0; i < kOutcomeCount; ++i)
    sum->counts.outcomes[i] = counts.outcomes[i] - before.counts.outcomes[i];

  std::array<bool, kRequestMetricCount> is_decoded{};
  for (const proto::HistogramDelta& delta : in.deltas()) {
    const std::size_t index = IndexOf(delta.summary());
    if (index == kRequestMetricCount || is_decoded[index])
      return Refuse("has a histogram this version does not know, or twice");
    is_decoded[index] = true;
    TIDEMARK_RETURN_IF_ERROR(DecodeDelta(delta, &sum->histograms[index]));
    now->facts[index].Add(FactsFromProto(delta.summary()));
  }
  std::array<bool, kRequestMetricCount> is_claimed{};
  for (const proto::HistogramSummary& claimed : in.cumulative()) {
    const std::size_t index = IndexOf(claimed);
    if (index == kRequestMetricCount || FactsFromProto(claimed) != now->facts[index])
      return Refuse("does not add up to what the agent says");
    is_claimed[index] = true;
  }
  for (std::size_t i = 0; i < kRequestMetricCount; ++i) {
    if (!is_claimed[i] && now->facts[i] != HistogramFacts()) return Refuse("lacks a cumulative sum");
  }
  return absl::OkStatus();
}

}  // namespace tidemark
