#include "coordinator/analysis/steady.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tidemark {
namespace {

constexpr std::size_t kBatch = 5;
constexpr std::size_t kMinBatches = 4;
constexpr double kDrift = 0.05;

struct Moments {
  double mean = 0;
  double squared_error = 0;  // of the mean
};

Moments MomentsOf(const double* begin, const double* end) {
  Moments moments;
  const auto n = static_cast<double>(end - begin);
  for (const double* x = begin; x != end; ++x) moments.mean += *x / n;
  for (const double* x = begin; x != end; ++x) moments.squared_error += (*x - moments.mean) * (*x - moments.mean);
  moments.squared_error /= n * std::max(n - 1, 1.0);
  return moments;
}

bool Drifts(const std::vector<double>& series) {
  const double* const middle = series.data() + series.size() / 2;
  const Moments first = MomentsOf(series.data(), middle);
  const Moments second = MomentsOf(middle, series.data() + series.size());
  const double difference = std::abs(first.mean - second.mean);
  return difference > kDrift * (first.mean + second.mean) / 2 &&
         difference > 2 * std::sqrt(first.squared_error + second.squared_error);
}

}  // namespace

Steadiness FindSteadyState(const std::vector<double>& series) {
  std::vector<double> means;
  for (std::size_t i = 0; i + kBatch <= series.size(); i += kBatch) {
    double sum = 0;
    for (std::size_t k = 0; k < kBatch; ++k) sum += series[i + k];
    means.push_back(sum / kBatch);
  }
  const std::size_t n = means.size();
  if (n < kMinBatches) return {};
  std::size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t d = 0; d <= n / 2; ++d) {
    double mean = 0;
    for (std::size_t i = d; i < n; ++i) mean += means[i];
    mean /= static_cast<double>(n - d);
    double squares = 0;
    for (std::size_t i = d; i < n; ++i) squares += (means[i] - mean) * (means[i] - mean);
    const double error = squares / (static_cast<double>(n - d) * static_cast<double>(n - d));
    if (error < least) {
      least = error;
      best = d;
    }
  }
  if (best == 0 || best * 10 < n) return {.kind = Steadiness::Kind::kFromStart};
  if (best < n / 2) return {.kind = Steadiness::Kind::kAfter, .cut = best * kBatch};
  return {.kind = Drifts(series) ? Steadiness::Kind::kNever : Steadiness::Kind::kFromStart};
}

}  // namespace tidemark
