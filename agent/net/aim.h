// Where load goes: the addresses of who is connected to, each of which the guard allows.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "agent/guard/target_guard.h"
#include "agent/host/interrupt.h"
#include "agent/net/transport.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {

struct Aim {
  std::vector<SocketAddress> addresses;
  std::vector<SocketAddress> left_out;  // of "localhost": those on which nothing listens
  TargetGuard::Ceiling ceiling;         // the lowest of theirs
};

// Looks up who is connected to for `target`, and asks the guard about each address. Through a proxy these are the
// proxy's, and the guard is asked about the target besides: about its addresses as this machine finds them, or, if it
// finds none, about its name. A Unix socket is taken by its real path, which is what the guard has seen.
// Errors: NotFound (name, family), PermissionDenied (guard), InvalidArgument (override, a path that is too long),
// Unavailable (the patience is over).  REQUIRES: the plan is valid.
absl::StatusOr<Aim> TakeAim(const Target& target, const proto::Plan& plan, const TargetGuard& guard,
                            const Patience& patience);

}  // namespace tidemark
