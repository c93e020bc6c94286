#include "coordinator/analysis/own_part.h"

#include <cmath>
#include <cstdint>

#include "common/clock.h"

namespace tidemark {
namespace {

constexpr double kAlike = 0.05;
constexpr auto kNothing = static_cast<double>(30 * kMicrosecond);
constexpr double kErrors = 3;

// Of the mean.  REQUIRES: it is not empty.
double StandardError(const Histogram& histogram) {
  const double mean = histogram.Mean();
  double squares = 0;
  histogram.ForEach([&squares, mean](std::uint32_t slot, std::uint64_t count) {
    const double difference = static_cast<double>(HistogramLayout::HighestOf(slot)) - mean;
    squares += static_cast<double>(count) * difference * difference;
  });
  const auto count = static_cast<double>(histogram.count());
  return std::sqrt(squares) / count;
}

}  // namespace

bool IsLikeAll(const Histogram& stamped, const Histogram& all) {
  const double difference = std::abs(stamped.Mean() - all.Mean());
  return difference <= kAlike * all.Mean() + kNothing + kErrors * StandardError(stamped);
}

}  // namespace tidemark
