// A TCP relay in front of a server, with the faults of a bad network.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/listener.h"

namespace tidemark {

// Listens on a free port of loopback and passes bytes both ways, in a thread of its own.
class Relay {
 public:
  explicit Relay(const std::string& upstream, const std::string& listen_on = "127.0.0.1") {
    const std::size_t colon = upstream.rfind(':');
    inet_pton(AF_INET, upstream.substr(0, colon).c_str(), &upstream_.sin_addr);
    upstream_.sin_family = AF_INET;
    upstream_.sin_port = htons(static_cast<std::uint16_t>(std::stoi(upstream.substr(colon + 1))));
    const Listener listener = ListenOn(listen_on, 64);
    listener_ = listener.fd;
    address_ = listen_on + ":" + std::to_string(listener.port);
    thread_ = std::thread([this] { Run(); });
  }
  ~Relay() {
    is_over_ = true;
    thread_.join();
    for (Pair& pair : pairs_) Close(&pair, false);
    close(listener_);
  }

  const std::string& address() const { return address_; }
  // Resets every connection; new ones are accepted.
  void Cut() { must_cut_ = true; }
  // Passes nothing on, and accepts nothing, until told otherwise.
  void Stall(bool is_stalled) { is_stalled_ = is_stalled; }
  // Bytes arrive that much later, each way.
  void Delay(std::chrono::milliseconds delay) { delay_ms_ = delay.count(); }
  int cuts() const { return cuts_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Chunk {
    Clock::time_point at;
    std::string bytes;
  };
  struct Way {
    int from = -1;
    int to = -1;
    std::deque<Chunk> held;
    bool is_closed = false;  // nothing more to read
  };
  struct Pair {
    Way ways[2];
  };

  static void Close(Pair* pair, bool must_reset) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    for (Way& way : pair->ways) {
      if (must_reset) setsockopt(way.from, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      close(way.from);
    }
  }

  void Accept() {
    const int down = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (down < 0) return;
    const int up = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(up, reinterpret_cast<sockaddr*>(&upstream_), sizeof upstream_) != 0) {
      close(up);
      close(down);
      return;
    }
    Pair& pair = pairs_.emplace_back();
    pair.ways[0].from = pair.ways[1].to = down;
    pair.ways[0].to = pair.ways[1].from = up;
  }

  // False if the pair is finished.
  bool Pass(Pair* pair) {
    for (Way& way : pair->ways) {
      char bytes[65536];
      const ssize_t n = way.is_closed ? -1 : recv(way.from, bytes, sizeof bytes, MSG_DONTWAIT);
      const auto at = Clock::now() + std::chrono::milliseconds(delay_ms_);
      if (n > 0) way.held.push_back({at, std::string(bytes, static_cast<std::size_t>(n))});
      if (n == 0 || (n < 0 && !way.is_closed && errno != EAGAIN)) {
        way.is_closed = true;
        way.held.push_back({at, ""});  // the end, in its turn
      }
      while (!way.held.empty() && way.held.front().at <= Clock::now()) {
        const std::string& out = way.held.front().bytes;
        if (out.empty()) return false;
        if (send(way.to, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) return false;
        way.held.pop_front();
      }
    }
    return true;
  }

  void Run() {
    while (!is_over_) {
      if (must_cut_.exchange(false)) {
        for (Pair& pair : pairs_) Close(&pair, true);
        pairs_.clear();
        ++cuts_;
      }
      std::vector<pollfd> watched;
      const bool is_stalled = is_stalled_;
      if (!is_stalled) {
        watched.push_back({.fd = listener_, .events = POLLIN, .revents = 0});
        for (const Pair& pair : pairs_) {
          for (const Way& way : pair.ways)
            if (!way.is_closed) watched.push_back({.fd = way.from, .events = POLLIN, .revents = 0});
        }
      }
      poll(watched.data(), watched.size(), 5);
      if (is_stalled) continue;
      if ((watched[0].revents & POLLIN) != 0) Accept();
      for (auto pair = pairs_.begin(); pair != pairs_.end();) {
        if (Pass(&*pair)) {
          ++pair;
        } else {
          Close(&*pair, false);
          pair = pairs_.erase(pair);
        }
      }
    }
  }

  sockaddr_in upstream_{};
  int listener_ = -1;
  std::string address_;
  std::list<Pair> pairs_;  // of the thread
  std::atomic<bool> must_cut_{false};
  std::atomic<bool> is_stalled_{false};
  std::atomic<std::int64_t> delay_ms_{0};
  std::atomic<int> cuts_{0};
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

}  // namespace tidemark
