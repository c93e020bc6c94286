#include <gtest/gtest.h>

#include <cmath>

#include "coordinator/analysis/compare.h"
#include "coordinator/analysis/confidence.h"
#include "coordinator/analysis/usl.h"
#include "tests/support/random.h"

namespace tidemark {
namespace {

// A18's law: N* = 313.05, X* = 3,809.4.
constexpr Usl kLaw{.gamma = 100, .sigma = 0.02, .kappa = 1e-5};

std::vector<UslPoint> Sweep(double widest, double noise, std::mt19937_64& rng) {
  std::vector<UslPoint> points;
  std::normal_distribution<double> error(0, noise);
  for (double n = 1; n <= widest; n *= 2) points.push_back({.n = n, .x = kLaw.At(n) * std::exp(error(rng))});
  return points;
}

TEST(UslTest, TheLawItselfIsFound) {
  std::mt19937_64 rng(1);
  const std::vector<UslPoint> points = Sweep(512, 0, rng);
  const auto fit = FitUsl(points);
  ASSERT_TRUE(fit.has_value());
  EXPECT_NEAR(fit->gamma, 100, 0.1);
  EXPECT_NEAR(fit->Peak(), 313.05, 0.5);
  EXPECT_NEAR(fit->At(313), 3'809.4, 1);
  EXPECT_NEAR(kLaw.At(64), 2'782.2, 0.1);
  EXPECT_NEAR(kLaw.At(512), 3'700.4, 0.1);
}

TEST(UslTest, NoiseOfOnePercentMovesThePeakByLessThanTen) {
  TIDEMARK_SEEDED(rng);
  int near = 0;
  for (int run = 0; run < 100; ++run) {
    const auto fit = FitUsl(Sweep(512, 0.01, rng));
    near += fit && std::abs(fit->Peak() / 313.05 - 1) < 0.1 && std::abs(fit->At(fit->Peak()) / 3'809.4 - 1) < 0.02;
  }
  EXPECT_GE(near, 90);
}

TEST(UslTest, OneOutlierIsWeighedDown) {
  std::mt19937_64 rng(1);
  std::vector<UslPoint> points = Sweep(512, 0, rng);
  points[4].x *= 0.5;
  const auto fit = FitUsl(points);
  ASSERT_TRUE(fit.has_value());
  EXPECT_NEAR(fit->Peak(), 313, 60);
}

TEST(UslTest, ASweepThatEndsBeforeThePeakHasNone) {
  std::mt19937_64 rng(1);
  const std::vector<UslPoint> points = Sweep(128, 0, rng);
  const Capacity capacity = FindCapacity(points, std::vector<std::vector<double>>(points.size()));
  EXPECT_EQ(capacity.refusal, "");
  EXPECT_FALSE(capacity.has_peak);
  EXPECT_NEAR(capacity.x_max, kLaw.At(128), 1);
}

TEST(UslTest, FewerThanSixCountsAreNotFitted) {
  std::mt19937_64 rng(1);
  const std::vector<UslPoint> points = Sweep(16, 0, rng);
  EXPECT_EQ(FindCapacity(points, {}).refusal, "5 counts of connections; a fit needs 6");
  EXPECT_FALSE(FitUsl({{1, 1}, {2, 0}, {4, 1}}).has_value());
}

TEST(UslTest, IntervalsComeFromTheSecondsOfEachPoint) {
  TIDEMARK_SEEDED(rng);
  const std::vector<UslPoint> points = Sweep(512, 0, rng);
  std::vector<std::vector<double>> samples;
  std::normal_distribution<double> error(0, 0.02);
  for (const UslPoint& point : points) {
    std::vector<double>& seconds = samples.emplace_back(20);
    for (double& second : seconds) second = point.x * std::exp(error(rng));
  }
  const Capacity capacity = FindCapacity(points, samples);
  ASSERT_TRUE(capacity.has_intervals);
  EXPECT_TRUE(capacity.has_peak);
  EXPECT_LT(capacity.n_peak.low, 313.05 * 1.05);
  EXPECT_GT(capacity.n_peak.high, 313.05 * 0.95);
  EXPECT_LT(capacity.n_peak.high / capacity.n_peak.low, 1.3);
}

TEST(KneeTest, ASaturatingServerHasItWhereTheAsymptotesMeet) {
  std::vector<KneePoint> points;
  for (double n = 1; n <= 512; n *= 2) {
    const double x = n < 32 ? n * 100 : 3'200;
    points.push_back({.n = n, .x = x, .r_s = n / x});
  }
  const Knee knee = FindKnee(points);
  EXPECT_EQ(knee.power, 32);
  EXPECT_NEAR(knee.crossing, 32, 1e-9);
  EXPECT_EQ(knee.kneedle, 32);
  EXPECT_TRUE(knee.IsClear());
}

TEST(CompareTest, MannWhitneysSmallestPValues) {
  // All of one side below all of the other: 2 / C(n + m, n).
  EXPECT_NEAR(MannWhitney({1, 2, 3}, {4, 5, 6}), 0.1, 1e-12);
  EXPECT_NEAR(MannWhitney({1, 2, 3, 4}, {5, 6, 7, 8}), 2.0 / 70, 1e-12);
  EXPECT_NEAR(MannWhitney({1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}), 2.0 / 252, 1e-12);
  EXPECT_NEAR(MannWhitney({1, 4}, {2, 3}), 1, 1e-12);
  // U = 4 of 5 x 5: from the published table of the distribution, P(U <= 4) = 12 / 252.
  EXPECT_NEAR(MannWhitney({1, 2, 3, 5, 8}, {4, 6, 7, 9, 10}), 24.0 / 252, 1e-12);
}

// A21: runs with 1 % noise, ten on each side.
std::vector<double> Runs(double mean, std::mt19937_64& rng) {
  std::normal_distribution<double> run(mean, 0.01 * mean);
  std::vector<double> values(10);
  for (double& value : values) value = run(rng);
  return values;
}

constexpr int kComparisons = 400;

TEST(CompareTest, EqualRunsAreRarelyCalledDifferent) {
  TIDEMARK_SEEDED(rng);
  int alarms = 0;
  for (int i = 0; i < kComparisons; ++i) {
    const Change change = CompareRuns(Runs(1, rng), Runs(1, rng)).change;
    alarms += change == Change::kRegressed || change == Change::kImproved ? 1 : 0;
  }
  EXPECT_LE(alarms, 36);  // 5 % are 20; chance makes more than 36 of them in one of 5,000
}

TEST(CompareTest, AChangeOfThreePercentIsSeenAndMeasured) {
  TIDEMARK_SEEDED(rng);
  std::uint64_t seen = 0;
  std::uint64_t covered = 0;
  for (int i = 0; i < kComparisons; ++i) {
    const Comparison worse = CompareRuns(Runs(1, rng), Runs(1.03, rng));
    seen += worse.change == Change::kRegressed ? 1 : 0;
    covered += worse.interval.low <= 1.03 && 1.03 <= worse.interval.high ? 1 : 0;
    EXPECT_NE(CompareRuns(Runs(1.03, rng), Runs(1, rng)).change, Change::kRegressed);
  }
  EXPECT_GE(WilsonInterval(seen, kComparisons).high, 0.95) << seen;
  EXPECT_GE(WilsonInterval(covered, kComparisons).high, 0.95) << covered;
}

TEST(CompareTest, FewRunsAreInconclusiveAndSaySo) {
  const Comparison comparison = CompareRuns({1.0, 1.2}, {1.1, 1.3});
  EXPECT_EQ(comparison.change, Change::kInconclusive);
  EXPECT_GT(comparison.runs_needed, 2);
}

TEST(CompareTest, NearlyEqualRunsAreEquivalent) {
  EXPECT_EQ(CompareRuns({1.0, 1.001, 0.999, 1.0}, {1.001, 1.0, 1.002, 0.999}).change, Change::kEquivalent);
}

}  // namespace
}  // namespace tidemark
