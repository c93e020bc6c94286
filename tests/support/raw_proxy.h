// An HTTP proxy on raw sockets: tunnels, and requests in absolute form, to one port of loopback whatever their host.
#pragma once

#include <poll.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "common/mutex.h"
#include "tests/support/raw_server.h"
#include "tests/support/web_socket_server.h"

namespace tidemark {

// Copies both ways until either end closes.
inline void Relay(int a, int b) {
  char some[16 << 10];
  while (true) {
    pollfd ends[] = {{.fd = a, .events = POLLIN, .revents = 0}, {.fd = b, .events = POLLIN, .revents = 0}};
    if (poll(ends, 2, 20'000) <= 0) return;
    for (int i = 0; i < 2; ++i) {
      if (ends[i].revents == 0) continue;
      const ssize_t n = recv(ends[i].fd, some, sizeof some, 0);
      if (n <= 0) return;
      SendAll(ends[1 - i].fd, std::string(some, static_cast<std::size_t>(n)));
    }
  }
}

class RawProxy {
 public:
  // `granted`: what a request for a tunnel is answered with; `is_slow`: byte by byte.
  explicit RawProxy(int target_port, std::string granted = "HTTP/1.1 200 Connection established\r\n\r\n",
                    bool is_slow = false)
      : target_port_(target_port),
        granted_(std::move(granted)),
        is_slow_(is_slow),
        server_([this](int fd) { Serve(fd); }) {}

  int port() const { return server_.port(); }
  std::string Url(const std::string& credentials = "") const {
    return "http://" + credentials + "127.0.0.1:" + std::to_string(port());
  }
  // The headers that connections began with.
  std::vector<std::string> Headers() {
    MutexLock lock(&mutex_);
    return headers_;
  }

 private:
  void Serve(int fd) {
    const std::string header = ReadHeader(fd);
    if (header.empty()) return;
    {
      MutexLock lock(&mutex_);
      headers_.push_back(header);
    }
    const bool is_tunnel = absl::StartsWith(header, "CONNECT ");
    if (is_tunnel) {
      for (std::size_t i = 0; i < granted_.size(); i += is_slow_ ? 1 : granted_.size()) {
        SendAll(fd, is_slow_ ? granted_.substr(i, 1) : granted_);
        if (is_slow_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    const int onward = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(target_port_));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (connect(onward, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      if (!is_tunnel) SendAll(onward, header);
      Relay(fd, onward);
    }
    close(onward);
  }

  const int target_port_;
  const std::string granted_;
  const bool is_slow_;
  Mutex mutex_;
  std::vector<std::string> headers_ ABSL_GUARDED_BY(mutex_);
  RawServer server_;  // last: its threads use the others
};

}  // namespace tidemark
