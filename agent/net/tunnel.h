// A tunnel through an HTTP proxy: the request for it, and what the proxy says to it (RFC 9110 section 9.3.6).
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/plan/target.h"

namespace tidemark {

// The longest answer that is read.
inline constexpr std::size_t kMaxTunnelAnswer = 64 << 10;

// The value of a Proxy-Authorization header (RFC 7617); empty for no credentials. `credentials`: "USER:PASSWORD".
std::string ProxyAuthorization(absl::string_view credentials);

// Asks for a tunnel to `target`. `authorization`: of the header; empty: none.
std::string TunnelRequest(const Target& target, const std::string& authorization);

struct TunnelAnswer {
  bool is_complete = false;  // else more bytes are needed, if there may be any
  std::size_t consumed = 0;  // what follows is the tunnel's
};
// Reads the answer in `bytes`: a 2xx opens the tunnel, and has no body whatever its header says; 1xx are passed over.
// Errors: Unavailable "answered with 407 Proxy Authentication Required" for another status; InvalidArgument
// for what is no HTTP, or too long.
absl::StatusOr<TunnelAnswer> ReadTunnelAnswer(absl::string_view bytes);

}  // namespace tidemark
