// How a worker behaves towards a target that runs on its own core.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/net/transport.h"
#include "common/clock.h"

namespace tidemark {

// True if every address belongs to this machine: a Unix socket, loopback, or one of its interfaces.
bool IsOnThisMachine(const std::vector<SocketAddress>& addresses);

// A worker that costs less than its target is woken by each single response and interrupts the target to read it: two
// context switches per request. Under SCHED_BATCH it waits until the target sleeps and reads all that has come:
// measured with nginx on the same core, a fifth more requests per second at a lower p99. But any other program on that
// core makes it wait as well, for milliseconds; so Review looks at how long it waited, and ends this for good if that
// was more than a target needs.
// Threads: the worker's own.
class CoreSharing {
 public:
  // The thread will not interrupt others from now on.
  void Begin(Nanos now, std::uint64_t responses);
  // To be called now and then with all responses so far.
  void Review(Nanos now, std::uint64_t responses);
  void End();
  bool IsOn() const { return is_on_; }

 private:
  bool is_on_ = false;
  Nanos next_review_ = 0;
  Nanos delay_ = 0;
  std::uint64_t responses_ = 0;
};

}  // namespace tidemark
