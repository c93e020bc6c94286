#include "common/stats/address_counts.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

// At the addresses of `names`: nobody, somebody who fails now and then, and in the last place all others.
AddressTally Tally() {
  AddressTally tally;
  tally.failed_attempts[0] = 133;
  tally.established[1] = 3;
  tally.succeeded[1] = 400;
  tally.failed[1] = 7;
  tally.established[AddressTally::kLast] = 1;
  tally.succeeded[AddressTally::kLast] = 20;
  tally.failed[AddressTally::kLast] = 9;
  return tally;
}

// What such an agent counts besides.
Counters Account() {
  Counters counters;
  counters[ConnectResult::kRefused] = 130;
  counters[ConnectResult::kTimeout] = 3;
  counters[ConnectResult::kEstablished] = 4;
  counters[ConnectResult::kAbandoned] = 5;
  counters.success = 420;
  counters[Outcome::kStatus2xx] = 420;
  counters[Outcome::kStatus5xx] = 6;
  counters[Outcome::kReset] = 1;
  counters[Outcome::kCutOff] = 9;
  return counters;
}

const std::vector<std::string> kNames = {"127.0.0.9:80", "127.0.0.1:80"};

TEST(AddressCountsTest, AnIndexIsThatOfItsNameAndTheLastOneOfAllThatFindNoRoom) {
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) {
    const auto expected = std::min(static_cast<std::uint32_t>(i), AddressTally::kLast);
    EXPECT_EQ(AddressTally::IndexIn(std::to_string(i), &names), expected);
  }
  EXPECT_EQ(names.size(), AddressTally::kLast);
  EXPECT_EQ(AddressTally::IndexIn("7", &names), 7u);
}

TEST(AddressCountsTest, WhatGoesOverTheWireIsAddedByAddress) {
  AddressRows rows;
  Tally().ToProto(kNames, &rows);
  ASSERT_EQ(rows.size(), 3);
  ASSERT_OK(AddressCounts::Check(rows, Account(), false));
  AddressCounts counts;
  counts.Add(rows, std::nullopt);
  counts.Add(rows, std::nullopt);
  const std::map<std::string, AddressSum> expected = {
      {"127.0.0.9:80", {.failed_attempts = 266}},
      {"127.0.0.1:80", {.established = 6, .succeeded = 800, .failed = 14}},
      {"(others)", {.established = 2, .succeeded = 40, .failed = 18}}};
  EXPECT_EQ(counts.sums(), expected);
  AddressRows again;
  counts.ToProto(&again);
  AddressCounts back;
  back.Add(again, std::nullopt);
  EXPECT_EQ(back, counts);
}

TEST(AddressCountsTest, OfAStreamMessagesAreItsSuccesses) {
  AddressTally tally;
  tally.established[0] = 1;
  tally.succeeded[0] = 70;
  AddressRows rows;
  tally.ToProto(kNames, &rows);
  Counters counters;
  counters[ConnectResult::kEstablished] = 1;
  counters.messages = 70;
  EXPECT_OK(AddressCounts::Check(rows, counters, true));
  EXPECT_THAT(AddressCounts::Check(rows, counters, false), FailsWith("more successes"));
}

// An agent's word is checked; one that tells of no address breaks nothing.
TEST(AddressCountsTest, RowsThatDoNotAddUpOrAreNotFitToBePrintedAreRefused) {
  EXPECT_OK(AddressCounts::Check({}, Account(), false));
  AddressRows right;
  Tally().ToProto(kNames, &right);
  const struct {
    const char* what;
    void (*spoil)(AddressRows*);
    const char* expected;
  } kCases[] = {
      {"a success too many", [](AddressRows* r) { r->Mutable(1)->set_succeeded(401); }, "more successes"},
      {"a success too few", [](AddressRows* r) { r->Mutable(1)->set_succeeded(399); }, "lack 1 successes"},
      {"beyond 2^64", [](AddressRows* r) { r->Mutable(0)->set_succeeded(~std::uint64_t{0}); }, "more successes"},
      {"an abandoned attempt", [](AddressRows* r) { r->Mutable(0)->set_failed_attempts(134); }, "more failed attempts"},
      {"a cut off request", [](AddressRows* r) { r->Mutable(1)->set_failed(8); }, "more failed requests"},
      {"no connection", [](AddressRows* r) { r->Mutable(1)->set_established(0); }, "lack 3 connections"},
      {"twice", [](AddressRows* r) { *r->Add() = r->Get(0); }, "twice"},
      {"without a name", [](AddressRows* r) { r->Mutable(0)->clear_address(); }, "not fit"},
      {"a long name", [](AddressRows* r) { r->Mutable(0)->set_address(std::string(300, 'a')); }, "not fit"},
      {"what acts on a terminal", [](AddressRows* r) { r->Mutable(0)->set_address("\x1b[2J"); }, "not fit"}};
  for (const auto& each : kCases) {
    AddressRows rows = right;
    each.spoil(&rows);
    EXPECT_THAT(AddressCounts::Check(rows, Account(), false), FailsWith(each.expected)) << each.what;
  }
}

TEST(AddressCountsTest, AnAddressWithoutSuccessIsOneThatFailedWhereAnotherDidNot) {
  const auto without = [](AddressSum sum, AddressSum other, bool is_listening = false) {
    AddressRows rows;
    for (const AddressSum& each : {sum, other}) {
      proto::AddressSum* const row = rows.Add();
      row->set_address(rows.size() == 1 ? "a:80" : "b:80");
      row->set_established(each.established);
      row->set_failed_attempts(each.failed_attempts);
      row->set_succeeded(each.succeeded);
      row->set_failed(each.failed);
    }
    AddressCounts counts;
    counts.Add(rows, std::nullopt);
    return counts.WithoutSuccess(is_listening);
  };
  const AddressSum well{.established = 1, .succeeded = 9};
  const std::vector<std::string> a = {"a:80"};
  const std::vector<std::string> none;
  EXPECT_EQ(without({.failed_attempts = 3}, well), a);
  EXPECT_EQ(without({.established = 3, .failed = 1}, well), a);
  EXPECT_EQ(without({.established = 3, .failed_attempts = 1}, well), none) << "its first answer may be on its way";
  EXPECT_EQ(without({.established = 3}, well), none);
  EXPECT_EQ(without({.failed_attempts = 3, .succeeded = 1}, well), none);
  EXPECT_EQ(without({.failed_attempts = 3}, {.established = 1}), none) << "nobody had any";

  // Listening: nothing fails where nothing is asked, but where messages are many some should come.
  EXPECT_EQ(without({.established = 1}, {.established = 1, .succeeded = 20}, true), a);
  EXPECT_EQ(without({.established = 1}, {.established = 1, .succeeded = 19}, true), none);
  EXPECT_EQ(without({.established = 1}, {.established = 1, .succeeded = 20}), none);
}

// One address is served until the point's end; the other until its silence begins.
class SilentAddressTest : public testing::Test {
 protected:
  void Serve(const char* address, std::uint32_t second, std::uint64_t succeeded, std::uint64_t failed = 0) {
    AddressRows rows;
    proto::AddressSum* const row = rows.Add();
    row->set_address(address);
    row->set_succeeded(succeeded);
    row->set_failed(failed);
    counts_.Add(rows, second);
    answers_.resize(std::max<std::size_t>(answers_.size(), second + 1));
    answers_[second] += succeeded;
  }
  // Since when "b:80" is silent; 0: it is not.
  std::uint32_t From(std::uint32_t patience = 1, bool where_none_failed = false) const {
    const auto silent = counts_.Silent(answers_, patience, where_none_failed);
    if (silent.empty()) return 0;
    EXPECT_EQ(silent.size(), 1u);
    EXPECT_EQ(silent.begin()->first, "b:80");
    return silent.begin()->second;
  }

  AddressCounts counts_;
  std::vector<std::uint64_t> answers_;
};

TEST_F(SilentAddressTest, OneThatFailsAndServesNobodyAnyMoreIsSilent) {
  for (std::uint32_t second = 0; second < 10; ++second) Serve("a:80", second, 30);
  for (std::uint32_t second = 0; second < 4; ++second) Serve("b:80", second, 30);
  EXPECT_EQ(From(), 0u) << "nothing failed there: its connections may have gone elsewhere";
  EXPECT_EQ(From(1, true), 4u);
  Serve("b:80", 3, 0, 5);
  EXPECT_EQ(From(), 0u) << "it failed while it served";
  Serve("b:80", 9, 0, 1);
  EXPECT_EQ(From(), 4u);
  EXPECT_EQ(From(5), 4u);
  EXPECT_EQ(From(6), 0u) << "so long it may be";
}

TEST_F(SilentAddressTest, AnAttemptToConnectThatFailsIsAFailureToo) {
  for (std::uint32_t second = 0; second < 10; ++second) Serve("a:80", second, 30);
  Serve("b:80", 0, 30);
  AddressRows rows;
  rows.Add()->set_address("b:80");
  rows.Mutable(0)->set_failed_attempts(1);
  counts_.Add(rows, 5);
  EXPECT_EQ(From(), 1u);
}

TEST_F(SilentAddressTest, OneWhoseAnswersComeInBatchesIsNot) {
  for (std::uint32_t second = 0; second < 16; ++second) Serve("a:80", second, 30);
  for (std::uint32_t second = 0; second < 12; second += 4) Serve("b:80", second, 100);  // gaps of 3 seconds
  Serve("b:80", 15, 0, 100);
  EXPECT_EQ(From(), 9u);
  Serve("b:80", 10, 100);
  EXPECT_EQ(From(), 0u);
}

TEST_F(SilentAddressTest, OneOfWhichFewAnswersWereToBeExpectedIsNot) {
  for (std::uint32_t second = 0; second < 10; ++second) Serve("a:80", second, 30);
  Serve("b:80", 0, 20);
  Serve("b:80", 9, 0, 1);
  EXPECT_EQ(From(), 0u) << "20 of 320, and 270 came since";
  Serve("b:80", 0, 10);
  EXPECT_EQ(From(), 1u);
}

TEST_F(SilentAddressTest, WhereNobodyIsServedAnyMoreItIsTheTargetThatIsSilent) {
  for (const char* address : {"a:80", "b:80"}) {
    Serve(address, 0, 30);
    Serve(address, 9, 0, 30);
  }
  EXPECT_EQ(From(), 0u);
}

TEST_F(SilentAddressTest, TheOrderInWhichItIsAddedUpIsNoMatter) {
  const std::uint32_t seconds[] = {0, 5'000, 7, 2'047, 1'024, 90'000};
  AddressCounts other;
  for (const std::uint32_t second : seconds) Serve("b:80", second, 1, 1);
  for (std::size_t i = std::size(seconds); i-- > 0;) {
    AddressRows rows;
    rows.Add()->set_address("b:80");
    rows.Mutable(0)->set_succeeded(1);
    rows.Mutable(0)->set_failed(1);
    AddressCounts one;
    one.Add(rows, seconds[i]);
    other.Add(one);
  }
  EXPECT_EQ(other, counts_);
}

TEST(AddressCountsTest, OfMoreThanThereIsRoomForTheRestIsAddedUp) {
  AddressCounts counts;
  for (std::size_t i = 0; i < AddressCounts::kMaxAddresses + 10; ++i) {
    AddressRows rows;
    rows.Add()->set_address(std::to_string(i));
    rows.Mutable(0)->set_succeeded(1);
    counts.Add(rows, std::nullopt);
  }
  EXPECT_EQ(counts.sums().size(), AddressCounts::kMaxAddresses + 1);
  EXPECT_EQ(counts.sums().at("(others)").succeeded, 10u);
}

}  // namespace
}  // namespace tidemark
