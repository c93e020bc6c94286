// Plays the streams of many agents from one process, with real shards, to see what a coordinator can hold.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "agent/control/shard_sender.h"
#include "common/control/address.h"
#include "common/control/protocol_version.h"
#include "common/plan/durations.h"
#include "protos/agent.grpc.pb.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

constexpr int kPerSecond = 1'000;  // requests of one agent

// A second of one agent: latencies log-normal around 300 us.
WorkerReport MakeSecond(std::mt19937_64& rng, std::uint32_t second, bool is_final) {
  std::lognormal_distribution<double> shape(std::log(300e3), 0.5);
  WorkerReport report{.kind = WorkerReport::Kind::kWindow,
                      .window = second,
                      .is_final = is_final,
                      .length = (static_cast<Nanos>(second) + 1) * kSecond};
  report.recorder = std::make_unique<Recorder>();
  Recorder& recorder = *report.recorder;
  for (int i = 0; i < kPerSecond; ++i) {
    const auto latency = static_cast<Nanos>(shape(rng));
    ++recorder.counters.planned;
    ++recorder.counters.sent;
    ++recorder.counters.success;
    ++recorder.counters[Outcome::kStatus2xx];
    recorder.statuses.Count(200);
    recorder.counters.busy_ns += static_cast<std::uint64_t>(latency);
    recorder[Metric::kService].Record(latency);
    recorder[Metric::kFirstByte].Record(latency - 1'000);
    recorder[Metric::kLateness].Record(static_cast<Nanos>(rng() % 20'000));
    recorder[Metric::kLoopLag].Record(static_cast<Nanos>(rng() % 50'000));
  }
  recorder.last_end = (static_cast<Nanos>(second) + 1) * kSecond - 1;
  return report;
}

// The shards of a point of so many seconds; all agents send the same ones, under their own names.
std::vector<proto::Shard> MakeShards(std::uint32_t seconds) {
  std::mt19937_64 rng(1);
  ShardSender sender(proto::ShardKey(), 1);
  std::vector<proto::Shard> shards;
  for (std::uint32_t second = 0; second < seconds; ++second) {
    for (proto::Shard& shard : sender.Add(MakeSecond(rng, second, second + 1 == seconds))) shards.push_back(shard);
  }
  return shards;
}

class Swarm final : public proto::Agent::Service {
 public:
  grpc::Status Describe(grpc::ServerContext*, const proto::DescribeRequest*,
                        proto::DescribeResponse* response) override {
    response->set_protocol_version(kProtocolVersion);
    response->set_version(TIDEMARK_VERSION);
    response->set_cores(1);
    response->set_descriptor_limit(1'000'000);
    response->set_local_ports(28'000);
    return grpc::Status::OK;
  }

  grpc::Status Execute(grpc::ServerContext*, grpc::ServerReaderWriter<proto::Event, proto::Command>* stream) override {
    proto::Command command;
    if (!stream->Read(&command) || !command.has_open()) return grpc::Status::OK;
    const proto::Open open = command.open();
    const std::vector<proto::Shard>& shards = Shards(open.plan());
    proto::ShardKey key;
    key.set_run(open.run());
    key.set_agent(open.agent());
    key.set_incarnation(open.agent() + 1);
    std::mutex mutex;  // of all below
    std::uint64_t number = 0;
    std::uint64_t heard = command.number();
    const auto say = [&](proto::Event event) {
      const std::lock_guard lock(mutex);
      event.set_number(++number);
      event.set_heard(heard);
      stream->Write(event);
    };
    proto::Event opened;
    opened.mutable_opened()->set_incarnation(key.incarnation());
    opened.mutable_opened()->set_version(TIDEMARK_VERSION);
    opened.mutable_opened()->set_workers(1);
    opened.mutable_opened()->add_target_addresses("10.0.0.1:80");
    say(opened);
    std::thread sender;
    while (stream->Read(&command)) {
      {
        const std::lock_guard lock(mutex);
        heard = std::max(heard, command.number());
      }
      if (command.has_prepare()) {
        key.set_point(command.prepare().point());
        proto::Event event;
        event.mutable_ready()->set_point(key.point());
        event.mutable_ready()->set_connections_up(command.prepare().connections());
        say(event);
      } else if (command.has_ping()) {
        proto::Event event;
        event.mutable_pong()->set_id(command.ping().id());
        event.mutable_pong()->set_agent_ns(MonotonicNow());
        if (command.number() != 0) {
          say(event);
        } else {
          const std::lock_guard lock(mutex);
          event.set_heard(heard);
          stream->Write(event);
        }
      } else if (command.has_arm()) {
        proto::Event event;
        event.mutable_armed()->set_point(key.point());
        event.mutable_armed()->set_margin_ns(command.arm().start_ns() - MonotonicNow());
        say(event);
        if (sender.joinable()) sender.join();
        sender = std::thread([&shards, &say, key, start = command.arm().start_ns()]() mutable {
          for (const proto::Shard& shard : shards) {
            const Nanos due = start + (static_cast<Nanos>(shard.window()) + 1) * kSecond;
            std::this_thread::sleep_for(std::chrono::nanoseconds(due - MonotonicNow()));
            proto::Event out;
            *out.mutable_shard() = shard;
            key.set_seq(shard.key().seq());
            *out.mutable_shard()->mutable_key() = key;
            say(out);
          }
          // The instant on the clock that the bench compares the report's with.
          std::printf("last shard at %lld\n", static_cast<long long>(MonotonicNow()));
          std::fflush(stdout);
        });
      } else if (command.has_close()) {
        break;
      }
    }
    if (sender.joinable()) sender.join();
    return grpc::Status::OK;
  }

 private:
  const std::vector<proto::Shard>& Shards(const proto::Plan& plan) {
    const std::lock_guard lock(mutex_);
    if (shards_.empty()) shards_ = MakeShards(static_cast<std::uint32_t>(FromProto(plan.sweep().duration()) / kSecond));
    return shards_;
  }
  std::mutex mutex_;
  std::vector<proto::Shard> shards_;
};

}  // namespace
}  // namespace tidemark

// Listens on all of loopback, 127.0.0.0/8: each address is an agent. Prints the port.
int main() {
  tidemark::Swarm swarm;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.RegisterService(&swarm);
  builder.AddListeningPort("0.0.0.0:0", grpc::InsecureServerCredentials(), &port);
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::printf("listening on %d\n", port);
  std::fflush(stdout);
  server->Wait();
}
