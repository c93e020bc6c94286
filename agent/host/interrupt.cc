#include "agent/host/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "common/check.h"

namespace tidemark {

Interrupt::Interrupt() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { CHECK(fd_ >= 0); }
Interrupt::~Interrupt() { close(fd_); }

void Interrupt::Trigger() {
  const std::uint64_t one = 1;
  // It can only fail where it is triggered already.
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);
}

bool Interrupt::IsTriggered() const {
  pollfd wanted{.fd = fd_, .events = POLLIN, .revents = 0};
  return poll(&wanted, 1, 0) == 1;
}

Patience Patience::AtMost(Nanos limit) const {
  const Nanos now = MonotonicNow();
  return {interrupt_, limit > deadline_ - now ? deadline_ : now + limit};
}

bool Patience::WaitFor(int fd, short events) const {
  pollfd wanted[] = {{.fd = fd, .events = events, .revents = 0},
                     {.fd = interrupt_ == nullptr ? -1 : interrupt_->fd(), .events = POLLIN, .revents = 0}};
  while (true) {
    const Nanos left = deadline_ - MonotonicNow();
    if (left <= 0) return false;
    const Nanos wait = std::min<Nanos>(left / kMillisecond + 1, 60'000);
    if (poll(wanted, 2, static_cast<int>(wait)) <= 0) continue;
    if (wanted[1].revents != 0) return false;
    if (wanted[0].revents != 0) return true;
  }
}

}  // namespace tidemark
