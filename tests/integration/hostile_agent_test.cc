// An agent that lies, or does not end: it is lost with a sentence, and the run ends.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/control_address.h"
#include "common/inert_text.h"
#include "common/plan.h"
#include "common/protocol_version.h"
#include "coordinator/run.h"
#include "tests/support/edit_counters.h"
#include "tests/support/listening_agent.h"
#include "tests/support/raw_server.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

using EventStream = grpc::ServerReaderWriter<proto::Event, proto::Command>;

// Plays an agent. Each event that the protocol asks of it passes `bend`, which may change it; false: it is not said.
class BentAgent final : public proto::Agent::Service {
 public:
  using Bend = std::function<bool(proto::Event*)>;
  explicit BentAgent(Bend bend, std::function<void(proto::DescribeResponse*)> describe = nullptr)
      : bend_(std::move(bend)), describe_(std::move(describe)) {
    grpc::ServerBuilder builder;
    builder.RegisterService(this);
    builder.SetMaxSendMessageSize(-1);
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    server_ = builder.BuildAndStart();
    address = absl::StrCat("127.0.0.1:", port);
  }
  ~BentAgent() override { server_->Shutdown(std::chrono::system_clock::now()); }

  grpc::Status Describe(grpc::ServerContext*, const proto::DescribeRequest*,
                        proto::DescribeResponse* response) override {
    response->set_protocol_version(kProtocolVersion);
    response->set_version("bent");
    response->set_cores(1);
    response->set_local_ports(1'000);
    response->set_descriptor_limit(1'000);
    if (describe_) describe_(response);
    return grpc::Status::OK;
  }

  grpc::Status Execute(grpc::ServerContext*, EventStream* stream) override {
    std::uint64_t number = 0;
    const auto say = [&](proto::Event event) {
      if (!bend_(&event)) return;
      event.set_number(++number);
      event.set_heard(1'000'000'000);
      stream->Write(event);
    };
    proto::Command command;
    proto::ShardKey key;
    while (stream->Read(&command)) {
      proto::Event event;
      if (command.has_open()) {
        key.set_run(command.open().run());
        key.set_agent(command.open().agent());
        key.set_incarnation(77);
        event.mutable_opened()->set_incarnation(77);
        event.mutable_opened()->set_workers(1);
        event.mutable_opened()->add_target_addresses("127.0.0.1:9");
        say(event);
      } else if (command.has_prepare()) {
        key.set_point(command.prepare().point());
        key.set_attempt(command.prepare().attempt());
        event.mutable_ready()->set_point(key.point());
        event.mutable_ready()->set_connections_up(command.prepare().connections());
        say(event);
      } else if (command.has_ping()) {
        event.mutable_pong()->set_id(command.ping().id());
        event.mutable_pong()->set_agent_ns(MonotonicNow());
        say(event);
      } else if (command.has_arm() || command.has_stop()) {
        if (command.has_arm()) {
          event.mutable_armed()->set_point(key.point());
          event.mutable_armed()->set_margin_ns(kMillisecond);
          say(event);
        }
        proto::Event last;
        *last.mutable_shard()->mutable_key() = key;
        last.mutable_shard()->set_is_final(true);
        say(last);
      } else if (command.has_close()) {
        break;
      }
    }
    return grpc::Status::OK;
  }

  std::string address;

 private:
  Bend bend_;
  std::function<void(proto::DescribeResponse*)> describe_;
  std::unique_ptr<grpc::Server> server_;
};

proto::Plan SmallPlan() {
  proto::Plan plan;
  plan.set_target("http://127.0.0.1:9/");
  plan.mutable_sweep()->add_connections(1);
  plan.mutable_sweep()->set_requests(100);
  plan.mutable_sweep()->set_warmup_requests_per_connection(0);
  plan.set_on_agent_loss("fail");
  ApplyDefaults(&plan);
  return plan;
}

struct Told {
  RunResult result;
  std::string notes;
  Nanos took = 0;
};

Told RunWith(const std::vector<std::string>& addresses, const proto::Plan& plan, Nanos interrupt_after = 0) {
  Told told;
  RunEvents events;
  const Nanos begin = MonotonicNow();
  auto found = FindAgents({.addresses = addresses, .allow_targets = {}, .control_certs = {}});
  if (!found.ok()) {
    told.notes = std::string(found.status().message());
    told.result.exit_code = kExitAgents;
    told.took = MonotonicNow() - begin;
    return told;
  }
  Progress progress(Progress::Mode::kQuiet);
  std::thread interrupter;
  if (interrupt_after != 0) {
    interrupter = std::thread([&events, interrupt_after] {
      std::this_thread::sleep_for(std::chrono::nanoseconds(interrupt_after));
      events.Push({.kind = RunEvent::Kind::kInterrupt});
    });
  }
  told.result = Run(plan, *std::move(found), &events, &progress).Execute();
  told.took = MonotonicNow() - begin;
  if (interrupter.joinable()) interrupter.join();
  told.notes = absl::StrJoin(told.result.notes, "\n");
  return told;
}

struct Lie {
  const char* name;
  BentAgent::Bend bend;
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
    BentAgent agent(lie.bend);
    const Told told = RunWith({agent.address}, SmallPlan());
    EXPECT_NE(told.notes.find(lie.says), std::string::npos) << lie.name << ": " << told.notes;
    EXPECT_EQ(told.result.exit_code, kExitAccounting) << lie.name << ": " << told.notes;
  }
}

TEST(HostileAgentTest, WhatAnAgentWritesIsInertAndShort) {
  // One field at a time stays within what a message may have.
  for (int field = 0; field < 3; ++field) {
    BentAgent one([field](proto::Event* e) {
      const std::string text = "\x1b[2J\xc2\x9b\xe2\x80\xae\xe2\x80\x8b\nline\r" + std::string(12 << 20, 'x');
      if (e->has_opened() && field == 0) e->mutable_opened()->set_version(text);
      if (e->has_opened() && field == 1) e->mutable_opened()->set_permission(text);
      if (e->has_armed() && field == 2) {
        e->mutable_failure()->set_exit_code(kExitAgents);
        e->mutable_failure()->set_message(text);
      }
      return true;
    });
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
  BentAgent busy([](proto::Event*) { return true; },
                 [](proto::DescribeResponse* who) { who->set_busy_with("\x1b[2J" + std::string(3 << 20, 'x')); });
  const Told told = RunWith({busy.address}, SmallPlan());
  EXPECT_NE(told.notes.find("is busy with ?[2Jxx"), std::string::npos) << told.notes.substr(0, 200);
  EXPECT_LT(told.notes.size(), 1'024u);
}

// It answers every heartbeat, and never sends a shard.
TEST(HostileAgentTest, AnAgentThatOnlyHeartbeatsIsLostInTime) {
  const auto is_no_shard = [](proto::Event* e) { return !e->has_shard(); };
  BentAgent agent(is_no_shard);
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

}  // namespace
}  // namespace tidemark
