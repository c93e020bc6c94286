#include "coordinator/merge/merger.h"

#include <gtest/gtest.h>

#include "common/stats/histogram_codec.h"
#include "tests/support/edit_counters.h"
#include "tests/support/shards.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(MergerTest, TheSumOfShardsIsWhatWasRecorded) {
  std::mt19937_64 rng(1);
  const MadeShards made = MakeShards(rng, 0, 9, 5, 200);
  Merger merger(1);
  for (const proto::Shard& shard : made.shards) ASSERT_OK(merger.Apply(shard));
  ASSERT_OK(merger.Finish());
  EXPECT_TRUE(merger.AllFinal());
  EXPECT_EQ(merger.counters(), made.sum.counters);
  for (std::size_t i = 0; i < kMetricCount; ++i)
    EXPECT_EQ(merger.histogram(static_cast<Metric>(i)), made.sum.histograms[i]);
  EXPECT_EQ(merger.statuses().Counts(), made.sum.statuses.Counts());
  ASSERT_EQ(merger.windows().size(), 5u);
  std::uint64_t requests = 0;
  for (const WindowSum& window : merger.windows()) requests += window.requests;
  EXPECT_EQ(requests, made.sum.counters.Complete());
}

struct Spoiled {
  const char* name;
  void (*spoil)(proto::Shard*);
  const char* reason;
};

TEST(MergerTest, ALyingShardIsRefusedWholeAndNothingOfItIsAdded) {
  const Spoiled kCases[] = {
      {"counts changed", [](proto::Shard* s) { s->mutable_deltas(0)->set_counts("\x02"); }, "the shard says"},
      {"sum changed",
       [](proto::Shard* s) {
         s->mutable_deltas(0)->mutable_summary()->set_sum_low_ns(s->deltas(0).summary().sum_low_ns() + 1);
       },
       "not what the agent says"},
      {"delta left out", [](proto::Shard* s) { s->mutable_deltas()->RemoveLast(); }, "not what the agent says"},
      {"hash changed", [](proto::Shard* s) { s->mutable_cumulative(0)->set_hash(1); }, "not what the agent says"},
      {"sums left out", [](proto::Shard* s) { s->clear_cumulative(); }, "missing"},
      {"unknown metric", [](proto::Shard* s) { s->mutable_deltas(0)->mutable_summary()->set_metric(99); },
       "does not know"},
      {"metric twice", [](proto::Shard* s) { *s->add_deltas() = s->deltas(0); }, "twice"},
      {"planned", [](proto::Shard* s) { EditCounters(s->mutable_counters(), [](Counters* c) { c->planned = 1; }); },
       "planned 1 != sent"},
      {"outcome", [](proto::Shard* s) { s->mutable_counters()->set_outcomes(7, 5); }, "sent"},
      {"successes", [](proto::Shard* s) { EditCounters(s->mutable_counters(), [](Counters* c) { --c->success; }); },
       "values of"},
      {"pending at the end",
       [](proto::Shard* s) {
         EditCounters(s->mutable_counters(), [](Counters* c) { ++c->planned; });
         s->mutable_counters()->set_waiting(1);
       },
       "final, yet requests are pending"},
      {"a status moved to another class", [](proto::Shard* s) { s->mutable_statuses(0)->set_status(404); },
       "status 404 more often"},
      {"a status left out", [](proto::Shard* s) { s->mutable_statuses()->RemoveLast(); }, "its statuses lack"},
      {"an upgrade that was never tried",
       [](proto::Shard* s) {
         proto::StatusSum* const row = s->add_statuses();
         row->set_status(503);
         row->set_is_upgrade(true);
         row->set_count(1);
       },
       "status 503 more often"},
      {"absurd window", [](proto::Shard* s) { s->set_window(1u << 30); }, "beyond the longest run"},
  };
  for (const Spoiled& bad : kCases) {
    std::mt19937_64 rng(2);
    const MadeShards made = MakeShards(rng, 0, 9, 1, 100);
    Merger merger(1);
    proto::Shard shard = made.shards[0];
    bad.spoil(&shard);
    EXPECT_THAT(merger.Apply(shard), FailsWith(bad.reason)) << bad.name;
    EXPECT_EQ(merger.counters(), Counters()) << bad.name;
    EXPECT_TRUE(merger.histogram(Metric::kService).IsEmpty()) << bad.name;
    EXPECT_EQ(merger.statuses(), StatusCounts()) << bad.name;
    EXPECT_OK(merger.Apply(made.shards[0])) << bad.name;
  }
}

TEST(MergerTest, CountersThatGoBackwardsAreRefused) {
  std::mt19937_64 rng(3);
  const MadeShards made = MakeShards(rng, 0, 9, 3, 100);
  Merger merger(1);
  ASSERT_OK(merger.Apply(made.shards[0]));
  // The next shard in every way, but that it counts one success less than the one before: its account still adds up.
  proto::Shard shard = made.shards[1];
  proto::Counters* counters = shard.mutable_counters();
  *counters = made.shards[0].counters();
  EditCounters(counters, [](Counters* c) {
    --c->planned;
    --c->sent;
    --(*c)[Outcome::kStatus2xx];
    --c->success;
  });
  EXPECT_THAT(merger.Apply(shard), FailsWith("its counters went backwards"));
}

TEST(MergerTest, AWindowClosedWithoutASlowAgentCountsItsShardsAsLate) {
  std::mt19937_64 rng(4);
  const MadeShards fast = MakeShards(rng, 0, 9, 100, 10);
  const MadeShards slow = MakeShards(rng, 1, 9, 3, 10);
  Merger merger(2);
  for (const proto::Shard& shard : fast.shards) ASSERT_OK(merger.Apply(shard));
  for (const proto::Shard& shard : slow.shards) ASSERT_OK(merger.Apply(shard));
  ASSERT_OK(merger.Finish());
  EXPECT_EQ(merger.late(), 3u);
  Counters sum = fast.sum.counters;
  sum.Add(slow.sum.counters);
  EXPECT_EQ(merger.counters(), sum);  // late, yet counted
}

}  // namespace
}  // namespace tidemark
