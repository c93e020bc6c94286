// What is counted by names that the target makes up: streams, by theirs, and closes, by their reasons.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "protos/shard.pb.h"

namespace tidemark {

// What came of one stream.
struct StreamSum {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;  // of the messages' payloads
  std::uint64_t gaps = 0;
  std::uint64_t lost = 0;
  std::uint64_t lost_late = 0;
  std::uint64_t silences = 0;

  void Add(const StreamSum& other);
  bool operator==(const StreamSum&) const = default;
};

// Adding is commutative as long as no limit is reached.  Threads: one.
class NamedCounts {
 public:
  static constexpr std::size_t kMaxStreams = 4'096;
  static constexpr std::size_t kMaxStreamName = 256;  // bytes
  static constexpr std::size_t kMaxCloses = 64;
  static constexpr std::size_t kMaxReason = 123;  // RFC 6455 section 5.5: 125 bytes, the code among them
  // Where streams are added up that the first kMaxStreams leave no room for.
  static constexpr absl::string_view kOtherStreams = "(others)";
  static constexpr absl::string_view kOtherCloses = "(others)";

  // Of `name`, or of the others.  REQUIRES: name.size() <= kMaxStreamName.
  StreamSum& Stream(absl::string_view name);
  // The peer closed a WebSocket. Of more than kMaxCloses kinds the rest is added up under code 0 and kOtherCloses.
  void CountClose(std::uint32_t code, absl::string_view reason, std::uint64_t count = 1);

  void Add(const NamedCounts& other);
  // Forgets the counts. Names of streams stay, since they come again.
  void Clear();
  void ClearStreams();

  void ToProto(proto::Shard* shard) const;
  // Errors: DataLoss saying what makes no sense in the shard.
  static absl::Status Check(const proto::Shard& shard);
  // Adds those of the shard.  REQUIRES: Check(shard) is OK.
  void Add(const proto::Shard& shard);

  using Closes = std::map<std::pair<std::uint32_t, std::string>, std::uint64_t>;
  const absl::flat_hash_map<std::string, StreamSum>& streams() const { return streams_; }
  const Closes& closes() const { return closes_; }

 private:
  absl::flat_hash_map<std::string, StreamSum> streams_;
  Closes closes_;
};

}  // namespace tidemark
