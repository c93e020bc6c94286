// What a text of a plan is made of: literal bytes, and what is filled in before it is sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidemark {

// How an instant is written: seconds and parts of it since 1970, or 2020-12-08T09:08:57.715Z.
enum class TimeForm : std::uint8_t { kSeconds, kMillis, kMicros, kNanos, kIso };

// A part of a text. It points into that text.
struct Part {
  enum class Kind : std::uint8_t {
    kLiteral,
    kSlot,       // {slot}
    kNow,        // {now:ms}
    kRandom,     // {random:1..100}
    kUuid,       // {uuid}
    kPick,       // {pick:a,b,c}
    kReference,  // {env:NAME}, {file:/PATH}
    kName        // {symbol}: of a variable, or of what a scheme of signing has
  };
  Kind kind = Kind::kLiteral;
  absl::string_view written = {};               // as it stands in the plan
  absl::string_view text = {};                  // of a literal, what is sent; else what is in the braces
  TimeForm form = TimeForm::kMillis;            // of kNow
  std::int64_t low = 0;                         // of kRandom, with high
  std::int64_t high = 0;                        // ... at least `low`
  std::vector<absl::string_view> choices = {};  // of kPick, one at least
};

// Reads `text`. "{{name}}" is the literal "{name}"; what in braces is no placeholder, as in JSON, is literal as it is.
// Takes time in proportion to the text.  Errors: InvalidArgument, what is wrong with a placeholder and how to write it.
absl::StatusOr<std::vector<Part>> PartsOf(absl::string_view text);

// The length of the placeholder that `text` begins with, whether or not it is a good one; 0: it begins with none.
std::size_t PlaceholderLength(absl::string_view text);

// Text in which PartsOf finds nothing but the literal `text`.
std::string Literally(absl::string_view text);

// Whether it is written as a name: letters, digits and "_", with no digit in front.
bool IsName(absl::string_view text);

// Whether `text` has a part of which it is true; false if it cannot be read.
template <class Predicate>
bool HasPart(absl::string_view text, Predicate is_it) {
  const auto parts = PartsOf(text);
  if (!parts.ok()) return false;
  for (const Part& part : *parts) {
    if (is_it(part.kind)) return true;
  }
  return false;
}
// Whether what is sent differs from one slot to the next.
constexpr bool IsHole(Part::Kind kind) { return kind != Part::Kind::kLiteral && kind != Part::Kind::kReference; }
constexpr bool IsRandom(Part::Kind kind) {
  return kind == Part::Kind::kRandom || kind == Part::Kind::kUuid || kind == Part::Kind::kPick;
}

}  // namespace tidemark
