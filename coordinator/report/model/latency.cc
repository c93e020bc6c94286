#include "coordinator/report/model/latency.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "common/stats/metric.h"
#include "coordinator/analysis/confidence.h"
#include "coordinator/verdict/verdict.h"

namespace tidemark {
namespace {

// The quantiles that are printed, and the field of each.
struct QuantileRow {
  const char* name;
  std::uint64_t numerator;
  std::uint64_t denominator;

  const google::protobuf::FieldDescriptor* Field() const { return proto::Latency::descriptor()->FindFieldByName(name); }
  bool IsMax() const { return numerator == denominator; }
};
constexpr QuantileRow kQuantiles[] = {{"p50_us", 50, 100}, {"p90_us", 90, 100},      {"p95_us", 95, 100},
                                      {"p99_us", 99, 100}, {"p99_9_us", 999, 1'000}, {"p99_99_us", 9'999, 10'000},
                                      {"max_us", 1, 1}};

// A sample knows no least and no largest, and no quantile with too few values beyond it.
void LeaveOutWhatASampleLacks(proto::Latency* sample) {
  sample->clear_min_us();
  for (const QuantileRow& row : kQuantiles) {
    const double beyond =
        static_cast<double>(sample->count() * (row.denominator - row.numerator)) / static_cast<double>(row.denominator);
    if (beyond < gate::kBeyond) sample->GetReflection()->ClearField(sample, row.Field());
  }
}

// A part of each latency that is larger than the whole was seen on other requests than the whole is of.
constexpr double kByChance = 1.05;
constexpr double kResolutionUs = 1;

}  // namespace

void LeaveOutWhatContradicts(const proto::Latency& whole, proto::Latency* part) {
  const auto* const how = part->GetReflection();
  const auto drop = [&whole, part, how](const google::protobuf::FieldDescriptor* field) {
    const bool are_both = how->HasField(whole, field) && how->HasField(*part, field);
    if (are_both && how->GetDouble(*part, field) > kByChance * how->GetDouble(whole, field) + kResolutionUs)
      how->ClearField(part, field);
  };
  drop(proto::Latency::descriptor()->FindFieldByName("mean_us"));
  for (const QuantileRow& row : kQuantiles) drop(row.Field());
}

proto::Latency SummariseLatency(const Histogram& complete, const Histogram* censored) {
  proto::Latency out;
  std::optional<Histogram> merged;
  const bool has_bounds = censored != nullptr && censored->count() > 0;
  if (has_bounds) {
    merged.emplace(complete);
    merged->Add(*censored);
  }
  const Histogram& all = merged ? *merged : complete;
  out.set_count(complete.count());
  if (complete.count() != 0) {
    out.set_mean_us(complete.Mean() / 1e3);
    out.set_min_us(Micros(complete.min()));
  }
  for (const QuantileRow& row : kQuantiles) {
    if (all.count() == 0) break;
    const Nanos value = all.Quantile(row.numerator, row.denominator);
    out.GetReflection()->SetDouble(&out, row.Field(), Micros(value));
    if (has_bounds && value >= censored->min()) out.add_at_least(row.name);
  }
  out.set_overflow(complete.overflow());
  out.set_clock_error(complete.clock_error());
  if (censored != nullptr) {
    out.set_censored(censored->count());
    out.set_overflow(complete.overflow() + censored->overflow());
    out.set_clock_error(complete.clock_error() + censored->clock_error());
  }
  return out;
}

void FillLatencies(const Sums& sums, proto::Point* out) {
  constexpr Metric kSampled[] = {Metric::kStamped, Metric::kAppToWire, Metric::kWire, Metric::kWireToApp,
                                 Metric::kTargetTime};
  const std::uint64_t all = std::max(sums[Metric::kService].count(), sums[Metric::kStaleness].count());
  for (std::size_t i = 0; i < kMetricRows.size(); ++i) {
    const MetricRow& row = kMetricRows[i];
    if (row.json.empty()) continue;
    const Histogram* const bounds = row.bounded_by == Metric::kCount ? nullptr : &sums[row.bounded_by];
    const auto* const field = proto::Point::descriptor()->FindFieldByName(std::string(row.json));
    proto::Latency latency = SummariseLatency(sums.histograms[i], bounds);
    const bool is_sampled =
        std::count(std::begin(kSampled), std::end(kSampled), static_cast<Metric>(i)) > 0 && latency.count() < all;
    if (is_sampled) LeaveOutWhatASampleLacks(&latency);
    if (field != nullptr) {
      out->GetReflection()->MutableMessage(out, field)->CopyFrom(latency);
      continue;
    }
    proto::NamedLatency* const named = out->mutable_histograms()->add_list();
    named->set_name(std::string(row.json));
    *named->mutable_latency() = latency;
  }
  const bool is_of_requests = sums[Metric::kService].count() != 0;
  if (out->has_wire()) LeaveOutWhatContradicts(is_of_requests ? out->latency() : out->staleness(), out->mutable_wire());
}

void FillIntervals(const Merger& merger, double duration_s, proto::Latency* out) {
  std::vector<Histogram> windows = SecondsOf(merger);
  windows.resize(std::min(windows.size(), static_cast<std::size_t>(std::ceil(duration_s))));
  for (const QuantileRow& row : kQuantiles) {
    if (row.IsMax()) continue;
    const std::optional<Interval> interval = BatchInterval(windows, row.numerator, row.denominator);
    if (!interval) {
      out->add_too_few(row.name);
      continue;
    }
    proto::Interval* const entry = out->add_intervals();
    entry->set_name(row.name);
    entry->set_low_us(interval->low / 1e3);
    entry->set_high_us(interval->high / 1e3);
  }
}

}  // namespace tidemark
