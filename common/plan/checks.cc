#include "common/plan/checks.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/inert_text.h"
#include "common/plan/parts.h"
#include "common/units.h"

namespace tidemark {
namespace {

constexpr double kMinRate = 1.0 / 3600;

}  // namespace

absl::Status Invalid(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

std::string Quoted(absl::string_view text) { return absl::StrCat("'", InertText(text, 128), "'"); }

absl::Status CheckRange(absl::string_view field, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Invalid(field, absl::StrCat(value, " is outside ", low, " to ", high));
}

absl::Status CheckRate(absl::string_view field, double value, double high, bool may_be_none) {
  if ((value >= kMinRate && value <= high) || (may_be_none && value == 0)) return absl::OkStatus();
  const bool is_printable = value >= 0 && value <= 1e12;
  return Invalid(field, absl::StrCat(is_printable ? WriteRate(value) : "the rate", " is outside ", WriteRate(kMinRate),
                                     " to ", WriteRate(high), may_be_none ? ", or 0" : ""));
}

absl::Status CheckParts(absl::string_view field, absl::string_view text) {
  const auto parts = PartsOf(text);
  if (!parts.ok()) return Invalid(field, parts.status().message());
  for (const Part& part : *parts) {
    if (part.kind != Part::Kind::kName) continue;
    const std::string written = InertText(part.written, 64);
    return Invalid(
        field, absl::StrCat("has ", written, ", and there is no such variable; declare it under vars, or with --var ",
                            InertText(part.text, 64), "=VALUE, or write {", written, "} for the text itself"));
  }
  return absl::OkStatus();
}

absl::Status CheckDuration(absl::string_view field, Nanos value, Nanos low, Nanos high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Invalid(field, absl::StrCat(FormatDuration(std::max<Nanos>(value, 0)), " is outside ", FormatDuration(low),
                                     " to ", FormatDuration(high)));
}

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) ||
           absl::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != absl::string_view::npos;
  });
}

bool HasControl(absl::string_view text, bool allow_space) {
  return std::any_of(text.begin(), text.end(), [&](unsigned char c) {
    return c < 0x20 ? c != '\t' || !allow_space : c == 0x7f || (c == ' ' && !allow_space);
  });
}

bool IsUtf8(absl::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char first = byte(i);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xc2 && first < 0xe0 ? 2
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    if (first == 0xe0 && byte(i + 1) < 0xa0) return false;
    if (first == 0xed && byte(i + 1) >= 0xa0) return false;
    if (first == 0xf0 && byte(i + 1) < 0x90) return false;
    if (first == 0xf4 && byte(i + 1) >= 0x90) return false;
    i += length;
  }
  return true;
}

}  // namespace tidemark
