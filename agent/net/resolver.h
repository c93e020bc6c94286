// From names to socket addresses.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/host/interrupt.h"
#include "agent/net/transport.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Who is connected to, and where that is.
struct Resolved {
  std::string host;            // whose addresses they are, as it is written; empty of a Unix socket
  bool is_overridden = false;  // the plan gave the addresses itself, so that the name proves nothing
  std::vector<SocketAddress> addresses = {};
};
// Every address of who is connected to for `target` (DialledFor), each once, in the resolver's order, or those that the
// plan's overrides give; of them those of the plan's family. Errors: NotFound naming the host, or that it has no such
// address; InvalidArgument for an override that is none here; Unavailable, as Lookup.
// REQUIRES: the plan is valid.
absl::StatusOr<Resolved> ResolveTarget(const Target& target, const proto::Plan& plan, const Patience& patience);

// Every address of `host`. The system's resolver cannot be interrupted: it works in a thread that is left to itself
// when the patience is over, and that touches nothing of ours.  Errors: NotFound; Unavailable, if the patience is over,
// or kMaxLeftLookups names are still looked up for nobody.
inline constexpr int kMaxLeftLookups = 16;
absl::StatusOr<std::vector<SocketAddress>> Lookup(const std::string& host, std::uint16_t port,
                                                  const Patience& patience);

// "localhost" often means 127.0.0.1 and ::1, while the server listens on one of them. If `addresses` are all loopback,
// of both families, and only some accept a connection now, moves the others to `left_out`.
void KeepListeningLoopback(const Patience& patience, std::vector<SocketAddress>* addresses,
                           std::vector<SocketAddress>* left_out);

// A numeric IPv4 or IPv6 address, perhaps with a zone, without a port.  Errors: InvalidArgument naming `field` and the
// text.
absl::StatusOr<SocketAddress> ParseAddress(absl::string_view field, const std::string& text);

// Whether connections can begin at `source`, of which `text` was read.  Errors: InvalidArgument: it is no address of
// this machine.
absl::Status CheckSource(const SocketAddress& source, const std::string& text);

}  // namespace tidemark
