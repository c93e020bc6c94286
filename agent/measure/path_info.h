// What the kernel knows of the network path of a TCP connection.
#pragma once

#include <cstdint>

#include "common/clock.h"

namespace tidemark {

// Source: tcp(7), TCP_INFO; Linux include/uapi/linux/tcp.h. Counts are of the connection's life.
struct PathInfo {
  Nanos least_rtt = 0;  // round trip: the least of some minutes, the handshake's included ...
  Nanos rtt = 0;        // ... and smoothed; it holds what the peer's delayed acknowledgements add
  // Segments that were sent again, but for those that the peer had had: no loss, but a late acknowledgement.
  std::uint32_t resent = 0;
  // Those that it had had: its acknowledgement was late, or it was lost, with the answer that it came with.
  std::uint32_t needless = 0;
  std::uint32_t out_of_order = 0;  // segments that came before others that were missing
  // Time in which there was data to send, and no room at the peer's; in us, modulo 2^32.
  std::uint32_t window_limited_us = 0;
};

// False if the kernel does not tell. About a microsecond.
bool ReadPath(int fd, PathInfo* path);

}  // namespace tidemark
