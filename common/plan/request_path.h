// What may stand in a request line behind the method: a path and a query.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tidemark {

// Whether `path` can be sent as it is written (RFC 3986 section 3.3, RFC 9112 section 3.2). Besides what is allowed
// there, [ and ] may stand for themselves, which browsers and servers agree on, and so may {slot}, {env:NAME} and
// {file:/PATH}, which are filled in before they are sent. Nothing is encoded for the user: what a server gets is what
// was written.
// Errors: InvalidArgument, a phrase that goes on after what was read: "has '|', which no path holds; write %7C".
absl::Status CheckPath(absl::string_view path);

}  // namespace tidemark
