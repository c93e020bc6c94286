#include "coordinator/verdict.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

// A point that is valid: 10 s, 10,000 requests of 10 ms, sent 30 us late by one worker that computes for a tenth of it.
struct Case {
  Histogram service;
  Histogram pacing;
  Histogram loop_lag;
  std::vector<WindowSum> windows;
  PointFacts facts;

  explicit Case(bool is_open_loop = true) {
    for (int i = 0; i < 10'000; ++i) {
      service.Record(10 * kMillisecond);
      pacing.Record(30 * kMicrosecond);
      loop_lag.Record(20 * kMicrosecond);
    }
    facts = {.is_open_loop = is_open_loop,
             .duration_s = 10,
             .workers = 1,
             .measured = &service,
             .pacing = &pacing,
             .loop_lag = &loop_lag,
             .windows = &windows};
    facts.counters.planned = facts.counters.sent = facts.counters.success = 10'000;
    facts.counters.cpu_ns = kSecond;
  }
};

TEST(VerdictTest, NothingBeyondItsGateIsValid) {
  EXPECT_EQ(Judge(Case().facts).verdict, Verdict::kValid);
  EXPECT_EQ(Judge(Case(false).facts).verdict, Verdict::kValid);
}

TEST(VerdictTest, LatenessThatMayBiasTheTailIsTheGenerators) {
  Case c;
  for (int i = 0; i < 300; ++i) c.pacing.Record(kMillisecond);
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kGeneratorLimited);
  EXPECT_NE(judgement.reason.find("p99 1.00ms, which is 10 % of the p99 of the service time, 10.0ms"),
            std::string::npos)
      << judgement.reason;
}

// Of a target that failed each request there is no latency that lateness could have moved.
TEST(VerdictTest, WhereNothingWasMeasuredTheGeneratorIsNotToBlame) {
  for (const bool is_open_loop : {true, false}) {
    Case c(is_open_loop);
    const Histogram nothing;
    c.facts.measured = &nothing;
    c.facts.counters.success = 0;
    for (int i = 0; i < 300; ++i) {
      c.pacing.Record(4 * kMillisecond);
      c.loop_lag.Record(4 * kMillisecond);
    }
    c.facts.counters.run_delay_ns = 5 * kSecond;
    EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid) << Judge(c.facts).reason;
  }
}

TEST(VerdictTest, LatenessWithoutEffectIsANote) {
  Case c;
  for (int i = 0; i < 300; ++i) c.pacing.Record(300 * kMicrosecond);
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kValid);
  EXPECT_EQ(judgement.notes.size(), 1u);
}

TEST(VerdictTest, ABusyWorkerIsANoteUnlessItDelays) {
  Case c;
  c.facts.counters.cpu_ns = 9 * kSecond;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid);
  EXPECT_EQ(Judge(c.facts).notes.size(), 1u);
  for (int i = 0; i < 300; ++i) c.pacing.Record(kMillisecond);
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kGeneratorLimited);
}

TEST(VerdictTest, AWorkerWithoutACoreLeavesAnswersUnread) {
  Case c(false);
  c.facts.counters.run_delay_ns = kSecond;  // 100 us in each of 10,000 turns, 1 % of the service time
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid);
  EXPECT_EQ(Judge(c.facts).notes.size(), 1u);
  c.facts.counters.run_delay_ns = 8 * kSecond;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kGeneratorLimited);
}

// A stream has no service time: its messages' staleness is what lying unread adds to, and what may fail to settle.
TEST(VerdictTest, OfAStreamItsStalenessIsJudged) {
  Case c(false);
  Histogram staleness;
  for (int i = 0; i < 1'000; ++i) staleness.Record(20 * kMillisecond);
  for (int i = 0; i < 300; ++i) c.loop_lag.Record(800 * kMicrosecond);
  c.facts.is_listening = true;
  c.facts.measured = &staleness;
  c.facts.measured_name = "staleness";
  Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kValid) << judgement.reason;
  ASSERT_EQ(judgement.notes.size(), 1u);
  EXPECT_NE(judgement.notes[0].find("4 % of the p99 of the staleness, 20.0ms"), std::string::npos)
      << judgement.notes[0];
  for (std::uint32_t second = 0; second < 40; ++second)
    c.windows.push_back({.second = second, .mean_us = 20'000.0 * (1 + second)});
  c.facts.duration_s = 40;
  judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kNotSteady);
  EXPECT_NE(judgement.reason.find("the staleness never settled"), std::string::npos) << judgement.reason;
}

TEST(VerdictTest, SlotsThatWaitForConnectionsAreTheTargets) {
  Case c;
  c.facts.counters.planned = c.facts.counters.sent = 12'000;  // 2,000 of them found no connection free
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kTargetLimited);
}

// A fifth of a core: turns are many, so that each waits little, yet there is no room to serve the connections.
TEST(VerdictTest, AStarvedGeneratorMayNotBlameTheTarget) {
  Case c;
  c.facts.counters.planned = 20'000;  // half of them found no connection, or were never sent
  c.facts.counters.cpu_ns = 2 * kSecond;
  c.facts.counters.run_delay_ns = 7'700 * kMillisecond;
  for (int i = 0; i < 100'000; ++i) c.loop_lag.Record(20 * kMicrosecond);
  Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kGeneratorLimited);
  EXPECT_NE(judgement.reason.find("waited for a core for 77 %: they had no room left"), std::string::npos)
      << judgement.reason;
  c.facts.counters.run_delay_ns = kSecond;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kTargetLimited);
  // Polling is no work.
  c.facts.counters.cpu_ns = 10 * kSecond;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kGeneratorLimited);
  c.facts.is_spinning = true;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kTargetLimited);
}

TEST(VerdictTest, SlotsThatAreNeverSentAreTheTargets) {
  Case c;
  c.facts.counters.planned = 10'020;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kTargetLimited);
}

TEST(VerdictTest, AClosedLoopIsJudgedByItsLoop) {
  Case c(false);
  for (int i = 0; i < 300; ++i) c.loop_lag.Record(800 * kMicrosecond);
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kGeneratorLimited);
}

TEST(VerdictTest, ALatencyThatGrowsIsNotSteady) {
  Case c;
  c.facts.duration_s = 40;
  for (std::uint32_t second = 0; second < 40; ++second)
    c.windows.push_back({.second = second, .success = 100, .mean_us = 1'000.0 + 100.0 * second});
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kNotSteady);
  for (WindowSum& window : c.windows) window.mean_us = 1'000 + window.second % 7;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid);
}

TEST(VerdictTest, WhatIsPartialIsNotJudgedFurther) {
  Case c;
  c.facts.is_partial = true;
  c.facts.counters.planned = 20'000;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kPartial);
}

TEST(VerdictTest, RunningOutOfPortsOrDescriptorsIsTheGenerators) {
  for (const bool is_port : {true, false}) {
    Case c;
    (is_port ? c.facts.counters.no_local_port : c.facts.counters.no_descriptor) = 3;
    const Judgement judgement = Judge(c.facts);
    EXPECT_EQ(judgement.verdict, Verdict::kGeneratorLimited);
    EXPECT_NE(judgement.reason.find(is_port ? "3 connection attempts found no free local port"
                                            : "3 connection attempts found no free descriptor"),
              std::string::npos)
        << judgement.reason;
  }
}

TEST(VerdictTest, WhatTheMachineWentThroughIsRemarked) {
  Case c;
  c.facts.host.set_cpu_ns(20 * kSecond);
  c.facts.host.set_steal_ns(kSecond);
  c.facts.host.set_dropped_packets(1);
  c.facts.host.set_syn_retransmits(2);
  c.facts.host.set_accept_overflows(3);
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kValid);
  ASSERT_EQ(judgement.notes.size(), 4u);
  EXPECT_EQ(judgement.notes[0], "the hypervisor took 5.0 % of the generator's CPU time");
}

// The kernel counts the SYNs of all programs; our own sockets know which were ours.
TEST(VerdictTest, SynsThatOthersSentAgainAreTheMachines) {
  const auto notes_of = [](std::uint64_t machine, std::uint64_t own, std::uint64_t overflows) {
    Case c;
    c.facts.host.set_syn_retransmits(machine);
    c.facts.host.set_accept_overflows(overflows);
    c.facts.counters.syn_retransmits = own;
    return Judge(c.facts).notes;
  };
  EXPECT_EQ(notes_of(5, 5, 0),
            std::vector<std::string>{"5 SYNs had to be sent again: an accept queue or the network dropped them"});
  EXPECT_EQ(notes_of(5, 0, 0),
            std::vector<std::string>{"the generator's machine sent 5 SYNs again, for other programs than this"});
  EXPECT_EQ(notes_of(5, 2, 0)[1], "the generator's machine sent 3 more SYNs again, for other programs than this");
  EXPECT_EQ(notes_of(1, 2, 0).size(), 1u);
  EXPECT_EQ(notes_of(0, 0, 3),
            std::vector<std::string>{"an accept queue on the generator's machine was full 3 times, though this run had "
                                     "no SYN to send again: give the target a longer backlog, or use --connect-rate"});
}

TEST(VerdictTest, AnAgentThatSeesAnotherLatencyIsNamed) {
  Case c;
  c.facts.means = {
      {10e6, 10.1e6, 9.9e6, 10e6, 10e6}, {10e6, 9.9e6, 10.1e6, 10e6, 10e6}, {12e6, 12.1e6, 11.9e6, 12e6, 12e6}};
  const Judgement judgement = Judge(c.facts);
  ASSERT_EQ(judgement.notes.size(), 1u);
  EXPECT_NE(judgement.notes[0].find("agent 2 sees a mean latency of 12.0ms, the others of 10.0ms"), std::string::npos)
      << judgement.notes[0];
  // A difference that chance explains is none, nor is one of less than 5 %.
  c.facts.means[2] = {5e6, 25e6, 9e6, 16e6, 5e6};
  EXPECT_TRUE(Judge(c.facts).notes.empty());
  c.facts.means[2] = {10.3e6, 10.3e6, 10.31e6, 10.3e6, 10.3e6};
  EXPECT_TRUE(Judge(c.facts).notes.empty());
}

}  // namespace
}  // namespace tidemark
