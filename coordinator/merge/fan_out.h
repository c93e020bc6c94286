// How far apart connections, of all agents, heard of the same event.
#pragma once

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/stats/histogram.h"
#include "protos/shard.pb.h"

namespace tidemark {

// The receipts of one point. Instants are counted from T0, which each agent has on its own clock, so that those of
// several agents compare as well as their starts do. Adding is commutative.  Threads: one.
class FanOut {
 public:
  // Errors: InvalidArgument, after which nothing has been added.
  absl::Status Add(const google::protobuf::RepeatedPtrField<proto::EventReceipts>& events);

  struct Result {
    std::uint64_t events = 0;  // that two connections or more heard of
    std::uint64_t single_events = 0;
    std::uint64_t receipts = 0;
    std::uint64_t least = 0;  // receipts of an event
    std::uint64_t most = 0;
    std::uint64_t full_events = 0;  // heard of by so many
    Histogram spread;               // first to last receipt, of `events`
  };
  Result Summarise() const;

  bool IsEmpty() const { return events_.empty(); }
  std::uint64_t untracked() const { return untracked_; }  // receipts for which there was no room

 private:
  static constexpr std::size_t kMaxEvents = 1'000'000;  // 40 MB
  struct Receipts {
    Nanos first = 0;
    Nanos last = 0;
    std::uint64_t count = 0;
  };
  absl::flat_hash_map<std::uint64_t, Receipts> events_;
  std::uint64_t untracked_ = 0;
};

}  // namespace tidemark
