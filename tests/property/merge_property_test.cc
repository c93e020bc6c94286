// A12: shards of many agents, shuffled, duplicated, lost and sent again, equal one recorder bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/stats/histogram_codec.h"
#include "coordinator/merge/ledger.h"
#include "coordinator/merge/merger.h"
#include "tests/support/shards.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

// All of A12 is 10^7 values: 64 agents, 100 shards each. Half-way the coordinator starts anew from what it has let
// through and written down.
TEST(MergeProperty, AnyOrderDuplicateResendAndRestartGivesTheSameBits) {
  TIDEMARK_SEEDED(rng);
  const bool is_full = std::getenv("TIDEMARK_FULL") != nullptr;
  const std::uint32_t agents = is_full ? 64 : 16;
  for (int round = 0; round < (is_full ? 1 : 5); ++round) {
    std::vector<proto::Shard> all;
    Recorder truth;
    std::vector<std::uint64_t> incarnations;
    for (std::uint32_t agent = 0; agent < agents; ++agent) {
      incarnations.push_back(rng());
      MadeShards made = MakeShards(rng, agent, incarnations.back(),
                                   is_full ? 100 : 1 + static_cast<std::uint32_t>(rng() % 20), is_full ? 1'564 : 200);
      truth.Add(made.sum);
      for (proto::Shard& shard : made.shards) all.push_back(std::move(shard));
    }
    // 20 % come twice; 5 % are lost and sent again at the end; near their own order, as over many streams.
    std::vector<std::pair<double, proto::Shard>> stream;
    std::vector<proto::Shard> resent;
    std::uniform_real_distribution<double> delay(0, 30);
    for (const proto::Shard& shard : all) {
      const auto seq = static_cast<double>(shard.key().seq());
      if (rng() % 20 == 0) {
        resent.push_back(shard);
        continue;
      }
      stream.emplace_back(seq + delay(rng), shard);
      if (rng() % 5 == 0) stream.emplace_back(seq + delay(rng), shard);
    }
    std::sort(stream.begin(), stream.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (proto::Shard& shard : resent) stream.emplace_back(1e9, std::move(shard));

    auto ledger = std::make_unique<Ledger>("run", 0, 0, incarnations);
    auto merger = std::make_unique<Merger>(agents);
    std::vector<std::string> journal;
    const std::size_t restart_at = stream.size() / 2;
    std::vector<proto::Shard> refused;  // early ones beyond the ledger's limit: their agents send them again
    const auto offer = [&](proto::Shard shard) {
      const std::uint64_t rejected = ledger->rejected();
      proto::Shard copy = shard;
      for (const proto::Shard& ready : ledger->Offer(std::move(shard))) {
        journal.push_back(ready.SerializeAsString());
        ASSERT_OK(merger->Apply(ready));
      }
      if (ledger->rejected() != rejected) refused.push_back(std::move(copy));
    };
    std::vector<proto::Shard> before_restart;
    for (std::size_t i = 0; i < stream.size(); ++i) {
      if (i == restart_at) {
        ledger = std::make_unique<Ledger>("run", 0, 0, incarnations);
        merger = std::make_unique<Merger>(agents);
        for (const std::string& line : std::exchange(journal, {})) {
          proto::Shard shard;
          ASSERT_TRUE(shard.ParseFromString(line));
          offer(std::move(shard));
        }
        // What had come early was not written down: nobody was told that it had arrived, and so it comes again.
        for (proto::Shard& shard : before_restart) offer(std::move(shard));
      }
      if (i < restart_at) before_restart.push_back(stream[i].second);
      offer(std::move(stream[i].second));
    }
    while (!refused.empty()) {
      for (proto::Shard& shard : std::exchange(refused, {})) offer(std::move(shard));
    }
    ASSERT_OK(merger->Finish());
    EXPECT_EQ(ledger->accepted(), all.size());
    EXPECT_EQ(ledger->Waiting(), 0u);
    EXPECT_TRUE(merger->AllFinal());
    EXPECT_EQ(merger->counters(), truth.counters);
    EXPECT_TRUE(merger->named().streams() == truth.named.streams());
    EXPECT_EQ(merger->named().closes(), truth.named.closes());
    EXPECT_EQ(merger->statuses().Counts(), truth.statuses.Counts());
    StatusCounts in_order;  // and with them the first answers
    for (const proto::Shard& shard : all) in_order.Add(shard.statuses(), shard.window(), shard.key().agent());
    EXPECT_EQ(merger->statuses(), in_order);
    Histogram spread;
    std::uint64_t receipts = 0;
    for (const auto& [id, event] : truth.events) {
      receipts += event.count;
      if (event.count > 1) spread.Record(event.last - event.first);
    }
    EXPECT_EQ(merger->fan_out().Summarise().receipts, receipts);
    EXPECT_EQ(merger->fan_out().Summarise().spread, spread);
    for (std::size_t i = 0; i < kMetricCount; ++i) {
      const Histogram& merged = merger->histogram(static_cast<Metric>(i));
      ASSERT_EQ(merged, truth.histograms[i]) << Label(static_cast<Metric>(i));
      ASSERT_EQ(EncodeV2(merged), EncodeV2(truth.histograms[i])) << Label(static_cast<Metric>(i));
    }
  }
}

}  // namespace
}  // namespace tidemark
