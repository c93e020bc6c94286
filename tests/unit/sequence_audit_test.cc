#include "agent/sequence_audit.h"

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
  for (const Covered& m : messages) sum += audit.Add(m.first, m.last, is_linked, false);
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

TEST(SequenceAuditTest, WhatComesTooLateWasLost) {
  std::vector<Covered> messages = {{1, 1}};
  for (std::uint64_t i = 3; i < 3 + SequenceAudit::kPatience + 2; ++i) messages.push_back({i, i});
  messages.push_back({2, 2});
  const auto found = Audit(messages);
  EXPECT_EQ(found.gaps, 1u);
  EXPECT_EQ(found.lost, 1u);
  EXPECT_EQ(found.duplicates, 1u);
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
  audit.Add(1, 1, false, false);
  audit.Add(3, 3, false, true);
  audit.Add(5, 5, false, false);
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
    sum += audit.Add(previous + 1, number, true, false);
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
  add(8);  // back
  add(10);
  add(3, true);  // may go back
  add(4);
  add(1);  // the service began again
  add(2);
  EXPECT_EQ(sum.unsynced, 1u);
  EXPECT_EQ(sum.snapshots, 2u);
  EXPECT_EQ(sum.suspects, 1u);
  EXPECT_EQ(sum.duplicates, 1u);
  EXPECT_EQ(sum.reordered, 1u);
  EXPECT_EQ(sum.resets, 1u);
  EXPECT_EQ(sum.gaps, 0u);
}

}  // namespace
}  // namespace tidemark
