// Where requests go.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidemark {

struct Target {
  bool is_tls = false;
  bool is_web_socket = false;
  std::string unix_path;  // of a Unix socket, "@NAME" an abstract one; then host and port are empty
  std::string host;       // name or address as written, without brackets
  std::uint16_t port = 0;
  std::string path = "/";  // with query, as sent
  std::string host_header;
  // Through a proxy that is asked for each request (RFC 9112 section 3.2.2): what precedes the path there,
  // "http://h:1", and its Proxy-Authorization. Else empty.
  std::string absolute_prefix = {};
  std::string proxy_authorization = {};
};

// Parses http://HOST[:PORT][/PATH][?QUERY], https, ws, wss, or unix:SOCKET[:/PATH].
// Host and port are those that are written, or it is an error (common/plan/authority.h); so is the path
// (common/plan/request_path.h), in which placeholders may stand.
// Errors: InvalidArgument naming the URL, without a password in it, and the remedy.
absl::StatusOr<Target> ParseTarget(absl::string_view url);

}  // namespace tidemark
