// Pieces that the lines of a text report are made of.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/units.h"
#include "protos/report.pb.h"

namespace tidemark {

// A figure that is a lower bound, because requests were given up before it, prints as ">=x".
std::string Quantile(const proto::Latency& latency, absl::string_view name, double micros);

// Field `i` of a message of counts.
std::uint64_t CountAt(const google::protobuf::Message& counts, std::size_t i);

// "2xx 1,000 + reset 3": the non-zero entries of an enum's counts.
template <typename Enum>
std::string Terms(const google::protobuf::Message& counts, std::size_t size) {
  std::vector<std::string> terms;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t value = CountAt(counts, i);
    if (value != 0) terms.push_back(absl::StrCat(Name(static_cast<Enum>(i)), " ", FormatCount(value)));
  }
  return terms.empty() ? "0" : absl::StrJoin(terms, " + ");
}

// Adds the counts of one message to another's of the same type.
void AddByOrder(const google::protobuf::Message& from, google::protobuf::Message* to);

// Text of the target's, safe on a terminal: control characters become '?', and what is longer than `size` bytes is cut.
// REQUIRES: it is UTF-8.
std::string Printable(absl::string_view text, std::size_t size);

}  // namespace tidemark
