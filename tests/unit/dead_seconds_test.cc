#include "coordinator/analysis/dead_seconds.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tidemark {
namespace {

SecondFacts Served(std::uint32_t second, std::uint64_t success, Nanos time = kMillisecond) {
  return {.second = second,
          .success = success,
          .is_asked = true,
          .is_carried = true,
          .longest = time,
          .usual_gap = time,
          .covered = 1};
}
SecondFacts Failing(std::uint32_t second, std::uint64_t failures) {
  return {.second = second, .failures = failures, .is_asked = true};
}
SecondFacts Silent(std::uint32_t second) { return {.second = second, .is_asked = true, .is_carried = true}; }

std::int64_t Count(const std::vector<Second>& seconds, Second kind) {
  return std::count(seconds.begin(), seconds.end(), kind);
}

TEST(DeadSecondsTest, ATargetThatIsKilledIsDeadFromThen) {
  std::vector<SecondFacts> facts = {Served(0, 5'000), Served(1, 5'000), Served(2, 5'000)};
  for (std::uint32_t i = 3; i < 15; ++i) facts.push_back(Failing(i, 20));
  const auto seconds = JudgeSeconds(facts, 15 * kSecond, false);
  ASSERT_EQ(seconds.size(), 15u);
  EXPECT_EQ(Count(seconds, Second::kDead), 12);
  EXPECT_EQ(seconds[2], Second::kServed);
  EXPECT_EQ(seconds[3], Second::kDead);
}

TEST(DeadSecondsTest, OneThatSaysNothingForAWhileIsDeadThenAlthoughItAnswersLater) {
  std::vector<SecondFacts> facts = {Served(0, 5'000), Served(1, 5'000), Silent(2), Silent(3),
                                    Served(4, 5'000, 3 * kSecond)};
  facts[4].usual_gap = kMillisecond;
  const auto seconds = JudgeSeconds(facts, 5 * kSecond, false);
  EXPECT_EQ(Count(seconds, Second::kDead), 2);
  EXPECT_EQ(seconds[4], Second::kServed);
}

TEST(DeadSecondsTest, OneThatNeverAnswersIsDeadFromTheStart) {
  std::vector<SecondFacts> facts;
  for (std::uint32_t i = 0; i < 4; ++i) facts.push_back(Silent(i));
  facts.push_back(Failing(4, 2));  // the time-outs, after the end
  EXPECT_EQ(Count(JudgeSeconds(facts, 4 * kSecond, false), Second::kDead), 4);
}

TEST(DeadSecondsTest, ASlowTargetThatAnswersAllConnectionsAtOnceHasNone) {
  for (const Nanos time : {2'500 * kMillisecond, 3 * kSecond, 10 * kSecond, kSecond + 100 * kMillisecond}) {
    for (const std::uint64_t connections : {2u, 1'000u}) {
      std::vector<SecondFacts> facts;
      for (std::uint32_t i = 0; i < 35; ++i) facts.push_back(Silent(i));
      for (Nanos done = time; done < 35 * kSecond; done += time)
        facts[static_cast<std::size_t>(done / kSecond)] =
            Served(static_cast<std::uint32_t>(done / kSecond), connections, time);
      EXPECT_EQ(Count(JudgeSeconds(facts, 20 * kSecond, false), Second::kDead), 0) << time << " " << connections;
    }
  }
}

TEST(DeadSecondsTest, AFewRequestsASecondHaveNone) {
  std::vector<SecondFacts> facts;
  for (std::uint32_t i = 0; i < 20; ++i) {
    facts.push_back(i % 2 == 0 ? Served(i, 1) : SecondFacts{.second = i});
  }
  const auto seconds = JudgeSeconds(facts, 20 * kSecond, false);
  EXPECT_EQ(Count(seconds, Second::kDead), 0);
  EXPECT_EQ(Count(seconds, Second::kUnasked), 10);
}

TEST(DeadSecondsTest, OurOwnStandstillIsNotTheTargets) {
  std::vector<SecondFacts> facts = {Served(0, 500), Served(1, 500), Served(2, 500)};
  facts[2].stood_still = 1'500 * kMillisecond;  // nobody tells of second 3
  facts.push_back(Silent(4));
  facts.back().stood_still = 200 * kMillisecond;
  facts.push_back(Served(5, 500));
  const auto seconds = JudgeSeconds(facts, 6 * kSecond, false);
  EXPECT_EQ(Count(seconds, Second::kDead), 0);
  EXPECT_EQ(seconds[3], Second::kGenerator);
  EXPECT_EQ(seconds[4], Second::kGenerator);
  EXPECT_EQ(seconds[5], Second::kServed);
}

TEST(DeadSecondsTest, TenFailuresInARowAreDeathThoughAnOldRequestSucceedsLater) {
  std::vector<SecondFacts> facts = {Served(0, 3), Failing(1, 10), Failing(2, 1), Served(3, 1, 3 * kSecond)};
  EXPECT_EQ(Count(JudgeSeconds(facts, 4 * kSecond, false), Second::kDead), 2);
}

TEST(DeadSecondsTest, AStreamThatStopsIsDeadButOneThatTicksEachSecondOrInBurstsIsNot) {
  std::vector<SecondFacts> stops;
  for (std::uint32_t i = 0; i < 10; ++i) stops.push_back(i < 4 ? Served(i, 300, 10 * kMillisecond) : Silent(i));
  EXPECT_EQ(Count(JudgeSeconds(stops, 10 * kSecond, true), Second::kDead), 6);
  for (const Nanos period : {kSecond + 50 * kMillisecond, kSecond + 250 * kMillisecond, 2 * kSecond}) {
    std::vector<SecondFacts> bursts;
    for (std::uint32_t i = 0; i < 40; ++i) bursts.push_back(Silent(i));
    for (Nanos at = 0; at < 40 * kSecond; at += period)
      bursts[static_cast<std::size_t>(at / kSecond)] = Served(static_cast<std::uint32_t>(at / kSecond), 100, period);
    EXPECT_EQ(Count(JudgeSeconds(bursts, 40 * kSecond, true), Second::kDead), 0) << period;
  }
}

TEST(DeadSecondsTest, AStreamThatStopsAfterItsFirstSecondIsDeadButABurstMayBeFollowedByAnother) {
  std::vector<SecondFacts> facts = {Served(0, 50, 20 * kMillisecond)};
  for (std::uint32_t i = 1; i < 6; ++i) facts.push_back(Silent(i));
  EXPECT_EQ(Count(JudgeSeconds(facts, 6 * kSecond, true), Second::kDead), 5);
  facts[0].covered = 0.001;  // all came at once
  EXPECT_EQ(Count(JudgeSeconds(facts, 6 * kSecond, true), Second::kDead), 0);
}

// A hundred messages of one stream, all at once: the mean interval is short, what a random instant lies in is not.
// Connections that were made at once hear together, the first time without an interval that counts.
TEST(DeadSecondsTest, StreamsThatTickTogetherAreNotDeathHoweverShortThePoint) {
  constexpr double kConnections = 200;
  for (Nanos period = 300 * kMillisecond; period <= 12 * kSecond; period += 93 * kMillisecond) {
    for (const Nanos length : {4 * kSecond, 5 * kSecond, 7 * kSecond, 30 * kSecond}) {
      for (const double phase : {0.1, 0.5, 0.9, 1.0}) {
        std::vector<SecondFacts> facts;
        for (std::uint32_t i = 0; i < length / kSecond; ++i) facts.push_back(Silent(i));
        bool is_first = true;
        for (auto at = static_cast<Nanos>(phase * static_cast<double>(period)); at < length; at += period) {
          SecondFacts& second = facts[static_cast<std::size_t>(at / kSecond)];
          second.success += static_cast<std::uint64_t>(kConnections);
          if (!is_first) {
            second.longest = second.usual_gap = period;
            second.covered += static_cast<double>(period) / static_cast<double>(kSecond);
          }
          is_first = false;
        }
        EXPECT_EQ(Count(JudgeSeconds(facts, length, true), Second::kDead), 0)
            << "every " << period / kMillisecond << " ms, the first after " << phase << " of it, for "
            << length / kSecond << " s";
      }
    }
  }
}

TEST(DeadSecondsTest, BurstsOfOneStreamAreNotDeath) {
  for (const Nanos period : {2 * kSecond, 3'500 * kMillisecond, 5 * kSecond}) {
    std::vector<SecondFacts> facts;
    for (std::uint32_t i = 0; i < 20; ++i) facts.push_back(Silent(i));
    for (Nanos at = 0; at < 20 * kSecond; at += period) {
      SecondFacts& burst = facts[static_cast<std::size_t>(at / kSecond)];
      burst = Served(static_cast<std::uint32_t>(at / kSecond), 100, at == 0 ? 10'000 : period);
      burst.covered = at == 0 ? 0 : static_cast<double>(period) / 1e9;
    }
    EXPECT_EQ(Count(JudgeSeconds(facts, 20 * kSecond, true), Second::kDead), 0) << period;
  }
}

TEST(DeadSecondsTest, OneThatIsFrozenAtTheStartIsDeadThenAlthoughItAnswersLater) {
  std::vector<SecondFacts> facts = {Silent(0), Silent(1), Served(2, 400, 2'300 * kMillisecond)};
  for (std::uint32_t i = 3; i < 8; ++i) facts.push_back(Served(i, 500));
  EXPECT_EQ(Count(JudgeSeconds(facts, 8 * kSecond, false), Second::kDead), 2);
  EXPECT_EQ(Count(JudgeSeconds(facts, 8 * kSecond, true), Second::kDead), 2);
}

TEST(DeadSecondsTest, TwoFreezesDoNotExplainEachOther) {
  std::vector<SecondFacts> facts;
  for (std::uint32_t i = 0; i < 12; ++i) facts.push_back(Served(i, 500));
  facts[4] = facts[7] = Silent(0);
  facts[4].second = 4;
  facts[7].second = 7;
  facts[5].longest = facts[8].longest = 2 * kSecond;
  facts[5].usual_gap = facts[8].usual_gap = 1'500 * kMillisecond;
  EXPECT_EQ(Count(JudgeSeconds(facts, 12 * kSecond, false), Second::kDead), 2);
}

// A rate that has fallen from many a second to one: what falls due at a second's end is answered in the next.
TEST(DeadSecondsTest, ASecondInWhichSomethingWasAskedOnlyAtItsEndIsNotDead) {
  std::vector<SecondFacts> facts;
  for (std::uint32_t i = 0; i < 4; ++i) facts.push_back(Served(i, 1'000));
  facts.back().is_carried = false;
  facts.push_back(Silent(4));
  facts.push_back(Served(5, 1));
  EXPECT_EQ(Count(JudgeSeconds(facts, 6 * kSecond, false), Second::kDead), 0);
}

TEST(DeadSecondsTest, TheLastSecondBeforeTheReturnIsDeadToo) {
  std::vector<SecondFacts> facts = {Served(0, 3), Failing(1, 2), Failing(2, 2), Served(3, 3)};
  EXPECT_EQ(Count(JudgeSeconds(facts, 4 * kSecond, false), Second::kDead), 2);
}

TEST(DeadSecondsTest, AShortPauseOfOursWithinATimeWithoutServiceHidesNothing) {
  std::vector<SecondFacts> facts = {Served(0, 500), Served(1, 500)};
  for (std::uint32_t i = 2; i < 8; ++i) facts.push_back(Failing(i, 20));
  facts[4].stood_still = 150 * kMillisecond;
  EXPECT_EQ(Count(JudgeSeconds(facts, 8 * kSecond, false), Second::kDead), 6);
  facts[4].stood_still = 600 * kMillisecond;
  EXPECT_EQ(Count(JudgeSeconds(facts, 8 * kSecond, false), Second::kGenerator), 2);
  for (SecondFacts& second : facts) second.stood_still = 150 * kMillisecond;
  EXPECT_EQ(Count(JudgeSeconds(facts, 8 * kSecond, false), Second::kDead), 0);
}

TEST(DeadSecondsTest, AStubOfALastSecondDoesNotCount) {
  const std::vector<SecondFacts> facts = {Served(0, 5'000), Silent(1)};
  EXPECT_EQ(JudgeSeconds(facts, kSecond + 50 * kMillisecond, false).size(), 1u);
  EXPECT_EQ(JudgeSeconds(facts, kSecond + 490 * kMillisecond, false).size(), 1u)
      << "it would stand there as a whole one";
  EXPECT_EQ(JudgeSeconds(facts, kSecond + 510 * kMillisecond, false).size(), 2u);
  EXPECT_EQ(JudgeSeconds({Silent(0)}, 150 * kMillisecond, false).size(), 1u) << "there is no other";
  EXPECT_TRUE(JudgeSeconds({}, 0, false).empty());
}

}  // namespace
}  // namespace tidemark
