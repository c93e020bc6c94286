#include "coordinator/merge/claims.h"

#include <gtest/gtest.h>

#include "common/plan/defaults.h"
#include "common/plan/durations.h"
#include "common/plan/schedule.h"
#include "common/plan/sweep.h"
#include "common/stats/outcome.h"
#include "coordinator/merge/run_result.h"
#include "protos/plan.pb.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

proto::Plan Counted() {
  proto::Plan plan;
  plan.set_target("http://127.0.0.1:9/");
  plan.mutable_sweep()->add_connections(10);
  plan.mutable_sweep()->set_requests(100);
  ApplyDefaults(&plan);
  return plan;
}

proto::Plan Open(double rate, const char* arrivals) {
  proto::Plan plan;
  plan.set_target("http://127.0.0.1:9/");
  plan.mutable_sweep()->add_connections(10);
  plan.mutable_sweep()->add_rates(rate);
  plan.mutable_sweep()->set_arrivals(arrivals);
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(60 * kSecond);
  ApplyDefaults(&plan);
  return plan;
}

TEST(ClaimsTest, SharesOfAnOpenLoopAreTheSlotsThatItsAgentsDeal) {
  proto::Sweep sweep = Open(100, "constant").sweep();
  sweep.clear_duration();
  sweep.set_requests(100);
  EXPECT_EQ(RequestShares(sweep, {6, 0, 3, 1}), (std::vector<std::int64_t>{34, 0, 33, 33}));
  EXPECT_EQ(RequestShares(Counted().sweep(), {6, 0, 3, 1}), (std::vector<std::int64_t>{60, 0, 30, 10}));
}

TEST(ClaimsTest, WhatMayHaveFallenDueIsTheRateOverTheTime) {
  const PointShare share{.connections = 5, .streams = 2};
  EXPECT_EQ(*MostPlanned(Open(1'000, "constant"), share, 3 * kSecond), 1'501u);
  EXPECT_EQ(*MostPlanned(Open(1'000, "constant"), share, 600 * kSecond), 30'001u);  // its schedule has an end
  const std::uint64_t poisson = *MostPlanned(Open(1'000, "poisson"), share, 3 * kSecond);
  EXPECT_GT(poisson, 1'700u);
  EXPECT_LT(poisson, 1'900u);
  EXPECT_EQ(*MostPlanned(Counted(), {.connections = 5, .requests = 50}, kSecond), 50u);
  proto::Plan timed = Counted();
  timed.mutable_sweep()->clear_requests();
  *timed.mutable_sweep()->mutable_duration() = ToDurationProto(kSecond);
  EXPECT_EQ(MostPlanned(timed, share, kSecond), std::nullopt);
}

// The superposed streams of all workers of an agent, over many seeds, never leave the bound.
TEST(ClaimsTest, PoissonArrivalsStayWithinTheirBound) {
  const proto::Plan plan = Open(200, "poisson");
  const PointShare share{.connections = 5, .streams = 2};
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    for (const Nanos time : {100 * kMillisecond, kSecond, 10 * kSecond}) {
      std::uint64_t count = 0;
      for (std::uint64_t worker = 0; worker < 2; ++worker) {
        Arrivals arrivals =
            Arrivals::Poisson(PointAt(plan.sweep(), 0).stages, StreamKey(seed, 0, 0, worker), 4, Arrivals::kNoLimit);
        while (arrivals.Next() <= time) ++count;
      }
      EXPECT_LE(count, *MostPlanned(plan, share, time)) << seed;
    }
  }
}

// What an agent says of a share of 50 requests over 5 connections, a second after the start.
absl::Status CheckAfterASecond(void (*lie)(Counters*, proto::Shard*)) {
  static const proto::Plan plan = Counted();
  const Claims claims(plan, {.connections = 5, .requests = 50, .streams = 2}, 2);
  Counters counters;
  proto::Shard shard;
  lie(&counters, &shard);
  ToProto(counters, Pending(), shard.mutable_counters());
  return claims.CheckShard(shard, 2 * kSecond, kSecond);
}

TEST(ClaimsTest, AFigureBeyondItsBoundIsNamed) {
  EXPECT_OK(CheckAfterASecond([](Counters* c, proto::Shard*) { c->planned = c->sent = 50; }));
  struct Case {
    void (*lie)(Counters*, proto::Shard*);
    const char* says;
  };
  const Case kCases[] = {
      {[](Counters* c, proto::Shard*) { c->planned = 3'000'000; }, "planned is 3000000, but its share is at most 50"},
      {[](Counters* c, proto::Shard*) { c->up_ns = 11ull * kSecond; }, "up_ns is 11000000000, but"},
      {[](Counters* c, proto::Shard*) { c->cpu_ns = 5ull * kSecond; }, "cpu_ns is 5000000000, but"},
      {[](Counters* c, proto::Shard*) { c->busy_ns = 1ull << 63; }, "busy_ns"},
      {[](Counters* c, proto::Shard*) { c->messages = 1ull << 40; }, "messages"},
      {[](Counters* c, proto::Shard*) { c->bytes_received = 1ull << 50; }, "bytes_received"},
      {[](Counters* c, proto::Shard*) { (*c)[ConnectResult::kRefused] = 1ull << 40; }, "connections opened"},
      {[](Counters*, proto::Shard* s) { s->set_window(60); }, "its window is 60"},
      {[](Counters*, proto::Shard* s) { s->set_length_ns(-1); }, "length_ns is -1"},
      {[](Counters*, proto::Shard* s) { s->set_start_late_ns(3600 * kSecond); }, "start_late_ns"},
      {[](Counters* c, proto::Shard*) { c->closings[0] = 1ull << 40; }, "a count of closings"},
      {[](Counters* c, proto::Shard*) { c->tls_alerts[0] = 1ull << 40; }, "a count of TLS alerts"},
      {[](Counters* c, proto::Shard*) { c->resent_segments = ~0ull; }, "resent_segments"},
      {[](Counters*, proto::Shard* s) { s->mutable_host()->set_steal_ns(~0ull); }, "steal_ns"},
      {[](Counters*, proto::Shard* s) { s->mutable_host()->set_throttled_ns(~0ull); }, "throttled_ns"},
      {[](Counters*, proto::Shard* s) { s->mutable_host()->set_syn_retransmits(~0ull); }, "syn_retransmits"},
  };
  for (const Case& bad : kCases) EXPECT_THAT(CheckAfterASecond(bad.lie), FailsWith(bad.says));
}

// Each row of the table but a hash is bounded, whatever it counts.
TEST(ClaimsTest, NoCounterIsBelievedWhateverItSays) {
  static const proto::Plan plan = Counted();
  const Claims claims(plan, {.connections = 5, .requests = 50, .streams = 2}, 2);
  for (const CounterRow& row : kCounterRows) {
    Counters counters;
    counters.*row.field = std::uint64_t{1} << 60;
    proto::Shard shard;
    ToProto(counters, Pending(), shard.mutable_counters());
    const absl::Status status = claims.CheckShard(shard, 2 * kSecond, kSecond);
    EXPECT_EQ(status.ok(), row.quantity == Quantity::kAnything) << row.name;
  }
}

// An agent says itself what its operator allows.
TEST(ClaimsTest, WhatAnAgentsOwnCeilingsForbidItCannotHaveDone) {
  proto::Plan plan = Counted();
  plan.mutable_sweep()->set_requests(100'000);
  const auto check = [&plan](void (*say)(Counters*)) {
    const Claims claims(plan, {.connections = 5, .requests = 100'000}, 2, {.max_rate = 10, .max_connect_rate = 20});
    Counters counters;
    say(&counters);
    proto::Shard shard;
    ToProto(counters, Pending(), shard.mutable_counters());
    return claims.CheckShard(shard, 2 * kSecond, kSecond);  // and a second of slack
  };
  EXPECT_OK(check([](Counters* c) { c->planned = c->sent = 31; }));
  EXPECT_THAT(check([](Counters* c) { c->planned = c->sent = 32; }), FailsWith("pings sent is 32, but its ceiling"));
  EXPECT_THAT(check([](Counters* c) { c->client_pings = 40; }), FailsWith("pings sent is 40"));
  EXPECT_OK(check([](Counters* c) { (*c)[ConnectResult::kEstablished] = 62; }));
  EXPECT_THAT(check([](Counters* c) { (*c)[ConnectResult::kEstablished] = 63; }),
              FailsWith("connections established is 63, but its ceiling"));
}

// A closed loop by time has no count, but a pause bounds it.
TEST(ClaimsTest, AnswersWithoutTheThinkTimeAreNotBelieved) {
  proto::Plan plan = Counted();
  plan.mutable_sweep()->clear_requests();
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(60 * kSecond);
  *plan.mutable_sweep()->mutable_think_time() = ToDurationProto(kSecond);
  const auto check = [&plan](std::uint64_t answers) {
    const Claims claims(plan, {.connections = 5}, 1, {});
    Counters counters;
    counters.planned = counters.sent = counters.success = counters[Outcome::kStatus2xx] = answers;
    proto::Shard shard;
    Pending pending;
    ToProto(counters, pending, shard.mutable_counters());
    return claims.CheckShard(shard, 10 * kSecond, 10 * kSecond);
  };
  EXPECT_OK(check(5 * 11));
  EXPECT_THAT(check(5'000), FailsWith("answered requests is 5000, but the think time allows"));
}

TEST(ClaimsTest, WhatCeilingsHoldBackIsTimeThatAPointMayTake) {
  proto::Plan plan = Counted();
  const PointShare share{.connections = 5, .requests = 50, .streams = 2};
  const Nanos without = LongestRun(plan, share, {});
  EXPECT_GE(LongestRun(plan, share, {.max_rate = 1.0 / 60}), without + 50 * 60 * kSecond);
  EXPECT_LE(LongestRun(plan, share, {.max_rate = 100'000}), without + kSecond);
  plan.mutable_sweep()->set_new_connection(true);
  EXPECT_GE(LongestRun(plan, share, {.max_connect_rate = 0.5}), without + 100 * kSecond);
  plan.mutable_sweep()->set_warmup_requests_per_connection(10);
  EXPECT_GE(LongestPreparing(plan, share, {.max_rate = 0.5}), LongestPreparing(plan, share, {}) + 100 * kSecond);
  // A point's own time is all that it takes.
  plan.mutable_sweep()->clear_requests();
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(60 * kSecond);
  EXPECT_EQ(LongestRun(plan, share, {.max_rate = 1.0 / 60}), LongestRun(plan, share, {}));
}

TEST(ClaimsTest, ExitCodesAreThoseThatAgentsSend) {
  for (const int code : {1, 2, 3, 5, 70, 130}) EXPECT_TRUE(IsFailureCode(code)) << code;
  for (const int code : {0, -1, 4, 99, 256, 1'000'000}) EXPECT_FALSE(IsFailureCode(code)) << code;
}

}  // namespace
}  // namespace tidemark
