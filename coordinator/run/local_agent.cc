#include "coordinator/run/local_agent.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "agent/control/agent_service.h"
#include "common/control/address.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

// Longer than any run.
constexpr Nanos kForever = Nanos{365} * 24 * 3'600 * kSecond;

}  // namespace

struct LocalAgent::Parts {
  explicit Parts(AgentService::Options options) : service(std::move(options)) {}
  AgentService service;
  std::unique_ptr<grpc::Server> server;
};

LocalAgent::LocalAgent(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

LocalAgent::~LocalAgent() {
  parts_->service.Shutdown();
  parts_->server->Shutdown(std::chrono::system_clock::now());
}

absl::StatusOr<std::unique_ptr<LocalAgent>> LocalAgent::Start(const std::vector<std::string>& allowed_targets,
                                                              bool is_leased) {
  TIDEMARK_ASSIGN_OR_RETURN(TargetGuard guard, TargetGuard::Make(allowed_targets));
  guard.AllowWhatTheUserMay();
  AgentService::Options options{.guard = std::move(guard)};
  if (!is_leased) options.lease = kForever;
  auto parts = std::make_unique<Parts>(std::move(options));
  grpc::ServerBuilder builder;
  ConfigureServer(&parts->service, &builder);
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr) return absl::InternalError("gRPC cannot start a server inside the process");
  return std::unique_ptr<LocalAgent>(new LocalAgent(std::move(parts)));
}

std::shared_ptr<grpc::Channel> LocalAgent::Dial() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxControlMessageBytes);
  return parts_->server->InProcessChannel(arguments);
}

}  // namespace tidemark
