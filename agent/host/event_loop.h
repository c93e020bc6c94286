// A worker's event loop: epoll, a wake-up for posted work, and the coarse wheel that ends what takes too long.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <limits>
#include <span>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "common/clock.h"
#include "common/mutex.h"

namespace tidemark {

// What is registered for a descriptor that is read: also to be told, with the last bytes, that the peer ends the stream
// behind them. Whoever gets EPOLLRDHUP reads up to that end, or closes; it would come again without end.
inline constexpr std::uint32_t kToRead = EPOLLIN | EPOLLRDHUP;
inline constexpr std::uint32_t kToReadAndWrite = kToRead | EPOLLOUT;

// One thread runs the loop; Post may be called from any thread.
// A descriptor is registered once (Add) and leaves the loop when it is closed.
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Level-triggered; `owner` comes back in epoll_event::data.ptr and must not be null.
  // Returns false if the kernel refuses (errno tells).
  bool Add(int fd, std::uint32_t events, void* owner);
  void Modify(int fd, std::uint32_t events, void* owner);

  // Waits for events until `until` (an instant; the past: only looks). Posted work makes it return early, and so does a
  // signal that had stopped the process: with what has come meanwhile.
  std::span<epoll_event> Wait(Nanos now, Nanos until);
  // The last Wait returned as many events as it can: there may be more.
  bool IsFull() const { return is_full_; }

  // Runs what was posted before the last Wait returned. Loop thread only.
  void RunPosted();

  // Threads: any. A few per second: it locks and makes a system call.
  void Post(absl::AnyInvocable<void()> work);

 private:
  const int epoll_fd_;
  const int wake_fd_;
  bool is_woken_ = false;  // loop thread: the last Wait saw the wake-up
  bool is_full_ = false;
  std::array<epoll_event, 256> events_;
  Mutex mutex_;
  std::vector<absl::AnyInvocable<void()>> posted_ ABSL_GUARDED_BY(mutex_);
};

// Deadlines at 10 ms resolution, late by at most one tick, for any number of nodes. Pushing a deadline further out,
// which every request does, is one store: a node moves only when its slot comes up.
// Threads: one.   A node must be cancelled, or the wheel gone, before the node is destroyed.
class TimeoutWheel {
 public:
  static constexpr Nanos kTick = 10 * kMillisecond;
  static constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

  struct Node {
    Node* next = nullptr;
    Node* previous = nullptr;
    Nanos deadline = kNever;
    std::int64_t slot_tick = 0;  // tick at which the wheel looks at this node; meaningful while linked
  };

  explicit TimeoutWheel(Nanos start);

  void Schedule(Node* node, Nanos deadline) {
    node->deadline = deadline;
    if (node->next == nullptr || deadline / kTick + 1 < node->slot_tick) [[unlikely]]
      Link(node);
  }
  // Goes on at `now` without looking at the ticks between, after a time without nodes. REQUIRES: no node is linked.
  void SkipTo(Nanos now) { tick_ = now / kTick; }
  // The node may stay linked; nothing happens when its slot comes up.
  static void Clear(Node* node) { node->deadline = kNever; }
  // Takes the node out for good.
  static void Cancel(Node* node);

  // Calls expire(node) for each node whose deadline is at or before `now`, after clearing its deadline.
  template <typename Expire>
  void Advance(Nanos now, Expire expire) {
    for (const std::int64_t last = now / kTick; tick_ < last;) {
      ++tick_;
      Node due;
      Detach(&due);
      while (due.next != &due) {
        Node* node = due.next;
        Cancel(node);
        if (node->deadline <= now) {
          node->deadline = kNever;
          expire(node);
        } else if (node->deadline != kNever) {
          Link(node);
        }
      }
    }
  }

 private:
  static constexpr std::size_t kSlots = 512;
  void Link(Node* node);
  void Detach(Node* list);  // moves the current tick's nodes into the circular list `list`

  std::array<Node, kSlots> slots_;  // heads of circular lists
  std::int64_t tick_;               // last tick that was looked at
};

}  // namespace tidemark
