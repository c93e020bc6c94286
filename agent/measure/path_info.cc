#include "agent/measure/path_info.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>

namespace tidemark {

bool ReadPath(int fd, PathInfo* path) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return false;
  if (length < offsetof(tcp_info, tcpi_dsack_dups) + sizeof info.tcpi_dsack_dups || info.tcpi_min_rtt == ~0U)
    return false;
  *path = {.least_rtt = info.tcpi_min_rtt * kMicrosecond,
           .rtt = info.tcpi_rtt * kMicrosecond,
           .resent = info.tcpi_total_retrans - std::min(info.tcpi_total_retrans, info.tcpi_dsack_dups),
           .needless = info.tcpi_dsack_dups,
           .out_of_order = info.tcpi_rcv_ooopack,
           .window_limited_us = static_cast<std::uint32_t>(info.tcpi_rwnd_limited)};
  return true;
}

}  // namespace tidemark
