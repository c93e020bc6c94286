#include "coordinator/analysis/search.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

// Searches where levels up to `met_until` are met, from `missed_from` on missed, and unsure between.
SearchResult Find(const SearchOptions& options, std::int64_t met_until, std::int64_t missed_from) {
  const auto expectation = ParseExpectation("max<1ms");
  // A maximum has no interval and no guard: unsure levels are made of an error rate instead.
  const auto errors = ParseExpectation("error_rate<10%");
  EXPECT_OK(expectation);
  EXPECT_OK(errors);
  return FindHighest(
      options, {*expectation, *errors},
      [&](std::int64_t level, Nanos duration) -> std::optional<Evidence> {
        Evidence evidence{.seconds = std::vector<Histogram>(1), .planned = 100, .duration = duration};
        evidence.seconds[0].Record(level >= missed_from ? 2 * kMillisecond : 1);
        evidence.failed = level > met_until ? 10 : 0;
        return evidence;
      },
      [](const Trial&) {});
}

TEST(SearchTest, TheBracketIsAsNarrowAsTheResolution) {
  const SearchResult result = Find({.from = 100}, 777, 778);
  EXPECT_TRUE(result.is_complete && result.is_confirmed && result.is_monotone);
  EXPECT_LE(result.met, 777);
  EXPECT_GE(result.missed, 778);
  EXPECT_LE(static_cast<double>(result.missed), static_cast<double>(result.met) * 1.02 + 1);
}

TEST(SearchTest, LevelsThatCannotBeDecidedAreNamedAndBothEndsFound) {
  const SearchResult result = Find({.from = 100}, 700, 900);
  EXPECT_TRUE(result.is_complete && result.is_confirmed);
  EXPECT_NEAR(static_cast<double>(result.met), 700, 15);
  EXPECT_NEAR(static_cast<double>(result.missed), 900, 18);
  ASSERT_FALSE(result.unsure.empty());
  for (const std::int64_t level : result.unsure) EXPECT_TRUE(level > 700 && level < 900) << level;
}

TEST(SearchTest, AStartThatIsTooHighIsHalved) {
  const SearchResult result = Find({.from = 10'000}, 50, 51);
  EXPECT_LE(result.met, 50);
  EXPECT_GE(result.met, 49);
  EXPECT_EQ(result.missed, result.met + 1);
}

TEST(SearchTest, NothingMetIsSaid) {
  const SearchResult result = Find({.from = 8}, 0, 1);
  EXPECT_TRUE(result.is_complete);
  EXPECT_EQ(result.met, 0);
  EXPECT_EQ(result.missed, 1);
}

TEST(SearchTest, TheCapIsAnAnswerWithoutAnUpperEnd) {
  const SearchResult result = Find({.from = 100, .to = 1'000}, 5'000, 5'001);
  EXPECT_TRUE(result.is_confirmed);
  EXPECT_EQ(result.met, 1'000);
  EXPECT_EQ(result.missed, 0);
}

TEST(SearchTest, ATrialThatCannotBeMadeEndsIt) {
  const auto expectation = ParseExpectation("p99<1ms");
  const SearchResult result = FindHighest(
      {}, {*expectation}, [](std::int64_t, Nanos) -> std::optional<Evidence> { return std::nullopt; },
      [](const Trial&) {});
  EXPECT_FALSE(result.is_complete);
  EXPECT_EQ(result.met, 0);
}

TEST(SearchTest, AQuantileAmongTheUnansweredIsNeverMet) {
  const auto expectation = ParseExpectation("p99<10s");
  Evidence evidence{.seconds = std::vector<Histogram>(1), .planned = 100, .failed = 2, .duration = kSecond};
  for (int i = 0; i < 98; ++i) evidence.seconds[0].Record(kMillisecond);
  EXPECT_EQ(Assess(*expectation, evidence), Assessment::kMet);
  for (int i = 0; i < 2; ++i) evidence.unanswered.Record(kSecond);
  EXPECT_EQ(Assess(*expectation, evidence), Assessment::kMissed);
}

// Messages that nobody could read tell of no gap.
TEST(SearchTest, FindingsOfMessagesThatWereNotReadAreNotMet) {
  const auto expectation = ParseExpectation("gaps<1");
  ASSERT_OK(expectation);
  Evidence evidence{.messages = 500, .is_listening = true, .duration = kSecond};
  EXPECT_EQ(Assess(*expectation, evidence), Assessment::kMet);
  evidence.findings[static_cast<std::size_t>(Finding::kUnread)] = 500;
  EXPECT_EQ(Assess(*expectation, evidence), Assessment::kMissed);
  evidence.findings[static_cast<std::size_t>(Finding::kUnread)] = 499;
  EXPECT_EQ(Assess(*expectation, evidence), Assessment::kMet);
}

// A latency that is missed by what the generator itself took is not clearly missed.
TEST(SearchTest, WhatIsMetOnTheWireIsUnsure) {
  const Expectation expectation = *ParseExpectation("p90<10ms");
  Evidence evidence{.seconds = std::vector<Histogram>(1), .planned = 200, .duration = kSecond};
  for (int i = 0; i < 200; ++i) {
    evidence.seconds[0].Record(40 * kMillisecond);
    evidence.stamped.Record(40 * kMillisecond);
  }
  EXPECT_EQ(Assess(expectation, evidence), Assessment::kMissed);
  for (int i = 0; i < 200; ++i) evidence.on_wire.Record(5 * kMillisecond);
  EXPECT_EQ(Assess(expectation, evidence), Assessment::kUnsure);
  EXPECT_TRUE(IsMetOnWire(expectation, evidence));
  EXPECT_FALSE(IsMet(expectation, evidence)) << "what is printed is missed all the same";
  for (int i = 0; i < 200; ++i) evidence.on_wire.Record(12 * kMillisecond);
  EXPECT_EQ(Assess(expectation, evidence), Assessment::kMissed);
}

TEST(SearchTest, AnErrorRateIsJudgedByItsInterval) {
  const auto expectation = ParseExpectation("error_rate<1%");
  Evidence evidence{.planned = 100, .failed = 0};
  EXPECT_EQ(Assess(*expectation, evidence), Assessment::kMet);
  evidence.failed = 1;
  EXPECT_EQ(Assess(*expectation, evidence), Assessment::kUnsure);  // 1 of 100 may be 5.4 %
  EXPECT_TRUE(IsMet(*expectation, evidence));
  evidence.planned = 1'000;
  EXPECT_EQ(Assess(*expectation, evidence), Assessment::kMet);
  evidence.failed = 30;
  EXPECT_EQ(Assess(*expectation, evidence), Assessment::kMissed);
}

}  // namespace
}  // namespace tidemark
