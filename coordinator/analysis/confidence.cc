#include "coordinator/analysis/confidence.h"

#include <algorithm>
#include <cmath>

namespace tidemark {
namespace {

constexpr std::size_t kBatches = 20;
// Student's t with 19 degrees of freedom, 97.5 %.
constexpr double kStudent = 2.093024;
constexpr std::uint64_t kBeyond = 10;  // values that a batch must have above its quantile

// An interval of `figure` (of a histogram, in ns) from its values in 20 batches, each of `least` values at least.
template <typename Figure>
std::optional<Interval> FromBatches(const std::vector<Histogram>& windows, std::uint64_t least, Figure figure) {
  const std::size_t size = windows.size() / kBatches;
  if (size == 0) return std::nullopt;
  Histogram all;
  double sum = 0;
  double squares = 0;
  for (std::size_t b = 0; b < kBatches; ++b) {
    Histogram batch;
    for (std::size_t i = 0; i < size; ++i) batch.Add(windows[b * size + i]);
    if (batch.count() < least) return std::nullopt;
    const double value = figure(batch);
    sum += value;
    squares += value * value;
    all.Add(batch);
  }
  const double variance = std::max(0.0, (squares - sum * sum / kBatches) / (kBatches - 1));
  const double half = kStudent * std::sqrt(variance / kBatches);
  const double centre = figure(all);
  return Interval{.low = std::max(0.0, centre - half), .high = centre + half};
}

}  // namespace

std::optional<Interval> BatchInterval(const std::vector<Histogram>& windows, std::uint64_t numerator,
                                      std::uint64_t denominator) {
  const std::uint64_t beyond = denominator - numerator;
  const std::uint64_t least = beyond == 0 ? ~std::uint64_t{0} : (kBeyond * denominator + beyond - 1) / beyond;
  return FromBatches(windows, least, [=](const Histogram& histogram) {
    return static_cast<double>(histogram.Quantile(numerator, denominator));
  });
}

std::optional<Interval> BatchMeanInterval(const std::vector<Histogram>& windows) {
  return FromBatches(windows, 1, [](const Histogram& histogram) { return histogram.Mean(); });
}

ShareInterval WilsonInterval(std::uint64_t of, std::uint64_t all) {
  constexpr double kNormal = 1.959964;  // of the normal distribution, 97.5 %
  const auto n = static_cast<double>(all);
  const double p = static_cast<double>(of) / n;
  const double z2 = kNormal * kNormal;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kNormal / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {.low = std::max(0.0, centre - half), .high = std::min(1.0, centre + half)};
}

}  // namespace tidemark
