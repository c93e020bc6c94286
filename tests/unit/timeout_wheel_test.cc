#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

#include "agent/host/event_loop.h"
#include "tests/support/random.h"

namespace tidemark {
namespace {

constexpr Nanos kStart = 1'000 * kSecond;

TEST(TimeoutWheelTest, ADeadlineExpiresOnceAndLateByAtMostTwoTicks) {
  TIDEMARK_SEEDED(rng);
  TimeoutWheel wheel(kStart);
  std::deque<TimeoutWheel::Node> nodes(2'000);
  std::vector<Nanos> wanted(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    wanted[i] = kStart + static_cast<Nanos>(rng() % (20 * kSecond));  // four times around the wheel
    wheel.Schedule(&nodes[i], wanted[i]);
  }
  std::size_t expired = 0;
  for (Nanos now = kStart; now < kStart + 21 * kSecond; now += 7 * kMillisecond) {
    wheel.Advance(now, [&](TimeoutWheel::Node* node) {
      for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (node != &nodes[i]) continue;
        EXPECT_GE(now, wanted[i]);
        EXPECT_LE(now, wanted[i] + 2 * TimeoutWheel::kTick);
        ++expired;
      }
    });
  }
  EXPECT_EQ(expired, nodes.size());
}

TEST(TimeoutWheelTest, PushingADeadlineOutKeepsItFromExpiring) {
  TimeoutWheel wheel(kStart);
  TimeoutWheel::Node node;
  int expired = 0;
  for (int i = 0; i < 100; ++i) {
    wheel.Schedule(&node, kStart + i * 10 * kMillisecond + 50 * kMillisecond);
    wheel.Advance(kStart + i * 10 * kMillisecond, [&](TimeoutWheel::Node*) { ++expired; });
  }
  EXPECT_EQ(expired, 0);
  wheel.Advance(kStart + 2 * kSecond, [&](TimeoutWheel::Node*) { ++expired; });
  EXPECT_EQ(expired, 1);
}

TEST(TimeoutWheelTest, ANearerDeadlineReplacesAFartherOne) {
  TimeoutWheel wheel(kStart);
  TimeoutWheel::Node node;
  int expired = 0;
  wheel.Schedule(&node, kStart + 3 * kSecond);
  wheel.Schedule(&node, kStart + 20 * kMillisecond);
  wheel.Advance(kStart + 50 * kMillisecond, [&](TimeoutWheel::Node*) { ++expired; });
  EXPECT_EQ(expired, 1);
}

TEST(TimeoutWheelTest, AClearedDeadlineNeverExpires) {
  TimeoutWheel wheel(kStart);
  TimeoutWheel::Node node;
  int expired = 0;
  wheel.Schedule(&node, kStart + 20 * kMillisecond);
  TimeoutWheel::Clear(&node);
  wheel.Advance(kStart + kSecond, [&](TimeoutWheel::Node*) { ++expired; });
  EXPECT_EQ(expired, 0);
  EXPECT_EQ(node.next, nullptr);
}

}  // namespace
}  // namespace tidemark
