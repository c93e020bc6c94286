#include "common/plan/request_path.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/inert_text.h"
#include "common/plan/parts.h"

namespace tidemark {
namespace {

bool IsOfPath(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("-._~!$&'()*+,;=:@/?[]").find(c) != absl::string_view::npos;
}

bool IsHexAt(absl::string_view text, std::size_t at) {
  return at < text.size() && absl::ascii_isxdigit(static_cast<unsigned char>(text[at]));
}

// What a placeholder may put into a path; of secrets the agent sees to it.
absl::Status CheckFilled(absl::string_view placeholder) {
  const auto parts = PartsOf(placeholder);
  if (!parts.ok()) return parts.status();
  for (const absl::string_view choice : (*parts)[0].choices) {
    if (const absl::Status status = CheckPath(absl::StrCat("/", choice)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPath(absl::string_view path) {
  if (!absl::StartsWith(path, "/")) return absl::InvalidArgumentError("must start with /");
  for (std::size_t at = 0; at < path.size();) {
    if (IsOfPath(path[at])) {
      ++at;
      continue;
    }
    if (path[at] == '%' && IsHexAt(path, at + 1) && IsHexAt(path, at + 2)) {
      at += 3;
      continue;
    }
    if (const std::size_t length = PlaceholderLength(path.substr(at)); length != 0) {
      if (const absl::Status status = CheckFilled(path.substr(at, length)); !status.ok()) return status;
      at += length;
      continue;
    }
    const absl::string_view character = CharacterAt(path, at);
    const std::string encoded = PercentEncoded(character);
    if (character == "#")
      return absl::InvalidArgumentError("has '#', and so a fragment, which is never sent; leave it out, or write %23");
    if (character == "%")
      return absl::InvalidArgumentError("has '%' without two hexadecimal digits behind it; write %25");
    if (character == "{")
      return absl::InvalidArgumentError("has '{', which no path holds; write %7B, or {slot} for the slot's number");
    return absl::InvalidArgumentError(
        absl::StrCat("has ", NameOfCharacter(character), ", which no path holds; write ", encoded));
  }
  return absl::OkStatus();
}

}  // namespace tidemark
