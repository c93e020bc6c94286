#include "coordinator/verdict/verdict.h"

#include <gtest/gtest.h>

#include "absl/strings/str_join.h"
#include "coordinator/verdict/split.h"

namespace tidemark {
namespace {

// A point that is valid: 10 s, 10,000 requests of 10 ms, sent 30 us late by one worker that computes for a tenth of it.
struct Case {
  Histogram service;
  Histogram response;  // of an open loop
  Histogram unanswered;
  Histogram pacing;
  Histogram loop_lag;
  std::vector<WindowSum> windows;
  PointFacts facts;

  explicit Case(bool is_open_loop = true) {
    for (int i = 0; i < 10'000; ++i) {
      service.Record(10 * kMillisecond);
      response.Record(10'030 * kMicrosecond);
      pacing.Record(30 * kMicrosecond);
      loop_lag.Record(20 * kMicrosecond);
    }
    facts = {.is_open_loop = is_open_loop,
             .duration_s = 10,
             .workers = 1,
             .measured = &service,
             .response = &response,
             .unanswered = &unanswered,
             .pacing = &pacing,
             .loop_lag = &loop_lag,
             .windows = &windows};
    facts.counters.planned = facts.counters.sent = facts.counters.success = 10'000;
    facts.counters.cpu_ns = kSecond;
  }
};

// Requests that need connections, which the plan lets us make at a rate: that is no limit of the target's.
TEST(VerdictTest, WhatTheRateOfNewConnectionsKeepsBackIsNotTheTargets) {
  Case open;
  open.facts.counters.planned = open.facts.counters.sent = open.facts.counters.success = 20'000;
  open.facts.connect_rate = 1'000;
  EXPECT_EQ(Judge(open.facts).verdict, Verdict::kTargetLimited) << "few were made";
  open.facts.counters[ConnectResult::kEstablished] = 9'900;
  EXPECT_EQ(Judge(open.facts).verdict, Verdict::kGeneratorLimited);
  EXPECT_NE(Judge(open.facts).reason.find("were made at --connect-rate "), std::string::npos)
      << Judge(open.facts).reason;
  Case closed(false);
  closed.facts.connect_rate = 1'000;
  closed.facts.counters[ConnectResult::kEstablished] = 10'000;
  const Judgement judgement = Judge(closed.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kValid);
  EXPECT_TRUE(std::any_of(judgement.notes.begin(), judgement.notes.end(), [](const std::string& note) {
    return note.find("and not the target, held the throughput back") != std::string::npos;
  }));
}

TEST(VerdictTest, NothingBeyondItsGateIsValid) {
  EXPECT_EQ(Judge(Case().facts).verdict, Verdict::kValid);
  EXPECT_EQ(Judge(Case(false).facts).verdict, Verdict::kValid);
}

// `count` requests more that went out `late`.
void Send(Case* c, int count, Nanos service, Nanos late) {
  for (int i = 0; i < count; ++i) {
    c->service.Record(service);
    c->response.Record(service + late);
    c->pacing.Record(late);
  }
}

// ... and were answered like the others.
void SendLate(Case* c, int count, Nanos late) { Send(c, count, 10 * kMillisecond, late); }

// None was sent.
void Empty(Case* c) {
  c->service.Clear();
  c->response.Clear();
  c->pacing.Clear();
}

TEST(VerdictTest, LatenessThatMovedTheTailIsTheGenerators) {
  Case c;
  SendLate(&c, 300, kMillisecond);
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kGeneratorLimited);
  EXPECT_EQ(judgement.generator, Generator::kLimited);
  EXPECT_EQ(judgement.target, TargetState::kSteady);
  EXPECT_NE(judgement.reason.find("1.00ms of it in the p99 of the response time, 11.0ms, which is 10 % more"),
            std::string::npos)
      << judgement.reason;
}

// Each quantile that is printed is judged, not one alone.
TEST(VerdictTest, LatenessThatMovedTheMiddleIsTheGenerators) {
  Case c;
  SendLate(&c, 2'000, 4 * kMillisecond);  // p90 moves; p99 has a tail of its own that is the target's
  for (int i = 0; i < 400; ++i) {
    c.service.Record(kSecond);
    c.response.Record(kSecond);
  }
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.generator, Generator::kLimited);
  EXPECT_NE(judgement.reason.find("in the p90 of the response time"), std::string::npos) << judgement.reason;
}

// Ten values must lie beyond a quantile: a handful of late requests says nothing of a p99 that they are all of.
TEST(VerdictTest, AQuantileOfFewValuesIsNotJudged) {
  Case c;
  Empty(&c);
  Send(&c, 455, 100 * kMicrosecond, 5 * kMicrosecond);
  Send(&c, 5, 100 * kMicrosecond, 240 * kMicrosecond);
  EXPECT_EQ(Judge(c.facts).generator, Generator::kTrusted) << Judge(c.facts).generator_reason;
}

// What is less than 30 us is nothing to a reader, however short the answers are.
TEST(VerdictTest, AFewMicrosecondsAreNothing) {
  Case c;
  Empty(&c);
  Send(&c, 10'000, 100 * kMicrosecond, 29 * kMicrosecond);
  EXPECT_EQ(Judge(c.facts).generator, Generator::kTrusted) << Judge(c.facts).generator_reason;
}

// Late requests move the response times by no more than what these are above the service times.
TEST(VerdictTest, LatenessThatTheResponsesDoNotShowIsNoBias) {
  Case c;
  for (int i = 0; i < 300; ++i) c.pacing.Record(kMillisecond);  // of requests that were answered the sooner
  EXPECT_EQ(Judge(c.facts).generator, Generator::kTrusted) << Judge(c.facts).generator_reason;
}

// What was never answered is in the figures with its lower bound, and no generator's fault.
TEST(VerdictTest, AgainstWhatWasNotAnsweredLatenessIsSmall) {
  Case c;
  Empty(&c);
  Send(&c, 1'900, 100 * kMicrosecond, 5 * kMicrosecond);
  Send(&c, 100, 100 * kMicrosecond, 740 * kMicrosecond);
  for (int i = 0; i < 2'000; ++i) c.unanswered.Record(kSecond);
  EXPECT_EQ(Judge(c.facts).generator, Generator::kTrusted) << Judge(c.facts).generator_reason;
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
  SendLate(&c, 300, 300 * kMicrosecond);
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kValid);
  EXPECT_EQ(judgement.notes.size(), 1u);
}

TEST(VerdictTest, ABusyWorkerIsANoteUnlessItPolls) {
  Case c;
  c.facts.counters.cpu_ns = 9 * kSecond;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid);
  EXPECT_EQ(Judge(c.facts).notes.size(), 1u);
  c.facts.is_spinning = true;
  EXPECT_EQ(Judge(c.facts).notes.size(), 0u);
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
  EXPECT_NE(judgement.notes[0].find("% of the p99 of the staleness, 20.0ms"), std::string::npos) << judgement.notes[0];
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

// A point of streams in which nothing came has no figure that could be valid, though slow ones are no failure.
TEST(VerdictTest, StreamsThatSayNothingInAWholePointAreNotValid) {
  Case c(false);
  c.facts.is_listening = true;
  c.facts.duration_s = 2;
  c.facts.counters.up_ns = 4'000'000'000;
  c.facts.counters.messages = c.facts.counters.early_messages = 5;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kNotSteady);
  EXPECT_EQ(Judge(c.facts).reason, "not one message came in 2 s: there is nothing to judge; run it longer");
  ++c.facts.counters.messages;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid) << Judge(c.facts).reason;
}

// Messages that have nothing where the plan looks were not looked at.
TEST(VerdictTest, StreamsOfWhichMostCannotBeReadAreNotValid) {
  Case c(false);
  c.facts.is_listening = true;
  c.facts.counters.up_ns = 4'000'000'000;
  c.facts.counters.messages = 840;
  c.facts.counters.findings[static_cast<std::size_t>(Finding::kUnread)] = 420;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid) << Judge(c.facts).reason;
  ++c.facts.counters.findings[static_cast<std::size_t>(Finding::kUnread)];
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kNotSteady);
  EXPECT_NE(Judge(c.facts).reason.find("421 of 840 messages have no value at one of the plan's pointers"),
            std::string::npos)
      << Judge(c.facts).reason;
}

// The target fails its users; each way of it has its cause.
TEST(VerdictTest, ATargetThatServesNobodyForASecondFails) {
  Case c;
  c.facts.start_wall_s = 1'800'000'000;  // 08:00:00 UTC
  c.facts.seconds.assign(10, Second::kServed);
  c.facts.seconds[8] = c.facts.seconds[9] = Second::kDead;
  c.facts.counters.planned += 536;
  c.facts.counters[NeverSent::kConnectRefused] = 536;
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kTargetFailing);
  EXPECT_EQ(judgement.target, TargetState::kFailing);
  EXPECT_EQ(judgement.reason, "it served nobody in 2 of 10 seconds, from 08:00:08 UTC on (connect refused 536)");
  c.facts.seconds[9] = Second::kServed;
  c.facts.start_wall_s = 0;
  EXPECT_EQ(Judge(c.facts).reason, "it served nobody in 1 of 10 seconds, first at second 8 (connect refused 536)");
  c.facts.seconds[8] = Second::kGenerator;
  EXPECT_EQ(Judge(c.facts).target, TargetState::kLimited) << "5.1 % were not sent, surely more than 4.7 %";
}

TEST(VerdictTest, ATargetThatAnswersWithErrorsFails) {
  Case c(false);
  StatusCounts statuses;
  const auto answer = [&](std::size_t status, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) statuses.Count(status);
  };
  answer(200, 400);
  c.facts.statuses = &statuses;
  c.facts.success.set(200);
  c.facts.counters.success = 400;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid);
  answer(401, 20);  // 4.8 %, surely more than 3.1 %
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid);
  answer(401, 380);
  c.facts.counters.outcomes[static_cast<std::size_t>(Outcome::kReset)] = 3;
  EXPECT_EQ(Judge(c.facts).reason, "403 of 803 requests failed, 50.2 % (401 400, reset 3)");
  c.facts.max_failures = 0.6;  // as the plan expects
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid);
}

// What we cut off or stopped, and slots that met busy connections, are no failures of the target.
TEST(VerdictTest, WhatWeEndedIsNoFailure) {
  Case c;
  c.facts.counters.planned = c.facts.counters.sent + 9'000;
  c.facts.counters[NeverSent::kStopped] = 4'000;
  c.facts.counters[NeverSent::kCap] = 5'000;
  c.facts.counters.outcomes[static_cast<std::size_t>(Outcome::kCutOff)] = 1'000;
  EXPECT_EQ(Judge(c.facts).target, TargetState::kLimited) << Judge(c.facts).reason;
  c.facts.counters.no_local_port = 7;
  c.facts.counters[NeverSent::kConnectOther] = 5'000;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kGeneratorLimited) << Judge(c.facts).reason;
}

// Nor is what a ceiling, or the rate of new connections, kept back: that is our own doing.
TEST(VerdictTest, WhatWeKeptBackIsTheGenerators) {
  Case c;
  c.facts.counters.planned += 3'000;
  c.facts.counters[NeverSent::kHeld] = 3'000;
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kGeneratorLimited);
  EXPECT_EQ(judgement.target, TargetState::kSteady) << judgement.target_reason;
  EXPECT_NE(judgement.reason.find("3,000 of 13,000 requests that were due were kept back by a ceiling"),
            std::string::npos)
      << judgement.reason;

  Case closed(false);
  closed.facts.kept_closed = 0.75;
  const Judgement missing = Judge(closed.facts);
  EXPECT_EQ(missing.verdict, Verdict::kValid);
  EXPECT_NE(absl::StrJoin(missing.notes, "; ").find("kept connections closed for 75 % of their time"),
            std::string::npos);
}

TEST(VerdictTest, ARequestOfAMixThatFailsIsNamed) {
  Case c(false);
  c.facts.mix = {{.name = "ping", .sent = 9'700, .success = 9'700}, {.name = "order", .sent = 300, .success = 100}};
  EXPECT_EQ(Judge(c.facts).reason, "of the request 'order' 200 of 300 failed, 66.7 %");
  c.facts.mix[1].success = 149;  // more than half, but not surely
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid);
}

TEST(VerdictTest, ConnectionsThatAreDownAreTheTargets) {
  Case c(false);
  c.facts.has_availability = true;
  c.facts.counters.asked_ns = 100 * kSecond;
  c.facts.counters.up_ns = 98 * kSecond;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid) << "they were made anew, and all at once";
  c.facts.counters[ConnectResult::kRefused] = 80;
  EXPECT_EQ(Judge(c.facts).reason, "connections were up for 98.0 % of the time asked for (refused 80)");
  c.facts.counters.up_ns = 99 * kSecond;
  EXPECT_EQ(Judge(c.facts).verdict, Verdict::kValid);
}

TEST(VerdictTest, AnAddressThatServesNobodyIsNamed) {
  Case c(false);
  AddressRows rows;
  for (const auto& [address, established, succeeded] :
       {std::tuple("127.0.0.1:80", 3, 9'000), std::tuple("127.0.0.2:80", 3, 1'000), std::tuple("127.0.0.9:80", 0, 0)}) {
    proto::AddressSum* const row = rows.Add();
    row->set_address(address);
    row->set_established(static_cast<std::uint64_t>(established));
    row->set_succeeded(static_cast<std::uint64_t>(succeeded));
  }
  const auto judge = [&] {
    AddressCounts addresses;
    addresses.Add(rows, std::nullopt);
    c.facts.addresses = &addresses;
    return Judge(c.facts);
  };
  EXPECT_EQ(judge().verdict, Verdict::kValid) << "it was never asked";
  rows.Mutable(2)->set_failed_attempts(133);
  EXPECT_EQ(judge().verdict, Verdict::kTargetFailing);
  EXPECT_EQ(judge().reason, "127.0.0.9:80, one of 3 addresses, served nobody: 0 of 133 connections established");
  c.facts.counters.no_local_port = 1;  // which kept us from it, for all we know
  EXPECT_NE(judge().verdict, Verdict::kTargetFailing);
  rows.Mutable(2)->set_established(2);
  rows.Mutable(2)->set_failed(7);
  EXPECT_EQ(judge().target_reason,
            "127.0.0.9:80, one of 3 addresses, served nobody: 2 of 135 connections established, 0 of 7 requests "
            "succeeded");
}

// The graver answer is the word, the other one a remark.
TEST(VerdictTest, BothAnswersAreGiven) {
  Case c;
  SendLate(&c, 300, kMillisecond);
  c.facts.seconds.assign(10, Second::kDead);
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kTargetFailing);
  EXPECT_EQ(judgement.generator, Generator::kLimited);
  ASSERT_FALSE(judgement.notes.empty());
  EXPECT_EQ(judgement.notes.back(), "the generator was limited too: " + judgement.generator_reason);
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
  EXPECT_EQ(judgement.notes[0], "the hypervisor took 5.0 % of the CPU time of the generator's machine");
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

TEST(VerdictTest, AnAgentThatSeesAnotherLatencyIsNamedAndOnlyIt) {
  Case c;
  c.facts.agents.resize(3);
  c.facts.agents[0].means = {10e6, 10.1e6, 9.9e6, 10e6, 10e6};
  c.facts.agents[1].means = {10e6, 9.9e6, 10.1e6, 10e6, 10e6};
  c.facts.agents[2].means = {32e6, 32.1e6, 31.9e6, 32e6, 32e6};
  Judgement judgement = Judge(c.facts);
  ASSERT_EQ(judgement.notes.size(), 1u);
  EXPECT_NE(judgement.notes[0].find("agent 2 sees a mean latency of 32.0ms, the one in the middle of 10.0ms"),
            std::string::npos)
      << judgement.notes[0];
  // A difference that chance explains is none, nor is one of less than 5 %.
  c.facts.agents[2].means = {5e6, 25e6, 9e6, 16e6, 5e6};
  EXPECT_TRUE(Judge(c.facts).notes.empty());
  c.facts.agents[2].means = {10.3e6, 10.3e6, 10.31e6, 10.3e6, 10.3e6};
  EXPECT_TRUE(Judge(c.facts).notes.empty());
  // Of two nobody knows which is right: it is said once.
  c.facts.agents.resize(2);
  c.facts.agents[1].means = {12e6, 12.1e6, 11.9e6, 12e6, 12e6};
  judgement = Judge(c.facts);
  ASSERT_EQ(judgement.notes.size(), 1u);
  EXPECT_NE(judgement.notes[0].find("agent 1 sees a mean latency of 12.0ms, the other of 10.0ms"), std::string::npos)
      << judgement.notes[0];
}

TEST(VerdictTest, AnAgentThatWasShortOfCoresIsNamedAndOnlyIt) {
  Case c;
  c.facts.agents.resize(3);
  c.facts.agents[1] = {.waited = 0.9, .throttled = 9 * kSecond};
  c.facts.agents[2] = {.waited = 0.2, .throttled = 19 * kMillisecond};
  EXPECT_EQ(Judge(c.facts).notes,
            (std::vector<std::string>{"agent 1 was held back by its quota of CPU time, for 9.00s over its cores",
                                      "agent 2 waited for a core for 20 % of its workers' time"}));
}

// A few answers that lay unread move a p99, and leave the throughput of a closed loop as it is.
TEST(VerdictTest, ATailSlowsNoLoop) {
  Case c(false);
  Histogram stamped;
  Histogram wire;
  c.facts.stamped = &stamped;
  c.facts.wire = &wire;
  const auto record = [&](int count, Nanos service, Nanos on_wire) {
    for (int i = 0; i < count; ++i) {
      c.service.Record(service);
      stamped.Record(service);
      wire.Record(on_wire);
    }
  };
  record(9'700, 10 * kMillisecond, 10 * kMillisecond);
  record(300, 15 * kMillisecond, 10 * kMillisecond);
  EXPECT_EQ(Judge(c.facts).generator, Generator::kLimited);
  EXPECT_FALSE(Judge(c.facts).slowed_the_loop);
  record(2'000, 15 * kMillisecond, 10 * kMillisecond);
  EXPECT_TRUE(Judge(c.facts).slowed_the_loop) << "its mean is 9 % above that on the wire";
  c.facts.is_open_loop = true;
  EXPECT_FALSE(Judge(c.facts).slowed_the_loop) << "an open loop does not wait for answers";
}

TEST(VerdictTest, WithoutStampsBoundsTellWhetherTheLoopWasSlowed) {
  Case c(false);
  c.facts.counters.run_delay_ns = 3 * kSecond;
  EXPECT_FALSE(Judge(c.facts).slowed_the_loop) << "300 us in each of 10,000 turns, 3 % of the service time";
  c.facts.counters.run_delay_ns = 8 * kSecond;
  EXPECT_TRUE(Judge(c.facts).slowed_the_loop);
}

TEST(VerdictTest, AttemptsThatFoundNoPortSlowTheLoop) {
  Case c(false);
  c.facts.counters.no_local_port = 1;
  EXPECT_TRUE(Judge(c.facts).slowed_the_loop);
}

// What the kernel stamped tells the generator's part, bounds do not.
TEST(VerdictTest, TheGeneratorsPartIsMeasuredAtTheKernel) {
  Case c(false);
  Histogram stamped;
  Histogram wire;
  for (int i = 0; i < 1'000; ++i) {
    stamped.Record(10 * kMillisecond);
    wire.Record(9'900 * kMicrosecond);
  }
  c.facts.stamped = &stamped;
  c.facts.wire = &wire;
  for (int i = 0; i < 300; ++i) c.loop_lag.Record(800 * kMicrosecond);
  c.facts.counters.run_delay_ns = 8 * kSecond;
  EXPECT_EQ(Judge(c.facts).generator, Generator::kTrusted) << Judge(c.facts).generator_reason;
  for (int i = 0; i < 200; ++i) {
    stamped.Record(15 * kMillisecond);
    wire.Record(10 * kMillisecond);
  }
  EXPECT_EQ(Judge(c.facts).generator, Generator::kTrusted) << "the figure that is printed holds nothing of it";
  for (int i = 0; i < 2'000; ++i) c.service.Record(15 * kMillisecond);
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kGeneratorLimited);
  EXPECT_NE(judgement.reason.find("of the p90 of the service time, 15.0ms, 5.00ms was the generator's"),
            std::string::npos)
      << judgement.reason;
}

// A stamped point: what each of `count` requests took in all, on the wire, and of that in the target.
struct Stamped {
  Histogram stamped;
  Histogram wire;
  Histogram target;

  void Add(Case* c, int count, Nanos whole, Nanos on_wire, Nanos in_target) {
    for (int i = 0; i < count; ++i) {
      c->service.Record(whole);
      stamped.Record(whole);
      wire.Record(on_wire);
      target.Record(in_target);
    }
    c->facts.stamped = &stamped;
    c->facts.wire = &wire;
    c->facts.target_time = &target;
  }
};

TEST(VerdictTest, AFiguresPartsAreItsSum) {
  Case c(false);
  c.service.Clear();
  EXPECT_TRUE(SplitsOf(c.facts).empty());
  Stamped stamped;
  stamped.Add(&c, 1'000, 39'600 * kMicrosecond, 39'500 * kMicrosecond, 39'100 * kMicrosecond);
  const std::vector<SplitFigure> splits = SplitsOf(c.facts);
  ASSERT_EQ(splits.size(), 5u) << "mean to p99: of p99.9 there is one value";
  for (const SplitFigure& split : splits) {
    EXPECT_DOUBLE_EQ(split.ours + split.network + split.target, split.whole);
    EXPECT_NEAR(split.ours, 100 * kMicrosecond, 60 * kMicrosecond) << split.name;
    EXPECT_NEAR(split.network, 400 * kMicrosecond, 60 * kMicrosecond) << split.name;
  }
  EXPECT_EQ(ShownName("p99_9_us"), "p99.9");
  // What is larger on the wire than in all, by chance, leaves nothing negative.
  const SplitFigure odd = Split("p50_us", 10, 12, 11);
  EXPECT_EQ(odd.ours + odd.network, 0);
  EXPECT_EQ(odd.target, 10);
}

// The sampler may have others than all: what they took is held against no others, whether they were faster or slower.
TEST(VerdictTest, OnlyWhatStampedRequestsThemselvesLostIsOurs) {
  for (const Nanos stamped_time : {kMillisecond, 200 * kMillisecond}) {
    Case c(false);  // all: 10 ms
    Histogram stamped;
    Histogram wire;
    for (int i = 0; i < 1'000; ++i) {
      stamped.Record(stamped_time);
      wire.Record(stamped_time - 20 * kMicrosecond);
    }
    c.facts.stamped = &stamped;
    c.facts.wire = c.facts.target_time = &wire;
    EXPECT_EQ(Judge(c.facts).generator, Generator::kTrusted) << Judge(c.facts).generator_reason;
    for (const SplitFigure& split : SplitsOf(c.facts)) {
      EXPECT_LT(split.ours, kMillisecond) << split.name;
      EXPECT_GT(split.target, 9 * kMillisecond) << split.name;
    }
  }
}

// What we stood still is no time of the target's, in every loop and whatever was stamped.
TEST(VerdictTest, AStandstillIsTheGenerators) {
  for (const bool is_open_loop : {false, true}) {
    Case c(is_open_loop);
    c.facts.agents = {{.stood_still_s = 1.5, .duration_s = 10}};
    c.facts.stood_still = c.facts.counters.stood_still_ns = 1'500 * kMillisecond;
    const Judgement judgement = Judge(c.facts);
    EXPECT_EQ(judgement.verdict, Verdict::kGeneratorLimited);
    EXPECT_NE(judgement.reason.find("this generator stood still for 1.50s of 10.0s"), std::string::npos)
        << judgement.reason;
    EXPECT_EQ(judgement.slowed_the_loop, !is_open_loop);
  }
}

TEST(VerdictTest, ThatOfOneAgentOfManyIsANoteThatNamesIt) {
  Case c(false);
  c.facts.workers = 3;
  c.facts.agents = {{.duration_s = 10}, {.stood_still_s = 0.3, .duration_s = 10}, {.duration_s = 10}};
  c.facts.stood_still = c.facts.counters.stood_still_ns = 300 * kMillisecond;
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kValid) << judgement.reason;
  EXPECT_EQ(judgement.notes, std::vector<std::string>{"agent 1 stood still for 300ms of 10.0s"});
}

// A standstill of a fiftieth of the time is all of an open loop's p99, though few of its requests found a connection.
TEST(VerdictTest, AStandstillMovesTheTailOfAnOpenLoop) {
  Case c;
  c.facts.stood_still = c.facts.counters.stood_still_ns = 200 * kMillisecond;
  for (int i = 0; i < 200; ++i) {
    c.service.Record(10 * kMillisecond);
    c.response.Record((10 + i) * kMillisecond);
  }
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.generator, Generator::kLimited);
  EXPECT_NE(judgement.generator_reason.find("of it in the p99"), std::string::npos) << judgement.generator_reason;
  // The target itself was as slow: then nothing of it is ours.
  Case slow;
  slow.facts.stood_still = slow.facts.counters.stood_still_ns = 200 * kMillisecond;
  for (int i = 0; i < 200; ++i) {
    slow.service.Record((10 + i) * kMillisecond);
    slow.response.Record((10 + i) * kMillisecond);
  }
  EXPECT_EQ(Judge(slow.facts).generator, Generator::kTrusted) << Judge(slow.facts).generator_reason;
}

// Seconds in which we stood still say nothing of how steady a target is.
TEST(VerdictTest, SecondsOfOursDoNotMakeATargetUnsteady) {
  Case c(false);
  c.facts.duration_s = 40;
  for (std::uint32_t i = 0; i < 40; ++i)
    c.windows.push_back({.second = i, .success = 100, .mean_us = 10'000 + i % 2 * 10.0});
  ASSERT_EQ(Judge(c.facts).target, TargetState::kSteady);
  for (std::uint32_t i = 20; i < 40; ++i) c.windows[i].mean_us += 10'000;
  ASSERT_EQ(Judge(c.facts).target, TargetState::kNotSteady);
  for (std::uint32_t i = 20; i < 40; ++i) c.windows[i].stood_still = 400 * kMillisecond;
  EXPECT_EQ(Judge(c.facts).target, TargetState::kSteady) << Judge(c.facts).target_reason;
}

TEST(VerdictTest, ANetworkThatTakesMoreThanTheTargetIsNamedAndIsNoFault) {
  Case c(false);
  c.service.Clear();
  Stamped stamped;
  stamped.Add(&c, 1'000, 25 * kMillisecond, 25 * kMillisecond, 5 * kMillisecond);
  c.facts.counters.resent_segments = 7;
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.verdict, Verdict::kValid);
  ASSERT_EQ(judgement.notes.size(), 2u);
  EXPECT_NE(judgement.notes[0].find("7 segments were sent again"), std::string::npos) << judgement.notes[0];
  EXPECT_NE(judgement.notes[1].find("is the network's and not the target's: 20.0ms of 25.0ms"), std::string::npos)
      << judgement.notes[1];
}

TEST(VerdictTest, ConnectionsThatUnreadAnswersKeptBusyAreNoLimitOfTheTargets) {
  Case c;
  c.service.Clear();
  Stamped stamped;
  stamped.Add(&c, 1'000, 40 * kMillisecond, 10 * kMillisecond, 10 * kMillisecond);
  c.facts.counters.planned = 12'000;  // of which 10,000 found a connection when they were due
  c.facts.counters.sent = 12'000;
  c.facts.connections = 40;
  const Judgement judgement = Judge(c.facts);
  EXPECT_EQ(judgement.target, TargetState::kSteady) << judgement.target_reason;
  EXPECT_NE(judgement.generator_reason.find("on the wire 12.0 of 40 connections would have been busy on average"),
            std::string::npos)
      << judgement.generator_reason;
  // All of them waited at once for an answer that never came: an average says nothing of that.
  Histogram hung;
  for (int i = 0; i < 40; ++i) hung.Record(900 * kMillisecond);
  c.facts.duration_s = 30;
  c.facts.censored = &hung;
  EXPECT_EQ(Judge(c.facts).target, TargetState::kLimited);
  c.facts.censored = nullptr;
  EXPECT_EQ(Judge(c.facts).target, TargetState::kSteady);
  c.facts.duration_s = 10;
  c.facts.connections = 20;
  EXPECT_EQ(Judge(c.facts).target, TargetState::kLimited);
}

TEST(VerdictTest, OfSeveralAgentsThoseThatMovedTheirOwnFiguresAreNamed) {
  Case c(false);
  c.facts.agents = {{.waited = 0.3, .is_stamped = true, .mean = 10'020e3, .wire_mean = 10'000e3},
                    {.is_stamped = true, .mean = 15'000e3, .wire_mean = 10'000e3}};
  EXPECT_EQ(Judge(c.facts).notes,
            std::vector<std::string>{
                "agent 1 itself took 5.00ms of its mean service time of 15.0ms, by the kernel's stamps"});
}

}  // namespace
}  // namespace tidemark
