#include "coordinator/cli/local_responder.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

#include "absl/strings/string_view.h"

namespace tidemark {
namespace {

constexpr absl::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok";
constexpr absl::string_view kEmptyLine = "\r\n\r\n";
constexpr int kWaitMillis = 50;  // how soon it sees that it shall end

}  // namespace

absl::StatusOr<std::unique_ptr<LocalResponder>> LocalResponder::Start() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN, .data = {.fd = listener}};
  if (listener < 0 || poller < 0 || bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      listen(listener, 4096) != 0 || getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
      epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) != 0) {
    if (listener >= 0) close(listener);
    if (poller >= 0) close(poller);
    return absl::UnavailableError("cannot listen on loopback; are there descriptors left?");
  }
  return std::unique_ptr<LocalResponder>(new LocalResponder(listener, poller, ntohs(address.sin_port)));
}

LocalResponder::LocalResponder(int listener, int poller, std::uint16_t port)
    : listener_(listener), poller_(poller), port_(port), thread_([this] { Serve(); }) {}

LocalResponder::~LocalResponder() {
  is_ending_ = true;
  thread_.join();
  close(poller_);
  close(listener_);
}

void LocalResponder::PauseOnce(Nanos delay, Nanos length) {
  pause_length_ = length;
  pause_delay_ = delay;
}

void LocalResponder::Serve() {
  Nanos pause_at = 0;
  while (!is_ending_) {
    epoll_event events[256];
    const int count = epoll_wait(poller_, events, 256, kWaitMillis);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd != listener_) {
        if (const Nanos delay = pause_delay_.exchange(0); delay > 0) pause_at = MonotonicNow() + delay;
        if (pause_at > 0 && MonotonicNow() >= pause_at) {
          pause_at = 0;
          std::this_thread::sleep_for(std::chrono::nanoseconds(pause_length_.load()));
        }
        Answer(fd);
        continue;
      }
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (connection < 0) continue;
      const int one = 1;
      setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      epoll_event event{.events = EPOLLIN, .data = {.fd = connection}};
      if (epoll_ctl(poller_, EPOLL_CTL_ADD, connection, &event) != 0) close(connection);
    }
  }
}

// A request is small and comes in one piece from a client on this machine.
void LocalResponder::Answer(int connection) {
  char bytes[16384];
  const ssize_t n = recv(connection, bytes, sizeof bytes, 0);
  if (n <= 0) {
    close(connection);
    return;
  }
  const absl::string_view text(bytes, static_cast<std::size_t>(n));
  for (std::size_t at = text.find(kEmptyLine); at != absl::string_view::npos; at = text.find(kEmptyLine, at + 4)) {
    ++requests_;
    if (send(connection, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(kAnswer.size())) {
      close(connection);
      return;
    }
  }
}

}  // namespace tidemark
