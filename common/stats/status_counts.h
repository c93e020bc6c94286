// Complete responses by their status, refused upgrades too, with the first answer of each failing one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/stats/outcome.h"
#include "protos/shard.pb.h"

namespace tidemark {

// What an answer said, safe to print (common/inert_text).
struct FirstAnswer {
  // Which of two is the first: compared as they stand. The window, then the worker or, at the coordinator, the agent.
  std::uint32_t window = 0;
  std::uint32_t source = 0;
  std::string body = {};
  std::string content_type = {};  // empty: none was given

  auto operator<=>(const FirstAnswer&) const = default;
};

// Adding is commutative and associative, the first answers included.  Threads: one at a time.
class StatusCounts {
 public:
  // A status has three digits, or it is malformed.
  static constexpr std::size_t kStatuses = 1'000;
  static constexpr std::size_t kMaxBody = 512;  // bytes that are kept
  static constexpr std::size_t kMaxContentType = 128;

  struct Key {
    bool is_upgrade = false;  // of the answer to a request for a WebSocket, which refused it
    std::uint32_t status = 0;

    auto operator<=>(const Key&) const = default;
  };

  // REQUIRES: status < kStatuses.
  void Count(std::size_t status) { ++responses_[status]; }
  void CountRefusal(std::uint32_t status) { ++refusals_[status]; }
  // Keeps it if it is the first of those that were offered.
  void Offer(Key key, FirstAnswer answer);

  void Add(const StatusCounts& other);
  // Adds those of a later point: what was the first stays the first.
  void AddLater(const StatusCounts& other);
  void Clear();

  // The counts that are not zero, ascending.
  std::map<Key, std::uint64_t> Counts() const;
  const std::map<Key, FirstAnswer>& answers() const { return answers_; }

  using Rows = google::protobuf::RepeatedPtrField<proto::StatusSum>;
  void ToProto(Rows* rows) const;
  // Whether the rows count what `outcomes`, of the same responses, counts by class, and no more than `failed_upgrades`
  // refusals.
  // Errors: DataLoss saying what does not add up, or makes no sense.
  static absl::Status Check(const Rows& rows, const std::array<std::uint64_t, kOutcomeCount>& outcomes,
                            std::uint64_t failed_upgrades);
  // Adds what an agent counted in one window.  REQUIRES: Check is OK.
  void Add(const Rows& rows, std::uint32_t window, std::uint32_t agent);

  bool operator==(const StatusCounts&) const = default;

 private:
  std::array<std::uint64_t, kStatuses> responses_{};
  std::map<std::uint32_t, std::uint64_t> refusals_;
  std::map<Key, FirstAnswer> answers_;
};

}  // namespace tidemark
