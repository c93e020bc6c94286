// Where a redirect leads, and the request that follows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "agent/compose/request_source.h"

namespace tidemark {

// RFC 9110 section 15.4: those that say where to go on. 300 leaves a choice, and 304 is of a cache.
constexpr bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Whether the request that follows is a GET without a body (RFC 9110 sections 15.4.2 to 15.4.4): after 303 any but
// HEAD, after 301 and 302 a POST, as browsers and curl do.
bool BecomesGet(int status, absl::string_view method);

// Longer ones are not read.
inline constexpr std::size_t kMaxLocation = 8 << 10;

struct Direction {
  // To where the request went: the same scheme, host and port. Or to another of these. Or nobody can tell.
  enum class Lead : std::uint8_t { kHere, kElsewhere, kNowhere };
  Lead lead = Lead::kNowhere;
  std::string path = {};  // of kHere: with query, as sent
};

// Where `location`, the value of that field in the answer to `request`, leads (RFC 3986 section 5.2). `request` is a
// serialised one, of which only the host counts: the one it names, which may be the user's own (RFC 9110 section 7.1).
// `path`: what was asked for.
// `location` is hostile. It is read by the parsers that read what a user writes, and nothing in it is corrected: what
// they refuse leads nowhere, and so does a path in which a placeholder could stand.
Direction WhereTo(absl::string_view location, bool is_tls, absl::string_view request, absl::string_view path);

// What was asked for by a serialised request, without the host that a proxy is told.
absl::string_view PathOf(absl::string_view request);
absl::string_view MethodOf(absl::string_view request);

// The serialised request, of `path`. `is_get`: a GET without body, and without the fields that describe one. It expects
// no 100 Continue: the target has answered such a request before.
RequestBytes MakeHop(absl::string_view request, absl::string_view path, bool is_get);

}  // namespace tidemark
