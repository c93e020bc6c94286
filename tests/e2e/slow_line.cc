#include "tests/e2e/slow_line.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/support/process.h"

namespace tidemark {

SlowLine::SlowLine(const std::string& host, std::chrono::microseconds delay, int lost_every)
    : delay_(delay), lost_every_(lost_every) {
  near_ = Open("line0");
  std::thread([this, &host] {
    const int ns = open(("/run/netns/" + host).c_str(), O_RDONLY | O_CLOEXEC);
    if (ns >= 0 && setns(ns, CLONE_NEWNET) == 0) far_ = Open("line0");
    close(ns);
  }).join();
  is_there_ = near_ >= 0 && far_ >= 0 && Succeeds("ip addr add 10.78.0.2 peer 10.78.0.1 dev line0") &&
              Succeeds("ip link set line0 up") &&
              Succeeds("ip -n " + host + " addr add 10.78.0.1 peer 10.78.0.2 dev line0") &&
              Succeeds("ip -n " + host + " link set line0 up");
  if (is_there_) carrier_ = std::thread([this] { Carry(); });
}

SlowLine::~SlowLine() {
  is_over_ = true;
  if (carrier_.joinable()) carrier_.join();
  close(near_);
  close(far_);
}

int SlowLine::Open(const char* name) {
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0) return fd;
  close(fd);
  return -1;
}

void SlowLine::Take(int from, Packets* packets) {
  char packet[65'536];
  for (ssize_t n = 0; (n = read(from, packet, sizeof packet)) > 0;) {
    constexpr ssize_t kHeaders = 60;  // of TCP over IPv4, with time stamps: what is longer has data
    if (lost_every_ > 0 && n > kHeaders && ++with_data_ % lost_every_ == 0) {
      ++lost_;
      continue;
    }
    packets->emplace_back(Clock::now() + delay_, std::vector<char>(packet, packet + n));
  }
}

void SlowLine::Deliver(int to, Packets* packets) {
  while (!packets->empty() && packets->front().first <= Clock::now()) {
    [[maybe_unused]] const ssize_t n = write(to, packets->front().second.data(), packets->front().second.size());
    packets->pop_front();
  }
}

void SlowLine::Carry() {
  Packets there;
  Packets back;
  while (!is_over_) {
    auto next = Clock::now() + std::chrono::milliseconds(20);
    for (const Packets* packets : {&there, &back}) {
      if (!packets->empty()) next = std::min(next, packets->front().first);
    }
    const auto wait = std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(next - Clock::now()));
    const timespec limit = {.tv_sec = 0, .tv_nsec = wait.count()};
    pollfd fds[] = {{.fd = near_, .events = POLLIN, .revents = 0}, {.fd = far_, .events = POLLIN, .revents = 0}};
    ppoll(fds, 2, &limit, nullptr);
    Take(near_, &there);
    Take(far_, &back);
    Deliver(far_, &there);
    Deliver(near_, &back);
  }
}

}  // namespace tidemark
