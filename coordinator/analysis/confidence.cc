#include "coordinator/analysis/confidence.h"

#include <algorithm>
#include <cmath>

namespace tidemark {
namespace {

constexpr std::size_t kBatches = 20;
// Student's t with 19 degrees of freedom, 97.5 %.
constexpr double kStudent = 2.093024;
constexpr std::uint64_t kBeyond = 10;  // values that a batch must have above its quantile

}  // namespace

std::optional<Interval> BatchInterval(const std::vector<Histogram>& windows, std::uint64_t numerator,
                                      std::uint64_t denominator) {
  const std::size_t size = windows.size() / kBatches;
  if (size == 0) return std::nullopt;
  Histogram all;
  double sum = 0;
  double squares = 0;
  for (std::size_t b = 0; b < kBatches; ++b) {
    Histogram batch;
    for (std::size_t i = 0; i < size; ++i) batch.Add(windows[b * size + i]);
    if (batch.count() * (denominator - numerator) < kBeyond * denominator) return std::nullopt;
    const auto quantile = static_cast<double>(batch.Quantile(numerator, denominator));
    sum += quantile;
    squares += quantile * quantile;
    all.Add(batch);
  }
  const double variance = std::max(0.0, (squares - sum * sum / kBatches) / (kBatches - 1));
  const double half = kStudent * std::sqrt(variance / kBatches);
  const auto centre = static_cast<double>(all.Quantile(numerator, denominator));
  return Interval{.low = std::max(0.0, centre - half), .high = centre + half};
}

}  // namespace tidemark
