#include "agent/net/tunnel.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/inert_text.h"
#include "common/plan/authority.h"

namespace tidemark {
namespace {

constexpr std::size_t kShownReason = 64;
constexpr absl::string_view kVersion = "HTTP/1.";

absl::Status NoHttp(absl::string_view bytes) {
  return absl::InvalidArgumentError(
      absl::StrCat("answered with no HTTP: '", InertText(bytes.substr(0, kShownReason), kShownReason), "'"));
}

// One header, from its status line to the empty line; consumed = 0 while it is not whole.
struct Header {
  std::size_t consumed = 0;
  int status = 0;
  std::string reason = {};
};
absl::StatusOr<Header> ReadHeader(absl::string_view bytes) {
  // What can never become a status line is no answer, however little has come.
  const std::size_t known = std::min(bytes.size(), kVersion.size());
  if (bytes.substr(0, known) != kVersion.substr(0, known)) return NoHttp(bytes);
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == absl::string_view::npos) return Header{};
  const absl::string_view line = bytes.substr(0, bytes.find("\r\n"));
  // "HTTP/1.1 200 reason"; the reason, and the space before it, may be missing.
  const bool has_status = line.size() >= 12 && absl::ascii_isdigit(static_cast<unsigned char>(line[7])) &&
                          line[8] == ' ' && (line.size() == 12 || line[12] == ' ');
  const absl::string_view digits = has_status ? line.substr(9, 3) : "";
  int status = 0;
  if (!has_status || !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(digits, &status) || status < 100)
    return NoHttp(line);
  return Header{.consumed = end + 4,
                .status = status,
                .reason = std::string(line.substr(std::min<std::size_t>(13, line.size())))};
}

}  // namespace

std::string ProxyAuthorization(absl::string_view credentials) {
  return credentials.empty() ? "" : absl::StrCat("Basic ", absl::Base64Escape(credentials));
}

std::string TunnelRequest(const Target& target, const std::string& authorization) {
  const std::string authority = JoinHostPort(target.host, target.port);
  return absl::StrCat(
      "CONNECT ", authority, " HTTP/1.1\r\nHost: ", authority, "\r\nUser-Agent: tidemark/" TIDEMARK_VERSION "\r\n",
      authorization.empty() ? "" : "Proxy-Authorization: ", authorization, authorization.empty() ? "" : "\r\n", "\r\n");
}

absl::StatusOr<TunnelAnswer> ReadTunnelAnswer(absl::string_view bytes) {
  std::size_t at = 0;
  while (true) {
    const auto header = ReadHeader(bytes.substr(at));
    if (!header.ok()) return header.status();
    if (header->consumed == 0) {
      if (bytes.size() < kMaxTunnelAnswer) return TunnelAnswer{};
      return absl::InvalidArgumentError("its answer has no end within 64 KiB");
    }
    at += header->consumed;
    if (at > kMaxTunnelAnswer) return absl::InvalidArgumentError("its answer is longer than 64 KiB");
    if (header->status / 100 == 1 && header->status != 101) continue;
    if (header->status / 100 == 2) return TunnelAnswer{.is_complete = true, .consumed = at};
    return absl::UnavailableError(absl::StrCat("answered with ", header->status, header->reason.empty() ? "" : " ",
                                               InertText(header->reason, kShownReason)));
  }
}

}  // namespace tidemark
