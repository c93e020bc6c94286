#include "agent/audit/sequence_audit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tidemark {
namespace {

struct Covered {
  std::uint64_t first;
  std::uint64_t last;
};

SequenceAudit::Findings Audit(const std::vector<Covered>& messages, bool is_linked = false) {
  SequenceAudit audit;
  SequenceAudit::Findings sum;
  for (const Covered& m : messages) sum += audit.Add(m.first, m.last, {.is_linked = is_linked});
  return sum += audit.End();
}

TEST(SequenceAuditTest, WhatFollowsIsFine) {
  const auto found = Audit({{7, 7}, {8, 10}, {11, 11}});
  EXPECT_EQ(found.gaps + found.lost + found.duplicates + found.reordered + found.resets, 0u);
}

TEST(SequenceAuditTest, AGapIsOneHoweverMuchIsLost) {
  const auto found = Audit({{1, 1}, {5, 6}, {7, 7}, {9, 9}});
  EXPECT_EQ(found.gaps, 2u);
  EXPECT_EQ(found.lost, 4u);
}

TEST(SequenceAuditTest, WhatComesLateIsNotLost) {
  const auto found = Audit({{1, 1}, {4, 4}, {3, 3}, {2, 2}, {5, 5}});
  EXPECT_EQ(found.gaps, 0u);
  EXPECT_EQ(found.reordered, 2u);
  EXPECT_EQ(found.duplicates, 0u);
}

// Appends `count` messages that follow each other, from `next` on.
std::uint64_t Follow(std::uint64_t next, int count, std::vector<Covered>* messages) {
  for (int i = 0; i < count; ++i, ++next) messages->push_back({next, next});
  return next;
}

TEST(SequenceAuditTest, WhatComesWhenItWasGivenUpIsLateAndNoDuplicate) {
  std::vector<Covered> messages = {{1, 1}};
  Follow(3, SequenceAudit::kPatience + 2, &messages);
  messages.push_back({2, 2});
  const auto found = Audit(messages);
  EXPECT_EQ(found.gaps, 1u);
  EXPECT_EQ(found.lost, 1u);
  EXPECT_EQ(found.lost_late, 1u);
  EXPECT_EQ(found.reordered, 1u);
  EXPECT_EQ(found.duplicates, 0u);
  messages.push_back({2, 2});  // now it has come before
  const auto twice = Audit(messages);
  EXPECT_EQ(twice.lost_late, 1u);
  EXPECT_EQ(twice.duplicates, 1u);
}

// A hold-up of 30 messages, longer than the run that tells a reset, is let go while others come.
TEST(SequenceAuditTest, AHoldUpIsLateHoweverLongItIs) {
  std::vector<Covered> messages;
  Follow(1, 10, &messages);
  Follow(41, 40, &messages);
  Follow(11, 30, &messages);
  Follow(81, 5, &messages);
  const auto found = Audit(messages);
  EXPECT_EQ(found.gaps, 1u);
  EXPECT_EQ(found.lost, 30u);
  EXPECT_EQ(found.lost_late, 30u);
  EXPECT_EQ(found.reordered, 30u);
  EXPECT_EQ(found.duplicates + found.resets, 0u);
}

// Numbers that jump far ahead once, and go on where they were, are not late for ever.
TEST(SequenceAuditTest, AfterAJumpForNothingTheNumbersBeginAgain) {
  std::vector<Covered> messages;
  const std::uint64_t next = Follow(1, 10, &messages);
  messages.push_back({1'000'000, 1'000'000});
  Follow(next, 400, &messages);
  const auto found = Audit(messages);
  EXPECT_EQ(found.resets, 1u);
  EXPECT_EQ(found.duplicates, 0u);
  EXPECT_LE(found.reordered, SequenceAudit::kLatePatience + 1u);
}

TEST(SequenceAuditTest, OneMessageMayFillPartOfAGapAndGoOn) {
  std::vector<Covered> messages = {{1, 1}, {4, 4}, {7, 8}, {3, 9}};  // 2 and 3, 5 and 6 are missing; then 3 to 9 come
  const auto found = Audit(messages);
  EXPECT_EQ(found.lost, 1u);  // 2
  EXPECT_EQ(found.gaps, 1u);
  EXPECT_EQ(found.duplicates, 0u);
}

TEST(SequenceAuditTest, WhatIsFromBeforeTheFirstMessageHasNotComeBefore) {
  const auto found = Audit({{7, 7}, {6, 6}, {8, 8}, {7, 7}});
  EXPECT_EQ(found.reordered, 1u);
  EXPECT_EQ(found.duplicates, 1u);
  EXPECT_EQ(found.gaps + found.lost, 0u);
}

// Each account has its own: what was lost before the start is not taken back after it.
TEST(SequenceAuditTest, WhatWasGivenUpBeforeTheStartIsOnlyLate) {
  SequenceAudit audit;
  SequenceAudit::Findings sum;
  std::vector<Covered> messages = {{1, 1}};
  Follow(4, 20, &messages);
  for (const Covered& m : messages) sum += audit.Add(m.first, m.last, {.is_early = true});
  EXPECT_EQ(sum.lost, 2u);
  sum += audit.Add(2, 2, {.is_early = true});
  EXPECT_EQ(sum.lost_late, 1u);
  sum += audit.Add(3, 3, {});
  EXPECT_EQ(sum.reordered, 2u);
  EXPECT_EQ(sum.lost_late, 1u);
}

// Of more gaps than are remembered the last ones are known, and memory stays as it is.
TEST(SequenceAuditTest, TheLastGapsAreRemembered) {
  std::vector<Covered> messages;
  for (std::uint64_t i = 1; i <= 2'000; i += 2) messages.push_back({i, i});
  Follow(2'001, 20, &messages);
  for (std::uint64_t i = 2'000; i > 2'000 - 2 * SequenceAudit::kMaxGivenUp; i -= 2) messages.push_back({i, i});
  messages.push_back({2, 2});
  const auto found = Audit(messages);
  EXPECT_EQ(found.lost, 1'000u);
  EXPECT_EQ(found.lost_late, SequenceAudit::kMaxGivenUp);
  EXPECT_EQ(found.duplicates, 1u);
}

// Whatever order the messages come in, and whichever are left out or sent twice: each number that came is accounted
// for, and lost - lost_late is what never came.
TEST(SequenceAuditTest, LostNumbersAddUpInAnyOrder) {
  std::mt19937_64 rng(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<Covered> messages;
    std::uint64_t next = 500;
    for (int i = 0; i < 300; ++i) {
      const std::uint64_t size = 1 + rng() % 3;
      messages.push_back({next, next + size - 1});
      next += size;
    }
    std::uint64_t never = 0;
    std::uint64_t late = 0;
    std::uint64_t duplicates = 0;
    std::vector<Covered> sent;
    std::vector<std::pair<std::size_t, Covered>> held;  // until so many have been sent
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const bool is_amid = i > 20 && i + 60 < messages.size();
      const auto fate = is_amid ? rng() % 16 : 9;
      if (fate == 0) {
        never += messages[i].last - messages[i].first + 1;
      } else if (fate == 1) {
        held.emplace_back(sent.size() + 1 + rng() % 40, messages[i]);
      } else {
        sent.push_back(messages[i]);
      }
      while (!held.empty() && held.front().first <= sent.size()) {
        sent.push_back(held.front().second);
        ++late;
        if (rng() % 4 == 0) {
          sent.push_back(held.front().second);
          ++duplicates;
        }
        held.erase(held.begin());
      }
    }
    const auto found = Audit(sent);
    ASSERT_EQ(found.lost - found.lost_late, never) << round;
    ASSERT_EQ(found.duplicates, duplicates);
    ASSERT_LE(found.reordered, late);  // of two that were held one after the other, one need not be late
    ASSERT_EQ(found.resets, 0u);
  }
}

TEST(SequenceAuditTest, NumbersThatBeginAgainAreAReset) {
  const auto found = Audit({{90, 90}, {91, 91}, {93, 93}, {1, 1}, {2, 2}});
  EXPECT_EQ(found.resets, 1u);
  EXPECT_EQ(found.gaps, 1u);
  EXPECT_EQ(found.duplicates, 0u);
}

TEST(SequenceAuditTest, AResetWhoseFirstMessageWasLostIsOneToo) {
  std::vector<Covered> messages = {{900, 900}, {901, 901}};
  for (std::uint64_t i = 5; i < 60; ++i) messages.push_back({i, i});
  const auto found = Audit(messages);
  EXPECT_EQ(found.resets, 1u);
  EXPECT_EQ(found.gaps, 0u);
  EXPECT_EQ(found.duplicates, 0u);
}

// OKX: a keep-alive links to itself, a reset points back.
TEST(SequenceAuditTest, Links) {
  const auto link = [](std::uint64_t previous, std::uint64_t id) { return Covered{previous + 1, id}; };
  const auto found = Audit({link(10, 15), link(15, 15), link(15, 20), link(20, 3), link(3, 5), link(7, 9)}, true);
  EXPECT_EQ(found.resets, 1u);
  EXPECT_EQ(found.gaps, 1u);
  EXPECT_EQ(found.duplicates, 0u);
}

TEST(SequenceAuditTest, AGapKnowsWhetherWeWereBehind) {
  SequenceAudit audit;
  audit.Add(1, 1, {});
  audit.Add(3, 3, {.is_behind = true});
  audit.Add(5, 5, {});
  const auto found = audit.End();
  EXPECT_EQ(found.gaps, 2u);
  EXPECT_EQ(found.gaps_behind, 1u);
}

// Faults at random places, far enough apart to be told apart, are counted exactly.
TEST(SequenceAuditTest, InjectedFaultsAreFoundExactly) {
  std::mt19937_64 rng(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<Covered> messages;
    SequenceAudit::Findings injected;
    std::uint64_t next = 1'000 + rng() % 1'000;
    for (int block = 0; block < 30; ++block) {
      for (int i = 0; i < 20; ++i) {
        const std::uint64_t size = 1 + rng() % 4;
        messages.push_back({next, next + size - 1});
        next += size;
      }
      switch (rng() % 4) {
        case 0:
          injected.lost += messages.end()[-2].last - messages.end()[-2].first + 1;
          ++injected.gaps;
          messages.erase(messages.end() - 2);
          break;
        case 1:
          ++injected.duplicates;
          messages.push_back(messages.back());
          break;
        case 2:
          ++injected.reordered;
          std::swap(messages.end()[-1], messages.end()[-2]);
          break;
        default:
          break;
      }
    }
    const auto found = Audit(messages);
    ASSERT_EQ(found.gaps, injected.gaps) << round;
    ASSERT_EQ(found.lost, injected.lost);
    ASSERT_EQ(found.duplicates, injected.duplicates);
    ASSERT_EQ(found.reordered, injected.reordered);
    ASSERT_EQ(found.resets, 0u);
  }
}

// OKX: (-1, 10) (10, 15) (15, 15) (15, 3) (3, 5), of its own documentation: a snapshot, a change, nothing new, a reset.
TEST(SequenceAuditTest, LinksHaveSnapshotsKeepAlivesAndResets) {
  SequenceAudit audit;
  SequenceAudit::Findings sum = audit.Begin(10);
  EXPECT_EQ(sum.snapshots, 1u);
  const auto link = [&](std::uint64_t previous, std::uint64_t number) {
    sum += audit.Add(previous + 1, number, {.is_linked = true});
  };
  link(10, 15);
  link(15, 15);
  EXPECT_EQ(sum.resets, 0u);
  link(15, 3);
  EXPECT_EQ(sum.resets, 1u);
  link(3, 5);
  EXPECT_EQ(sum.gaps + sum.duplicates + sum.reordered, 0u);
  link(8, 9);  // 5 to 8 is missing
  const SequenceAudit::Findings again = audit.Begin(20);
  EXPECT_EQ(again.gaps, 1u);
  EXPECT_EQ(again.snapshots, 1u);
  EXPECT_EQ(again.resets, 0u);
}

TEST(SequenceAuditTest, ASnapshotBeginsAnewAndFromThereNumbersRise) {
  SnapshotAudit audit;
  SequenceAudit::Findings sum;
  const auto add = [&](std::uint64_t number, bool is_snapshot = false) { sum += audit.Add(number, is_snapshot); };
  add(4);  // before any snapshot
  add(5, true);
  add(6);
  add(9);  // more than one further
  add(9);  // the same again
  add(8);  // late
  add(8);  // the same again
  add(6);  // likewise
  add(7);  // late
  add(4);  // from before the snapshot
  add(10);
  add(3, true);  // may go back
  add(4);
  add(1);  // the service began again
  add(2);
  EXPECT_EQ(sum.unsynced, 1u);
  EXPECT_EQ(sum.snapshots, 2u);
  EXPECT_EQ(sum.suspects, 1u);
  EXPECT_EQ(sum.duplicates, 3u);
  EXPECT_EQ(sum.reordered, 3u);
  EXPECT_EQ(sum.resets, 1u);
  EXPECT_EQ(sum.gaps, 0u);
}

}  // namespace
}  // namespace tidemark
