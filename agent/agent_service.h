// The gRPC face of an agent: describes itself, and executes one run at a time.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "agent/target_guard.h"
#include "common/mutex.h"
#include "protos/agent.grpc.pb.h"

namespace tidemark {

// Threads: gRPC calls it from its own; each Execute stream holds one while it lasts.
// Invariant: at most one Execute stream has a session.
class AgentService final : public proto::Agent::Service {
 public:
  struct Options {
    TargetGuard guard;
    // With certificates: the name that a coordinator's must have; empty: anyone who reaches it may command it.
    std::string allowed_coordinator = {};
    bool is_insecure = false;                    // listens beyond loopback in plain text
    std::function<void()> on_run_end = nullptr;  // called after each run, from a gRPC thread; may be null
  };
  explicit AgentService(Options options);

  grpc::Status Describe(grpc::ServerContext* context, const proto::DescribeRequest* request,
                        proto::DescribeResponse* response) override;
  grpc::Status Execute(grpc::ServerContext* context,
                       grpc::ServerReaderWriter<proto::Event, proto::Command>* stream) override;

 private:
  grpc::Status CheckPeer(const grpc::ServerContext* context) const;

  const Options options_;
  const std::uint64_t incarnation_;
  Mutex mutex_;
  std::string busy_with_ GUARDED_BY(mutex_);
};

// Configures `builder` for `service`: limits, keep-alive. Ports are added by the caller.
void ConfigureServer(AgentService* service, grpc::ServerBuilder* builder);

}  // namespace tidemark
