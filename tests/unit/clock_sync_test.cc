#include "coordinator/clock_sync.h"

#include <gtest/gtest.h>

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

TEST(ClockSyncTest, AnExchangeThatEndsBeforeItBeganIsIgnored) {
  ClockOffset clock;
  clock.Add(100, 50, 90);
  EXPECT_FALSE(clock.IsKnown());
}

}  // namespace
}  // namespace tidemark
