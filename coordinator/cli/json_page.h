// What the JSON of a result holds, field by field.
#pragma once

#include <string>
#include <vector>

namespace tidemark {

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
