#include "common/control/address.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/inert_text.h"
#include "common/plan/authority.h"

namespace tidemark {
namespace {

absl::StatusOr<ControlAddress> Parse(absl::string_view text, std::uint16_t lowest_port) {
  auto authority = ParseAuthority(text, lowest_port);
  if (!authority.ok())
    return absl::InvalidArgumentError(
        absl::StrCat("'", InertText(text, 128), "' is no agent address: it ", authority.status().message()));
  return ControlAddress{.host = std::move(authority->host), .port = authority->port.value_or(kDefaultAgentPort)};
}

}  // namespace

std::string ControlAddress::ToString() const { return JoinHostPort(host, port); }

absl::StatusOr<ControlAddress> ParseControlAddress(absl::string_view text) { return Parse(text, 1); }

absl::StatusOr<ControlAddress> ParseListenAddress(absl::string_view text) { return Parse(text, 0); }

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" ||
         (absl::StartsWith(host, "127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

}  // namespace tidemark
