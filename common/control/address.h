// Where agents listen and coordinators dial: "HOST:PORT".
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidemark {

inline constexpr std::uint16_t kDefaultAgentPort = 7420;
// Limits of the control channel, the same on both sides.
inline constexpr int kMaxControlMessageBytes = 16 << 20;
// A coordinator speaks to its agents each second; one that has been silent for the lease is gone, and its agents stop.
inline constexpr int kHeartbeatMillis = 1'000;
inline constexpr int kLeaseMillis = 3'000;

struct ControlAddress {
  std::string host;  // without brackets
  std::uint16_t port = kDefaultAgentPort;
  // "HOST:PORT", IPv6 in brackets.
  std::string ToString() const;
};

// Parses HOST, HOST:PORT, [IPV6]:PORT (common/plan/authority.h); a missing port is kDefaultAgentPort.
// Errors: InvalidArgument naming the text.
absl::StatusOr<ControlAddress> ParseControlAddress(absl::string_view text);
// The same for who listens: port 0 stands for any.
absl::StatusOr<ControlAddress> ParseListenAddress(absl::string_view text);

// True for 127.0.0.0/8, ::1 and "localhost".
bool IsLoopback(const std::string& host);

}  // namespace tidemark
