#include "coordinator/run/clock_sync.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/support/random.h"

namespace tidemark {
namespace {

TEST(ClockSyncTest, TheErrorNeverExceedsHalfTheShortestRoundTrip) {
  TIDEMARK_SEEDED(rng);
  for (int run = 0; run < 1'000; ++run) {
    const Nanos truth = static_cast<Nanos>(rng() % (100 * kSecond)) - 50 * kSecond;
    ClockOffset clock;
    Nanos now = 1'000 * kSecond;
    for (int i = 0; i < 8; ++i) {
      const Nanos there = static_cast<Nanos>(rng() % (5 * kMillisecond));
      const Nanos back = static_cast<Nanos>(rng() % (5 * kMillisecond));
      clock.Add(now, now + there + truth, now + there + back);
      now += 10 * kMillisecond;
    }
    ASSERT_LE(std::abs(clock.offset() - truth), clock.round_trip() / 2 + 1);
  }
}

// A15 in virtual time: clocks 50 ms apart that drift by 20 ppm, over a network of 160 us with queues of 60 us on
// average each way. T0 is told 50 ms ahead, or ten of the slowest round trips.
TEST(ClockSyncTest, AgentsStartTogetherInSpiteOfOffsetAndDrift) {
  TIDEMARK_SEEDED(rng);
  std::exponential_distribution<double> queue(1 / 60e3);
  constexpr int kRuns = 2'000;
  std::vector<double> offset_errors;
  std::vector<double> skews;
  for (int run = 0; run < kRuns; ++run) {
    const double offset = std::uniform_real_distribution<double>(-50e6, 50e6)(rng);
    const double drift = std::uniform_real_distribution<double>(-20e-6, 20e-6)(rng);
    const auto agent_clock = [&](double instant) { return static_cast<Nanos>(instant * (1 + drift) + offset); };
    double now = 1e12;
    ClockOffset clock;
    for (int i = 0; i < 8; ++i) {
      const double there = now + 80e3 + queue(rng);
      const double back = there + 80e3 + queue(rng);
      clock.Add(static_cast<Nanos>(now), agent_clock(there), static_cast<Nanos>(back));
      now = back;
    }
    const double error = std::abs(static_cast<double>(clock.offset()) - (now * drift + offset));
    EXPECT_LE(error, static_cast<double>(clock.round_trip()) / 2 + 100);  // and what the burst itself drifts
    offset_errors.push_back(error);
    // The agent starts when its own clock shows the start plus the offset.
    const double start = now + std::max(50e6, 10 * static_cast<double>(clock.slowest()));
    const double starts_at = (start + static_cast<double>(clock.offset()) - offset) / (1 + drift);
    skews.push_back(std::abs(starts_at - start));
  }
  const auto p99 = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() * 99 / 100];
  };
  EXPECT_LE(p99(offset_errors), 50e3);
  EXPECT_LE(p99(skews), 1e6);
}

// Heartbeats each second over the same network.
TEST(ClockSyncTest, DriftIsKnownAfterAMinute) {
  TIDEMARK_SEEDED(rng);
  std::exponential_distribution<double> queue(1 / 60e3);
  for (const double ppm : {-20.0, 0.0, 5.0, 200.0}) {
    ClockDrift drift;
    for (int second = 0; second < 60; ++second) {
      const double sent = 1e12 + second * 1e9;
      const double there = sent + 80e3 + queue(rng);
      drift.Add(static_cast<Nanos>(sent), static_cast<Nanos>(there + (there - 1e12) * ppm * 1e-6) - 77 * kSecond,
                static_cast<Nanos>(there + 80e3 + queue(rng)));
      EXPECT_EQ(drift.Ppm().has_value(), second >= 15);
    }
    EXPECT_NEAR(*drift.Ppm(), ppm, 2);
  }
}

TEST(ClockSyncTest, AnExchangeThatEndsBeforeItBeganIsIgnored) {
  ClockOffset clock;
  clock.Add(100, 50, 90);
  EXPECT_FALSE(clock.IsKnown());
}

}  // namespace
}  // namespace tidemark
