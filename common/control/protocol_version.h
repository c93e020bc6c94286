// Which peers, and which journals, understand each other.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/stats/metric.h"
#include "common/stats/outcome.h"

namespace tidemark {

// Raised with every change of a message that an older peer would misread.
inline constexpr std::uint32_t kMessagesVersion = 12;

// Shards give counters and histograms by the numbers of their rows: the names of all rows in their order, as a number
// of 16 bits (FNV-1a, folded; http://www.isthe.com/chongo/tech/comp/fnv/).
constexpr std::uint32_t TablesFingerprint() {
  std::uint32_t hash = 2166136261;
  const auto add = [&hash](absl::string_view name) {
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
    hash = (hash ^ '\n') * 16777619;
  };
  const auto add_all = [&add](const auto& rows) {
    for (const auto& row : rows) add(row.json);
    add("");
  };
  add_all(kMetricRows);
  add_all(kOutcomeRows);
  add_all(kNeverSentRows);
  add_all(kConnectResultRows);
  add_all(kClosingRows);
  add_all(kFindingRows);
  add_all(kTlsAlertRows);
  for (const CounterRow& row : kCounterRows) add(row.name);
  return hash >> 16 ^ (hash & 0xffff);
}

inline constexpr std::uint32_t kProtocolVersion = kMessagesVersion << 16 | TablesFingerprint();

// As users read it: "10.3f2a".
inline std::string ProtocolName(std::uint32_t version) {
  return absl::StrCat(version >> 16, ".", absl::Hex(version & 0xffff, absl::kZeroPad4));
}

}  // namespace tidemark
