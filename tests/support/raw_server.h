// A TCP server that answers every request with scripted bytes: what no well-behaved server can be made to do.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/listener.h"

namespace tidemark {

// What to do on one connection; `fd` is closed afterwards. Runs on a thread of its own.
using Script = std::function<void(int fd)>;

// Reads until `\r\n\r\n` has come, into *header if that is asked for; false at the end of the stream.
inline bool ReadRequest(int fd, std::string* header = nullptr) {
  std::string own;
  std::string& text = header == nullptr ? own : *header;
  char byte;
  while (recv(fd, &byte, 1, 0) == 1) {
    text.push_back(byte);
    if (text.size() >= 4 && text.compare(text.size() - 4, 4, "\r\n\r\n") == 0) return true;
  }
  return false;
}

inline void SendAll(int fd, const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t n = send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (n <= 0) return;
    at += static_cast<std::size_t>(n);
  }
}

// The next close of `fd` resets the connection.
inline void ResetOnClose(int fd) {
  // A reset takes with it what Nagle's algorithm still holds back.
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

class RawServer {
 public:
  explicit RawServer(Script script) : script_(std::move(script)) {
    const Listener listener = ListenOn("127.0.0.1", 128);
    listener_ = listener.fd;
    port_ = listener.port;
    thread_ = std::thread([this] { Accept(); });
  }
  ~RawServer() {
    is_stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  int port() const { return port_; }

 private:
  void Accept() {
    std::vector<std::thread> connections;
    while (!is_stopping_) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      connections.emplace_back([this, fd] {
        script_(fd);
        close(fd);
      });
    }
    for (std::thread& thread : connections) thread.join();
  }

  const Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

}  // namespace tidemark
