#include "coordinator/analysis/usl.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <unsupported/Eigen/NonLinearOptimization>

#include "absl/strings/str_cat.h"

namespace tidemark {
namespace {

constexpr double kHuber = 0.05;
constexpr double kSmallest = 1e-12;  // of sigma and kappa, whose logarithms are fitted
constexpr std::size_t kMinPoints = 6;
constexpr double kPastPeak = 1.2;
constexpr int kResamples = 300;
// A kappa below this share of its upper bound is no kappa: the interval reaches zero for all that can be told.
constexpr double kNegligible = 1e-3;

// Residuals for Eigen's Levenberg-Marquardt. `p` holds the logarithms of gamma, sigma, kappa.
struct Residuals {
  using Scalar = double;
  using InputType = Eigen::VectorXd;
  using ValueType = Eigen::VectorXd;
  using JacobianType = Eigen::MatrixXd;
  enum { InputsAtCompileTime = Eigen::Dynamic, ValuesAtCompileTime = Eigen::Dynamic };

  const std::vector<UslPoint>& points;
  std::vector<double> weights;

  int inputs() const { return 3; }
  int values() const { return static_cast<int>(std::max<std::size_t>(points.size(), 3)); }

  int operator()(const Eigen::VectorXd& p, Eigen::VectorXd& out) const {
    out.setZero();
    const Usl usl{std::exp(p[0]), std::exp(p[1]), std::exp(p[2])};
    for (std::size_t i = 0; i < points.size(); ++i) {
      out[static_cast<Eigen::Index>(i)] = weights[i] * (std::log(points[i].x) - std::log(usl.At(points[i].n)));
    }
    return 0;
  }
  int df(const Eigen::VectorXd& p, Eigen::MatrixXd& out) const {
    out.setZero();
    const double sigma = std::exp(p[1]);
    const double kappa = std::exp(p[2]);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double n = points[i].n;
      const double divisor = 1 + sigma * (n - 1) + kappa * n * (n - 1);
      const auto row = static_cast<Eigen::Index>(i);
      out(row, 0) = -weights[i];
      out(row, 1) = weights[i] * sigma * (n - 1) / divisor;
      out(row, 2) = weights[i] * kappa * n * (n - 1) / divisor;
    }
    return 0;
  }
};

// n / X = (1 / gamma) (1 + sigma (n - 1) + kappa n (n - 1)) is linear in its three products.
Eigen::VectorXd Start(const std::vector<UslPoint>& points) {
  Eigen::MatrixXd a(static_cast<Eigen::Index>(points.size()), 3);
  Eigen::VectorXd b(static_cast<Eigen::Index>(points.size()));
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    const double n = points[i].n;
    // Divided by its own size, so that every point weighs the same.
    const double size = n / points[i].x;
    a.row(row) << 1 / size, (n - 1) / size, n * (n - 1) / size;
    b[row] = 1;
  }
  const Eigen::VectorXd c = a.colPivHouseholderQr().solve(b);
  const double gamma = c[0] > 0 ? 1 / c[0] : points[0].x / points[0].n;
  Eigen::VectorXd start(3);
  start << std::log(gamma), std::log(std::max(c[1] * gamma, 1e-4)), std::log(std::max(c[2] * gamma, 1e-9));
  return start;
}

Interval Percentiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&values](double q) {
    return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
  };
  return {.low = at(0.025), .high = at(0.975)};
}

}  // namespace

double Usl::Peak() const { return sigma >= 1 ? 1 : std::sqrt((1 - sigma) / kappa); }

std::optional<Usl> FitUsl(const std::vector<UslPoint>& points) {
  if (points.size() < 3) return std::nullopt;
  for (const UslPoint& point : points) {
    if (!(point.x > 0) || !(point.n >= 1)) return std::nullopt;
  }
  Residuals residuals{.points = points, .weights = std::vector<double>(points.size(), 1.0)};
  Eigen::VectorXd p = Start(points);
  // Huber's loss by reweighting: a few rounds settle it.
  for (int round = 0; round < 5; ++round) {
    Eigen::LevenbergMarquardt<Residuals> solver(residuals);
    solver.minimize(p);
    for (Eigen::Index i = 1; i < 3; ++i) p[i] = std::clamp(p[i], std::log(kSmallest), 0.0);
    Eigen::VectorXd now(residuals.values());
    std::vector<double> weights(points.size(), 1.0);
    std::swap(residuals.weights, weights);
    residuals(p, now);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double size = std::abs(now[static_cast<Eigen::Index>(i)]);
      residuals.weights[i] = size <= kHuber ? 1 : std::sqrt(kHuber / size);
    }
  }
  return Usl{std::exp(p[0]), std::exp(p[1]), std::exp(p[2])};
}

Capacity FindCapacity(const std::vector<UslPoint>& points, const std::vector<std::vector<double>>& samples) {
  Capacity capacity;
  std::vector<double> distinct;
  for (const UslPoint& point : points) distinct.push_back(point.n);
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  if (distinct.size() < kMinPoints) {
    capacity.refusal = absl::StrCat(distinct.size(), " counts of connections; a fit needs ", kMinPoints);
    return capacity;
  }
  const std::optional<Usl> fit = FitUsl(points);
  if (!fit) {
    capacity.refusal = "a point without throughput";
    return capacity;
  }
  capacity.fit = *fit;
  const double widest = distinct.back();
  capacity.x_max = fit->At(std::clamp(std::round(fit->Peak()), 1.0, widest));

  std::vector<double> gammas, sigmas, kappas, peaks, tops;
  std::mt19937_64 rng(1);  // the same data give the same intervals
  const bool can_resample = std::all_of(samples.begin(), samples.end(), [](const auto& s) { return s.size() >= 5; });
  for (int i = 0; can_resample && i < kResamples; ++i) {
    std::vector<UslPoint> resampled = points;
    for (std::size_t k = 0; k < resampled.size(); ++k) {
      double sum = 0;
      for (std::size_t j = 0; j < samples[k].size(); ++j) sum += samples[k][rng() % samples[k].size()];
      resampled[k].x = sum / static_cast<double>(samples[k].size());
    }
    const std::optional<Usl> again = FitUsl(resampled);
    if (!again) continue;
    gammas.push_back(again->gamma);
    sigmas.push_back(again->sigma);
    kappas.push_back(again->kappa);
    peaks.push_back(again->Peak());
    tops.push_back(again->At(again->Peak()));
  }
  if (!gammas.empty()) {
    capacity.has_intervals = true;
    capacity.gamma = Percentiles(gammas);
    capacity.sigma = Percentiles(sigmas);
    capacity.kappa = Percentiles(kappas);
    capacity.n_peak = Percentiles(peaks);
    capacity.x_peak = Percentiles(tops);
  }
  const bool has_kappa =
      capacity.has_intervals ? capacity.kappa.low > kNegligible * capacity.kappa.high : fit->kappa > 10 * kSmallest;
  capacity.has_peak = has_kappa && widest >= kPastPeak * fit->Peak();
  return capacity;
}

bool Knee::IsClear() const {
  const auto [low, high] = std::minmax({power, crossing, kneedle});
  return high <= 2 * low;
}

Knee FindKnee(const std::vector<KneePoint>& points) {
  Knee knee;
  double best = 0;
  double r_min = points[0].r_s;
  double x_max = 0;
  for (const KneePoint& point : points) {
    const double power = point.x / point.r_s;
    if (power > best) {
      best = power;
      knee.power = point.n;
    }
    r_min = std::min(r_min, point.r_s);
    x_max = std::max(x_max, point.x);
  }
  knee.crossing = r_min * x_max;
  // Over the logarithm of n, since sweeps are geometric.
  const double low = std::log(points.front().n);
  const double span = std::log(points.back().n) - low;
  double x_low = points[0].x;
  for (const KneePoint& point : points) x_low = std::min(x_low, point.x);
  double farthest = -1;
  for (const KneePoint& point : points) {
    const double distance = (point.x - x_low) / std::max(x_max - x_low, 1e-9) - (std::log(point.n) - low) / span;
    if (distance > farthest) {
      farthest = distance;
      knee.kneedle = point.n;
    }
  }
  return knee;
}

}  // namespace tidemark
