// The control channel: real gRPC on loopback, peers that break its rules.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "agent/control/agent_service.h"
#include "common/control/address.h"
#include "common/control/protocol_version.h"
#include "common/plan/defaults.h"
#include "coordinator/run/agent_link.h"
#include "coordinator/run/agents.h"
#include "coordinator/run/local_agent.h"
#include "protos/plan.pb.h"
#include "tests/support/listening_agent.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

// A peer of another version.
class AgentOfTomorrow final : public proto::Agent::Service {
 public:
  grpc::Status Describe(grpc::ServerContext*, const proto::DescribeRequest*,
                        proto::DescribeResponse* response) override {
    response->set_protocol_version(999);
    response->set_version("9.9");
    return grpc::Status::OK;
  }
};

proto::Command OpenCommand() {
  proto::Command command;
  proto::Open* open = command.mutable_open();
  open->set_protocol_version(kProtocolVersion);
  open->set_run("r1");
  open->set_coordinator("tester");
  open->mutable_plan()->set_target("http://127.0.0.1:9/");
  open->mutable_plan()->set_threads(1);
  ApplyDefaults(open->mutable_plan());
  return command;
}

// Sends `commands` on one stream and returns the failure that ends it.
proto::Failure FailureAfter(const std::string& address, const std::vector<proto::Command>& commands) {
  RunEvents events;
  AgentLink link(0, Dial(address, {}, ""), &events);
  for (const proto::Command& command : commands) link.Send(command);
  while (const auto event = events.Pop(MonotonicNow() + 60 * kSecond)) {
    if (event->kind == RunEvent::Kind::kStreamEnd) break;
    if (event->event.has_failure()) return event->event.failure();
  }
  return {};
}

AgentOptions At(std::vector<std::string> addresses, int wait_for = 0, Nanos timeout = 0) {
  return {.addresses = std::move(addresses),
          .wait_for = wait_for,
          .wait_timeout = timeout,
          .allow_targets = {},
          .control_certs = {}};
}

TEST(ControlTest, AgentsDescribeThemselves) {
  ListeningAgent agent;
  const auto found = FindAgents(At({agent.address()}));
  ASSERT_OK(found);
  EXPECT_EQ((*found)[0].description.version(), TIDEMARK_VERSION);
  EXPECT_GE((*found)[0].description.cores(), 1);
  EXPECT_GT((*found)[0].description.descriptor_limit(), 0);
  EXPECT_THAT((*found)[0].description.addresses(), testing::Contains("127.0.0.1"));
  EXPECT_EQ((*found)[0].description.busy_with(), "");
}

TEST(ControlTest, AgentsThatCannotServeAreNamedWithTheRemedy) {
  ListeningAgent agent;
  EXPECT_THAT(FindAgents(At({agent.address(), "127.0.0.1:1"})), FailsWith("agent 127.0.0.1:1 does not answer"));
  EXPECT_THAT(FindAgents(At({"dns:agents.invalid:7420"})), FailsWith("agents.invalid cannot be resolved"));
  EXPECT_THAT(FindAgents(At({"a:b:c"})), FailsWith("no agent address"));
  EXPECT_THAT(FindAgents(At({agent.address()}, 2, 5 * kSecond)), FailsWith("1 of 2 agents after 5s"));

  AgentOfTomorrow tomorrow;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.RegisterService(&tomorrow);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  const auto server = builder.BuildAndStart();
  EXPECT_THAT(FindAgents(At({absl::StrCat("127.0.0.1:", port)})),
              FailsWith(absl::StrCat("speaks protocol ", ProtocolName(999))));
}

TEST(ControlTest, WaitingTakesTheFirstAgentsThatAnswer) {
  ListeningAgent first;
  ListeningAgent second;
  const auto found = FindAgents(At({first.address(), "127.0.0.1:1", second.address()}, 2, 60 * kSecond));
  ASSERT_OK(found);
  EXPECT_EQ(found->size(), 2u);
}

TEST(ControlTest, OneRunAtATimeAndTheSecondIsToldWhoHoldsIt) {
  ListeningAgent agent;
  RunEvents events;
  auto link = std::make_unique<AgentLink>(0, Dial(agent.address(), {}, ""), &events);
  link->Send(OpenCommand());
  ASSERT_TRUE(events.Pop(MonotonicNow() + 60 * kSecond)->event.has_opened());
  const proto::Failure failure = FailureAfter(agent.address(), {OpenCommand()});
  EXPECT_EQ(failure.exit_code(), 2);
  EXPECT_NE(failure.message().find("busy with run r1 of tester"), std::string::npos) << failure.message();
  EXPECT_THAT(FindAgents(At({agent.address()})), FailsWith("is busy with run r1"));
  proto::Command close;
  close.mutable_close();
  link->Send(close);
  link.reset();  // and it is free again
  EXPECT_OK(FindAgents(At({agent.address()})));
}

TEST(ControlTest, CommandsOutOfTurnEndTheStreamWithAReason) {
  ListeningAgent agent;
  proto::Command other_version = OpenCommand();
  other_version.mutable_open()->set_protocol_version(999);
  EXPECT_NE(FailureAfter(agent.address(), {other_version}).message().find("speaks protocol " + ProtocolName(999)),
            std::string::npos);

  proto::Command prepare;
  prepare.mutable_prepare()->set_connections(1);
  EXPECT_NE(FailureAfter(agent.address(), {prepare}).message().find("did not open"), std::string::npos);
  EXPECT_NE(FailureAfter(agent.address(), {OpenCommand(), OpenCommand()}).message().find("open already"),
            std::string::npos);
  EXPECT_NE(FailureAfter(agent.address(), {OpenCommand(), proto::Command()}).message().find("unknown command"),
            std::string::npos);

  proto::Command arm;
  arm.mutable_arm()->set_point(5);
  EXPECT_NE(FailureAfter(agent.address(), {OpenCommand(), arm}).message().find("not prepared"), std::string::npos);

  proto::Command bad_plan = OpenCommand();
  bad_plan.mutable_open()->mutable_plan()->mutable_sweep()->set_connections(0, -5);
  EXPECT_NE(FailureAfter(agent.address(), {bad_plan}).message().find("sweep.connections"), std::string::npos);
  proto::Command huge = OpenCommand();
  prepare.mutable_prepare()->set_connections(1'000'000'000'000);
  EXPECT_NE(FailureAfter(agent.address(), {huge, prepare}).message().find("out of range"), std::string::npos);
}

TEST(ControlTest, TheAgentInProcessAnswersLikeAnyOther) {
  const auto local = LocalAgent::Start({});
  ASSERT_OK(local);
  const auto who = Describe((*local)->Dial(), "in process", MonotonicNow() + 60 * kSecond);
  ASSERT_OK(who);
  EXPECT_EQ(who->protocol_version(), kProtocolVersion);
  EXPECT_THAT(LocalAgent::Start({"no/such"}), FailsWith("--allow-target"));
}

}  // namespace
}  // namespace tidemark
