#include "agent/measure/path_info.h"

#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/support/listener.h"

namespace tidemark {
namespace {

std::uint32_t SentAgain(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  return info.tcpi_total_retrans;
}

void SendReceive(int from, int to) {
  char bytes[256] = {};
  ASSERT_GT(send(from, bytes, 50, MSG_NOSIGNAL), 0);
  ASSERT_GT(recv(to, bytes, sizeof bytes, 0), 0);
}

// A peer that is slow to acknowledge makes the kernel send again what has long come. Nothing is lost on loopback.
TEST(PathInfoTest, WhatWasSentAgainNeedlesslyIsNoLoss) {
  const Listener listener = ListenOn("127.0.0.1", 1);
  const int ours = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(listener.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(ours, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const int theirs = accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC);
  const int on = 1;
  for (const int fd : {ours, theirs}) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  for (int i = 0; i < 50; ++i) {  // from then on it delays its acknowledgements
    SendReceive(ours, theirs);
    SendReceive(theirs, ours);
  }
  for (int i = 0; i < 500 && SentAgain(ours) == 0; ++i) {
    char bytes[256] = {};
    for (int k = 0; k < 2; ++k) ASSERT_GT(send(ours, bytes, 50, MSG_NOSIGNAL), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    ASSERT_GT(recv(theirs, bytes, sizeof bytes, 0), 0);
    SendReceive(theirs, ours);
  }
  ASSERT_GT(SentAgain(ours), 0u) << "this kernel sends no tail-loss probes";
  PathInfo path;
  for (int i = 0; i < 200 && (!ReadPath(ours, &path) || path.resent != 0); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(path.resent, 0u);
  EXPECT_GT(path.needless, 0u);
  EXPECT_GT(path.least_rtt, 0);
  for (const int fd : {ours, theirs, listener.fd}) close(fd);
}

}  // namespace
}  // namespace tidemark
