// Where a socket may lead to, or come from.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace tidemark {

// A socket address of any family the target may have.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  void set_port(std::uint16_t port);  // REQUIRES: IPv4 or IPv6
  // "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "/run/x.sock" or "@abstract".
  std::string ToString() const;

  // Of a Unix socket: a path, or "@NAME" of an abstract one (unix(7)).  REQUIRES: it fits into a sockaddr_un.
  static SocketAddress OfUnix(const std::string& path);
};

}  // namespace tidemark
