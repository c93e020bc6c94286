// The quantiles that a report prints.
#pragma once

#include <cstdint>

#include "common/stats/histogram.h"
#include "coordinator/verdict/verdict.h"

namespace tidemark {

struct Printed {
  const char* name;  // "p99.9"
  const char* json;  // "p99_9_us"
  std::uint64_t numerator;
  std::uint64_t denominator;

  // Whether so many values lie beyond it, of `count`, that it can be judged.
  bool HasEnough(std::uint64_t count) const {
    return static_cast<double>(count) * static_cast<double>(denominator - numerator) >=
           gate::kBeyond * static_cast<double>(denominator);
  }
  // ns.
  double Of(const Histogram& histogram) const {
    return static_cast<double>(histogram.Quantile(numerator, denominator));
  }
};

inline constexpr Printed kPrinted[] = {{"p50", "p50_us", 50, 100},        {"p90", "p90_us", 90, 100},
                                       {"p95", "p95_us", 95, 100},        {"p99", "p99_us", 99, 100},
                                       {"p99.9", "p99_9_us", 999, 1'000}, {"p99.99", "p99_99_us", 9'999, 10'000}};

}  // namespace tidemark
