#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "common/plan/schedule.h"
#include "common/plan/split.h"

namespace tidemark {
namespace {

TEST(ScheduleTest, ConstantRateHasNoDriftAfterOneDay) {
  for (const std::int64_t rate : {1'000, 300'000, 700'000, 10'000'000}) {
    const std::int64_t day = 86'400 * rate;
    EXPECT_EQ(DueAt(day, rate * kOnePerSecond), 86'400 * kSecond) << rate;
    EXPECT_GT(DueAt(day + 1, rate * kOnePerSecond), DueAt(day, rate * kOnePerSecond));
  }
}

TEST(ScheduleTest, SlotsLieOnePeriodApart) {
  EXPECT_EQ(DueAt(0, 2 * kOnePerSecond), 0);
  EXPECT_EQ(DueAt(1, 2 * kOnePerSecond), 500 * kMillisecond);
  EXPECT_EQ(DueAt(1, 3 * kOnePerSecond), 333'333'333);
  EXPECT_EQ(DueAt(3, 3 * kOnePerSecond), kSecond);
  EXPECT_EQ(DueAt(3, ScheduleRate(0.5)), 6 * kSecond);
  EXPECT_EQ(DueAt(7, ScheduleRate(10.0 / 60)), 42 * kSecond);
  EXPECT_EQ(DueAt(1, ScheduleRate(10.0 / 3600)), 360 * kSecond);
  EXPECT_EQ(DueAt(std::int64_t{1} << 52, 1), kNeverDue / 4);  // in 570 years
}

TEST(SplitTest, OddNumbersLoseNothing) {
  EXPECT_EQ(SplitEvenly(1003, 10), (std::vector<std::int64_t>{101, 101, 101, 100, 100, 100, 100, 100, 100, 100}));
  EXPECT_EQ(SplitEvenly(1, 3), (std::vector<std::int64_t>{1, 0, 0}));
  EXPECT_EQ(SplitEvenly(0, 2), (std::vector<std::int64_t>{0, 0}));
}

TEST(SplitTest, SharesAddUpAndAreNearestToIdeal) {
  for (const std::int64_t total : {1, 7, 1003, 65'537}) {
    for (const std::vector<std::int64_t>& weights :
         {std::vector<std::int64_t>{1}, {1, 1, 1}, {3, 0, 5}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}) {
      const std::vector<std::int64_t> shares = SplitByWeight(total, weights);
      EXPECT_EQ(std::accumulate(shares.begin(), shares.end(), std::int64_t{0}), total);
      const double sum = static_cast<double>(std::accumulate(weights.begin(), weights.end(), std::int64_t{0}));
      for (std::size_t i = 0; i < shares.size(); ++i) {
        EXPECT_LT(std::abs(static_cast<double>(shares[i]) - static_cast<double>(total * weights[i]) / sum), 1.0);
      }
    }
  }
}

}  // namespace
}  // namespace tidemark
