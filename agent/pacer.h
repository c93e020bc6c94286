// When a connection may send its next request.
#pragma once

#include <cstdint>
#include <limits>

#include "common/clock.h"

namespace tidemark {

// The closed loop: a connection's next request is due when its last one is answered, until a count is used up, an
// instant has passed, or the run is stopped. Threads: one worker.
class ClosedLoop {
 public:
  // Every connection has a quota of its own.
  void LimitEach() { *this = ClosedLoop(); }
  // All connections of the worker share `requests`.
  void LimitTotal(std::uint64_t requests) {
    *this = ClosedLoop();
    is_pooled_ = true;
    pool_ = requests;
  }
  // Connections go on until `end`; quotas do not count.
  void LimitTime(Nanos end) {
    *this = ClosedLoop();
    end_ = end;
  }
  void Stop() { is_stopped_ = true; }

  // Takes one slot that is due at `due`, from the connection's own `quota` or the pool; false: nothing left.
  bool Take(std::uint64_t* quota, Nanos due) {
    if (is_stopped_ || due >= end_) return false;
    if (IsTimed()) return true;
    std::uint64_t* const left = is_pooled_ ? &pool_ : quota;
    if (*left == 0) return false;
    --*left;
    return true;
  }

  // Whether Take would succeed.
  bool MayTake(std::uint64_t quota, Nanos due) const {
    return !is_stopped_ && due < end_ && (IsTimed() || (is_pooled_ ? pool_ : quota) > 0);
  }

  bool IsTimed() const { return end_ != std::numeric_limits<Nanos>::max(); }
  bool IsStopped() const { return is_stopped_; }
  Nanos end() const { return end_; }

  // Takes all that is left of the pool, to be counted as never sent.
  std::uint64_t DrainPool() {
    const std::uint64_t left = pool_;
    pool_ = 0;
    return left;
  }

 private:
  std::uint64_t pool_ = 0;
  Nanos end_ = std::numeric_limits<Nanos>::max();
  bool is_pooled_ = false;
  bool is_stopped_ = false;
};

}  // namespace tidemark
