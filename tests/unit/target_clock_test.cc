#include "agent/engine/target_clock.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace tidemark {
namespace {

// The clock is ahead by `offset`, shows milliseconds, and answers take 0.2 ms and up each way.
void Ask(Nanos now, Nanos offset, std::mt19937_64* random, ClockBounds* bounds) {
  std::exponential_distribution<double> delay(1.0 / 300e3);
  const Nanos there = 200 * kMicrosecond + static_cast<Nanos>(delay(*random));
  const Nanos back = 200 * kMicrosecond + static_cast<Nanos>(delay(*random));
  const Nanos at_target = now + there + offset;
  bounds->Add(now, now + there + back, at_target - at_target % kMillisecond, kMillisecond);
}

TEST(ClockBoundsTest, TheTrueOffsetLiesWithinTheErrorWhichShrinks) {
  Nanos sum = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    const Nanos offset = static_cast<Nanos>(random() % (10 * kSecond)) - 5 * kSecond;
    ClockBounds bounds;
    Nanos now = 1'700'000'000 * kSecond;
    for (int i = 0; i < 8; ++i) {
      Ask(now += 37 * kMillisecond + 123'457, offset, &random, &bounds);
      ASSERT_LE(std::abs(bounds.offset() - offset), bounds.error()) << seed;
    }
    sum += bounds.error();
    EXPECT_EQ(bounds.steps(), 0u);
    EXPECT_EQ(bounds.readings(), 8u);
  }
  EXPECT_LE(sum / 200, 500 * kMicrosecond);  // one answer alone: 1 ms on average
}

TEST(ClockBoundsTest, AClockThatDriftsIsFollowedAndOneThatWasSetIsSeen) {
  std::mt19937_64 random(5);
  ClockBounds bounds;
  const Nanos start = 1'700'000'000 * kSecond;
  for (int i = 0; i < 1'000; ++i) {
    const Nanos now = start + i * 10 * kSecond;
    const Nanos offset = kSecond + i * 10 * 50 * kMicrosecond;  // 50 ppm
    Ask(now, offset, &random, &bounds);
    ASSERT_LE(std::abs(bounds.offset() - offset), bounds.error()) << i;
    ASSERT_LE(bounds.error(), 3 * kMillisecond) << i;
  }
  EXPECT_EQ(bounds.steps(), 0u);
  Ask(start + 20'000 * kSecond, 10 * kSecond, &random, &bounds);
  EXPECT_EQ(bounds.steps(), 1u);
  EXPECT_NEAR(static_cast<double>(bounds.offset()), 10e9, 3e6);
}

}  // namespace
}  // namespace tidemark
