// Statuses that count as success.
#pragma once

#include <bitset>

#include "absl/status/statusor.h"

namespace tidemark {

using StatusSet = std::bitset<1000>;

// Parses "200" and "200-399" entries; no entries: 200 to 399.
template <typename Strings>
absl::StatusOr<StatusSet> ParseStatusSet(const Strings& entries);

}  // namespace tidemark
