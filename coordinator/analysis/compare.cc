#include "coordinator/analysis/compare.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace tidemark {
namespace {

constexpr double kMargin = 0.03;
constexpr double kLevel = 0.05;
constexpr int kResamples = 10'000;

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double RelativeDeviation(const std::vector<double>& values) {
  double mean = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return values.size() < 2 ? 0 : std::sqrt(squares / static_cast<double>(values.size() - 1)) / mean;
}

}  // namespace

double MannWhitney(const std::vector<double>& a, const std::vector<double>& b) {
  double u = 0;
  for (const double x : a) {
    for (const double y : b) u += x > y ? 1 : x == y ? 0.5 : 0;
  }
  const std::size_t n = a.size();
  const std::size_t m = b.size();
  const double smaller = std::min(u, static_cast<double>(n * m) - u);
  // ways[k][s]: in how many orders of k values among those of the other side seen so far U is s; as shares of all
  // orders, so that nothing overflows: p(n, m, s) = n/(n+m) p(n-1, m, s-m) + m/(n+m) p(n, m-1, s).
  std::vector<std::vector<double>> row(n + 1);
  for (std::size_t i = 0; i <= n; ++i) row[i] = {1.0};  // m = 0: U is 0
  for (std::size_t j = 1; j <= m; ++j) {
    std::vector<std::vector<double>> next(n + 1);
    next[0] = {1.0};
    for (std::size_t i = 1; i <= n; ++i) {
      next[i].assign(i * j + 1, 0.0);
      const double share = static_cast<double>(i) / static_cast<double>(i + j);
      for (std::size_t s = 0; s < next[i - 1].size(); ++s) next[i][s + j] += share * next[i - 1][s];
      for (std::size_t s = 0; s < row[i].size(); ++s) next[i][s] += (1 - share) * row[i][s];
    }
    row = std::move(next);
  }
  double tail = 0;
  for (std::size_t s = 0; s <= static_cast<std::size_t>(std::ceil(smaller)) && s < row[n].size(); ++s)
    tail += row[n][s];
  return std::min(1.0, 2 * tail);
}

Comparison CompareRuns(const std::vector<double>& before, const std::vector<double>& after) {
  Comparison result;
  result.before = Median(before);
  result.after = Median(after);
  result.ratio = result.after / result.before;
  result.p_value = MannWhitney(before, after);
  std::mt19937_64 rng(1);
  std::vector<double> ratios(kResamples);
  const auto resample = [&rng](const std::vector<double>& from) {
    std::vector<double> values(from.size());
    for (double& value : values) value = from[rng() % from.size()];
    return Median(std::move(values));
  };
  for (double& ratio : ratios) ratio = resample(after) / resample(before);
  std::sort(ratios.begin(), ratios.end());
  result.interval = {.low = ratios[kResamples / 40], .high = ratios[kResamples - kResamples / 40 - 1]};
  const bool is_different = result.p_value < kLevel && (result.interval.low > 1 || result.interval.high < 1);
  if (before.size() >= 2 && after.size() >= 2 && result.interval.low >= 1 - kMargin &&
      result.interval.high <= 1 + kMargin) {
    result.change = Change::kEquivalent;
  } else if (is_different) {
    result.change = result.ratio > 1 ? Change::kRegressed : Change::kImproved;
  } else {
    const double deviation = std::max(RelativeDeviation(before), RelativeDeviation(after));
    result.runs_needed = std::max(6, static_cast<int>(std::ceil(2 * std::pow(1.96 * 1.25 * deviation / kMargin, 2))));
  }
  return result;
}

}  // namespace tidemark
