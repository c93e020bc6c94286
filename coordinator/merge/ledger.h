// Which shards were counted: each exactly once, in order, whatever arrives.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protos/shard.pb.h"

namespace tidemark {

// The ledger of one attempt at a point. Pure: no clock, no I/O.   Threads: one.
// Invariant: for each agent the shards that Offer has returned are 0, 1, 2, ... without gap or repetition.
class Ledger {
 public:
  // `incarnations[a]` is the life of agent `a` that was opened for the run; shards of another life are rejected.
  Ledger(std::string run, std::uint32_t point, std::uint32_t attempt, std::vector<std::uint64_t> incarnations);

  // Takes a shard in whatever order it arrives; returns those that may be merged now, in their agent's order.
  // A duplicate or a shard of another run, point, attempt, agent or incarnation returns nothing and is counted.
  std::vector<proto::Shard> Offer(proto::Shard shard);

  std::uint64_t accepted() const { return accepted_; }
  std::uint64_t duplicates() const { return duplicates_; }
  std::uint64_t rejected() const { return rejected_; }
  // Shards that wait for one before them.
  std::size_t Waiting() const;

 private:
  // Shards kept per agent while an earlier one is missing; beyond, they are rejected and must be sent again.
  static constexpr std::size_t kMaxEarly = 64;

  struct AgentState {
    std::uint64_t incarnation;
    std::uint64_t next_seq = 0;
    std::map<std::uint64_t, proto::Shard> early = {};
  };

  const std::string run_;
  const std::uint32_t point_;
  const std::uint32_t attempt_;
  std::vector<AgentState> agents_;
  std::uint64_t accepted_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t rejected_ = 0;
};

}  // namespace tidemark
