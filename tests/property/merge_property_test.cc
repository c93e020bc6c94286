// A12: shards of many agents, shuffled, duplicated, lost and sent again, equal one recorder bit for bit.
#include <gtest/gtest.h>

#include <algorithm>

#include "coordinator/ledger.h"
#include "coordinator/merger.h"
#include "tests/support/shards.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(MergeProperty, AnyOrderDuplicateAndResendGivesTheSameBits) {
  TIDEMARK_SEEDED(rng);
  for (int round = 0; round < 5; ++round) {
    constexpr std::uint32_t kAgents = 16;
    std::vector<proto::Shard> all;
    Recorder truth;
    std::vector<std::uint64_t> incarnations;
    for (std::uint32_t agent = 0; agent < kAgents; ++agent) {
      incarnations.push_back(rng());
      MadeShards made = MakeShards(rng, agent, incarnations.back(), 1 + static_cast<std::uint32_t>(rng() % 20), 200);
      truth.Add(made.sum);
      for (proto::Shard& shard : made.shards) all.push_back(std::move(shard));
    }
    // 20 % come twice; 5 % are lost and sent again at the end; all in random order.
    std::vector<proto::Shard> stream;
    std::vector<proto::Shard> resent;
    for (const proto::Shard& shard : all) {
      if (rng() % 20 == 0) {
        resent.push_back(shard);
        continue;
      }
      stream.push_back(shard);
      if (rng() % 5 == 0) stream.push_back(shard);
    }
    std::shuffle(stream.begin(), stream.end(), rng);
    stream.insert(stream.end(), resent.begin(), resent.end());

    Ledger ledger("run", 0, incarnations);
    Merger merger(kAgents);
    for (proto::Shard& shard : stream) {
      for (const proto::Shard& ready : ledger.Offer(std::move(shard))) ASSERT_OK(merger.Apply(ready));
    }
    ASSERT_OK(merger.Finish());
    EXPECT_EQ(ledger.accepted(), all.size());
    EXPECT_EQ(ledger.rejected(), 0u);
    EXPECT_EQ(ledger.Waiting(), 0u);
    EXPECT_TRUE(merger.AllFinal());
    EXPECT_EQ(merger.counters(), truth.counters);
    for (std::size_t i = 0; i < kMetricCount; ++i) {
      ASSERT_EQ(merger.histogram(static_cast<Metric>(i)), truth.histograms[i]) << kMetricNames[i];
    }
  }
}

TEST(MergeProperty, ACoordinatorThatStartsAnewFromTheSameShardsEndsWithTheSameBits) {
  TIDEMARK_SEEDED(rng);
  const MadeShards made = MakeShards(rng, 0, 3, 30, 100);
  std::array<HistogramFacts, 2> facts;
  for (HistogramFacts& fact : facts) {
    Ledger ledger("run", 0, {3});
    Merger merger(1);
    for (const proto::Shard& shard : made.shards) {
      for (const proto::Shard& ready : ledger.Offer(shard)) ASSERT_OK(merger.Apply(ready));
    }
    fact = merger.histogram(Metric::kService).Facts();
  }
  EXPECT_EQ(facts[0], facts[1]);
}

}  // namespace
}  // namespace tidemark
