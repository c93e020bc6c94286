// An agent inside this process, reached through the same RPC as any other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace grpc {
class Channel;
}

namespace tidemark {

// Owns the service and its server. Threads: control.
class LocalAgent {
 public:
  // `allowed_targets`: as tidemark-agent's --allow-target. `is_leased`: it stops when its coordinator is silent, as an
  // agent elsewhere; else both stand still together, as after Ctrl-Z, and go on.  Errors: InvalidArgument.
  static absl::StatusOr<std::unique_ptr<LocalAgent>> Start(const std::vector<std::string>& allowed_targets,
                                                           bool is_leased = false);
  ~LocalAgent();

  // A channel that does not leave the process.
  std::shared_ptr<grpc::Channel> Dial();

 private:
  struct Parts;
  explicit LocalAgent(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace tidemark
