#include "agent/aim.h"

#include <utility>

#include "agent/resolver.h"
#include "common/authority.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

// Whether a proxy may be asked for `target`.
absl::Status CheckThroughProxy(const Target& target, const TargetGuard& guard, TargetGuard::Ceiling* ceiling) {
  const auto found = Lookup(target.host, target.port);
  if (!found.ok()) {
    TIDEMARK_ASSIGN_OR_RETURN(const TargetGuard::Ceiling other, guard.CheckName(target.host, target.port));
    ceiling->Lower(other);
    return absl::OkStatus();
  }
  for (const SocketAddress& address : *found) {
    TIDEMARK_ASSIGN_OR_RETURN(const TargetGuard::Ceiling other, guard.Check(target.host, address, false));
    ceiling->Lower(other);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Aim> TakeAim(const Target& target, const proto::Plan& plan, const TargetGuard& guard) {
  TIDEMARK_ASSIGN_OR_RETURN(Resolved resolved, ResolveTarget(target, plan));
  Aim aim;
  const bool is_led_elsewhere = plan.proxy().empty() && !IsSameHost(resolved.host, target.host);
  for (const SocketAddress& address : resolved.addresses) {
    TIDEMARK_ASSIGN_OR_RETURN(const TargetGuard::Ceiling other,
                              guard.Check(resolved.host, address, resolved.is_overridden));
    aim.ceiling.Lower(other);
    if (is_led_elsewhere) TIDEMARK_RETURN_IF_ERROR(guard.CheckSentHost(target.host, address));
  }
  if (!plan.proxy().empty()) TIDEMARK_RETURN_IF_ERROR(CheckThroughProxy(target, guard, &aim.ceiling));
  aim.addresses = std::move(resolved.addresses);
  KeepListeningLoopback(&aim.addresses, &aim.left_out);
  return aim;
}

}  // namespace tidemark
