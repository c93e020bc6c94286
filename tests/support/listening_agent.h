// An agent of the tests' own process, spoken to over a socket.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/control/agent_service.h"

namespace tidemark {

// Listens on a free port of loopback, in plain text.
struct ListeningAgent {
  explicit ListeningAgent(AgentService::Options options = {.guard = *TargetGuard::Make({})})
      : service(std::move(options)) {
    grpc::ServerBuilder builder;
    ConfigureServer(&service, &builder);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    server = builder.BuildAndStart();
  }
  ~ListeningAgent() {
    service.Shutdown();
    server->Shutdown(std::chrono::system_clock::now());
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port); }

  AgentService service;
  int port = 0;
  std::unique_ptr<grpc::Server> server;
};

}  // namespace tidemark
