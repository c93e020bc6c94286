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

// A sample knows no least and no largest, and no quantile with too few values beyond it.
void LeaveOutWhatASampleLacks(proto::Latency* sample) {
  sample->clear_min_us();
  struct Quantile {
    double beyond;  // the share of all values
    void (proto::Latency::*clear)();
  };
  for (const Quantile& quantile :
       {Quantile{0.5, &proto::Latency::clear_p50_us}, Quantile{0.1, &proto::Latency::clear_p90_us},
        Quantile{0.05, &proto::Latency::clear_p95_us}, Quantile{0.01, &proto::Latency::clear_p99_us},
        Quantile{0.001, &proto::Latency::clear_p99_9_us}, Quantile{0.0001, &proto::Latency::clear_p99_99_us},
        Quantile{0, &proto::Latency::clear_max_us}}) {
    if (static_cast<double>(sample->count()) * quantile.beyond < gate::kBeyond) (sample->*quantile.clear)();
  }
}

}  // namespace

proto::Latency SummariseLatency(const Histogram& complete, const Histogram* censored) {
  proto::Latency out;
  std::optional<Histogram> merged;
  const bool has_bounds = censored != nullptr && censored->count() > 0;
  if (has_bounds) {
    merged.emplace(complete);
    merged->Add(*censored);
  }
  const Histogram& all = merged ? *merged : complete;
  const auto put = [&](const char* name, std::uint64_t numerator, std::uint64_t denominator,
                       void (proto::Latency::*set)(double)) {
    if (all.count() == 0) return;
    const Nanos value = all.Quantile(numerator, denominator);
    (out.*set)(Micros(value));
    if (has_bounds && value >= censored->min()) out.add_at_least(name);
  };
  out.set_count(complete.count());
  if (complete.count() != 0) {
    out.set_mean_us(complete.Mean() / 1e3);
    out.set_min_us(Micros(complete.min()));
  }
  put("p50_us", 50, 100, &proto::Latency::set_p50_us);
  put("p90_us", 90, 100, &proto::Latency::set_p90_us);
  put("p95_us", 95, 100, &proto::Latency::set_p95_us);
  put("p99_us", 99, 100, &proto::Latency::set_p99_us);
  put("p99_9_us", 999, 1000, &proto::Latency::set_p99_9_us);
  put("p99_99_us", 9999, 10000, &proto::Latency::set_p99_99_us);
  put("max_us", 1, 1, &proto::Latency::set_max_us);
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
}

void FillIntervals(const Merger& merger, double duration_s, proto::Latency* out) {
  std::vector<Histogram> windows = SecondsOf(merger);
  windows.resize(std::min(windows.size(), static_cast<std::size_t>(std::ceil(duration_s))));
  struct Quantile {
    const char* name;
    std::uint64_t numerator;
    std::uint64_t denominator;
  };
  for (const auto& [name, numerator, denominator] :
       {Quantile{"p50_us", 50, 100}, Quantile{"p90_us", 90, 100}, Quantile{"p95_us", 95, 100},
        Quantile{"p99_us", 99, 100}, Quantile{"p99_9_us", 999, 1000}, Quantile{"p99_99_us", 9999, 10000}}) {
    const std::optional<Interval> interval = BatchInterval(windows, numerator, denominator);
    if (!interval) {
      out->add_too_few(name);
      continue;
    }
    proto::Interval* const entry = out->add_intervals();
    entry->set_name(name);
    entry->set_low_us(interval->low / 1e3);
    entry->set_high_us(interval->high / 1e3);
  }
}

}  // namespace tidemark
