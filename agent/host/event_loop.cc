#include "agent/host/event_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/check.h"

namespace tidemark {

EventLoop::EventLoop() : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(epoll_fd_ >= 0 && wake_fd_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event) == 0);
}

EventLoop::~EventLoop() {
  close(wake_fd_);
  close(epoll_fd_);
}

bool EventLoop::Add(int fd, std::uint32_t events, void* owner) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = owner;
  return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void EventLoop::Modify(int fd, std::uint32_t events, void* owner) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = owner;
  CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) == 0);
}

std::span<epoll_event> EventLoop::Wait(Nanos now, Nanos until) {
  const Nanos timeout = std::max<Nanos>(0, until - now);
  const timespec wait{.tv_sec = timeout / kSecond, .tv_nsec = timeout % kSecond};
  int count = epoll_pwait2(epoll_fd_, events_.data(), static_cast<int>(events_.size()), &wait, nullptr);
  if (count < 0 && errno == ENOSYS) {  // kernels before 5.11, and some container runtimes
    const int millis = static_cast<int>(std::min<Nanos>((timeout + kMillisecond - 1) / kMillisecond, 1000));
    count = epoll_wait(epoll_fd_, events_.data(), static_cast<int>(events_.size()), millis);
  }
  if (count < 0 && errno == EINTR) count = epoll_wait(epoll_fd_, events_.data(), static_cast<int>(events_.size()), 0);
  CHECK(count >= 0 || errno == EINTR);
  is_full_ = count == static_cast<int>(events_.size());
  std::size_t kept = 0;
  for (int i = 0; i < count; ++i) {
    if (events_[static_cast<std::size_t>(i)].data.ptr == nullptr) {
      is_woken_ = true;
    } else {
      events_[kept++] = events_[static_cast<std::size_t>(i)];
    }
  }
  return {events_.data(), kept};
}

void EventLoop::RunPosted() {
  if (!is_woken_) return;
  is_woken_ = false;
  std::uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t n = read(wake_fd_, &ignored, sizeof ignored);
  std::vector<absl::AnyInvocable<void()>> work;
  {
    MutexLock lock(&mutex_);
    work.swap(posted_);
  }
  for (auto& item : work) item();
}

void EventLoop::Post(absl::AnyInvocable<void()> work) {
  {
    MutexLock lock(&mutex_);
    posted_.push_back(std::move(work));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(wake_fd_, &one, sizeof one);
}

TimeoutWheel::TimeoutWheel(Nanos start) : tick_(start / kTick) {
  for (Node& head : slots_) head.next = head.previous = &head;
}

void TimeoutWheel::Cancel(Node* node) {
  if (node->next == nullptr) return;
  node->next->previous = node->previous;
  node->previous->next = node->next;
  node->next = node->previous = nullptr;
}

void TimeoutWheel::Link(Node* node) {
  Cancel(node);
  // Rounded up, so that no node expires early; what lies beyond the wheel waits in its farthest slot.
  const std::int64_t wanted = std::max(node->deadline / kTick + 1, tick_ + 1);
  node->slot_tick = std::min(wanted, tick_ + static_cast<std::int64_t>(kSlots) - 1);
  Node& head = slots_[static_cast<std::size_t>(node->slot_tick) % kSlots];
  node->previous = head.previous;
  node->next = &head;
  head.previous->next = node;
  head.previous = node;
}

void TimeoutWheel::Detach(Node* list) {
  Node& head = slots_[static_cast<std::size_t>(tick_) % kSlots];
  list->next = list->previous = list;
  if (head.next == &head) return;
  list->next = head.next;
  list->previous = head.previous;
  list->next->previous = list->previous->next = list;
  head.next = head.previous = &head;
}

}  // namespace tidemark
