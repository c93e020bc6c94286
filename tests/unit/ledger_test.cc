#include "coordinator/merge/ledger.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

proto::Shard Shard(const std::string& run, std::uint32_t point, std::uint32_t agent, std::uint64_t incarnation,
                   std::uint64_t seq) {
  proto::Shard shard;
  shard.mutable_key()->set_run(run);
  shard.mutable_key()->set_point(point);
  shard.mutable_key()->set_agent(agent);
  shard.mutable_key()->set_incarnation(incarnation);
  shard.mutable_key()->set_seq(seq);
  return shard;
}

TEST(LedgerTest, EachShardIsLetThroughOnceAndInOrder) {
  Ledger ledger("r", 0, 0, {7});
  EXPECT_EQ(ledger.Offer(Shard("r", 0, 0, 7, 0)).size(), 1u);
  EXPECT_TRUE(ledger.Offer(Shard("r", 0, 0, 7, 2)).empty());  // early: 1 is missing
  EXPECT_EQ(ledger.Waiting(), 1u);
  EXPECT_TRUE(ledger.Offer(Shard("r", 0, 0, 7, 2)).empty());  // the same again
  const auto ready = ledger.Offer(Shard("r", 0, 0, 7, 1));
  ASSERT_EQ(ready.size(), 2u);
  EXPECT_EQ(ready[0].key().seq(), 1u);
  EXPECT_EQ(ready[1].key().seq(), 2u);
  EXPECT_TRUE(ledger.Offer(Shard("r", 0, 0, 7, 0)).empty());
  EXPECT_EQ(ledger.accepted(), 3u);
  EXPECT_EQ(ledger.duplicates(), 2u);
}

TEST(LedgerTest, ShardsOfAnotherRunPointAgentOrLifeAreRejected) {
  Ledger ledger("r", 1, 0, {7, 8});
  for (const proto::Shard& shard :
       {Shard("other", 1, 0, 7, 0), Shard("r", 0, 0, 7, 0), Shard("r", 1, 2, 7, 0), Shard("r", 1, 1, 7, 0)}) {
    EXPECT_TRUE(ledger.Offer(shard).empty());
  }
  EXPECT_EQ(ledger.rejected(), 4u);
  EXPECT_EQ(ledger.accepted(), 0u);
}

TEST(LedgerTest, HowManyEarlyShardsAreKeptIsLimited) {
  Ledger ledger("r", 0, 0, {7});
  for (std::uint64_t seq = 1; seq <= 100; ++seq) ledger.Offer(Shard("r", 0, 0, 7, seq));
  EXPECT_EQ(ledger.Waiting(), 64u);
  EXPECT_EQ(ledger.rejected(), 36u);
}

}  // namespace
}  // namespace tidemark
