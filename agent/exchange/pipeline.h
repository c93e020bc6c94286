// The requests that a WebSocket has under way.
#pragma once

#include <cstdint>
#include <vector>

#include "common/clock.h"

namespace tidemark {

// In the order in which they were sent. A ring that grows to the depth that is used.  Threads: one.
class Pipeline {
 public:
  struct Request {
    std::uint64_t slot = 0;
    Nanos due = 0;
    Nanos sent = 0;
    bool is_under_way = true;
  };

  std::size_t size() const { return size_; }  // under way

  void Push(const Request& request) {
    if (end_ - begin_ == ring_.size()) Grow();
    At(end_++) = request;
    ++size_;
  }

  // The oldest one under way.  REQUIRES: size() > 0.
  Request& Oldest() { return At(begin_); }

  // The oldest one that `is_it`; null if there is none.
  template <typename Predicate>
  Request* Find(Predicate is_it) {
    for (std::size_t i = begin_; i != end_; ++i) {
      if (At(i).is_under_way && is_it(At(i))) return &At(i);
    }
    return nullptr;
  }

  // REQUIRES: it is under way.
  void Remove(Request* request) {
    request->is_under_way = false;
    --size_;
    while (begin_ != end_ && !At(begin_).is_under_way) ++begin_;
  }

 private:
  Request& At(std::size_t i) { return ring_[i & (ring_.size() - 1)]; }
  void Grow() {
    std::vector<Request> larger(ring_.empty() ? 1 : 2 * ring_.size());
    for (std::size_t i = begin_; i != end_; ++i) larger[i - begin_] = At(i);
    end_ -= begin_;
    begin_ = 0;
    ring_ = std::move(larger);
  }

  std::vector<Request> ring_;  // a power of two
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t size_ = 0;
};

}  // namespace tidemark
