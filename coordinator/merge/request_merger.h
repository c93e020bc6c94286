// Adds what shards say of each request of a mix, exactly, and checks it against what they say of all.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "common/stats/outcome.h"
#include "common/stats/request_sum.h"
#include "protos/shard.pb.h"

namespace tidemark {

// Of one point.  Threads: one.
// Invariant: over the requests of an agent's mix, sent, successes and each outcome add up to its counters.
class RequestMerger {
 public:
  // `requests` of the plan's mix; 0: it has none, and no shard may tell of any.
  RequestMerger(std::size_t agents, std::size_t requests);

  // Checks a shard after which its agent's counters are `counters`. To be called before Add, with the same shard.
  // Errors: InvalidArgument, DataLoss; then nothing has changed.
  absl::Status Check(const proto::Shard& shard, const Counters& counters, bool is_open_loop);
  void Add(const proto::Shard& shard);
  // Errors: DataLoss if what was merged is not the sum of what the agents say.
  absl::Status Finish() const;

  // In the plan's order; empty without a mix.
  const std::vector<RequestSum>& sums() const { return sums_; }

 private:
  struct AgentPart {
    std::vector<RequestTotal> requests;
    RequestCounts all;
  };

  std::vector<RequestSum> sums_;
  std::vector<AgentPart> agents_;
  std::vector<RequestTotal> checked_;  // of the shard in hand, in its order
  RequestCounts checked_all_;
  RequestSum scratch_;
};

}  // namespace tidemark
