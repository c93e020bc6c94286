// Puts together what agents tell of single requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "common/stats/request_trace.h"
#include "protos/shard.pb.h"

namespace tidemark {

struct AgentTrace {
  std::uint32_t agent = 0;
  RequestTrace trace;
};

// Of one point.  Threads: one.
// Invariant: slowest() are the kSlowest slowest of all that agents have told of, in whatever order that came.
class TraceMerger {
 public:
  // Of a sample so many are kept of a point; those beyond are counted.
  static constexpr std::size_t kMaxKept = 500'000;

  // `requests`: of a mix; 0: none.
  TraceMerger(bool is_open_loop, std::size_t requests) : is_open_loop_(is_open_loop), requests_(requests) {}

  // To be called before Add, with the same shard.  Errors: InvalidArgument; then nothing has changed.
  absl::Status Check(const proto::Shard& shard);
  void Add(const proto::Shard& shard);

  const std::vector<AgentTrace>& slowest() const { return slowest_; }  // the slowest first
  const std::vector<AgentTrace>& sampled() const { return sampled_; }  // as they came
  std::uint64_t left_out() const { return left_out_; }                 // of the sample, for want of room

 private:
  const bool is_open_loop_;
  const std::size_t requests_;
  std::vector<AgentTrace> slowest_;
  std::vector<AgentTrace> sampled_;
  std::uint64_t left_out_ = 0;
  std::vector<RequestTrace> checked_slow_;  // of the shard in hand
  std::vector<RequestTrace> checked_sampled_;
};

}  // namespace tidemark
