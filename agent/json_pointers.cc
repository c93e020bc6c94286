#include "agent/json_pointers.h"

#include <simdjson.h>

#include <cstring>
#include <vector>

namespace tidemark {

// The parser reads up to SIMDJSON_PADDING bytes beyond a message, so that each is copied into a buffer with room.
struct JsonPointers::State {
  simdjson::ondemand::parser parser;
  std::vector<char> buffer;
  simdjson::ondemand::document document;
  bool is_json = false;
};

JsonPointers::JsonPointers() : state_(std::make_unique<State>()) {}
JsonPointers::~JsonPointers() = default;

void JsonPointers::Read(absl::string_view message) {
  State& s = *state_;
  if (s.buffer.size() < message.size() + simdjson::SIMDJSON_PADDING)
    s.buffer.resize(2 * message.size() + simdjson::SIMDJSON_PADDING);
  std::memcpy(s.buffer.data(), message.data(), message.size());
  s.is_json = s.parser.iterate(s.buffer.data(), message.size(), s.buffer.size()).get(s.document) == simdjson::SUCCESS;
}

bool JsonPointers::Get(const std::string& pointer, absl::string_view* value) {
  if (!state_->is_json) return false;
  simdjson::ondemand::value found;
  if (state_->document.at_pointer(pointer).get(found) != simdjson::SUCCESS) return false;
  simdjson::ondemand::json_type type{};
  if (found.type().get(type) != simdjson::SUCCESS) return false;
  std::string_view text;
  if (type == simdjson::ondemand::json_type::string) {
    if (found.get_string().get(text) != simdjson::SUCCESS) return false;
  } else if (type == simdjson::ondemand::json_type::number) {
    text = found.raw_json_token();
    while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\r' || text.back() == '\t'))
      text.remove_suffix(1);
  } else {
    return false;
  }
  *value = absl::string_view(text.data(), text.size());
  return true;
}

}  // namespace tidemark
