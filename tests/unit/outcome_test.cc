#include "common/stats/outcome.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace tidemark {
namespace {

TEST(OutcomeTest, EachStatusHasItsClass) {
  const std::pair<int, Outcome> kCases[] = {{101, Outcome::kStatusOther}, {200, Outcome::kStatus2xx},
                                            {304, Outcome::kStatus3xx},   {400, Outcome::kStatus4xx},
                                            {428, Outcome::kStatus4xx},   {429, Outcome::kStatus429},
                                            {503, Outcome::kStatus5xx},   {600, Outcome::kStatusOther}};
  for (const auto& [status, outcome] : kCases) EXPECT_EQ(OutcomeOfStatus(status), outcome) << status;
}

TEST(OutcomeTest, EachErrorHasItsOutcome) {
  const std::pair<int, Outcome> kRequest[] = {
      {0, Outcome::kClosedEarly},      {ECONNRESET, Outcome::kReset},         {EPIPE, Outcome::kReset},
      {EPROTO, Outcome::kReset},       {ETIMEDOUT, Outcome::kRequestTimeout}, {EBADMSG, Outcome::kMalformed},
      {EMSGSIZE, Outcome::kOverLimit}, {ECANCELED, Outcome::kCutOff}};
  for (const auto& [error, outcome] : kRequest) EXPECT_EQ(OutcomeOf(error), outcome) << error;

  struct Row {
    Phase phase;
    int error;
    ConnectResult result;
    NeverSent reason;
  };
  const Row kConnect[] = {{Phase::kConnect, ECONNREFUSED, ConnectResult::kRefused, NeverSent::kConnectRefused},
                          {Phase::kConnect, ETIMEDOUT, ConnectResult::kTimeout, NeverSent::kConnectTimeout},
                          {Phase::kConnect, EADDRNOTAVAIL, ConnectResult::kOther, NeverSent::kConnectOther},
                          {Phase::kConnect, EMFILE, ConnectResult::kOther, NeverSent::kConnectOther},
                          {Phase::kTls, EPROTO, ConnectResult::kTlsFailed, NeverSent::kTls},
                          {Phase::kTls, ECONNREFUSED, ConnectResult::kTlsFailed, NeverSent::kTls},
                          {Phase::kTls, ETIMEDOUT, ConnectResult::kTimeout, NeverSent::kConnectTimeout}};
  for (const Row& row : kConnect) {
    EXPECT_EQ(ConnectResultOf(row.phase, row.error), row.result) << row.error;
    EXPECT_EQ(NeverSentOf(row.result), row.reason) << row.error;
  }
}

TEST(OutcomeTest, TheIdentityNamesWhatDoesNotAddUp) {
  Counters counters;
  counters.planned = 10;
  counters.sent = 7;
  counters[NeverSent::kTls] = 2;
  counters[Outcome::kStatus2xx] = 5;
  counters[Outcome::kReset] = 1;
  counters.success = 5;
  EXPECT_EQ(BrokenIdentity(counters, {.waiting = 1, .in_flight = 1}), "");
  EXPECT_NE(BrokenIdentity(counters, {.waiting = 0, .in_flight = 1}).find("planned 10 != sent 7 + never sent 2"),
            std::string::npos);
  EXPECT_NE(BrokenIdentity(counters, {.waiting = 1, .in_flight = 0}).find("sent 7 != outcomes 6"), std::string::npos);
  counters.success = 6;
  EXPECT_NE(BrokenIdentity(counters, {.waiting = 1, .in_flight = 1}).find("success"), std::string::npos);
}

TEST(OutcomeTest, CountersSurviveTheWire) {
  Counters counters;
  counters.planned = 3;
  counters[Outcome::kCutOff] = 1;
  counters[NeverSent::kAgentLost] = 2;
  counters[ConnectResult::kAbandoned] = 4;
  proto::Counters wire;
  ToProto(counters, {.waiting = 5, .in_flight = 6}, &wire);
  Counters back;
  Pending pending;
  ASSERT_TRUE(FromProto(wire, &back, &pending));
  EXPECT_EQ(back, counters);
  EXPECT_EQ(pending.waiting, 5u);
  EXPECT_EQ(pending.in_flight, 6u);
  wire.add_outcomes(0);
  EXPECT_TRUE(FromProto(wire, &back, &pending));
  wire.add_outcomes(1);  // a class that a newer agent may have, and that would be lost here
  EXPECT_FALSE(FromProto(wire, &back, &pending));
}

TEST(OutcomeTest, EveryCounterIsAddedAndSurvivesTheWire) {
  Counters counters;
  std::uint64_t next = 1;
  for (const CounterRow& row : kCounterRows) counters.*row.field = next++;
  counters.early_messages = counters.early_message_bytes = 0;
  Counters twice = counters;
  twice.Add(counters);
  for (const CounterRow& row : kCounterRows) EXPECT_EQ(twice.*row.field, 2 * (counters.*row.field)) << row.name;
  proto::Counters wire;
  ToProto(counters, {}, &wire);
  Counters back;
  Pending pending;
  ASSERT_TRUE(FromProto(wire, &back, &pending));
  EXPECT_EQ(back, counters);
}

template <typename Rows>
void ExpectDistinctNames(const Rows& rows) {
  std::set<absl::string_view> names;
  for (const auto& row : rows) {
    EXPECT_FALSE(row.json.empty());
    EXPECT_FALSE(row.label.empty());
    EXPECT_TRUE(names.insert(row.json).second) << row.json;
  }
}

TEST(OutcomeTest, EachRowHasANameOfItsOwn) {
  ExpectDistinctNames(kOutcomeRows);
  ExpectDistinctNames(kNeverSentRows);
  ExpectDistinctNames(kConnectResultRows);
  ExpectDistinctNames(kClosingRows);
  ExpectDistinctNames(kFindingRows);
}

}  // namespace
}  // namespace tidemark
