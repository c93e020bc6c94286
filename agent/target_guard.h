// The agent's own list of what it may be aimed at. The coordinator cannot widen it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/transport.h"

namespace tidemark {

// Loopback and private addresses (RFC 1918, RFC 4193) are allowed, and so are Unix sockets; everything else only if
// named. Checked after resolution, for each address.  Threads: any, after construction.
class TargetGuard {
 public:
  // `allowed`: host names ("api.example.test": any address that this very name resolves to) and address ranges
  // ("203.0.113.0/24", "2001:db8::1").  Errors: InvalidArgument naming the entry.
  static absl::StatusOr<TargetGuard> Make(const std::vector<std::string>& allowed);

  // Errors: PermissionDenied naming host, address and remedy.
  absl::Status Check(const std::string& host, const SocketAddress& address) const;

 private:
  struct Range {
    unsigned char prefix[16];  // IPv4 as IPv4-mapped IPv6
    int bits;
  };
  static bool Parse(const std::string& text, Range* range);
  static bool Contains(const Range& range, const unsigned char address[16]);

  std::vector<Range> ranges_;
  std::vector<std::string> hosts_;  // lower case, without a trailing dot
};

}  // namespace tidemark
