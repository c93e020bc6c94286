#include "common/stats/histogram.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(HistogramTest, NoSlotIsWiderThanOne1024thOfItsValues) {
  for (std::uint32_t slot = 2048; slot < HistogramLayout::kSlotCount; ++slot) {
    const Nanos low = HistogramLayout::LowestOf(slot);
    const Nanos width = HistogramLayout::HighestOf(slot) - low + 1;
    ASSERT_LE(static_cast<double>(width) / static_cast<double>(low), 1.0 / 1024) << slot;
  }
}

TEST(HistogramTest, SlotsAreContiguousAndHoldTheirEnds) {
  Nanos next = 0;
  for (std::uint32_t slot = 0; slot < HistogramLayout::kSlotCount; ++slot) {
    ASSERT_EQ(HistogramLayout::LowestOf(slot), next) << slot;
    ASSERT_EQ(HistogramLayout::SlotOf(static_cast<std::uint64_t>(HistogramLayout::LowestOf(slot))), slot);
    ASSERT_EQ(HistogramLayout::SlotOf(static_cast<std::uint64_t>(HistogramLayout::HighestOf(slot))), slot);
    next = HistogramLayout::HighestOf(slot) + 1;
  }
  EXPECT_GT(next, HistogramLayout::kHighest);
}

TEST(HistogramTest, QuantilesAreNearestRankAndNeverAboveTheMaximum) {
  Histogram histogram;
  for (int i = 0; i < 10'000; ++i) histogram.Record(1'000);
  histogram.Record(100'000'000);
  EXPECT_EQ(histogram.Quantile(50, 100), 1'000);
  EXPECT_EQ(histogram.Quantile(9999, 10000), 1'000);
  EXPECT_EQ(histogram.Quantile(1, 1), 100'000'000);
  EXPECT_EQ(histogram.Quantile(0, 1), 1'000);
  EXPECT_EQ(Histogram().Quantile(1, 2), 0);
}

TEST(HistogramTest, ValuesBeyondTheRangeAreCountedNotDropped) {
  Histogram histogram;
  histogram.Record(1'000'000);
  histogram.Record(2 * HistogramLayout::kHighest);  // two hours
  histogram.Record(-5);                             // the clock stepped
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.overflow(), 1u);
  EXPECT_EQ(histogram.clock_error(), 1u);
  EXPECT_EQ(histogram.max(), 2 * HistogramLayout::kHighest);
  EXPECT_EQ(histogram.Quantile(1, 1), 2 * HistogramLayout::kHighest);
  EXPECT_NEAR(static_cast<double>(histogram.Quantile(50, 100)), 1e6, 1e3);
}

TEST(HistogramTest, SumMinAndMaxAreExact) {
  Histogram histogram;
  for (const Nanos value : {123'456'789, 987'654'321, 5}) histogram.Record(value);
  EXPECT_EQ(histogram.sum(), absl::uint128(123'456'789 + 987'654'321 + 5));
  EXPECT_EQ(histogram.min(), 5);
  EXPECT_EQ(histogram.max(), 987'654'321);
}

TEST(HistogramTest, MergingNineFastAgentsAndOneSlowOneGivesTheTrueP99) {
  Histogram merged;
  for (int agent = 0; agent < 10; ++agent) {
    Histogram one;
    for (int i = 0; i < 1'000; ++i) one.Record(agent == 9 ? kSecond : 10 * kMillisecond);
    merged.Add(one);
  }
  EXPECT_EQ(merged.Quantile(99, 100), kSecond);  // averaging the agents' p99 would say 109 ms
}

TEST(HistogramTest, ClearForgetsEverything) {
  Histogram histogram;
  histogram.Record(7);
  histogram.Record(-1);
  histogram.Clear();
  EXPECT_EQ(histogram, Histogram());
}

}  // namespace
}  // namespace tidemark
