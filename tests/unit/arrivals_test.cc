#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "common/plan/schedule.h"

namespace tidemark {
namespace {

std::vector<Nanos> All(Arrivals arrivals) {
  std::vector<Nanos> dues;
  for (Nanos due = 0; (due = arrivals.Next()) != kNeverDue;) dues.push_back(due);
  return dues;
}

std::vector<RateStage> Rate(std::int64_t per_second, Nanos duration) {
  return {{.from = per_second * kOnePerSecond, .to = per_second * kOnePerSecond, .duration = duration}};
}

TEST(ArrivalsTest, AConstantRateIsDueAtOfEachIndex) {
  const std::vector<Nanos> dues = All(Arrivals::Constant(Rate(3'001, 10 * kSecond), 0, 1, Arrivals::kNoLimit));
  ASSERT_EQ(dues.size(), 30'010u);
  for (std::size_t k = 0; k < dues.size(); ++k)
    ASSERT_EQ(dues[k], DueAt(static_cast<std::int64_t>(k), 3'001 * kOnePerSecond));
}

TEST(ArrivalsTest, StreamsOfAConstantRateAreItsPartition) {
  const std::vector<Nanos> whole = All(Arrivals::Constant(Rate(1'003, 3 * kSecond), 0, 1, Arrivals::kNoLimit));
  std::vector<Nanos> parts;
  for (std::uint64_t stream = 0; stream < 7; ++stream) {
    for (const Nanos due : All(Arrivals::Constant(Rate(1'003, 3 * kSecond), stream, 7, Arrivals::kNoLimit)))
      parts.push_back(due);
  }
  std::sort(parts.begin(), parts.end());
  EXPECT_EQ(parts, whole);
}

TEST(ArrivalsTest, ALimitCountsOverAllStreams) {
  std::size_t sum = 0;
  for (std::uint64_t stream = 0; stream < 4; ++stream)
    sum += All(Arrivals::Constant(Rate(1'000, 1'000 * kSecond), stream, 4, 1'003)).size();
  EXPECT_EQ(sum, 1'003u);
}

TEST(ArrivalsTest, ARampCoversItsArea) {
  const std::vector<RateStage> stages = {
      {.from = 0, .to = 2'000 * kOnePerSecond, .duration = 2 * kSecond},
      {.from = 2'000 * kOnePerSecond, .to = 2'000 * kOnePerSecond, .duration = kSecond},
      {.from = 2'000 * kOnePerSecond, .to = 0, .duration = 4 * kSecond}};
  const std::vector<Nanos> dues = All(Arrivals::Constant(stages, 0, 1, Arrivals::kNoLimit));
  ASSERT_EQ(dues.size(), 2'000u + 2'000u + 4'000u);
  EXPECT_TRUE(std::is_sorted(dues.begin(), dues.end()));
  EXPECT_EQ(dues[0], 0);
  // N(t) = 500 t^2 on the way up.
  EXPECT_NEAR(static_cast<double>(dues[500]), 1e9, 1);
  EXPECT_EQ(dues[2'000], 2 * kSecond);
  EXPECT_EQ(dues[4'000], 3 * kSecond);
  // N(t) = 2000 t - 250 t^2 on the way down: half of the area in the first 4 - sqrt(8) seconds.
  EXPECT_NEAR(static_cast<double>(dues[6'000]), (3 + 4 - std::sqrt(8.0)) * 1e9, 2);
  EXPECT_LT(dues.back(), 7 * kSecond);
}

TEST(ArrivalsTest, RatesBelowOneASecondAreExact) {
  const auto dues = [](double per_s, Nanos duration) {
    const std::int64_t rate = ScheduleRate(per_s);
    return All(Arrivals::Constant({{.from = rate, .to = rate, .duration = duration}}, 0, 1, Arrivals::kNoLimit));
  };
  EXPECT_EQ(dues(0.5, 4 * kSecond), (std::vector<Nanos>{0, 2 * kSecond}));
  EXPECT_EQ(dues(10.0 / 60, 20 * kSecond), (std::vector<Nanos>{0, 6 * kSecond, 12 * kSecond, 18 * kSecond}));
  EXPECT_EQ(dues(10.0 / 3600, 12 * 60 * kSecond), (std::vector<Nanos>{0, 360 * kSecond}));
  const std::vector<Nanos> week = dues(7.0 / 3600, 7 * 24 * 3600 * kSecond);
  ASSERT_EQ(week.size(), 7u * 24 * 7);
  for (std::size_t k = 0; k < week.size(); ++k) ASSERT_EQ(week[k], static_cast<Nanos>(k) * 3600 * kSecond / 7);
}

// A gap of many workers' shares is longer than 64 bits of the schedule's units.
TEST(ArrivalsTest, PoissonGapsOfASmallShareAreExponential) {
  constexpr std::uint64_t kShare = 10'000;
  const std::int64_t rate = ScheduleRate(1'000);
  const std::vector<RateStage> stages = {{.from = rate, .to = rate, .duration = 7 * 24 * 3600 * kSecond}};
  const std::vector<Nanos> dues = All(Arrivals::Poisson(stages, StreamKey(3, 0, 0, 0), kShare, Arrivals::kNoLimit));
  const double expected = 1'000.0 / kShare * 7 * 24 * 3600;
  EXPECT_NEAR(static_cast<double>(dues.size()), expected, 4 * std::sqrt(expected));
  double squares = 0;
  Nanos longest = 0;
  for (std::size_t i = 1; i < dues.size(); ++i) {
    longest = std::max(longest, dues[i] - dues[i - 1]);
    const auto gap = static_cast<double>(dues[i] - dues[i - 1]) / 10e9;
    squares += gap * gap / static_cast<double>(dues.size());
  }
  EXPECT_NEAR(squares, 2, 0.2);
  // ln(60'480) = 11 mean gaps are to be expected as the longest, and one of 64 bits would end at 0.26 of a mean gap.
  EXPECT_GT(longest, 70 * kSecond);
}

TEST(ArrivalsTest, APauseInARateIsKept) {
  const std::vector<RateStage> stages = {
      {.from = 1'000 * kOnePerSecond, .to = 1'000 * kOnePerSecond, .duration = kSecond},
      {.from = 0, .to = 0, .duration = kSecond},
      {.from = 1'000 * kOnePerSecond, .to = 1'000 * kOnePerSecond, .duration = kSecond}};
  const std::vector<Nanos> dues = All(Arrivals::Constant(stages, 0, 1, Arrivals::kNoLimit));
  ASSERT_EQ(dues.size(), 2'000u);
  EXPECT_EQ(dues[999], 999 * kMillisecond);
  EXPECT_EQ(dues[1'000], 2 * kSecond);
}

TEST(ArrivalsTest, PoissonGapsAreExponential) {
  const std::vector<Nanos> dues =
      All(Arrivals::Poisson(Rate(5'000, 60 * kSecond), StreamKey(1, 0, 0, 0), 1, Arrivals::kNoLimit));
  const auto n = static_cast<double>(dues.size());
  EXPECT_NEAR(n, 300'000, 4 * std::sqrt(300'000.0));
  double squares = 0;
  for (std::size_t i = 1; i < dues.size(); ++i) {
    const auto gap = static_cast<double>(dues[i] - dues[i - 1]) / 200'000;
    squares += gap * gap / n;
  }
  EXPECT_NEAR(squares, 2, 0.05);  // the second moment of an exponential of mean 1
}

TEST(ArrivalsTest, PoissonStreamsDifferAndRepeat) {
  const auto dues = [](std::uint64_t worker) {
    return All(Arrivals::Poisson(Rate(1'000, kSecond), StreamKey(9, 0, 0, worker), 2, Arrivals::kNoLimit));
  };
  EXPECT_EQ(dues(0), dues(0));
  EXPECT_NE(dues(0), dues(1));
  EXPECT_EQ(All(Arrivals::Poisson(Rate(1'000, 1'000 * kSecond), 5, 2, 77)).size(), 77u);
}

}  // namespace
}  // namespace tidemark
