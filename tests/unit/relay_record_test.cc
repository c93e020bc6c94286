#include "tests/support/relay_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Nanos kT0 = 1'800'000'000 * kSecond;

Nanos At(double seconds) { return kT0 + static_cast<Nanos>(seconds * 1e9); }

// One connection that is up all the time.
RelayRecord OneConnection() {
  RelayRecord record;
  record.connections.push_back({.opened = At(-1)});
  return record;
}

void Add(RelayRecord* record, double last, double passed, int status = 200, std::uint32_t connection = 0) {
  record->exchanges.push_back({.connection = connection,
                               .status = passed < 0 ? 0 : status,
                               .first = At(last),
                               .last = At(last),
                               .passed = passed < 0 ? 0 : At(passed)});
}

TEST(RelayRecordTest, WindowsAreHalfOpen) {
  RelayRecord record = OneConnection();
  Add(&record, 0, 1.0);
  Add(&record, 1, 1.5, 500);
  Add(&record, 1.5, 2.0, 302);
  Add(&record, 2, -1);
  EXPECT_EQ(record.Responses(At(1), At(2)), 2);
  EXPECT_EQ(record.Successes(At(1), At(2)), 1);
  EXPECT_EQ(record.Responses(At(2), At(3)), 1);
  EXPECT_EQ(record.Successes(0, At(100)), 2);
}

TEST(RelayRecordTest, ConnectionSecondsAreCutAtTheWindow) {
  RelayRecord record;
  record.connections = {{.opened = At(-5), .upgraded = At(1), .ended = At(2)},  // 2 s within, 1 s as a WebSocket
                        {.opened = At(3)},                                      // 7 s, still up
                        {.opened = At(4), .upgraded = At(4.5), .ended = At(20)},
                        {.opened = At(-5), .ended = At(-1)},
                        {.opened = At(12)}};
  EXPECT_DOUBLE_EQ(record.ConnectionSeconds(At(0), At(10)), 2 + 7 + 6);
  EXPECT_DOUBLE_EQ(record.ConnectionSeconds(At(0), At(10), RelayRecord::Up::kUpgraded), 1 + 5.5);
}

TEST(RelayRecordTest, ARequestIsUnderWayUntilItsAnswerOrTheEndOfItsConnection) {
  RelayRecord record;
  record.connections = {{.opened = At(0), .ended = At(5)}, {.opened = At(0)}};
  Add(&record, 1, 2);
  Add(&record, 3, -1);          // lost with its connection
  Add(&record, 4, -1, 200, 1);  // to come still
  EXPECT_THAT(record.UnderWayAt(At(0.5)), IsEmpty());
  EXPECT_EQ(record.UnderWayAt(At(1.5)).size(), 1u);
  EXPECT_EQ(record.UnderWayAt(At(2)).size(), 0u);
  EXPECT_EQ(record.UnderWayAt(At(4.5)).size(), 2u);
  EXPECT_EQ(record.UnderWayAt(At(6)).size(), 1u);
  ASSERT_EQ(record.Unanswered().size(), 1u);
  EXPECT_EQ(record.Unanswered()[0].last, At(3));
}

// Definition: see DeadSeconds. 100 requests a second, one row per way to die.
TEST(RelayRecordTest, DeadSecondsOfAFastTarget) {
  RelayRecord record = OneConnection();
  for (int i = 0; i < 600; ++i) {
    const double at = i / 100.0;
    if (at < 2 || at >= 4) Add(&record, at, at + 0.005);
  }
  EXPECT_THAT(record.DeadSeconds(kT0, 6), ElementsAre(2, 3));
  // One success in a second is enough.
  Add(&record, 2.5, 2.6);
  EXPECT_THAT(record.DeadSeconds(kT0, 6), ElementsAre(3));
}

TEST(RelayRecordTest, ASlowTargetHasNoDeadSecond) {
  RelayRecord record = OneConnection();
  for (int i = 0; i < 4; ++i) {
    Add(&record, i * 2.5, i * 2.5 + 2.5);
    Add(&record, i * 2.5 + 0.01, i * 2.5 + 2.51);
  }
  EXPECT_THAT(record.DeadSeconds(kT0, 10), IsEmpty());
  // ... unless none of what was under way in it ever comes.
  record.connections[0].ended = At(14);
  Add(&record, 10.1, -1);
  EXPECT_THAT(record.DeadSeconds(kT0, 14), ElementsAre(11, 12, 13));
}

TEST(RelayRecordTest, TenFailuresInARowAreADeadSecondAtAnyRate) {
  RelayRecord record = OneConnection();
  for (int i = 0; i < 9; ++i) Add(&record, 0.1 * i, 0.1 * i + 0.01, 200);
  for (int i = 0; i < 12; ++i) Add(&record, 1.0 + 0.05 * i, 1.01 + 0.05 * i, 503);
  Add(&record, 1.7, 2.5);  // under way in it, and succeeds
  EXPECT_THAT(record.DeadSeconds(kT0, 3), ElementsAre(1));
  record.exchanges[12].status = 200;  // the last ten hold a success, no matter
  EXPECT_THAT(record.DeadSeconds(kT0, 3), IsEmpty());
}

TEST(RelayRecordTest, SilentSecondsAreOfTheTargetsMessages) {
  RelayRecord record = OneConnection();
  for (int i = 0; i < 80; ++i) {
    const double at = i / 20.0;
    if (at < 1 || at >= 2) {
      record.messages.push_back({.from = Side::kTarget, .opcode = 1, .received = At(at), .passed = At(at)});
    } else {
      record.messages.push_back({.from = Side::kTarget, .opcode = 9, .received = At(at), .passed = At(at)});
      record.messages.push_back({.from = Side::kClient, .opcode = 1, .received = At(at), .passed = At(at)});
    }
  }
  EXPECT_THAT(record.SilentSeconds(kT0, 4), ElementsAre(1));
  EXPECT_EQ(record.Messages(Side::kTarget, At(0), At(4)), 60);
  EXPECT_EQ(record.Messages(Side::kClient, At(0), At(4)), 20);
}

}  // namespace
}  // namespace tidemark
