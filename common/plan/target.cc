#include "common/plan/target.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/inert_text.h"
#include "common/plan/authority.h"
#include "common/plan/checks.h"
#include "common/plan/limits.h"
#include "common/plan/request_path.h"

namespace tidemark {
namespace {

// What a URL is made of. Its authority ends at the first of / ? # or with the URL (RFC 3986 section 3.2).
struct UrlParts {
  absl::string_view scheme;  // empty: no URL
  absl::string_view authority;
  absl::string_view rest;
};
UrlParts SplitUrl(absl::string_view url) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == absl::string_view::npos) return {};
  const absl::string_view rest = url.substr(scheme_end + 3);
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  return {url.substr(0, scheme_end), rest.substr(0, end), rest.substr(end)};
}

// RFC 3986 section 3.1.
bool IsOfScheme(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '-' || c == '.';
}

// `url` for a message: a password in it is nobody's to read.
std::string WithoutCredentials(absl::string_view url) {
  const UrlParts parts = SplitUrl(url);
  const std::size_t at = parts.authority.rfind('@');
  if (at == absl::string_view::npos) return std::string(url);
  return absl::StrCat(parts.scheme, "://***", parts.authority.substr(at), parts.rest);
}

absl::StatusOr<Target> ParseUnixTarget(absl::string_view url) {
  Target target;
  absl::string_view rest = url.substr(5);
  const std::size_t colon = rest.find(":/");
  target.unix_path = std::string(rest.substr(0, colon));
  if (colon != absl::string_view::npos) target.path = std::string(rest.substr(colon + 1));
  target.host_header = "localhost";
  // unix(7): of 108 bytes a path's last one is NUL, and an abstract name's first one, which '@' stands for.
  const bool is_abstract = absl::StartsWith(target.unix_path, "@");
  if (target.unix_path.size() < (is_abstract ? 2 : 1) || target.unix_path.size() > (is_abstract ? 108 : 107) ||
      HasControl(target.unix_path, true))
    return Invalid(
        "target", absl::StrCat(Quoted(url), " is no Unix socket; write unix:/run/api.sock:/path, or unix:@NAME:/path"));
  const absl::Status path = CheckPath(target.path);
  if (!path.ok()) return Invalid("target", absl::StrCat(Quoted(url), " ", path.message()));
  return target;
}

}  // namespace

absl::StatusOr<Target> ParseTarget(absl::string_view url) {
  const auto error = [&](absl::string_view what) {
    return Invalid("target", absl::StrCat(Quoted(WithoutCredentials(url)), " ", what));
  };
  if (url.empty()) return Invalid("target", "is missing; write http://HOST:PORT/PATH");
  if (url.size() > kMaxUrlBytes) return error("is longer than 16 KiB");
  if (absl::StartsWith(url, "unix:")) return ParseUnixTarget(url);
  const UrlParts parts = SplitUrl(url);
  if (parts.scheme.empty()) return error("is no URL; write http://HOST:PORT/PATH");
  const auto odd = std::find_if_not(parts.scheme.begin(), parts.scheme.end(), IsOfScheme);
  if (odd != parts.scheme.end()) {
    const auto at = static_cast<std::size_t>(odd - parts.scheme.begin());
    return error(absl::StrCat("has ", NameOfCharacter(CharacterAt(parts.scheme, at)),
                              " before '://'; write http://HOST:PORT/PATH"));
  }
  Target target;
  const std::string scheme = absl::AsciiStrToLower(parts.scheme);
  target.is_tls = scheme == "https" || scheme == "wss";
  target.is_web_socket = scheme == "ws" || scheme == "wss";
  if (!target.is_tls && !target.is_web_socket && scheme != "http")
    return error("has a scheme that this version does not speak; use http, https, ws, wss or unix");
  if (absl::StrContains(parts.authority, "@"))
    return error("holds a user name; send credentials with -H 'Authorization: ...'");
  auto authority = ParseAuthority(parts.authority);
  if (!authority.ok()) return error(authority.status().message());
  target.host = std::move(authority->host);
  target.port = authority->port.value_or(target.is_tls ? 443 : 80);
  // RFC 9110 section 7.2: the authority as it is written, with the trailing dot of its host.
  target.host_header = std::string(parts.authority);
  target.path = absl::StrCat(absl::StartsWith(parts.rest, "/") ? "" : "/", parts.rest);
  if (const absl::Status path = CheckPath(target.path); !path.ok()) return error(path.message());
  return target;
}

}  // namespace tidemark
