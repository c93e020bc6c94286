#include "agent/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/authority.h"
#include "common/check.h"
#include "common/inert_text.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

absl::StatusOr<std::vector<SocketAddress>> Lookup(const std::string& host, std::uint16_t port, int flags) {
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

// On loopback a blocking connect answers at once.
bool Accepts(const SocketAddress& address) {
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool is_accepted = fd >= 0 && connect(fd, address.get(), address.length) == 0;
  if (fd >= 0) close(fd);
  return is_accepted;
}

}  // namespace

void KeepListeningLoopback(std::vector<SocketAddress>* addresses, std::vector<SocketAddress>* left_out) {
  if (!std::all_of(addresses->begin(), addresses->end(), IsLoopbackAddress)) return;
  const auto is_v4 = [](const SocketAddress& address) { return address.family() == AF_INET; };
  const auto v4_count = std::count_if(addresses->begin(), addresses->end(), is_v4);
  if (v4_count == 0 || v4_count == static_cast<std::ptrdiff_t>(addresses->size())) return;
  const auto refusing = std::stable_partition(addresses->begin(), addresses->end(), Accepts);
  if (refusing == addresses->begin()) return;  // none listens: let the run say so
  left_out->assign(refusing, addresses->end());
  addresses->erase(refusing, addresses->end());
}

absl::StatusOr<std::vector<SocketAddress>> ResolveTarget(
    const Target& target, const google::protobuf::RepeatedPtrField<std::string>& overrides, bool* is_overridden) {
  if (!target.unix_path.empty()) {
    SocketAddress address;
    auto* un = reinterpret_cast<sockaddr_un*>(&address.storage);
    un->sun_family = AF_UNIX;
    std::memcpy(un->sun_path, target.unix_path.c_str(), target.unix_path.size() + 1);
    address.length = sizeof *un;
    return std::vector<SocketAddress>{address};
  }
  std::vector<SocketAddress> forced;
  for (const std::string& text : overrides) {
    TIDEMARK_ASSIGN_OR_RETURN(const ResolveOverride override, ParseResolveOverride(text));
    if (!IsSameHost(override.host, target.host) || override.port != target.port) continue;
    const auto found = Lookup(override.address, target.port, AI_NUMERICHOST);
    if (!found.ok())
      return absl::InvalidArgumentError(absl::StrCat("resolve: '", override.address, "' is no IP address"));
    forced.insert(forced.end(), found->begin(), found->end());
  }
  *is_overridden = !forced.empty();
  if (*is_overridden) return forced;
  return Lookup(target.host, target.port, 0);
}

absl::StatusOr<SocketAddress> ParseAddress(absl::string_view field, const std::string& text) {
  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (!IsIpAddress(text))
    return absl::InvalidArgumentError(absl::StrCat(field, ": '", InertText(text, 64), "' is no IP address"));
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    address.length = sizeof *v4;
  } else {
    CHECK(inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1);
    v6->sin6_family = AF_INET6;
    address.length = sizeof *v6;
  }
  return address;
}

}  // namespace tidemark
