// From names to socket addresses.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/transport.h"
#include "common/plan.h"

namespace tidemark {

// Every address of `target`, each once, in the resolver's order; or those that `overrides` ("HOST:PORT:ADDRESS") give,
// and then *is_overridden is true. Blocks while the system's resolver works.  Errors: NotFound naming the host,
// InvalidArgument for a bad override.
absl::StatusOr<std::vector<SocketAddress>> ResolveTarget(
    const Target& target, const google::protobuf::RepeatedPtrField<std::string>& overrides, bool* is_overridden);

// "localhost" often means 127.0.0.1 and ::1, while the server listens on one of them. If `addresses` are all loopback,
// of both families, and only some accept a connection now, moves the others to `left_out`.
void KeepListeningLoopback(std::vector<SocketAddress>* addresses, std::vector<SocketAddress>* left_out);

// A numeric IPv4 or IPv6 address, without a port.  Errors: InvalidArgument naming `field` and the text.
absl::StatusOr<SocketAddress> ParseAddress(absl::string_view field, const std::string& text);

}  // namespace tidemark
