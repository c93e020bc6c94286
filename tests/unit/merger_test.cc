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

TEST(MergerTest, WhatIsMergedOfARequestIsWhatWasRecordedOfIt) {
  constexpr std::size_t kRequests = 200;
  std::mt19937_64 rng(7);
  const MadeShards first = MakeShards(rng, 0, 9, 4, 1'000, kRequests);
  const MadeShards second = MakeShards(rng, 1, 9, 3, 500, kRequests);
  Merger merger(2, {.requests = kRequests});
  for (const proto::Shard& shard : first.shards) ASSERT_OK(merger.Apply(shard));
  for (const proto::Shard& shard : second.shards) ASSERT_OK(merger.Apply(shard));
  ASSERT_OK(merger.Finish());
  Recorder sum;
  sum.Add(first.sum);
  sum.Add(second.sum);
  ASSERT_EQ(merger.requests().size(), kRequests);
  for (std::size_t i = 0; i < kRequests; ++i) {
    EXPECT_EQ(merger.requests()[i].counts, sum.requests[i].counts);
    EXPECT_EQ(merger.requests()[i].histograms, sum.requests[i].histograms);
  }
}

struct Spoiled {
  const char* name;
  void (*spoil)(proto::Shard*);
  const char* reason;
};

TEST(MergerTest, WhatCannotBeOfARequestIsRefusedWhole) {
  const Spoiled kCases[] = {
      {"more than all", [](proto::Shard* s) { s->mutable_requests(0)->set_sent(1'000); }, "more than all"},
      {"bytes", [](proto::Shard* s) { s->mutable_requests(0)->set_bytes(1); }, "more than all"},
      {"one left out", [](proto::Shard* s) { s->mutable_requests()->RemoveLast(); }, "do not add up to all"},
      {"one that there is not", [](proto::Shard* s) { s->mutable_requests(2)->set_request(3); }, "its mix has not"},
      {"one twice", [](proto::Shard* s) { s->mutable_requests(1)->set_request(0); }, "or twice"},
      {"outcomes", [](proto::Shard* s) { s->mutable_requests(0)->mutable_outcomes()->RemoveLast(); }, "outcomes"},
      {"a sum that wraps",
       [](proto::Shard* s) {
         s->mutable_requests(0)->set_outcomes(9, ~std::uint64_t{0});
         s->mutable_requests(1)->set_outcomes(9, 1);
       },
       "more than all"},
      {"a histogram", [](proto::Shard* s) { s->mutable_requests(0)->mutable_deltas()->RemoveLast(); },
       "does not add up"},
      {"another metric",
       [](proto::Shard* s) {
         s->mutable_requests(0)->mutable_deltas(0)->mutable_summary()->set_metric(
             static_cast<std::uint32_t>(Metric::kLateness));
       },
       "does not know"},
      {"no metric", [](proto::Shard* s) { s->mutable_requests(0)->mutable_cumulative(0)->set_metric(~0u); },
       "does not add up"},
      {"sums left out", [](proto::Shard* s) { s->mutable_requests(0)->clear_cumulative(); }, "lacks a cumulative sum"},
      {"successes moved",
       [](proto::Shard* s) {
         s->mutable_requests(0)->set_success(s->requests(0).success() - 1);
         s->mutable_requests(1)->set_success(s->requests(1).success() + 1);
       },
       "values of"},
  };
  for (const Spoiled& bad : kCases) {
    std::mt19937_64 rng(2);
    const MadeShards made = MakeShards(rng, 0, 9, 1, 100, 3);
    Merger merger(1, {.requests = 3});
    proto::Shard shard = made.shards[0];
    bad.spoil(&shard);
    EXPECT_THAT(merger.Apply(shard), FailsWith(bad.reason)) << bad.name;
    EXPECT_EQ(merger.requests()[0].counts.sent + merger.requests()[1].counts.sent, 0u) << bad.name;
    EXPECT_OK(merger.Apply(made.shards[0])) << bad.name;
  }
  std::mt19937_64 rng(2);
  EXPECT_THAT(Merger(1).Apply(MakeShards(rng, 0, 9, 1, 100, 3).shards[0]), FailsWith("and there is none"));
  const MadeShards made = MakeShards(rng, 0, 9, 2, 100, 3);
  Merger merger(1, {.requests = 3});
  ASSERT_OK(merger.Apply(made.shards[0]));
  proto::Shard back = made.shards[1];
  back.mutable_requests(0)->set_sent(1);
  EXPECT_THAT(merger.Apply(back), FailsWith("went backwards"));
}

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
