#include "agent/net/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/host/machine.h"
#include "common/check.h"
#include "common/inert_text.h"
#include "common/mutex.h"
#include "common/plan/authority.h"
#include "common/plan/dialled.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

absl::StatusOr<std::vector<SocketAddress>> AskResolver(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &list);
  if (error != 0) {
    return absl::NotFoundError(absl::StrCat("host '", host, "' cannot be resolved: ", gai_strerror(error),
                                            "; check the name, or give its address with --resolve HOST:PORT:ADDRESS"));
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address;
    address.length = entry->ai_addrlen;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    const auto is_same = [&](const SocketAddress& other) {
      return other.length == address.length && std::memcmp(&other.storage, &address.storage, address.length) == 0;
    };
    if (std::none_of(addresses.begin(), addresses.end(), is_same)) addresses.push_back(address);
  }
  freeaddrinfo(list);
  return addresses;
}

bool IsLoopbackAddress(const SocketAddress& address) {
  if (address.family() == AF_INET) {
    return ntohl(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr.s_addr) >> 24 == 127;
  }
  return address.family() == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr);
}

// On loopback a connect answers at once, unless the queue of who listens is full.
bool Accepts(const SocketAddress& address, const Patience& patience) {
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  bool is_accepted = connect(fd, address.get(), address.length) == 0;
  if (!is_accepted && errno == EINPROGRESS) {
    int error = 0;
    socklen_t length = sizeof error;
    is_accepted = !patience.AtMost(kSecond).WaitFor(fd, POLLOUT) ||
                  (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0);
  }
  close(fd);
  return is_accepted;
}

// What a thread and who waits for it share; the last of them lets it go.
struct LeftLookup {
  Interrupt done;
  Mutex mutex;
  absl::StatusOr<std::vector<SocketAddress>> found ABSL_GUARDED_BY(mutex) = absl::UnknownError("");
};
std::atomic<int> lookups{0};  // under way, whether somebody waits or not

}  // namespace

void KeepListeningLoopback(const Patience& patience, std::vector<SocketAddress>* addresses,
                           std::vector<SocketAddress>* left_out) {
  if (!std::all_of(addresses->begin(), addresses->end(), IsLoopbackAddress)) return;
  const auto is_v4 = [](const SocketAddress& address) { return address.family() == AF_INET; };
  const auto v4_count = std::count_if(addresses->begin(), addresses->end(), is_v4);
  if (v4_count == 0 || v4_count == static_cast<std::ptrdiff_t>(addresses->size())) return;
  const auto refusing = std::stable_partition(addresses->begin(), addresses->end(),
                                              [&](const SocketAddress& address) { return Accepts(address, patience); });
  if (refusing == addresses->begin()) return;  // none listens: let the run say so
  left_out->assign(refusing, addresses->end());
  addresses->erase(refusing, addresses->end());
}

absl::StatusOr<std::vector<SocketAddress>> Lookup(const std::string& host, std::uint16_t port,
                                                  const Patience& patience) {
  if (IsZonedAddress(host)) {
    TIDEMARK_ASSIGN_OR_RETURN(SocketAddress address, ParseAddress("address", host));
    address.set_port(port);
    return std::vector<SocketAddress>{address};
  }
  if (lookups.fetch_add(1) >= kMaxLeftLookups) {
    --lookups;
    return absl::UnavailableError(absl::StrCat("host '", host,
                                               "' is not looked up: the agent's resolver has not answered ",
                                               kMaxLeftLookups, " questions yet; check the machine's name servers"));
  }
  const auto shared = std::make_shared<LeftLookup>();
  std::thread([shared, host, port] {
    auto found = AskResolver(host, port, 0);
    {
      MutexLock lock(&shared->mutex);
      shared->found = std::move(found);
    }
    --lookups;
    shared->done.Trigger();
  }).detach();
  if (!patience.WaitFor(shared->done.fd(), POLLIN)) {
    return absl::UnavailableError(absl::StrCat("host '", host,
                                               "' cannot be resolved in time; check the agent's name "
                                               "servers, or give its address with --resolve HOST:PORT:ADDRESS"));
  }
  MutexLock lock(&shared->mutex);
  return std::move(shared->found);
}

absl::StatusOr<Resolved> ResolveTarget(const Target& target, const proto::Plan& plan, const Patience& patience) {
  if (!target.unix_path.empty()) return Resolved{.host = "", .addresses = {SocketAddress::OfUnix(target.unix_path)}};
  const Dialled dialled = DialledFor(target, plan);
  Resolved out{.host = dialled.host};
  for (const std::string& text : plan.resolve()) {
    TIDEMARK_ASSIGN_OR_RETURN(const ResolveOverride override, ParseResolveOverride(text));
    if (!IsSameHost(override.host, dialled.host) || override.port != dialled.port) continue;
    TIDEMARK_ASSIGN_OR_RETURN(SocketAddress address, ParseAddress("resolve", override.address));
    address.set_port(dialled.port);
    out.addresses.push_back(address);
  }
  out.is_overridden = !out.addresses.empty();
  if (!out.is_overridden) {
    TIDEMARK_ASSIGN_OR_RETURN(out.addresses, Lookup(dialled.host, dialled.port, patience));
  }
  if (plan.ip_family().empty()) return out;
  std::vector<std::string> others;
  std::erase_if(out.addresses, [&](const SocketAddress& address) {
    const bool is_wanted = address.family() == (plan.ip_family() == "4" ? AF_INET : AF_INET6);
    if (!is_wanted) others.push_back(address.ToString());
    return !is_wanted;
  });
  if (!out.addresses.empty()) return out;
  return absl::NotFoundError(absl::StrCat("host '", dialled.host, "' has no IPv", plan.ip_family(), " address, only ",
                                          absl::StrJoin(others, ", "), "; leave out ip_family (-", plan.ip_family(),
                                          ")"));
}

absl::StatusOr<SocketAddress> ParseAddress(absl::string_view field, const std::string& text) {
  if (!IsZonedAddress(text))
    return absl::InvalidArgumentError(absl::StrCat(field, ": '", InertText(text, 64), "' is no IP address"));
  const auto found = AskResolver(text, 0, AI_NUMERICHOST);
  if (found.ok()) return found->front();
  // Only a zone can be wrong with it.
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": '", InertText(text, 64), "' has a zone that this agent's machine has not"));
}

absl::Status CheckSource(const SocketAddress& source, const std::string& text) {
  const int fd = socket(source.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int error = fd < 0 || bind(fd, source.get(), source.length) != 0 ? errno : 0;
  if (fd >= 0) close(fd);
  if (error == 0) return absl::OkStatus();
  // Linux wants to know whose address it is only where there is one on each interface.
  if (error == EINVAL && source.family() == AF_INET6 && text.find('%') == std::string::npos)
    return absl::InvalidArgumentError(absl::StrCat(
        "source_addresses: ", text, " is a link-local address; name its interface too, as ", text, "%eth0"));
  if (error != EADDRNOTAVAIL)
    return absl::InvalidArgumentError(absl::StrCat("source_addresses: ", text, ": ", std::strerror(error)));
  constexpr std::size_t kShown = 8;
  std::vector<std::string> own = LocalAddresses();
  const bool has_more = own.size() > kShown;
  own.resize(std::min(own.size(), kShown));
  return absl::InvalidArgumentError(absl::StrCat("source_addresses: ", text,
                                                 " is no address of this agent's machine; it has ",
                                                 absl::StrJoin(own, ", "), has_more ? " and more" : ""));
}

}  // namespace tidemark
