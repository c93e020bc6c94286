// Which host and port are connected to, where the plan says another than the target's.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {

// An address forced for one host and port: "HOST:PORT:ADDRESS", IPv6 addresses in brackets, with a zone or without.
// Errors: InvalidArgument naming the text.
struct ResolveOverride {
  std::string host;
  std::uint16_t port = 0;
  std::string address;
};
absl::StatusOr<ResolveOverride> ParseResolveOverride(absl::string_view text);

// Where to connect for one host and port, as curl's --connect-to: "HOST:PORT:OTHER:PORT". HOST or the first PORT may be
// empty, for any; OTHER or the second one, for what they were. OTHER may have a zone.
// Errors: InvalidArgument naming the text.
struct ConnectTo {
  std::string host;              // empty: any
  std::uint16_t port = 0;        // 0: any
  std::string other_host;        // empty: the same
  std::uint16_t other_port = 0;  // 0: the same

  bool IsFor(const std::string& its_host, std::uint16_t its_port) const;
};
absl::StatusOr<ConnectTo> ParseConnectTo(absl::string_view text);

// An HTTP proxy, "http://[USER:PASSWORD@]HOST:PORT". What stands before '@' is percent-decoded, but for references to
// secrets. Errors: InvalidArgument, without a password in it.
struct Proxy {
  std::string host;
  std::uint16_t port = 0;
  std::string credentials;  // "USER:PASSWORD"; empty: none
};
absl::StatusOr<Proxy> ParseProxy(absl::string_view url);

// Who is connected to for `target`, which is no Unix socket: itself, the proxy, or what connect_to says for them.
// REQUIRES: the plan is valid.
struct Dialled {
  std::string host;
  std::uint16_t port = 0;
};
Dialled DialledFor(const Target& target, const proto::Plan& plan);

// A proxy's URL for a message: whatever precedes '@' is nobody's to read.
std::string ProxyForPrinting(absl::string_view url);

}  // namespace tidemark
