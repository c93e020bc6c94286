// URLs, overrides, agent addresses and redirects of any content: an error, or parts that are safe to send and to dial.
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "agent/compose/redirect.h"
#include "common/check.h"
#include "common/control/address.h"
#include "common/plan/authority.h"
#include "common/plan/dialled.h"
#include "common/plan/target.h"

namespace {

// Whether `url` names that host and port, right behind its scheme and up to / ? or its end.
bool IsAsWritten(absl::string_view url, const tidemark::Target& target) {
  absl::string_view rest = url.substr(url.find("://") + 3);
  const bool is_ipv6 = absl::StrContains(target.host, ":");
  if (!absl::ConsumePrefix(&rest, is_ipv6 ? absl::StrCat("[", target.host, "]") : target.host)) return false;
  if (!absl::ConsumePrefix(&rest, absl::StrCat(":", target.port)) && target.port != (target.is_tls ? 443 : 80))
    return false;
  return rest.empty() || rest[0] == '/' || rest[0] == '?';
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto target = tidemark::ParseTarget(text); target.ok()) {
    CHECK(target->unix_path.empty() != target->host.empty());
    CHECK(target->path[0] == '/');
    for (const std::string& part : {target->path, target->host_header, target->host}) {
      CHECK(part.find_first_of("\r\n \t") == std::string::npos);
    }
    if (target->unix_path.empty()) CHECK(IsAsWritten(text, *target));
  } else {
    CHECK(target.status().message().find_first_of("\r\n") == absl::string_view::npos);
  }
  // The same, as a target's word on where to go on.
  const absl::string_view request = "GET /a/b?c HTTP/1.1\r\nHost: h.test:8080\r\n\r\n";
  if (const auto there = tidemark::WhereTo(text, false, request, "/a/b?c");
      there.lead == tidemark::Direction::Lead::kHere) {
    CHECK(there.path[0] == '/' && there.path.find_first_of("\r\n \t#{\\") == std::string::npos);
    const std::string hop = *tidemark::MakeHop(request, there.path, false).bytes;
    CHECK(tidemark::PathOf(hop) == there.path);
    CHECK(absl::EndsWith(hop, " HTTP/1.1\r\nHost: h.test:8080\r\n\r\n"));
  }
  if (const auto override = tidemark::ParseResolveOverride(text); override.ok()) {
    CHECK(tidemark::ParseAuthority(tidemark::JoinHostPort(override->host, override->port)).ok());
  }
  if (const auto address = tidemark::ParseControlAddress(text); address.ok()) {
    CHECK(tidemark::ParseControlAddress(address->ToString())->host == address->host);
  }
  return 0;
}
