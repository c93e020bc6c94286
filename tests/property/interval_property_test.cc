// Intervals in virtual time: no clock but the simulation's.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "coordinator/analysis/confidence.h"
#include "coordinator/analysis/steady.h"
#include "tests/support/random.h"

namespace tidemark {
namespace {

// A20: an M/M/1 queue at half its capacity, S = 2 ms, 250 requests a second for 240 s, by Lindley's recursion. Response
// times are exponential with mean 4 ms, so that the truth is -4 ms ln(1 - q).
std::vector<Histogram> RunMM1(std::mt19937_64& rng) {
  constexpr double kServiceNs = 2e6;
  constexpr double kGapNs = 4e6;
  constexpr double kWindowNs = 4e9;
  std::vector<Histogram> windows(60);
  std::exponential_distribution<double> service(1 / kServiceNs);
  std::exponential_distribution<double> gap(1 / kGapNs);
  double arrival = -2e9;  // two seconds to fill the queue
  double free_at = arrival;
  while ((arrival += gap(rng)) < kWindowNs * 60) {
    free_at = std::max(arrival, free_at) + service(rng);
    if (arrival >= 0)
      windows[static_cast<std::size_t>(arrival / kWindowNs)].Record(static_cast<Nanos>(free_at - arrival));
  }
  return windows;
}

TEST(IntervalProperty, TheIntervalOfAQueuesQuantilesCoversTheTruth) {
  TIDEMARK_SEEDED(rng);
  const bool is_full = std::getenv("TIDEMARK_FULL") != nullptr;
  const int runs = is_full ? 2'000 : 200;
  int covered_p50 = 0;
  int covered_p90 = 0;
  int covered_p99 = 0;
  for (int run = 0; run < runs; ++run) {
    const std::vector<Histogram> windows = RunMM1(rng);
    const auto covers = [&](std::uint64_t numerator) {
      const auto interval = BatchInterval(windows, numerator, 100);
      EXPECT_TRUE(interval.has_value());
      const double truth = -4e6 * std::log(1 - static_cast<double>(numerator) / 100);
      return interval->low <= truth && truth <= interval->high ? 1 : 0;
    };
    covered_p50 += covers(50);
    covered_p90 += covers(90);
    covered_p99 += covers(99);
  }
  // 95 % nominal. Three standard errors of 200 runs are 4.6 %; of 2,000, 1.5 %.
  for (const int covered : {covered_p50, covered_p90, covered_p99}) {
    EXPECT_GE(covered, is_full ? runs * 90 / 100 : runs * 88 / 100);
    EXPECT_LE(covered, is_full ? runs * 98 / 100 : runs * 995 / 1000);
  }
  RecordProperty("covered_p50", covered_p50);
  RecordProperty("covered_p90", covered_p90);
  RecordProperty("covered_p99", covered_p99);
}

TEST(IntervalProperty, TooFewValuesGiveNone) {
  std::vector<Histogram> windows(20);
  for (Histogram& window : windows) {
    for (int i = 0; i < 999; ++i) window.Record(i);
  }
  EXPECT_TRUE(BatchInterval(windows, 50, 100).has_value());
  EXPECT_FALSE(BatchInterval(windows, 99, 100).has_value());
  windows.pop_back();
  EXPECT_FALSE(BatchInterval(windows, 50, 100).has_value());
}

TEST(SteadyProperty, NoiseIsSteadyAndATransientIsFound) {
  TIDEMARK_SEEDED(rng);
  std::normal_distribution<double> noise(0, 0.02);
  int wrong = 0;
  int found = 0;
  for (int run = 0; run < 200; ++run) {
    std::vector<double> series(120);
    for (double& x : series) x = 1 + noise(rng);
    wrong += FindSteadyState(series).kind == Steadiness::Kind::kNever ? 1 : 0;
    // Decays to 1 with a time constant of 6: below one standard deviation of the noise after about 20.
    for (std::size_t i = 0; i < series.size(); ++i) series[i] += std::exp(-static_cast<double>(i) / 6.0);
    const Steadiness steady = FindSteadyState(series);
    found += steady.kind == Steadiness::Kind::kAfter && steady.cut >= 10 && steady.cut <= 50 ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0);
  // Of 2,000 seeds one in twenty found fewer than 180, so 185 are usual; this is five standard deviations below.
  EXPECT_GE(found, 167);
}

}  // namespace
}  // namespace tidemark
