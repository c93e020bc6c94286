// An agent that lies, or does not end: it is lost with a sentence, and the run ends.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "agent/control/shard_sender.h"
#include "common/inert_text.h"
#include "common/plan/durations.h"
#include "coordinator/report/json.h"
#include "coordinator/report/summary.h"
#include "coordinator/run/run.h"
#include "protos/plan.pb.h"
#include "tests/support/edit_counters.h"
#include "tests/support/listening_agent.h"
#include "tests/support/own_memory.h"
#include "tests/support/played_agent.h"
#include "tests/support/raw_server.h"
#include "tests/support/scramble.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

struct Lie {
  const char* name;
  PlayedAgent::Bend bend;
  const char* says;
};

// A shard in which each of `count` requests was sent, and answered within a microsecond.
void Claim(proto::Shard* shard, std::uint64_t count) {
  EditCounters(shard->mutable_counters(), [count](Counters* c) {
    c->planned = c->sent = c->success = count;
    (*c)[Outcome::kStatus2xx] = count;
  });
}

TEST(HostileAgentTest, WhatCannotBeTrueLosesTheAgentWithFigureAndBound) {
  const Lie kLies[] = {
      {"more than its share",
       [](proto::Event* e) {
         if (e->has_shard()) Claim(e->mutable_shard(), 3'000'000);
         return true;
       },
       "planned is 3000000, but its share is at most 100"},
      {"a sum that wraps",
       [](proto::Event* e) {
         if (e->has_shard())
           EditCounters(e->mutable_shard()->mutable_counters(), [](Counters* c) {
             c->planned = c->sent = 100;
             (*c)[Outcome::kReset] = ~std::uint64_t{0};
             (*c)[Outcome::kMalformed] = 101;
           });
         return true;
       },
       "outcomes is beyond all sense"},
      {"connections below none",
       [](proto::Event* e) {
         if (e->has_ready()) e->mutable_ready()->set_connections_up(-5);
         return true;
       },
       "connections_up is -5"},
      {"connections beyond its share",
       [](proto::Event* e) {
         if (e->has_ready()) e->mutable_ready()->set_connections_up(std::int64_t{1} << 62);
         return true;
       },
       "connections_up is 4611686018427387904, but it lies between 0 and 1"},
      {"a failure that is none",
       [](proto::Event* e) {
         if (e->has_armed()) e->mutable_failure()->set_exit_code(0);
         return true;
       },
       "exit code 0, which no agent sends"},
      {"ready for another point",
       [](proto::Event* e) {
         if (e->has_ready()) e->mutable_ready()->set_point(7);
         return true;
       },
       "it is ready for point 7"},
      {"armed an age before",
       [](proto::Event* e) {
         if (e->has_armed()) e->mutable_armed()->set_margin_ns(std::numeric_limits<std::int64_t>::min());
         return true;
       },
       "it was armed -9223372036854775808 ns before"},
      {"a clock below zero",
       [](proto::Event* e) {
         if (e->has_pong()) e->mutable_pong()->set_agent_ns(std::numeric_limits<std::int64_t>::min());
         return true;
       },
       "its clock reads -9223372036854775808"},
      {"a million workers",
       [](proto::Event* e) {
         if (e->has_opened()) e->mutable_opened()->set_workers(1'000'000);
         return true;
       },
       "workers is 1000000"},
      {"a warm-up that nobody asked for",
       [](proto::Event* e) {
         if (e->has_ready())
           EditCounters(e->mutable_ready()->mutable_warmup(), [](Counters* c) {
             c->planned = c->sent = 5;
             (*c)[Outcome::kReset] = 5;
           });
         return true;
       },
       "warm-up requests planned is 5"},
  };
  for (const Lie& lie : kLies) {
    PlayedAgent agent(PlayedAgent::Bent(lie.bend));
    const Told told = RunWith({agent.address}, SmallPlan());
    EXPECT_NE(told.notes.find(lie.says), std::string::npos) << lie.name << ": " << told.notes;
    EXPECT_EQ(told.result.exit_code, kExitAccounting) << lie.name << ": " << told.notes;
  }
}

TEST(HostileAgentTest, WhatAnAgentWritesIsInertAndShort) {
  // One field at a time stays within what a message may have.
  for (int field = 0; field < 3; ++field) {
    PlayedAgent one(PlayedAgent::Bent([field](proto::Event* e) {
      const std::string text = "\x1b[2J\xc2\x9b\xe2\x80\xae\xe2\x80\x8b\nline\r" + std::string(12 << 20, 'x');
      if (e->has_opened() && field == 0) e->mutable_opened()->set_version(text);
      if (e->has_opened() && field == 1) e->mutable_opened()->set_permission(text);
      if (e->has_armed() && field == 2) {
        e->mutable_failure()->set_exit_code(kExitAgents);
        e->mutable_failure()->set_message(text);
      }
      return true;
    }));
    const Told told = RunWith({one.address}, SmallPlan());
    ASSERT_EQ(told.result.agents.size(), 1u) << told.notes;
    const proto::AgentInfo& info = told.result.agents[0];
    EXPECT_TRUE(IsInertLine(info.version())) << info.version().size();
    EXPECT_TRUE(IsInertLine(info.permission())) << info.permission().size();
    EXPECT_TRUE(IsInertLine(info.lost())) << info.lost().size();
    for (const std::string& note : told.result.notes) {
      EXPECT_TRUE(IsInert(note)) << note.substr(0, 100);
      EXPECT_LT(note.size(), 1'024u);
    }
    if (field == 2) {
      EXPECT_EQ(info.lost().substr(0, 12), "?[2J??? line") << info.lost().substr(0, 40);
    }
  }
  PlayedAgent::Role role = PlayedAgent::Bent([](proto::Event*) { return true; });
  role.describe = [](proto::DescribeResponse* who) { who->set_busy_with("\x1b[2J" + std::string(3 << 20, 'x')); };
  PlayedAgent busy(role);
  const Told told = RunWith({busy.address}, SmallPlan());
  EXPECT_NE(told.notes.find("is busy with ?[2Jxx"), std::string::npos) << told.notes.substr(0, 200);
  EXPECT_LT(told.notes.size(), 1'024u);
}

// It says that the point is over, and has done nothing.
TEST(HostileAgentTest, AnAgentThatEndsAPointBeforeItsTimeIsLost) {
  PlayedAgent idle(PlayedAgent::Bent([](proto::Event*) { return true; }));
  proto::Plan timed = SmallPlan();
  timed.mutable_sweep()->clear_requests();
  *timed.mutable_sweep()->mutable_duration() = ToDurationProto(60 * kSecond);
  for (const proto::Plan& plan : {SmallPlan(), timed}) {
    const Told told = RunWith({idle.address}, plan);
    EXPECT_NE(told.notes.find("it ended the point before its time"), std::string::npos) << told.notes;
    EXPECT_EQ(told.result.exit_code, kExitAccounting) << told.notes;
    ASSERT_EQ(told.result.points.size(), 1u);
    EXPECT_TRUE(told.result.points[0].is_partial);
    EXPECT_EQ(told.result.points[0].unaccounted_max, 0u);  // it has told all
  }
}

// It answers every heartbeat, and never sends a shard.
TEST(HostileAgentTest, AnAgentThatOnlyHeartbeatsIsLostInTime) {
  const auto is_no_shard = [](proto::Event* e) { return !e->has_shard(); };
  PlayedAgent agent(PlayedAgent::Bent(is_no_shard));
  const Told told = RunWith({agent.address}, SmallPlan());
  EXPECT_NE(told.notes.find("has sent no shard for 10s"), std::string::npos) << told.notes;
  EXPECT_NE(told.result.exit_code, kExitOk);
  EXPECT_LT(told.took, 25 * kSecond);

  const Told stopped = RunWith({agent.address}, SmallPlan(), kSecond);
  EXPECT_LT(stopped.took, 8 * kSecond) << stopped.notes;  // a second, four for the stop, half for the close
  EXPECT_NE(stopped.result.exit_code, kExitOk);
}

// Both begin at once: one has both agents, the other is told whose they are, or had them after it.
TEST(HostileAgentTest, OfTwoCoordinatorsOneWins) {
  RawServer target([](int fd) {
    while (ReadRequest(fd)) SendAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  proto::Plan plan = SmallPlan();
  plan.set_target(absl::StrCat("http://127.0.0.1:", target.port(), "/"));
  *plan.mutable_sweep()->mutable_think_time() = ToDurationProto(10 * kMillisecond);
  plan.set_threads(1);
  plan.mutable_sweep()->set_connections(0, 4);
  plan.mutable_sweep()->clear_requests();
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(3 * kSecond);
  for (int round = 0; round < 3; ++round) {
    ListeningAgent first;
    ListeningAgent second;
    Told told[2];
    std::thread other([&] { told[1] = RunWith({second.address(), first.address()}, plan); });
    told[0] = RunWith({first.address(), second.address()}, plan);
    other.join();
    const int won = (told[0].result.exit_code == kExitOk ? 1 : 0) + (told[1].result.exit_code == kExitOk ? 1 : 0);
    EXPECT_GE(won, 1) << told[0].notes << "\n" << told[1].notes;
    for (const Told& each : told) {
      if (each.result.exit_code == kExitOk) continue;
      EXPECT_NE(each.notes.find("busy with run "), std::string::npos) << each.notes;
    }
  }
}

// An agent that leaves when its point has begun, and tells afterwards that it had sent `sent` requests of `attempt`.
Told RunWithOneThatTellsLater(std::uint64_t sent, std::uint32_t attempt) {
  PlayedAgent::Role role{[]() -> PlayedAgent::Part {
    return [](proto::Event asked, const PlayedAgent::Say& say) {
      if (asked.has_shard() || asked.has_resumed()) return false;
      say(std::move(asked));
      return true;
    };
  }};
  role.account = [sent, attempt](proto::AccountResponse* response) {
    response->set_is_known(true);
    response->set_has_ended(true);
    response->set_attempt(attempt);
    response->set_sent(sent);
  };
  PlayedAgent agent(std::move(role));
  return RunWith({agent.address}, SmallPlan(), 0, {.resume = 300 * kMillisecond});
}

TEST(HostileAgentTest, WhatALostAgentTellsLaterIsTakenIfItCanBe) {
  const Told honest = RunWithOneThatTellsLater(40, 0);
  EXPECT_NE(honest.notes.find("; 40 requests are unaccounted for after "), std::string::npos) << honest.notes;
  EXPECT_NE(honest.notes.find(", as it said when it was asked again"), std::string::npos) << honest.notes;
  EXPECT_EQ(honest.result.points.at(0).unaccounted_max, 40u);
  for (const auto& [sent, attempt] :
       {std::pair<std::uint64_t, std::uint32_t>(101, 0), {~std::uint64_t{0}, 0}, {40, 1}}) {
    const Told lied = RunWithOneThatTellsLater(sent, attempt);
    EXPECT_NE(lied.notes.find("; 0 to 100 requests are unaccounted for after "), std::string::npos) << lied.notes;
    EXPECT_EQ(lied.result.points.at(0).unaccounted_max, 100u) << sent;
  }
}

// The only shard of a point in which `count` requests were answered, each within a millisecond.
proto::Shard WholePoint(const proto::ShardKey& key, int count) {
  ShardSender sender(key, 1);
  WorkerReport report{.kind = WorkerReport::Kind::kWindow, .is_final = true};
  report.recorder = std::make_unique<Recorder>();
  Recorder& recorder = *report.recorder;
  for (int i = 0; i < count; ++i) {
    ++recorder.counters.planned;
    ++recorder.counters.sent;
    ++recorder.counters.success;
    ++recorder.counters[Outcome::kStatus2xx];
    recorder.statuses.Count(200);
    for (const Metric metric : {Metric::kService, Metric::kFirstByte}) recorder[metric].Record(kMillisecond);
    recorder[Metric::kLateness].Record(0);
    recorder.counters.busy_ns += kMillisecond;
  }
  return sender.Add(report).at(0);
}

// An agent's words: what is asked for, or that with other figures, twice, late, not at all, or something else. Some lie
// often, some hardly ever.
PlayedAgent::Part Liar(std::uint64_t seed) {
  const auto random = std::make_shared<Random>(seed);
  const std::uint64_t odds = random->Below(2) == 0 ? 400 : 12;
  return [random, odds](proto::Event asked, const PlayedAgent::Say& say) {
    if (asked.has_shard()) {
      const int count = random->Below(odds) < 6 ? static_cast<int>(random->Below(140)) : 100;
      *asked.mutable_shard() = WholePoint(asked.shard().key(), count);
    }
    if (random->Below(odds) == 0) {
      proto::Event other;
      Scramble(random.get(), &other, 3);
      say(other);
    }
    switch (random->Below(odds)) {
      case 0:
        return true;
      case 1:
        Scramble(random.get(), &asked, 3);
        break;
      case 2:
        say(asked);
        break;
      case 3:
        std::this_thread::sleep_for(std::chrono::milliseconds(random->Below(60)));
        break;
      case 4:
        return random->Below(2) == 0;
      case 5:
        if (asked.has_shard()) asked.mutable_shard()->set_is_final(false);
        break;
      default:
        break;
    }
    say(std::move(asked));
    return true;
  };
}

TEST(HostileAgentTest, AnAgentThatSaysAnythingHoldsNoCoordinator) {
  const bool is_full = std::getenv("TIDEMARK_FULL") != nullptr;
  const std::uint64_t sequences = is_full ? 10'000 : 500;
  const std::size_t at_once = is_full ? 64 : 12;
  const Nanos scaled = (is_full ? 100 : 400) * kMillisecond;  // what a busy machine keeps too
  const RunLimits limits{.heartbeat = 20 * kMillisecond,
                         .silence = scaled,
                         .open = scaled,
                         .answer = scaled,
                         .stop = scaled,
                         .shard = scaled,
                         .resume = scaled,
                         .close = scaled,
                         .interrupted_close = scaled};
  // What one that is held waits for, or more: none of the limits above comes near.
  constexpr Nanos kHang = 30 * kSecond;
  std::atomic<std::uint64_t> next{0};
  std::atomic<int> most{0};
  std::atomic<int> ended_well{0};
  std::atomic<int> lost{0};
  std::vector<std::thread> coordinators;
  for (std::size_t i = 0; i < at_once; ++i) {
    coordinators.emplace_back([&] {
      std::atomic<std::uint64_t> word{0};  // a seed for each stream
      PlayedAgent::Role role{[&word] { return Liar(word++); }};
      role.describe = [&word](proto::DescribeResponse* who) {
        Random random(word++);
        if (random.Below(16) == 0) Scramble(&random, who, 1);
      };
      PlayedAgent first(role);
      PlayedAgent second(role);
      for (std::uint64_t seed = next++; seed < sequences; seed = next++) {
        SCOPED_TRACE(absl::StrCat("sequence ", seed));
        Random random(seed);
        word = seed << 32;
        proto::Plan plan = SmallPlan();
        *plan.mutable_timeout() = *plan.mutable_connect_timeout() = ToDurationProto(scaled);
        const char* const policies[] = {"redo", "continue", "fail"};
        plan.set_on_agent_loss(policies[random.Below(3)]);
        plan.mutable_sweep()->set_connections(0, static_cast<std::int64_t>(1 + random.Below(3)));
        std::vector<std::string> addresses = {first.address};
        if (random.Below(2) == 0) addresses.push_back(second.address);
        const Nanos interrupt = random.Below(8) == 0 ? static_cast<Nanos>(1 + random.Below(200)) * kMillisecond : 0;
        const Told told = RunWith(addresses, plan, interrupt, limits);
        EXPECT_LT(told.took, kHang) << told.notes;
        const std::set<int> codes = {kExitOk,     kExitUsage,    kExitAgents,     kExitAccounting,
                                     kExitTarget, kExitInternal, kExitInterrupted};
        EXPECT_EQ(codes.count(told.result.exit_code), 1u) << told.result.exit_code << told.notes;
        for (const std::string& note : told.result.notes) EXPECT_TRUE(IsInert(note)) << note.substr(0, 200);
        for (const PointResult& point : told.result.points) {
          const Counters sum = point.merger->counters();
          EXPECT_LE(sum.planned, 100u);
          EXPECT_EQ(sum.sent + sum.NeverSentTotal() + point.merger->pending().waiting, sum.planned);
        }
        EXPECT_FALSE(ToJson(Summarise(told.result, plan)).empty());
        ended_well += told.result.exit_code == kExitOk ? 1 : 0;
        lost += told.result.exit_code == kExitAgents || told.result.exit_code == kExitAccounting ? 1 : 0;
        most = std::max(most.load(), ResidentMiB());
      }
    });
  }
  for (std::thread& coordinator : coordinators) coordinator.join();
  if (!kHasShadow) {
    EXPECT_LT(most, 200);
  }
  // The draws reach both ends: runs that go through, and lies that are found.
  if (!kHasShadow) {  // a sanitizer's programs are too slow for limits of tenths of a second
    EXPECT_GT(ended_well, 0);
  }
  EXPECT_GT(lost, 0);
  std::printf("%d runs ended well, %d lost an agent, at most %d MiB\n", ended_well.load(), lost.load(), most.load());

  RawServer server([](int fd) {
    while (ReadRequest(fd)) SendAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  proto::Plan plan = SmallPlan();
  plan.set_target(absl::StrCat("http://127.0.0.1:", server.port(), "/"));
  plan.set_threads(1);
  ListeningAgent honest;
  const Told told = RunWith({honest.address()}, plan);
  EXPECT_EQ(told.result.exit_code, kExitOk) << told.notes;
}

}  // namespace
}  // namespace tidemark
