#include "coordinator/analysis/own_part.h"

#include <gtest/gtest.h>

#include "common/clock.h"

namespace tidemark {
namespace {

TEST(OwnPartTest, IsWhatTheStampedLostAndNoMoreThanAllHold) {
  EXPECT_EQ(OwnPart(10, 10, 9), 1);
  EXPECT_EQ(OwnPart(10, 3, 2), 1) << "all took longer: the target's doing";
  EXPECT_EQ(OwnPart(10, 15, 9), 1) << "all were faster";
  EXPECT_EQ(OwnPart(10, 15, 12), 0);
}

Histogram Of(int count, Nanos value) {
  Histogram histogram;
  for (int i = 0; i < count; ++i) histogram.Record(value);
  return histogram;
}

TEST(OwnPartTest, OthersAreNotLikeAllUnlessChanceExplainsThem) {
  Histogram all = Of(1'000, kMillisecond);
  all.Add(Of(1'000, 9 * kMillisecond));  // followed a redirect, say: a mean of 5 ms
  EXPECT_TRUE(IsLikeAll(all, all));
  EXPECT_FALSE(IsLikeAll(Of(500, kMillisecond), all));
  EXPECT_FALSE(IsLikeAll(Of(500, 9 * kMillisecond), all));
  Histogram few = Of(6, kMillisecond);
  few.Add(Of(14, 9 * kMillisecond));  // 6.6 ms, of twenty
  EXPECT_TRUE(IsLikeAll(few, all));
  Histogram many = Of(600, kMillisecond);
  many.Add(Of(1'400, 9 * kMillisecond));
  EXPECT_FALSE(IsLikeAll(many, all));
}

}  // namespace
}  // namespace tidemark
