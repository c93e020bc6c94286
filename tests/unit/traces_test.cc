// Single requests that are told of: which, by whom, and put together.
#include "agent/measure/traces.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "common/stats/request_trace.h"
#include "coordinator/merge/trace_merger.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

RequestTrace Took(std::uint64_t slot, Nanos sent, Nanos took) {
  return {.slot = slot, .due = sent - 10, .sent = sent, .done = sent + took, .outcome = Outcome::kStatus2xx, .port = 7};
}

TEST(TracesTest, TheSlowestOfAllAreToldWhateverTheirOrder) {
  std::mt19937_64 rng(5);
  for (const bool is_open_loop : {false, true}) {
    Traces traces;
    Recorder recorder;
    constexpr Nanos kStart = 1'000'000;
    traces.Begin(kStart, is_open_loop, 0);
    std::vector<RequestTrace> all;
    for (std::uint64_t slot = 0; slot < 5'000; ++slot) {
      RequestTrace trace =
          Took(slot, kStart + static_cast<Nanos>(rng() % 1'000'000), 1 + static_cast<Nanos>(rng() % 9'000));
      trace.due -= static_cast<Nanos>(rng() % 9'000);
      // As a worker does: what is faster than the floor is not even looked at.
      if (trace.done - trace.due >= traces.floor()) traces.Add(trace, &recorder);
      trace.due -= kStart, trace.sent -= kStart, trace.done -= kStart;
      all.push_back(trace);
    }
    EXPECT_LT(recorder.slow.size(), 2 * kSlowest);
    KeepSlowest(is_open_loop, &recorder.slow);
    std::vector<Nanos> took;
    for (const RequestTrace& trace : all) took.push_back(trace.Took(is_open_loop));
    std::sort(took.rbegin(), took.rend());
    ASSERT_EQ(recorder.slow.size(), kSlowest);
    for (std::size_t i = 0; i < kSlowest; ++i) EXPECT_EQ(recorder.slow[i].Took(is_open_loop), took[i]) << i;
  }
}

TEST(TracesTest, NothingIsToldBeforeAPointAndASampleHasAllRequestsAlike) {
  Traces traces;
  Recorder recorder;
  EXPECT_EQ(traces.floor(), Traces::kNever);
  traces.Add(Took(1, 100, 5), &recorder);
  EXPECT_TRUE(recorder.slow.empty());
  traces.Begin(0, false, 10);
  for (std::uint64_t slot = 0; slot < 40'000; ++slot) {
    EXPECT_EQ(traces.floor(), 0);
    traces.Add(Took(slot, 100, 5), &recorder);
  }
  // Binomial, 4,000 +- 60; of a mix of four each quarter alike.
  EXPECT_NEAR(static_cast<double>(recorder.sampled.size()), 4'000, 300);
  for (std::uint64_t part = 0; part < 4; ++part) {
    const auto of = std::count_if(recorder.sampled.begin(), recorder.sampled.end(),
                                  [part](const RequestTrace& trace) { return trace.slot % 4 == part; });
    EXPECT_NEAR(static_cast<double>(of), 1'000, 150) << part;
  }
  traces.End();
  EXPECT_EQ(traces.floor(), Traces::kNever);
}

TEST(TracesTest, WhatTheSampleHasNoRoomForIsCounted) {
  Recorder recorder;
  for (std::size_t i = 0; i < kMaxSampled + 3; ++i) recorder.AddSampled(Took(i, 0, 1));
  Recorder more;
  more.AddSampled(Took(0, 0, 1));
  recorder.Add(more);
  EXPECT_EQ(recorder.sampled.size(), kMaxSampled);
  EXPECT_EQ(recorder.left_out, 4U);
  recorder.Clear();
  EXPECT_EQ(recorder.sampled.size() + recorder.left_out, 0U);
}

TEST(TracesTest, ASampleIsOneInSoMany) {
  EXPECT_EQ(*ParseSample("1/1000"), 1'000U);
  EXPECT_EQ(*ParseSample("1/1"), 1U);
  for (const char* text : {"", "1000", "1/0", "2/3", "1/-1", "1/1000x", "1/99999999999"})
    EXPECT_THAT(ParseSample(text), FailsWith("write 1/1000")) << text;
}

TEST(TracesTest, ATraceIdIsOfTheRunThePointAndTheSlot) {
  const std::string id = TraceId("20261128T091634Z-48f73f", TracePoint(3, 1, true), 6'400);
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(id.substr(16), "9003000000006400");
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(TraceIdOfRun("a"), TraceIdOfRun("b"));
}

proto::Shard ShardOf(std::uint32_t agent, const std::vector<RequestTrace>& slow) {
  proto::Shard shard;
  shard.mutable_key()->set_agent(agent);
  for (const RequestTrace& trace : slow) ToProto(trace, shard.add_slow());
  return shard;
}

TEST(TraceMergerTest, AnyOrderOfShardsGivesTheSame) {
  std::mt19937_64 rng(6);
  std::vector<proto::Shard> shards;
  for (std::uint32_t agent = 0; agent < 5; ++agent) {
    for (int window = 0; window < 4; ++window) {
      std::vector<RequestTrace> slow;
      for (int i = 0; i < 60; ++i) slow.push_back(Took(rng(), 0, static_cast<Nanos>(rng() % 500)));
      shards.push_back(ShardOf(agent, slow));
    }
  }
  std::vector<AgentTrace> first;
  for (int turn = 0; turn < 10; ++turn) {
    std::shuffle(shards.begin(), shards.end(), rng);
    TraceMerger merger(false, 0);
    for (const proto::Shard& shard : shards) {
      ASSERT_OK(merger.Check(shard));
      merger.Add(shard);
    }
    ASSERT_EQ(merger.slowest().size(), kSlowest);
    if (turn == 0) first = merger.slowest();
    for (std::size_t i = 0; i < kSlowest; ++i) {
      EXPECT_EQ(merger.slowest()[i].trace, first[i].trace);
      EXPECT_EQ(merger.slowest()[i].agent, first[i].agent);
      if (i > 0) {
        EXPECT_GE(first[i - 1].trace.Took(false), first[i].trace.Took(false));
      }
    }
  }
}

TEST(TraceMergerTest, WhatCannotBeIsRefused) {
  const RequestTrace good = Took(1, 100, 5);
  const auto fails = [&good](void (*spoil)(proto::RequestTrace*)) {
    proto::Shard shard = ShardOf(0, {good});
    spoil(shard.mutable_slow(0));
    TraceMerger merger(false, 2);
    EXPECT_THAT(merger.Check(shard), FailsWith("cannot have been"));
  };
  fails([](proto::RequestTrace* t) { t->set_done_ns(t->sent_ns() - 1); });
  fails([](proto::RequestTrace* t) { t->set_due_ns(t->done_ns() + 1); });
  fails([](proto::RequestTrace* t) { t->set_outcome(99); });
  fails([](proto::RequestTrace* t) { t->set_request(2); });
  fails([](proto::RequestTrace* t) { t->set_port(65'536); });
  fails([](proto::RequestTrace* t) { t->set_done_ns(std::int64_t{1} << 62); });
  TraceMerger merger(false, 2);
  EXPECT_OK(merger.Check(ShardOf(0, {good})));
  EXPECT_THAT(merger.Check(ShardOf(0, std::vector<RequestTrace>(kSlowest + 1, good))),
              FailsWith("more single requests"));
}

}  // namespace
}  // namespace tidemark
