// A hostile agent can at worst end its own stream; a hostile coordinator its own run.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/control/agent_service.h"
#include "common/control/address.h"
#include "common/control/protocol_version.h"
#include "common/plan/defaults.h"
#include "common/plan/durations.h"
#include "coordinator/observe/progress.h"
#include "coordinator/run/agent_link.h"
#include "coordinator/run/run.h"
#include "protos/agent.grpc.pb.h"
#include "protos/plan.pb.h"
#include "tests/support/edit_counters.h"
#include "tests/support/listening_agent.h"
#include "tests/support/own_memory.h"
#include "tests/support/played_agent.h"
#include "tests/support/raw_server.h"
#include "tests/support/scramble.h"
#include "tests/support/side_by_side.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

RunResult RunAgainst(const PlayedAgent& agent) {
  proto::Plan plan = SmallPlan();
  plan.mutable_sweep()->set_requests(1);
  return RunWith({agent.address}, plan).result;
}

proto::Event ShardOf(const proto::ShardKey& key) {
  proto::Event event;
  *event.mutable_shard()->mutable_key() = key;
  event.mutable_shard()->set_is_final(true);
  return event;
}

struct HostileCase {
  const char* name;
  PlayedAgent::Attack attack;
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
    PlayedAgent agent(PlayedAgent::Attacking(hostile.attack));
    const RunResult result = RunAgainst(agent);
    EXPECT_NE(absl::StrJoin(result.notes, "\n").find(hostile.note), std::string::npos)
        << hostile.name << ": " << absl::StrJoin(result.notes, "\n");
    EXPECT_EQ(result.exit_code, kExitAccounting) << hostile.name;
  }
}

// Shards of another run, another life, another attempt are counted and left out; the right one is merged.
TEST(HostilePeerTest, ReplayedShardsAreRejected) {
  PlayedAgent agent(PlayedAgent::Attacking([](const proto::ShardKey& key, const auto& say) {
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
  }));
  const RunResult result = RunAgainst(agent);
  // It says that it has done nothing.
  EXPECT_EQ(result.exit_code, kExitAccounting) << absl::StrJoin(result.notes, "\n");
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

// The threads of this process.
int Threads() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Threads:", 0) == 0) return std::stoi(line.substr(8));
  }
  return 0;
}

TEST(HostilePeerTest, StreamsThatSayNothingAreFewAndShortLived) {
  ListeningAgent agent({.guard = *TargetGuard::Make({}), .first_command_limit = kSecond});
  const auto channel = Dial(agent.address(), {}, "");
  const auto stub = proto::Agent::NewStub(channel);
  const int before = Threads();
  constexpr int kStreams = 2'000;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<proto::Command, proto::Event>>> streams;
  for (int i = 0; i < kStreams; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(stub->Execute(contexts.back().get()));
  }
  // The server's own limit is 256; the client here and the library's pools have some too.
  EXPECT_LT(Threads(), before + kStreams / 4);
  const Nanos start = MonotonicNow();
  for (auto& stream : streams) {
    proto::Event event;
    while (stream->Read(&event)) {
    }
    EXPECT_FALSE(stream->Finish().ok());
  }
  EXPECT_LT(MonotonicNow() - start, 15 * kSecond);
  EXPECT_TRUE(Answers(agent));
}

// A connection of one's own to the agent, as another program has.
std::unique_ptr<proto::Agent::Stub> OwnConnection(const ListeningAgent& agent) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return proto::Agent::NewStub(
      grpc::CreateCustomChannel(agent.address(), grpc::InsecureChannelCredentials(), arguments));
}

// Of those who say nothing the ones with the most streams make room for who comes.
TEST(HostilePeerTest, StreamsThatSayNothingKeepNobodyOut) {
  ListeningAgent agent({.guard = *TargetGuard::Make({}), .first_command_limit = 60 * kSecond});
  const auto stub = OwnConnection(agent);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<proto::Command, proto::Event>>> streams;
  for (int i = 0; i < 90; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(stub->Execute(contexts.back().get()));
  }
  const Nanos start = MonotonicNow();
  grpc::ClientContext context;
  const auto honest = OwnConnection(agent)->Execute(&context);
  proto::Command command;
  command.set_number(1);
  command.mutable_open()->set_protocol_version(kProtocolVersion);
  command.mutable_open()->set_run("honest");
  proto::Plan* const plan = command.mutable_open()->mutable_plan();
  plan->set_target("http://127.0.0.1:9/");
  plan->mutable_sweep()->add_connections(1);
  plan->set_threads(1);
  ApplyDefaults(plan);
  ASSERT_TRUE(honest->Write(command));
  proto::Event event;
  bool is_open = false;
  while (!is_open && honest->Read(&event)) is_open = event.has_opened();
  EXPECT_TRUE(is_open) << event.ShortDebugString();
  EXPECT_LT(MonotonicNow() - start, 5 * kSecond);
  context.TryCancel();
  for (const auto& silent : contexts) silent->TryCancel();
}

proto::Open SomeOpen(Random* random, int port) {
  proto::Open open;
  open.set_protocol_version(kProtocolVersion);
  open.set_run("r");
  proto::Plan* const plan = open.mutable_plan();
  plan->set_target(absl::StrCat(random->Below(4) == 0 ? "ws" : "http", "://127.0.0.1:", port, "/"));
  plan->mutable_sweep()->add_connections(static_cast<std::int64_t>(1 + random->Below(4)));
  plan->set_threads(1);
  *plan->mutable_timeout() = *plan->mutable_connect_timeout() = ToDurationProto(100 * kMillisecond);
  if (random->Below(3) == 0) Scramble(random, plan, 3);
  if (random->Below(8) == 0) Scramble(random, &open, 1);
  ApplyDefaults(plan);
  if (random->Below(3) == 0) Scramble(random, plan, 3);
  return open;
}

// One coordinator's words, most of them in the right order, and its going.
void Misbehave(std::uint64_t seed, const std::string& address, int port) {
  Random random(seed);
  const auto stub = proto::Agent::NewStub(Dial(address, {}, ""));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  const auto stream = stub->Execute(&context);
  std::thread reader([&] {
    proto::Event event;
    while (stream->Read(&event)) {
    }
  });
  std::uint64_t number = 0;
  const std::uint64_t length = 1 + random.Below(8);
  for (std::uint64_t i = 0; i < length; ++i) {
    proto::Command command;
    // Open, prepare and arm follow each other mostly; anything may come at any time.
    const std::uint64_t kind = random.Below(3) == 0 ? random.Below(8) : std::min<std::uint64_t>(i, 2);
    if (kind == 0) *command.mutable_open() = SomeOpen(&random, port);
    if (kind == 1) {
      command.mutable_prepare()->set_connections(static_cast<std::int64_t>(random.Below(5)));
      command.mutable_prepare()->set_streams(1);
    }
    if (kind == 2)
      command.mutable_arm()->set_start_ns(MonotonicNow() + static_cast<Nanos>(random.Below(50)) * kMillisecond);
    if (kind == 3) command.mutable_stop();
    if (kind == 4) command.mutable_finish();
    if (kind == 5) command.mutable_resume()->set_run("r");
    if (kind == 6) command.mutable_ping()->set_id(random.Below(3));
    if (kind == 7) command.mutable_close();
    if (random.Below(6) == 0) Scramble(&random, &command, 3);
    command.set_number(random.Below(12) == 0 ? random.Below(1'000) : ++number);
    if (!stream->Write(command)) break;
    if (random.Below(3) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(random.Below(40)));
  }
  switch (random.Below(3)) {
    case 0:
      stream->WritesDone();
      break;
    case 1:
      context.TryCancel();
      break;
    default:
      break;  // silent
  }
  reader.join();
  const grpc::Status status = stream->Finish();
  EXPECT_NE(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << "seed " << seed;
}

TEST(HostilePeerTest, ACoordinatorThatSaysAnythingAtAnyTimeHoldsNoAgent) {
  const bool is_full = std::getenv("TIDEMARK_FULL") != nullptr;
  const int sequences = is_full ? 10'000 : 500;
  constexpr int kAtOnce = 64;
  constexpr std::size_t kAgents = 16;
  RawServer server([](int fd) {
    while (ReadRequest(fd)) SendAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  proto::AllowList list;
  proto::AllowedTarget* const own = list.add_targets();
  own->set_cidr("127.0.0.0/8");
  own->set_max_connections(20);
  list.set_only_these(true);
  // The first one's lease is what an honest coordinator, which speaks each second, can keep.
  std::vector<std::unique_ptr<ListeningAgent>> agents;
  for (std::size_t i = 0; i < kAgents; ++i) {
    agents.push_back(
        std::make_unique<ListeningAgent>(AgentService::Options{.guard = *TargetGuard::Make({}, list),
                                                               .lease = (i == 0 ? 3'000 : 100) * kMillisecond,
                                                               .open_limit = 100 * kMillisecond,
                                                               .first_command_limit = 100 * kMillisecond}));
  }
  std::atomic<int> most{0};
  SideBySide(sequences, kAtOnce, [&](int sequence) {
    const auto seed = static_cast<std::uint64_t>(sequence);
    Misbehave(seed, agents[seed % kAgents]->address(), server.port());
    most = std::max(most.load(), ResidentMiB());
  });
  if (!kHasShadow) {
    EXPECT_LT(most, 200);
  }
  // Each is free soon, and its next run is an honest one.
  proto::Plan plan;
  plan.set_target(absl::StrCat("http://127.0.0.1:", server.port(), "/"));
  plan.mutable_sweep()->add_connections(1);
  plan.mutable_sweep()->set_requests(10);
  plan.set_threads(1);
  ApplyDefaults(&plan);
  for (const auto& agent : agents) {
    const Nanos limit = MonotonicNow() + 5 * kSecond;
    proto::DescribeResponse state;
    do {
      agent->service.Describe(nullptr, nullptr, &state);
    } while (!state.busy_with().empty() && MonotonicNow() < limit);
    EXPECT_EQ(state.busy_with(), "");
  }
  auto found = FindAgents({.addresses = {agents[0]->address()}, .allow_targets = {}, .control_certs = {}});
  ASSERT_OK(found);
  RunEvents events;
  Progress progress(Progress::Mode::kQuiet);
  const RunResult result = tidemark::Run(plan, *std::move(found), &events, &progress).Execute();
  EXPECT_EQ(result.exit_code, kExitOk) << absl::StrJoin(result.notes, "\n");
}

}  // namespace
}  // namespace tidemark
