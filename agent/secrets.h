// Secrets of requests: references in a plan, values at the agent alone.
#pragma once

#include "absl/status/status.h"
#include "agent/target_guard.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Puts the value of each "{env:NAME}" and "{file:/PATH}" into the requests' paths, headers and bodies, and the messages
// that open a WebSocket. A file loses its trailing newline. If there are any, the process leaves no core dump from then
// on, and no debugger may attach. Errors, none of which holds a value: PermissionDenied (the guard), NotFound,
// InvalidArgument (longer than 64 KiB, empty, or with control characters).
absl::Status ResolveSecrets(const TargetGuard& guard, proto::Plan* plan);

}  // namespace tidemark
