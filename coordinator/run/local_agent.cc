#include "coordinator/run/local_agent.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "agent/control/agent_service.h"
#include "common/control/address.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

// Who lives in one process with the coordinator stands still with it, as after Ctrl-Z, and goes on with it.
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

absl::StatusOr<std::unique_ptr<LocalAgent>> LocalAgent::Start(const std::vector<std::string>& allowed_targets) {
  TIDEMARK_ASSIGN_OR_RETURN(TargetGuard guard, TargetGuard::Make(allowed_targets));
  guard.AllowWhatTheUserMay();
  auto parts = std::make_unique<Parts>(AgentService::Options{.guard = std::move(guard), .lease = kForever});
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
