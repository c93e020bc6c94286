// What came of each address of a target.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/stats/outcome.h"
#include "common/stats/second_set.h"
#include "protos/shard.pb.h"

namespace tidemark {

using AddressRows = google::protobuf::RepeatedPtrField<proto::AddressSum>;

struct AddressSum {
  std::uint64_t established = 0;      // connections
  std::uint64_t failed_attempts = 0;  // to connect; those that were abandoned are in neither
  std::uint64_t succeeded = 0;        // requests; listening: messages
  std::uint64_t failed = 0;           // requests that ended without success, cut off ones too
  SecondSet served = {};              // since T0, those with a success
  std::uint32_t failed_until = 0;     // ... the end of the last one in which a request or an attempt to connect failed

  void Add(const AddressSum& other);
  bool operator==(const AddressSum&) const = default;
};

// At an agent: by the address's index among all that the run has dialled. An array for each count: one increment.
// Threads: one at a time.
struct AddressTally {
  static constexpr std::size_t kMost = 64;
  static constexpr std::uint32_t kLast = kMost - 1;  // of all that the others leave no room for
  using Counts = std::array<std::uint64_t, kMost>;

  Counts established{};
  Counts failed_attempts{};
  Counts succeeded{};
  Counts failed{};

  void Add(const AddressTally& other);
  void Clear() { *this = AddressTally(); }
  // Those that are not zero. `names`: by index; what has none is kOthers of AddressCounts.
  void ToProto(absl::Span<const std::string> names, AddressRows* rows) const;

  // The index of `name`, which joins `names` if it is new.
  static std::uint32_t IndexIn(absl::string_view name, std::vector<std::string>* names);
};

// Addresses that served somebody, and from a second on nobody, while others were served; that second, since T0.
using SilentAddresses = std::map<std::string, std::uint32_t>;

// By address, over agents and intervals. Adding is commutative and associative as long as no limit is reached.
// Threads: one.
class AddressCounts {
 public:
  static constexpr std::size_t kMaxAddresses = 4'096;
  // Where those are added up that the first leave no room for.
  static constexpr absl::string_view kOthers = "(others)";

  void Add(const AddressCounts& other);
  void ToProto(AddressRows* rows) const;
  // Whether the rows, if there are any, add up to what `counters`, of the same interval, count.
  // Errors: DataLoss saying what does not, or makes no sense.
  static absl::Status Check(const AddressRows& rows, const Counters& counters, bool is_listening);
  // `second`: of the point, in which they were counted; none: before T0.
  // REQUIRES: Check is OK.
  void Add(const AddressRows& rows, std::optional<std::uint32_t> second);

  const std::map<std::string, AddressSum>& sums() const { return sums_; }
  // Addresses that failed and never succeeded, while another one did. Listening: or of which no message came, where
  // chance does not explain it.
  std::vector<std::string> WithoutSuccess(bool is_listening) const;
  // Addresses that failed since their last success, or, `where_none_failed`, did not, and had no other until the end of
  // the point, where many were to be expected. `answers`: successes, or messages, of all addresses in each second of
  // the point. A silence of no more than `patience` seconds is nobody's.
  SilentAddresses Silent(absl::Span<const std::uint64_t> answers, std::uint32_t patience, bool where_none_failed) const;

  bool operator==(const AddressCounts&) const = default;

 private:
  AddressSum& Of(const std::string& address);

  std::map<std::string, AddressSum> sums_;
};

}  // namespace tidemark
