// The bytes of the next request, serialised once.
#pragma once

#include <string>

#include "common/plan.h"

namespace tidemark {

// A request as it goes over the wire. Immutable after construction, shared by all connections of a worker.
struct RequestBytes {
  std::string bytes;
  bool is_head = false;
};

// Serialises the request of a valid plan for `target`: request line, Host, User-Agent "tidemark/VERSION" unless set,
// Content-Length when there is a body or the method calls for one (RFC 9110 section 8.6), the plan's headers.
// `is_last_on_connection` adds "Connection: close", so that the server closes and keeps the TIME_WAIT.
RequestBytes SerializeRequest(const proto::Request& request, const Target& target, bool is_last_on_connection = false);

}  // namespace tidemark
