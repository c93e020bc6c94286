// A hostile agent can at worst end its own stream; a hostile coordinator its own run.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/agent_service.h"
#include "common/control_address.h"
#include "common/plan.h"
#include "common/protocol_version.h"
#include "coordinator/run.h"
#include "tests/support/edit_counters.h"
#include "tests/support/listening_agent.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

using EventStream = grpc::ServerReaderWriter<proto::Event, proto::Command>;

// Plays the protocol up to the start, and then says what it likes.
class HostileAgent final : public proto::Agent::Service {
 public:
  // `attack` gets the key of a first, correct, empty final shard.
  using Attack = std::function<void(const proto::ShardKey& key, const std::function<void(proto::Event)>& say)>;
  explicit HostileAgent(Attack attack) : attack_(std::move(attack)) {
    grpc::ServerBuilder builder;
    builder.RegisterService(this);
    builder.SetMaxSendMessageSize(-1);
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    server_ = builder.BuildAndStart();
    address = absl::StrCat("127.0.0.1:", port);
  }
  ~HostileAgent() override { server_->Shutdown(std::chrono::system_clock::now()); }

  grpc::Status Describe(grpc::ServerContext*, const proto::DescribeRequest*,
                        proto::DescribeResponse* response) override {
    response->set_protocol_version(kProtocolVersion);
    response->set_version("hostile");
    response->set_local_ports(1'000);
    response->set_descriptor_limit(1'000);
    return grpc::Status::OK;
  }

  grpc::Status Execute(grpc::ServerContext*, EventStream* stream) override {
    std::uint64_t number = 0;
    const auto say = [&](proto::Event event) {
      event.set_number(++number);
      event.set_heard(1'000'000'000);  // more than was ever said
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
        event.mutable_ready()->set_connections_up(command.prepare().connections());
        say(event);
      } else if (command.has_ping()) {
        event.mutable_pong()->set_id(command.ping().id());
        event.mutable_pong()->set_agent_ns(MonotonicNow());
        say(event);
      } else if (command.has_arm()) {
        event.mutable_armed()->set_margin_ns(kMillisecond);
        say(event);
        attack_(key, say);
      } else if (command.has_close()) {
        break;
      }
    }
    return grpc::Status::OK;
  }

  std::string address;

 private:
  Attack attack_;
  std::unique_ptr<grpc::Server> server_;
};

RunResult RunAgainst(const HostileAgent& agent) {
  proto::Plan plan;
  plan.set_target("http://127.0.0.1:9/");
  plan.mutable_sweep()->add_connections(1);
  plan.mutable_sweep()->set_requests(1);
  plan.set_on_agent_loss("fail");
  ApplyDefaults(&plan);
  auto found = FindAgents({.addresses = {agent.address}, .allow_targets = {}, .control_certs = {}});
  EXPECT_OK(found);
  RunEvents events;
  Progress progress(Progress::Mode::kQuiet);
  return Run(plan, *std::move(found), &events, &progress).Execute();
}

proto::Event ShardOf(const proto::ShardKey& key) {
  proto::Event event;
  *event.mutable_shard()->mutable_key() = key;
  event.mutable_shard()->set_is_final(true);
  return event;
}

struct HostileCase {
  const char* name;
  HostileAgent::Attack attack;
  const char* note;
};

TEST(HostilePeerTest, WhatAnAgentMayNotSayEndsItsStreamWithTheRule) {
  const HostileCase kCases[] = {
      {"another agent's name",
       [](proto::ShardKey key, const auto& say) {
         key.set_agent(5);
         say(ShardOf(key));
       },
       "in another agent's name"},
      {"counters that do not add up",
       [](const proto::ShardKey& key, const auto& say) {
         proto::Event event = ShardOf(key);
         EditCounters(event.mutable_shard()->mutable_counters(), [](Counters* c) { c->sent = 1; });
         say(event);
       },
       "shard 0: "},
      {"a window beyond the longest run",
       [](const proto::ShardKey& key, const auto& say) {
         proto::Event event = ShardOf(key);
         event.mutable_shard()->set_window(4'000'000'000);
         say(event);
       },
       "its window is 4000000000, but"},
      {"a histogram that is none",
       [](const proto::ShardKey& key, const auto& say) {
         proto::Event event = ShardOf(key);
         event.mutable_shard()->add_deltas()->set_counts("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
         say(event);
       },
       "histogram: "},
      {"a stream's name without end",
       [](const proto::ShardKey& key, const auto& say) {
         proto::Event event = ShardOf(key);
         event.mutable_shard()->add_streams()->set_name(std::string(1'000, 'x'));
         say(event);
       },
       "what came of a stream makes no sense"},
      {"receipts that end before they begin",
       [](const proto::ShardKey& key, const auto& say) {
         proto::Event event = ShardOf(key);
         event.mutable_shard()->add_events()->set_first_ns(5);
         say(event);
       },
       "receipts of an event make no sense"},
      {"more messages before the start than there were",
       [](const proto::ShardKey& key, const auto& say) {
         proto::Event event = ShardOf(key);
         EditCounters(event.mutable_shard()->mutable_counters(), [](Counters* c) { c->early_messages = 1; });
         say(event);
       },
       "that came before the start"},
      {"a message of 17 MiB",
       [](const proto::ShardKey& key, const auto& say) {
         proto::Event event = ShardOf(key);
         event.mutable_shard()->add_deltas()->set_counts(std::string(17 << 20, 'x'));
         say(event);
       },
       "larger than max"},
      {"an event of tomorrow", [](const proto::ShardKey&, const auto& say) { say(proto::Event()); }, "unknown event"},
  };
  for (const HostileCase& hostile : kCases) {
    HostileAgent agent(hostile.attack);
    const RunResult result = RunAgainst(agent);
    EXPECT_NE(absl::StrJoin(result.notes, "\n").find(hostile.note), std::string::npos)
        << hostile.name << ": " << absl::StrJoin(result.notes, "\n");
    EXPECT_EQ(result.exit_code, kExitAccounting) << hostile.name;
  }
}

// Shards of another run, another life, another attempt are counted and left out; the right one is merged.
TEST(HostilePeerTest, ReplayedShardsAreRejected) {
  HostileAgent agent([](const proto::ShardKey& key, const auto& say) {
    proto::ShardKey other = key;
    other.set_run("20200101T000000Z-000000");
    say(ShardOf(other));
    other = key;
    other.set_incarnation(78);
    say(ShardOf(other));
    other = key;
    other.set_attempt(1);
    say(ShardOf(other));
    say(ShardOf(key));
    say(ShardOf(key));
  });
  const RunResult result = RunAgainst(agent);
  EXPECT_EQ(result.exit_code, kExitOk) << absl::StrJoin(result.notes, "\n");
  EXPECT_EQ(result.rejected, 3u);
  EXPECT_EQ(result.shards, 1u);
}

// Whether it still serves.
bool Answers(const ListeningAgent& agent) {
  return FindAgents({.addresses = {agent.address()}, .allow_targets = {}, .control_certs = {}}).ok();
}

// The last failure, or why the stream ended.
std::string EndOf(const std::string& address, const std::vector<proto::Command>& commands) {
  RunEvents events;
  AgentLink link(0, Dial(address, {}, ""), &events);
  for (const proto::Command& command : commands) link.Send(command);
  link.Finish();
  std::string end;
  while (const auto event = events.Pop(MonotonicNow() + 60 * kSecond)) {
    if (event->event.has_failure()) end = event->event.failure().message();
    if (event->kind == RunEvent::Kind::kStreamEnd) return end.empty() ? event->reason : end;
  }
  return "it did not end";
}

TEST(HostilePeerTest, WhatACoordinatorMayNotSayEndsItsRun) {
  ListeningAgent agent;
  proto::Command open;
  open.mutable_open()->set_protocol_version(kProtocolVersion);
  open.mutable_open()->set_run("r");
  open.mutable_open()->mutable_plan()->set_target("http://127.0.0.1:9/");
  open.mutable_open()->mutable_plan()->set_threads(1);
  ApplyDefaults(open.mutable_open()->mutable_plan());
  open.set_number(1);

  proto::Command resume;
  resume.mutable_resume()->set_run("r");
  resume.mutable_resume()->set_incarnation(12345);
  EXPECT_NE(EndOf(agent.address(), {resume}).find("no longer has run r"), std::string::npos);

  proto::Command gap;
  gap.mutable_stop();
  gap.set_number(9);
  EXPECT_NE(EndOf(agent.address(), {open, gap}).find("is missing"), std::string::npos);

  proto::Command huge = open;
  huge.mutable_open()->mutable_plan()->add_requests()->set_body(std::string(17 << 20, 'x'));
  EXPECT_NE(EndOf(agent.address(), {huge}), "it did not end");
  EXPECT_TRUE(Answers(agent));

  // Not even HTTP/2.
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(agent.port));
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string noise(100'000, '\xa5');
  send(fd, noise.data(), noise.size(), MSG_NOSIGNAL);
  close(fd);
  EXPECT_TRUE(Answers(agent));
}

}  // namespace
}  // namespace tidemark
