#include "agent/compose/redirect.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/plan/authority.h"
#include "common/plan/request_path.h"
#include "common/plan/target.h"

namespace tidemark {
namespace {

constexpr absl::string_view kLineEnd = "\r\n";

// "METHOD TARGET HTTP/1.1", which holds no other spaces.
struct RequestLine {
  absl::string_view method;
  absl::string_view target;
};

RequestLine RequestLineOf(absl::string_view request) {
  const std::size_t method_end = request.find(' ');
  const std::size_t target_end = request.find(' ', method_end + 1);
  return {request.substr(0, method_end), request.substr(method_end + 1, target_end - method_end - 1)};
}

// Of "http://h:1/path" what precedes the path; of "/path" nothing.
absl::string_view PrefixOf(absl::string_view target) {
  const std::size_t scheme_end = target.find("://");
  if (absl::StartsWith(target, "/") || scheme_end == absl::string_view::npos) return "";
  return target.substr(0, target.find('/', scheme_end + 3));
}

// Calls visit(line) for each field of the header.
template <typename Visit>
void ForEachField(absl::string_view request, Visit visit) {
  std::size_t at = request.find(kLineEnd) + kLineEnd.size();
  while (true) {
    const std::size_t end = request.find(kLineEnd, at);
    if (end == absl::string_view::npos || end == at) return;
    visit(request.substr(at, end - at));
    at = end + kLineEnd.size();
  }
}

absl::string_view NameOf(absl::string_view field) { return field.substr(0, field.find(':')); }

// The host and port that a request names, as they are written.
std::string AuthorityOf(absl::string_view request) {
  // RFC 9112 section 3.2.2: what a proxy is told comes before the field.
  const absl::string_view prefix = PrefixOf(RequestLineOf(request).target);
  if (!prefix.empty()) return std::string(prefix.substr(prefix.find("://") + 3));
  std::string host;
  ForEachField(request, [&](absl::string_view field) {
    if (absl::EqualsIgnoreCase(NameOf(field), "Host"))
      host = std::string(absl::StripAsciiWhitespace(field.substr(NameOf(field).size() + 1)));
  });
  return host;
}

// RFC 3986 section 3.1: the text before the first ':', unless something else ends it.
absl::string_view SchemeOf(absl::string_view reference) {
  const std::size_t end = reference.find_first_of(":/?#");
  return end == absl::string_view::npos || reference[end] != ':' ? "" : reference.substr(0, end);
}

// RFC 3986 section 5.2.4; a dot may be written %2e (section 6.2.2.2). REQUIRES: `path` begins with '/' and has no
// query.
std::string WithoutDots(absl::string_view path) {
  std::string result;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const absl::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    const std::string plain = absl::StrReplaceAll(segment, {{"%2e", "."}, {"%2E", "."}});
    if (plain == "/..") result.erase(std::min(result.rfind('/'), result.size()));
    if (plain == "/." || plain == "/..") {
      if (path.empty()) result += '/';
      continue;
    }
    result.append(segment.data(), segment.size());
  }
  return result;
}

absl::string_view WithoutQuery(absl::string_view path) { return path.substr(0, path.find('?')); }

// RFC 3986 section 5.2.2, of a reference without scheme and host.
std::string Merged(absl::string_view reference, absl::string_view path) {
  if (reference.empty()) return std::string(path);
  const absl::string_view before = WithoutQuery(path);
  if (reference[0] == '?') return absl::StrCat(before, reference);
  const absl::string_view own = WithoutQuery(reference);
  const absl::string_view folder = own[0] == '/' ? "" : before.substr(0, before.rfind('/') + 1);
  return absl::StrCat(WithoutDots(absl::StrCat(folder, own)), reference.substr(own.size()));
}

bool DescribesBody(absl::string_view name) {
  return absl::StartsWithIgnoreCase(name, "Content-") || absl::EqualsIgnoreCase(name, "Transfer-Encoding") ||
         absl::EqualsIgnoreCase(name, "Trailer");
}

}  // namespace

bool BecomesGet(int status, absl::string_view method) {
  if (status == 303) return method != "HEAD" && method != "GET";
  return (status == 301 || status == 302) && method == "POST";
}

absl::string_view MethodOf(absl::string_view request) { return RequestLineOf(request).method; }

absl::string_view PathOf(absl::string_view request) {
  const absl::string_view target = RequestLineOf(request).target;
  return target.substr(PrefixOf(target).size());
}

Direction WhereTo(absl::string_view location, bool is_tls, absl::string_view request, absl::string_view path) {
  if (location.empty() || location.size() > kMaxLocation) return {};
  const absl::string_view reference = location.substr(0, location.find('#'));
  const absl::string_view own_scheme = is_tls ? "https" : "http";
  const absl::string_view scheme = SchemeOf(reference);
  if (!scheme.empty() && !absl::EqualsIgnoreCase(scheme, "http") && !absl::EqualsIgnoreCase(scheme, "https"))
    return {.lead = Direction::Lead::kElsewhere};
  if (scheme.empty() && !absl::StartsWith(reference, "//")) {
    std::string merged = Merged(reference, path);
    if (!CheckPath(merged).ok() || absl::StrContains(merged, "{")) return {};
    return {.lead = Direction::Lead::kHere, .path = std::move(merged)};
  }
  const auto there = ParseTarget(scheme.empty() ? absl::StrCat(own_scheme, ":", reference) : std::string(reference));
  if (!there.ok() || absl::StrContains(there->path, "{")) return {};
  const auto here = ParseAuthority(AuthorityOf(request));
  const bool is_here = here.ok() && there->is_tls == is_tls && IsSameHost(there->host, here->host) &&
                       there->port == here->port.value_or(is_tls ? 443 : 80);
  if (!is_here) return {.lead = Direction::Lead::kElsewhere};
  return {.lead = Direction::Lead::kHere, .path = Merged(there->path, "/")};
}

RequestBytes MakeHop(absl::string_view request, absl::string_view path, bool is_get) {
  const RequestLine line = RequestLineOf(request);
  const absl::string_view method = is_get ? "GET" : line.method;
  std::string bytes = absl::StrCat(method, " ", PrefixOf(line.target), path, " HTTP/1.1", kLineEnd);
  ForEachField(request, [&](absl::string_view field) {
    if (absl::EqualsIgnoreCase(NameOf(field), "Expect") || (is_get && DescribesBody(NameOf(field)))) return;
    absl::StrAppend(&bytes, field, kLineEnd);
  });
  absl::StrAppend(&bytes, kLineEnd);
  const std::size_t head_end = request.find("\r\n\r\n");
  if (!is_get && head_end != absl::string_view::npos) absl::StrAppend(&bytes, request.substr(head_end + 4));
  RequestBytes result{.bytes = std::make_shared<const std::string>(std::move(bytes)), .slot_places = {}};
  result.is_head = method == "HEAD";
  return result;
}

}  // namespace tidemark
