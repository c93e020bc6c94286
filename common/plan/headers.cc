#include "common/plan/headers.h"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace tidemark {

bool HasToken(const proto::Request& request, absl::string_view name, absl::string_view token) {
  for (const absl::string_view header : request.headers()) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(header, absl::MaxSplits(':', 1));
    if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(parts.first), name)) continue;
    for (const absl::string_view value : absl::StrSplit(parts.second, ',')) {
      if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(value), token)) return true;
    }
  }
  return false;
}

bool IsSecretHeader(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  for (const char* mark : {"auth", "cookie", "key", "token", "secret", "sign", "pass"}) {
    if (absl::StrContains(lower, mark)) return true;
  }
  return false;
}

}  // namespace tidemark
