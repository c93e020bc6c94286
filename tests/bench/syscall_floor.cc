// The floor under every client: epoll, send, recv, nothing read of what comes. Usage: PORT CONNECTIONS SECONDS.
// Prints "REQUESTS requests".
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

double Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 1;
  const sched_param param{};
  sched_setscheduler(0, SCHED_BATCH, &param);  // as tidemark's workers, see agent/engine/core_sharing.h
  const std::string request =
      "GET / HTTP/1.1\r\nHost: 127.0.0.1:12345\r\nUser-Agent: tidemark/" TIDEMARK_VERSION "\r\n\r\n";
  const int connections = std::atoi(argv[2]);
  const double seconds = std::atof(argv[3]);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
  const int epoll_fd = epoll_create1(0);
  for (int i = 0; i < connections; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 1;
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) return 1;
  }
  std::uint64_t requests = 0;
  char buffer[65536];
  epoll_event events[256];
  for (const double end = Now() + seconds; Now() < end;) {
    const int count = epoll_wait(epoll_fd, events, 256, 100);
    for (int i = 0; i < count; ++i) {
      if (recv(events[i].data.fd, buffer, sizeof buffer, MSG_DONTWAIT) <= 0) return 1;
      ++requests;
      if (send(events[i].data.fd, request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return 1;
    }
  }
  std::printf("%llu requests\n", static_cast<unsigned long long>(requests));
  return 0;
}
