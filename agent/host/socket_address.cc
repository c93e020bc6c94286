#include "agent/host/socket_address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tidemark {

std::string SocketAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&storage);
    inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
    return absl::StrCat(text, ":", ntohs(in->sin_port));
  }
  if (family() == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(&storage);
    inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text);
    char zone[IF_NAMESIZE + 1] = "%";
    if (in->sin6_scope_id == 0 || if_indextoname(in->sin6_scope_id, zone + 1) == nullptr) zone[0] = '\0';
    return absl::StrCat("[", text, zone, "]:", ntohs(in->sin6_port));
  }
  const char* const path = reinterpret_cast<const sockaddr_un*>(&storage)->sun_path;
  if (path[0] != '\0') return path;
  return absl::StrCat("@", absl::string_view(path + 1, length - offsetof(sockaddr_un, sun_path) - 1));
}

void SocketAddress::set_port(std::uint16_t port) {
  // At the same place in both.
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
}

SocketAddress SocketAddress::OfUnix(const std::string& path) {
  SocketAddress address;
  auto* const un = reinterpret_cast<sockaddr_un*>(&address.storage);
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path.data(), path.size());  // a NUL follows, since the storage is larger
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  if (path[0] != '@') return address;
  // An abstract name begins with a NUL, and ends where the length says.
  un->sun_path[0] = '\0';
  --address.length;
  return address;
}

}  // namespace tidemark
