// Who is dialled: HOST, HOST:PORT, [IPV6] or [IPV6]:PORT (RFC 3986 section 3.2). Every entrance reads it here: the
// target, the clock's URL, --resolve, the agents' addresses, the agent's allow-list.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidemark {

// Invariant: another program that reads what was written finds this host and this port, or refuses it. So an IPv4
// address is four decimal numbers, a name has no other characters than names have, and nothing is decoded or left out.
struct Authority {
  std::string host;  // as written: a name, perhaps with a trailing dot, or an address, without brackets
  std::optional<std::uint16_t> port = {};
};

// Parses the whole of `text`. Its end is the caller's: in a URL the first of / ? # or the URL's end.
// Errors: InvalidArgument, a phrase that goes on after what was read: "has port 'abc'; write a number from 1 to 65535".
absl::StatusOr<Authority> ParseAuthority(absl::string_view text, std::uint16_t lowest_port = 1);

// As ParseAuthority, of who is only connected to, and named in no request: an IPv6 address may have a zone (RFC 4007
// section 11), as in "[fe80::1%eth0]:80". Which zones there are, the agent knows.
absl::StatusOr<Authority> ParseDialled(absl::string_view text);

// A host that stands alone: a name, an IPv4 address, or an IPv6 address with or without brackets.  Errors: as above.
absl::StatusOr<std::string> ParseHost(absl::string_view text);

// True for an IPv4 or IPv6 address without brackets.
bool IsIpAddress(const std::string& host);

// The same, or an IPv6 address with a zone: "fe80::1%eth0", "fe80::1%2".
bool IsZonedAddress(const std::string& host);

// Whether both are the same name, or the same address.
bool IsSameHost(const std::string& a, const std::string& b);

// `host` as a certificate names it: a trailing dot tells the resolver that a name is whole, and is in no certificate
// (RFC 6066 section 3, RFC 6125).
std::string WithoutTrailingDot(absl::string_view host);

// What a TLS client asks for (SNI): the name without its trailing dot; of an address nothing.
std::string ServerName(const std::string& host);

// "HOST:PORT", IPv6 in brackets.
std::string JoinHostPort(const std::string& host, std::uint16_t port);

}  // namespace tidemark
