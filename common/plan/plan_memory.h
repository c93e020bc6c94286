// What a plan takes of an agent's memory, reckoned before it is taken.
#pragma once

#include <cstdint>

#include "protos/plan.pb.h"

namespace tidemark {

struct PlanMemory {
  std::int64_t shared = 0;          // of an agent: requests and subscriptions, and what is masked of them
  std::int64_t per_worker = 0;      // room for a message, or for a request with its slot's number, and buffers
  std::int64_t per_connection = 0;  // with the subscriptions that wait to go out

  // What answers may take besides, if the target sends the longest that it may on every connection at the same time:
  std::int64_t answers_per_worker = 0;      // of the message that is being read
  std::int64_t answers_per_connection = 0;  // headers, messages in pieces, what is known of streams

  // Of an agent. No overflow: what is beyond 2^60 is that.
  std::int64_t Of(std::int64_t workers, std::int64_t connections) const;
  // Of an agent, with those answers.
  std::int64_t MostOf(std::int64_t workers, std::int64_t connections) const;
};
// REQUIRES: the plan is valid.
PlanMemory MemoryOf(const proto::Plan& plan);

}  // namespace tidemark
