// TCP sockets of the tests.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace tidemark {

// A socket that listens on a free port of `address`, an IPv4 one. Closed by who takes it.
struct Listener {
  int fd = -1;
  int port = 0;
};

// `flags`: SOCK_CLOEXEC, unless a child is to inherit it.
inline Listener ListenOn(const std::string& address, int backlog, int flags = SOCK_CLOEXEC) {
  Listener listener{.fd = socket(AF_INET, SOCK_STREAM | flags, 0)};
  sockaddr_in bound{};
  bound.sin_family = AF_INET;
  socklen_t length = sizeof bound;
  EXPECT_EQ(inet_pton(AF_INET, address.c_str(), &bound.sin_addr), 1) << address;
  EXPECT_EQ(bind(listener.fd, reinterpret_cast<sockaddr*>(&bound), length), 0) << address;
  EXPECT_EQ(listen(listener.fd, backlog), 0);
  EXPECT_EQ(getsockname(listener.fd, reinterpret_cast<sockaddr*>(&bound), &length), 0);
  listener.port = ntohs(bound.sin_port);
  return listener;
}

}  // namespace tidemark
