#include "common/stats/status_counts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

using Outcomes = std::array<std::uint64_t, kOutcomeCount>;

void AddRow(StatusCounts::Rows* rows, std::uint32_t status, std::uint64_t count, bool is_upgrade = false) {
  proto::StatusSum* const row = rows->Add();
  row->set_status(status);
  row->set_count(count);
  row->set_is_upgrade(is_upgrade);
}

TEST(StatusCountsTest, EveryStatusHasItsCount) {
  StatusCounts counts;
  for (const std::size_t status : {200u, 401u, 404u, 415u, 401u, 99u, 999u}) counts.Count(status);
  counts.CountRefusal(401);
  const std::map<StatusCounts::Key, std::uint64_t> expected = {{{false, 99}, 1},  {{false, 200}, 1}, {{false, 401}, 2},
                                                               {{false, 404}, 1}, {{false, 415}, 1}, {{false, 999}, 1},
                                                               {{true, 401}, 1}};
  EXPECT_EQ(counts.Counts(), expected);
}

TEST(StatusCountsTest, TheFirstAnswerIsTheSameInWhateverOrderPartsAreAdded) {
  std::mt19937_64 rng(7);
  std::vector<std::pair<StatusCounts::Rows, std::pair<std::uint32_t, std::uint32_t>>> parts;
  for (std::uint32_t window = 0; window < 6; ++window) {
    for (std::uint32_t agent = 0; agent < 3; ++agent) {
      StatusCounts::Rows rows;
      for (const std::uint32_t status : {401u, 503u}) {
        if (rng() % 2 == 0) continue;
        AddRow(&rows, status, 1 + rng() % 5);
        rows.rbegin()->mutable_answer()->set_body(std::to_string(window) + " " + std::to_string(agent));
      }
      parts.push_back({rows, {window, agent}});
    }
  }
  StatusCounts in_order;
  for (const auto& [rows, at] : parts) in_order.Add(rows, at.first, at.second);
  ASSERT_EQ(in_order.answers().size(), 2u);
  for (int round = 0; round < 50; ++round) {
    std::shuffle(parts.begin(), parts.end(), rng);
    // In two halves, each merged by itself.
    StatusCounts halves[2];
    for (std::size_t i = 0; i < parts.size(); ++i)
      halves[i % 2].Add(parts[i].first, parts[i].second.first, parts[i].second.second);
    halves[0].Add(halves[1]);
    ASSERT_EQ(halves[0], in_order) << round;
  }
}

TEST(StatusCountsTest, OfLaterPointsTheFirstAnswerStays) {
  StatusCounts first;
  first.Offer({.status = 500}, {.window = 9, .body = "first point"});
  StatusCounts later;
  later.Offer({.status = 500}, {.window = 0, .body = "second point"});
  later.Offer({.status = 404}, {.window = 3, .body = "gone"});
  later.Count(500);
  first.AddLater(later);
  EXPECT_EQ(first.answers().at({.status = 500}).body, "first point");
  EXPECT_EQ(first.answers().at({.status = 404}).body, "gone");
  EXPECT_EQ(first.Counts().size(), 1u);
}

TEST(StatusCountsTest, WhatGoesOverTheWireComesBack) {
  StatusCounts counts;
  counts.Count(200);
  counts.Count(404);
  counts.CountRefusal(503);
  counts.Offer({.status = 404}, {.window = 2, .source = 1, .body = "no", .content_type = "text/plain"});
  counts.Offer({.is_upgrade = true, .status = 503}, {.window = 2, .source = 1, .body = "busy"});
  StatusCounts::Rows rows;
  counts.ToProto(&rows);
  Outcomes outcomes{};
  outcomes[static_cast<std::size_t>(Outcome::kStatus2xx)] = 1;
  outcomes[static_cast<std::size_t>(Outcome::kStatus4xx)] = 1;
  ASSERT_OK(StatusCounts::Check(rows, outcomes, 1));
  StatusCounts back;
  back.Add(rows, 2, 1);
  EXPECT_EQ(back, counts);
}

TEST(StatusCountsTest, RowsThatDoNotAddUpOrAreNotFitToBePrintedAreRefused) {
  Outcomes outcomes{};
  outcomes[static_cast<std::size_t>(Outcome::kStatus2xx)] = 2;
  outcomes[static_cast<std::size_t>(Outcome::kStatus4xx)] = 3;
  outcomes[static_cast<std::size_t>(Outcome::kStatus429)] = 1;
  outcomes[static_cast<std::size_t>(Outcome::kReset)] = 5;  // has no status
  StatusCounts::Rows right;
  AddRow(&right, 200, 1);
  AddRow(&right, 204, 1);
  AddRow(&right, 401, 2);
  AddRow(&right, 404, 1);
  AddRow(&right, 429, 1);
  AddRow(&right, 403, 4, true);
  ASSERT_OK(StatusCounts::Check(right, outcomes, 4));
  EXPECT_THAT(StatusCounts::Check(right, outcomes, 3), FailsWith("status 403 more often"));
  struct Bad {
    const char* name;
    void (*spoil)(StatusCounts::Rows*);
    const char* why;
  };
  const Bad kBad[] = {
      {"one too many", [](StatusCounts::Rows* r) { r->Mutable(2)->set_count(3); }, "status 404 more often"},
      {"one missing", [](StatusCounts::Rows* r) { r->Mutable(2)->set_count(1); }, "lack 1 of status_4xx"},
      {"a row missing", [](StatusCounts::Rows* r) { r->DeleteSubrange(4, 1); }, "lack 1 of status_429"},
      {"another class", [](StatusCounts::Rows* r) { r->Mutable(1)->set_status(304); }, "status 304 more often"},
      {"wraps around", [](StatusCounts::Rows* r) { r->Mutable(2)->set_count(~std::uint64_t{0}); }, "more often"},
      {"no status", [](StatusCounts::Rows* r) { AddRow(r, 1'000, 1, true); }, "out of order, or none"},
      {"twice", [](StatusCounts::Rows* r) { r->Mutable(1)->set_status(200); }, "out of order"},
      {"none", [](StatusCounts::Rows* r) { AddRow(r, 404, 0, true); }, "out of order, or none"},
      {"a long body", [](StatusCounts::Rows* r) { r->Mutable(3)->mutable_answer()->set_body(std::string(513, 'x')); },
       "too long"},
      {"an escape", [](StatusCounts::Rows* r) { r->Mutable(3)->mutable_answer()->set_body("\x1b[2J"); }, "not fit"},
      {"a type that is none", [](StatusCounts::Rows* r) { r->Mutable(3)->mutable_answer()->set_content_type("a\nb"); },
       "not fit"},
  };
  for (const Bad& bad : kBad) {
    StatusCounts::Rows rows = right;
    bad.spoil(&rows);
    EXPECT_THAT(StatusCounts::Check(rows, outcomes, 10), FailsWith(bad.why)) << bad.name;
  }
}

}  // namespace
}  // namespace tidemark
