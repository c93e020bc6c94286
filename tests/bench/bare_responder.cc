// The cheapest HTTP server that still answers: epoll, one recv and one send per request, the same bytes each time.
// It parses nothing, so that a benchmark shows the client's limit. Usage: [HOST [PORT]], 127.0.0.1 and any free port.
// Prints "listening on HOST:PORT".
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

const std::string kResponse =
    "HTTP/1.1 200 OK\r\nServer: bare\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";

}  // namespace

int main(int argc, char** argv) {
  const char* const host = argc > 1 ? argv[1] : "127.0.0.1";
  signal(SIGPIPE, SIG_IGN);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);

  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, host, &address.sin_addr);
  if (argc > 2) address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[2])));
  socklen_t length = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(listener, 4096) != 0) return 1;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  std::printf("listening on %s:%d\n", host, ntohs(address.sin_port));
  std::fflush(stdout);

  const int epoll_fd = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
  epoll_event events[512];
  char buffer[65536];
  while (true) {
    const int count = epoll_wait(epoll_fd, events, 512, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd != listener) {
        const ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n > 0) {
          [[maybe_unused]] const ssize_t sent =
              send(fd, kResponse.data(), kResponse.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        } else {
          close(fd);
        }
        continue;
      }
      for (int accepted = 0; (accepted = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
        const int one = 1;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        event.data.fd = accepted;
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, accepted, &event);
      }
    }
  }
}
