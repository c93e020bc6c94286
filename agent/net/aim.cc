#include "agent/net/aim.h"

#include <sys/un.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/net/resolver.h"
#include "common/plan/authority.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

// Whether a proxy may be asked for `target`.
absl::Status CheckThroughProxy(const Target& target, const TargetGuard& guard, const Patience& patience,
                               TargetGuard::Ceiling* ceiling) {
  const auto found = Lookup(target.host, target.port, patience);
  if (absl::IsUnavailable(found.status())) return found.status();
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

absl::StatusOr<Aim> TakeAim(const Target& target, const proto::Plan& plan, const TargetGuard& guard,
                            const Patience& patience) {
  Aim aim;
  if (!target.unix_path.empty()) {
    TIDEMARK_ASSIGN_OR_RETURN(TargetGuard::UnixSocket socket, guard.CheckUnix(target.unix_path));
    if (socket.path.size() >= sizeof(sockaddr_un::sun_path) + (socket.path[0] == '@' ? 1 : 0))
      return absl::InvalidArgumentError(
          absl::StrCat("target: the real path of unix:", target.unix_path, " is longer than a Unix socket's may be"));
    aim.addresses = {SocketAddress::OfUnix(socket.path)};
    aim.ceiling = std::move(socket.ceiling);
    return aim;
  }
  TIDEMARK_ASSIGN_OR_RETURN(Resolved resolved, ResolveTarget(target, plan, patience));
  const bool is_led_elsewhere = plan.proxy().empty() && !IsSameHost(resolved.host, target.host);
  for (const SocketAddress& address : resolved.addresses) {
    TIDEMARK_ASSIGN_OR_RETURN(const TargetGuard::Ceiling other,
                              guard.Check(resolved.host, address, resolved.is_overridden));
    aim.ceiling.Lower(other);
    if (is_led_elsewhere) TIDEMARK_RETURN_IF_ERROR(guard.CheckSentHost(target.host, address));
  }
  if (!plan.proxy().empty()) TIDEMARK_RETURN_IF_ERROR(CheckThroughProxy(target, guard, patience, &aim.ceiling));
  aim.addresses = std::move(resolved.addresses);
  // Trying addresses would open connections that no ceiling counts.
  const bool has_ceiling = aim.ceiling.max_connections != 0 || aim.ceiling.max_connect_rate != 0;
  if (!has_ceiling) KeepListeningLoopback(patience, &aim.addresses, &aim.left_out);
  return aim;
}

}  // namespace tidemark
