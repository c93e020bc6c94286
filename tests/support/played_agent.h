// An agent that a test plays, and a run that it takes part in.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "common/control/protocol_version.h"
#include "common/plan/defaults.h"
#include "coordinator/observe/progress.h"
#include "coordinator/run/agents.h"
#include "coordinator/run/run.h"
#include "protos/agent.grpc.pb.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Speaks the protocol over a socket, and makes no load. Each event that is asked of it passes through its part.
// Threads: its streams' own.
class PlayedAgent final : public proto::Agent::Service {
 public:
  // Sends an event; one without a number gets the next.
  using Say = std::function<void(proto::Event)>;
  // Gets what the protocol asks for, and says what it likes instead; false ends the stream.
  using Part = std::function<bool(proto::Event asked, const Say& say)>;
  // What is said may be changed; false: it is not said.
  using Bend = std::function<bool(proto::Event*)>;
  // Says what it likes in the place of a point's last shard, whose key it gets.
  using Attack = std::function<void(const proto::ShardKey& key, const Say& say)>;

  struct Role {
    std::function<Part()> part;  // of each stream
    std::function<void(proto::DescribeResponse*)> describe = nullptr;
    std::function<void(proto::AccountResponse*)> account = nullptr;  // null: it knows nothing
  };
  explicit PlayedAgent(Role role) : role_(std::move(role)) {
    grpc::ServerBuilder builder;
    builder.RegisterService(this);
    builder.SetMaxSendMessageSize(-1);
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    server_ = builder.BuildAndStart();
    address = absl::StrCat("127.0.0.1:", port);
  }
  ~PlayedAgent() override { server_->Shutdown(std::chrono::system_clock::now()); }

  static Role Bent(Bend bend) {
    return {[bend = std::move(bend)]() -> Part {
      return [bend](proto::Event asked, const Say& say) {
        if (bend(&asked)) say(std::move(asked));
        return true;
      };
    }};
  }
  static Role Attacking(Attack attack) {
    return {[attack = std::move(attack)]() -> Part {
      return [attack](proto::Event asked, const Say& say) {
        if (asked.has_resumed()) return true;  // it has said all it had to say
        asked.has_shard() ? attack(asked.shard().key(), say) : say(std::move(asked));
        return true;
      };
    }};
  }

  grpc::Status Describe(grpc::ServerContext*, const proto::DescribeRequest*,
                        proto::DescribeResponse* response) override {
    response->set_protocol_version(kProtocolVersion);
    response->set_version("played");
    response->set_cores(1);
    response->set_local_ports(1'000);
    response->set_descriptor_limit(1'000);
    if (role_.describe) role_.describe(response);
    return grpc::Status::OK;
  }

  grpc::Status Execute(grpc::ServerContext*, grpc::ServerReaderWriter<proto::Event, proto::Command>* stream) override {
    std::uint64_t number = 0;
    const Say say = [&](proto::Event event) {
      if (event.number() == 0 && !event.has_resumed()) event.set_number(++number);
      if (event.heard() == 0) event.set_heard(1'000'000'000);  // more than was ever said
      stream->Write(event);
    };
    const Part part = role_.part();
    proto::Command command;
    proto::ShardKey key;
    bool has_ended = false;
    while (stream->Read(&command)) {
      proto::Event event;
      if (command.has_open()) {
        key.set_run(command.open().run());
        key.set_agent(command.open().agent());
        key.set_incarnation(77);
        event.mutable_opened()->set_incarnation(77);
        event.mutable_opened()->set_workers(1);
        event.mutable_opened()->add_target_addresses("127.0.0.1:9");
      } else if (command.has_resume()) {
        event.mutable_resumed();
      } else if (command.has_prepare()) {
        key.set_point(command.prepare().point());
        key.set_attempt(command.prepare().attempt());
        has_ended = false;
        event.mutable_ready()->set_point(key.point());
        event.mutable_ready()->set_connections_up(command.prepare().connections());
      } else if (command.has_ping()) {
        event.mutable_pong()->set_id(command.ping().id());
        event.mutable_pong()->set_agent_ns(MonotonicNow());
      } else if (command.has_arm()) {
        event.mutable_armed()->set_point(key.point());
        event.mutable_armed()->set_margin_ns(kMillisecond);
      } else if (command.has_close()) {
        break;
      }
      if (event.kind_case() != proto::Event::KIND_NOT_SET && !part(std::move(event), say)) break;
      if ((command.has_arm() || command.has_stop()) && !std::exchange(has_ended, true)) {
        proto::Event last;
        *last.mutable_shard()->mutable_key() = key;
        last.mutable_shard()->set_is_final(true);
        if (!part(std::move(last), say)) break;
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status Account(grpc::ServerContext*, const proto::AccountRequest*, proto::AccountResponse* response) override {
    if (role_.account) role_.account(response);
    return grpc::Status::OK;
  }

  std::string address;

 private:
  const Role role_;
  std::unique_ptr<grpc::Server> server_;
};

// One connection, 100 requests, no warm-up; nobody listens there.
inline proto::Plan SmallPlan() {
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

// A coordinator's run with the agents at `addresses`.
inline Told RunWith(const std::vector<std::string>& addresses, const proto::Plan& plan, Nanos interrupt_after = 0,
                    const RunLimits& limits = {}) {
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
  told.result = Run(plan, *std::move(found), &events, &progress, limits).Execute();
  told.took = MonotonicNow() - begin;
  if (interrupter.joinable()) interrupter.join();
  told.notes = absl::StrJoin(told.result.notes, "\n");
  return told;
}

}  // namespace tidemark
