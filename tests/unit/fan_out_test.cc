#include "coordinator/merge/fan_out.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

proto::Shard Heard(std::uint64_t id, Nanos first, Nanos last, std::uint64_t count) {
  proto::Shard shard;
  proto::EventReceipts* const event = shard.add_events();
  event->set_id(id);
  event->set_first_ns(first);
  event->set_last_ns(last);
  event->set_count(count);
  return shard;
}

TEST(FanOutTest, TheSpreadIsOverAllAgentsInAnyOrder) {
  const std::vector<proto::Shard> shards = {Heard(1, 100, 900, 5), Heard(1, 50, 60, 2), Heard(2, 5'000, 5'000, 1),
                                            Heard(2, 4'000, 4'500, 7), Heard(3, 1, 1, 1)};
  for (const bool is_reversed : {false, true}) {
    FanOut fan_out;
    for (std::size_t i = 0; i < shards.size(); ++i)
      ASSERT_OK(fan_out.Add(shards[is_reversed ? shards.size() - 1 - i : i].events()));
    const FanOut::Result result = fan_out.Summarise();
    EXPECT_EQ(result.events, 2u);
    EXPECT_EQ(result.single_events, 1u);
    EXPECT_EQ(result.receipts, 16u);
    EXPECT_EQ(result.least, 1u);
    EXPECT_EQ(result.most, 8u);
    EXPECT_EQ(result.full_events, 1u);
    EXPECT_EQ(result.spread.min(), 850);
    EXPECT_EQ(result.spread.max(), 1'000);
  }
}

TEST(FanOutTest, ReceiptsThatMakeNoSenseAreRefusedWhole) {
  FanOut fan_out;
  for (const proto::Shard& shard :
       {Heard(1, 2, 1, 1), Heard(1, 1, 1, 0), Heard(1, -2 * kSecond, 1, 1), Heard(1, 1, kSecond << 30, 1)}) {
    proto::Shard both = Heard(9, 1, 2, 2);
    both.MergeFrom(shard);
    EXPECT_FALSE(fan_out.Add(both.events()).ok()) << shard.ShortDebugString();
  }
  EXPECT_TRUE(fan_out.IsEmpty());
}

}  // namespace
}  // namespace tidemark
