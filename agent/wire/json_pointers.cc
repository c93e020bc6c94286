#include "agent/wire/json_pointers.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "common/plan/durations.h"

namespace tidemark {

// The parser reads up to SIMDJSON_PADDING bytes beyond a message, so that each is copied into a buffer with room.
struct JsonPointers::State {
  simdjson::ondemand::parser parser;
  std::vector<char> buffer;
  simdjson::ondemand::document document;
  bool is_json = false;
  std::vector<absl::string_view> items;
  std::unique_ptr<JsonPointers> inner;

  // A document in which a call has found an error that is no mere absence may not be asked again: simdjson has let go
  // of its parser then.
  bool IsReadable() { return is_json && document.is_alive(); }
};

namespace {

// A number, or a string with its quotes, as it is written.
std::string_view TrimmedToken(simdjson::ondemand::value& value) {
  std::string_view text = value.raw_json_token();
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\r' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

// A step of `unit` with so many digits behind the point.
Nanos StepOf(Nanos unit, std::size_t digits) {
  for (; digits > 0 && unit > 1; --digits) unit /= 10;
  return unit;
}

std::optional<JsonPointers::Instant> InstantOfDecimal(absl::string_view text, Nanos unit) {
  const std::size_t point = std::min(text.find('.'), text.size());
  const absl::string_view digits = text.substr(std::min(point + 1, text.size()));
  std::int64_t whole = 0;
  const bool is_decimal = absl::SimpleAtoi(text.substr(0, point), &whole) && whole >= 0 &&
                          whole < std::numeric_limits<Nanos>::max() / unit &&
                          std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit);
  if (!is_decimal) return std::nullopt;
  JsonPointers::Instant instant{.at = whole * unit, .step = StepOf(unit, digits.size())};
  Nanos place = unit;
  for (const char digit : digits) instant.at += (digit - '0') * (place /= 10);
  return instant;
}

std::optional<JsonPointers::Instant> InstantOfText(absl::string_view text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error) || time == absl::InfiniteFuture()) return std::nullopt;
  const std::int64_t at = absl::ToUnixNanos(time);
  if (time < absl::UnixEpoch() || at == std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  const std::size_t point = text.find('.');
  std::size_t digits = 0;
  while (point != absl::string_view::npos && point + 1 + digits < text.size() &&
         absl::ascii_isdigit(static_cast<unsigned char>(text[point + 1 + digits])))
    ++digits;
  return JsonPointers::Instant{.at = at, .step = StepOf(kSecond, digits)};
}

std::string_view Unquoted(std::string_view text) {
  return text.size() >= 2 && text.front() == '"' && text.back() == '"' ? text.substr(1, text.size() - 2) : text;
}

}  // namespace

JsonPointers::JsonPointers() : state_(std::make_unique<State>()) {}
JsonPointers::~JsonPointers() = default;

void JsonPointers::Read(absl::string_view message) {
  State& s = *state_;
  if (s.buffer.size() < message.size() + simdjson::SIMDJSON_PADDING)
    s.buffer.resize(2 * message.size() + simdjson::SIMDJSON_PADDING);
  std::memcpy(s.buffer.data(), message.data(), message.size());
  // A broken message may be read beyond its end: there is nothing then, and no rest of another one.
  std::memset(s.buffer.data() + message.size(), ' ', simdjson::SIMDJSON_PADDING);
  s.is_json = s.parser.iterate(s.buffer.data(), message.size(), s.buffer.size()).get(s.document) == simdjson::SUCCESS;
}

bool JsonPointers::Get(const std::string& pointer, absl::string_view* value) {
  if (!state_->IsReadable()) return false;
  simdjson::ondemand::value found;
  if (state_->document.at_pointer(pointer).get(found) != simdjson::SUCCESS) return false;
  simdjson::ondemand::json_type type{};
  if (found.type().get(type) != simdjson::SUCCESS) return false;
  std::string_view text;
  if (type == simdjson::ondemand::json_type::string) {
    if (found.get_string().get(text) != simdjson::SUCCESS) return false;
  } else if (type == simdjson::ondemand::json_type::number) {
    text = TrimmedToken(found);
  } else if (type == simdjson::ondemand::json_type::boolean) {
    bool is_true = false;
    if (found.get_bool().get(is_true) != simdjson::SUCCESS) return false;
    text = is_true ? "true" : "false";
  } else if (type == simdjson::ondemand::json_type::null) {
    text = "null";
  } else {
    return false;
  }
  *value = absl::string_view(text.data(), text.size());
  return true;
}

std::optional<JsonPointers::Instant> JsonPointers::GetInstant(const std::string& pointer, Nanos unit) {
  absl::string_view text;
  if (!Get(pointer, &text)) return std::nullopt;
  return unit == kRfc3339 ? InstantOfText(text) : InstantOfDecimal(text, unit);
}

bool JsonPointers::ReadItems(const std::string& pointer) {
  State& s = *state_;
  s.items.clear();
  simdjson::ondemand::array found;
  if (!s.IsReadable() || s.document.at_pointer(pointer).get(found) != simdjson::SUCCESS) return false;
  for (auto item : found) {
    simdjson::ondemand::value value;
    std::string_view text;
    if (item.get(value) != simdjson::SUCCESS || simdjson::to_json_string(value).get(text) != simdjson::SUCCESS)
      return false;
    s.items.emplace_back(text.data(), text.size());
  }
  return true;
}

const std::vector<absl::string_view>& JsonPointers::items() const { return state_->items; }

JsonPointers& JsonPointers::Inner(std::size_t level) {
  if (level == 0) return *this;
  if (state_->inner == nullptr) state_->inner = std::make_unique<JsonPointers>();
  return state_->inner->Inner(level - 1);
}

bool JsonPointers::GetPairs(const std::string& pointer,
                            std::vector<std::pair<absl::string_view, absl::string_view>>* pairs) {
  namespace ondemand = simdjson::ondemand;
  if (!state_->IsReadable()) return false;
  ondemand::array items;
  if (state_->document.at_pointer(pointer).get(items) != simdjson::SUCCESS) return state_->IsReadable();
  for (auto item : items) {
    ondemand::json_type type{};
    if (item.type().get(type) != simdjson::SUCCESS) return false;
    std::string_view parts[2];
    if (type == ondemand::json_type::array) {
      ondemand::array values;
      if (item.get(values) != simdjson::SUCCESS) return false;
      std::size_t count = 0;
      for (auto value : values) {
        ondemand::value part;
        if (value.get(part) != simdjson::SUCCESS) return false;
        if (count < 2) parts[count] = Unquoted(TrimmedToken(part));
        ++count;
      }
      if (count < 2) return false;
    } else {
      ondemand::object object;
      if (item.get(object) != simdjson::SUCCESS) return false;
      for (auto field : object) {
        std::string_view key;
        ondemand::value part;
        if (field.unescaped_key().get(key) != simdjson::SUCCESS || field.value().get(part) != simdjson::SUCCESS)
          return false;
        if (key == "price") parts[0] = Unquoted(TrimmedToken(part));
        if (key == "qty") parts[1] = Unquoted(TrimmedToken(part));
      }
    }
    pairs->emplace_back(absl::string_view(parts[0].data(), parts[0].size()),
                        absl::string_view(parts[1].data(), parts[1].size()));
  }
  return true;
}

}  // namespace tidemark
