// The gRPC face of an agent: describes itself, and executes one run at a time.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/control/live_run.h"
#include "agent/guard/target_guard.h"
#include "agent/host/interrupt.h"
#include "common/control/address.h"
#include "common/mutex.h"
#include "protos/agent.grpc.pb.h"

namespace tidemark {

// Threads: gRPC calls it from its own; each Execute stream holds one while it lasts.
// Invariant: at most one run lives, and one Execute stream at a time has it; few others wait, and none for long.
class AgentService final : public proto::Agent::Service {
 public:
  struct Options {
    TargetGuard guard;
    // With certificates: the name that a coordinator's must have; empty: anyone who reaches it may command it.
    std::string allowed_coordinator = {};
    bool is_insecure = false;                    // listens beyond loopback in plain text
    std::function<void()> on_run_end = nullptr;  // called after each run, from a gRPC thread; may be null
    Nanos lease = kLeaseMillis * kMillisecond;   // of a run whose coordinator is silent
    Nanos open_limit = 30 * kSecond;             // to open a run, whatever it waits for
    Nanos first_command_limit = 5 * kSecond;     // of a stream
  };
  explicit AgentService(Options options);

  grpc::Status Describe(grpc::ServerContext* context, const proto::DescribeRequest* request,
                        proto::DescribeResponse* response) override;
  grpc::Status Execute(grpc::ServerContext* context,
                       grpc::ServerReaderWriter<proto::Event, proto::Command>* stream) override;
  grpc::Status StopRun(grpc::ServerContext* context, const proto::StopRunRequest* request,
                       proto::StopRunResponse* response) override;
  grpc::Status Account(grpc::ServerContext* context, const proto::AccountRequest* request,
                       proto::AccountResponse* response) override;

  // Ends the run, if there is one, and what else is waited for, so that the server can be shut down. Begins no other.
  // What is in flight has a second, and the coordinator is told.
  void Shutdown();

 private:
  using Stream = grpc::ServerReaderWriter<proto::Event, proto::Command>;

  absl::StatusOr<std::shared_ptr<LiveRun>> Begin(const proto::Open& open, const std::string& peer);
  absl::StatusOr<std::shared_ptr<LiveRun>> Find(const proto::Resume& resume);
  void OpenSession(proto::Open open, LiveRun* run) const;
  void MakeRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  grpc::Status ReadFirst(grpc::ServerContext* context, Stream* stream, proto::Command* command);
  bool Serve(LiveRun* run, absl::Status status, grpc::ServerContext* context, Stream* stream);
  bool IsLive(const LiveRun* run);
  grpc::Status CheckPeer(const grpc::ServerContext* context) const;

  const Options options_;
  const std::uint64_t incarnation_;
  const std::shared_ptr<Interrupt> shutdown_ = std::make_shared<Interrupt>();
  Mutex mutex_;
  std::list<grpc::ServerContext*> waiting_ ABSL_GUARDED_BY(mutex_);  // streams without a first command, oldest first
  bool is_shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  std::string busy_with_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<LiveRun> live_ ABSL_GUARDED_BY(mutex_);
  struct EndedRun {
    std::string id;
    Session::Account account;
  };
  std::list<EndedRun> ended_ ABSL_GUARDED_BY(mutex_);  // the last few, oldest first
};

// Configures `builder` for `service`: limits. Ports are added by the caller.
void ConfigureServer(AgentService* service, grpc::ServerBuilder* builder);

}  // namespace tidemark
