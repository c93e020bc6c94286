// What the JSON of a result holds, field by field.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidemark {

// The unit of a figure, by the ending of its name: "us" of "p99_us", "per second" of "rate_per_s"; "" if it has none.
absl::string_view UnitOf(absl::string_view name);

// A field of a message that a report or the answer of a search holds.
struct JsonField {
  std::string message;  // "Point"
  std::string name;
  std::string is;       // "number", "list of text", "[Latency](#latency)"
  std::string unit;     // by its name; may be empty
  std::string meaning;  // the comment in report.proto
  bool may_be_missing = false;
};

// All of them, message by message, beginning with the report; without those of the plan.
std::vector<JsonField> JsonFields();

// The same as Markdown.
std::string JsonPage();

}  // namespace tidemark
