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

// For so long a run asks an agent again that is busy with another's: of two that begin at the same moment one gets it.
inline constexpr Nanos kBusyPatience = 2 * kSecond;

// Where agents are, and how they are spoken to.
struct AgentOptions {
  std::vector<std::string> addresses;  // empty: one in this process
  int wait_for = 0;
  Nanos wait_timeout = 60 * kSecond;
  std::vector<std::string> allow_targets;
  bool is_local_leased = false;      // the one in this process may outlive its coordinator: a test's
  std::string control_certs;         // folder; empty: the default one, for agents beyond loopback
  bool is_insecure_control = false;  // plain text beyond loopback
};

// `options.addresses`: HOST[:PORT], or dns:NAME[:PORT] for an agent at every address of NAME. With `wait_for` > 0 keeps
// looking, until that many answer or `wait_timeout` has passed; else every one must answer at once. Agents beyond
// loopback must show a certificate that names them; on loopback the channel is plain text unless `control_certs` is
// given. Errors: InvalidArgument (a spec, or certificates that are missing), Unavailable (who does not answer, or how
// many did), FailedPrecondition (another protocol version, or busy), naming the agent.
absl::StatusOr<std::vector<FoundAgent>> FindAgents(const AgentOptions& options);

// What one agent said, or why it said nothing.
struct AgentAnswer {
  FoundAgent agent;
  absl::Status status;
  Nanos asked = 0;
  Nanos answered = 0;
};

// Asks each agent of `options.addresses` once who it is, all at the same time, until `deadline` (an instant).
// Errors: InvalidArgument (a spec, or certificates that are missing), Unavailable (a name that cannot be resolved).
absl::StatusOr<std::vector<AgentAnswer>> AskAgents(const AgentOptions& options, Nanos deadline);

// What every agent must fulfil, the one in process too.
absl::Status CheckAgent(const FoundAgent& agent);

}  // namespace tidemark
