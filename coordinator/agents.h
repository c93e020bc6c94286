// Finds the agents of a run and asks each who it is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "protos/agent.pb.h"

namespace grpc {
class Channel;
}

namespace tidemark {

struct FoundAgent {
  std::string address;  // "HOST:PORT", or "in process"
  std::shared_ptr<grpc::Channel> channel;
  proto::DescribeResponse description = {};
};

// How long an agent may take to answer when nobody asked to wait for it.
inline constexpr Nanos kDescribeTimeout = 3 * kSecond;

// `specs`: HOST[:PORT], or dns:NAME[:PORT] for an agent at every address of NAME. With `wait_for` > 0 keeps looking,
// until that many answer or `timeout` has passed; else every one must answer at once.
// Errors: InvalidArgument (a spec), Unavailable (who does not answer, or how many did), FailedPrecondition (another
// protocol version, or busy), naming the agent.
absl::StatusOr<std::vector<FoundAgent>> FindAgents(const std::vector<std::string>& specs, int wait_for, Nanos timeout);

// What every agent must fulfil, the one in process too.
absl::Status CheckAgent(const FoundAgent& agent);

}  // namespace tidemark
