#include "agent/host/attention.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

// Turns of 1 ms, at 100 ms and at 200 ms; between them it waited.
void Sleep(Attention* attention) {
  attention->BeginTurn(100 * kMillisecond);
  attention->BeginWait(101 * kMillisecond);
  attention->BeginTurn(200 * kMillisecond);
}

TEST(AttentionTest, WhatCameWhileItSleptWokeIt) {
  Attention attention;
  Sleep(&attention);
  EXPECT_EQ(attention.UnreadBefore(199 * kMillisecond), kMillisecond) << "but for what the turn before it took";
  EXPECT_EQ(attention.UnreadBefore(250 * kMillisecond), 51 * kMillisecond) << "and what this one has taken so far";
}

TEST(AttentionTest, WhatCameWhileItWasBusyOrStoodStillMayHaveLainUnread) {
  Attention attention;
  attention.BeginTurn(100 * kMillisecond);
  attention.BeginWait(190 * kMillisecond);
  attention.BeginTurn(190'010 * kMicrosecond);
  EXPECT_EQ(attention.UnreadBefore(190 * kMillisecond), 90 * kMillisecond);
  EXPECT_EQ(attention.UnreadBefore(150 * kMillisecond), 50 * kMillisecond) << "nothing lay there when it looked before";
  EXPECT_EQ(attention.UnreadBefore(90 * kMillisecond), 90 * kMillisecond) << "it was not found: its wait was over";
  Attention stopped;
  Sleep(&stopped);
  stopped.StandStill(101 * kMillisecond, 200 * kMillisecond);
  EXPECT_EQ(stopped.UnreadBefore(199 * kMillisecond), 99 * kMillisecond);
}

TEST(AttentionTest, TimeThatNeedsUsGoesOnWhenWeDo) {
  Attention attention;
  EXPECT_EQ(attention.Extended(kSecond), kSecond);
  attention.StandStill(kSecond, 3 * kSecond);
  EXPECT_TRUE(attention.StoodStillAt(2 * kSecond));
  EXPECT_EQ(attention.Extended(1'200 * kMillisecond), 3'200 * kMillisecond);
  EXPECT_EQ(attention.Extended(900 * kMillisecond), 900 * kMillisecond) << "it was there";
  EXPECT_EQ(attention.Extended(3'100 * kMillisecond), 3'100 * kMillisecond);
}

TEST(AttentionTest, ItIsBehindUntilAllHasBeenRead) {
  Attention attention;
  attention.BeginTurn(kSecond);
  EXPECT_FALSE(attention.IsBehind(kSecond, true)) << "it did not stand still";
  attention.StandStill(kSecond, 3 * kSecond);  // within the turn
  EXPECT_TRUE(attention.IsBehind(3 * kSecond, false));
  attention.BeginTurn(3'100 * kMillisecond);
  EXPECT_TRUE(attention.IsBehind(3'200 * kMillisecond, true));
  EXPECT_EQ(attention.stood_still_to(), 3'200 * kMillisecond);
  attention.BeginTurn(3'300 * kMillisecond);
  EXPECT_FALSE(attention.IsBehind(3'310 * kMillisecond, false));
  attention.BeginTurn(4'000 * kMillisecond);
  EXPECT_FALSE(attention.IsBehind(4'000 * kMillisecond, true)) << "that is load";
}

// A process that is stopped as its wait returns has found its events before.
TEST(AttentionTest, AfterAWaitThatStoodStillItLooksOnceMore) {
  Attention attention;
  attention.BeginWait(kSecond);
  attention.BeginTurn(3 * kSecond);
  attention.StandStill(kSecond, 3 * kSecond);
  EXPECT_TRUE(attention.IsBehind(3 * kSecond + kMillisecond, false));
  attention.BeginTurn(3 * kSecond + 2 * kMillisecond);
  EXPECT_FALSE(attention.IsBehind(3 * kSecond + 3 * kMillisecond, false));
}

}  // namespace
}  // namespace tidemark
