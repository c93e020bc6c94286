// What lost agents say, once their runs have ended there, that they had sent: an agent that was cut off or stood still
// lives on, and knows what its coordinator could only bound.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "protos/agent.pb.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace tidemark {

struct LostAgent {
  std::size_t agent = 0;
  std::shared_ptr<grpc::Channel> channel;
  std::uint64_t incarnation = 0;
};

// Asks all of `agents` about `run` at the same time, again and again until each has answered, is gone, or `deadline`,
// an instant, has passed. `wait` is called meanwhile, and takes about as long as it is given; false ends the asking.
// Returns one for each of `agents`; null: it told nothing.
// Threads: any; `wait` is called in the caller's.
std::vector<std::optional<proto::AccountResponse>> AskForAccounts(const std::vector<LostAgent>& agents,
                                                                  const std::string& run, Nanos deadline,
                                                                  const std::function<bool(Nanos)>& wait);

}  // namespace tidemark
