// How long a coordinator waits for an agent.
#pragma once

#include "common/clock.h"
#include "common/control/address.h"

namespace tidemark {

// An agent that takes longer is lost.
struct RunLimits {
  Nanos heartbeat = kHeartbeatMillis * kMillisecond;  // between two questions ...
  Nanos silence = 5 * kSecond;                        // ... of which one is answered within that
  Nanos open = 30 * kSecond;                          // includes the agent's name resolution
  Nanos answer = 10 * kSecond;
  Nanos stop = 4 * kSecond;  // an agent waits two seconds at most for what is in flight, and has as long to tell of it
  Nanos shard = 10 * kSecond;  // one comes each second, of a busy agent later
  // A stream that broke is taken up again while the agent's lease lasts, and a little longer, for its refusal to
  // arrive.
  Nanos resume = kLeaseMillis * kMillisecond + 500 * kMillisecond;
  // At the end of a run agents close their streams; after an interrupt nobody waits for long.
  Nanos close = 2 * kSecond;
  Nanos interrupted_close = 500 * kMillisecond;
  // For what an agent that was lost had sent, from the end of the run and of its lease on.
  Nanos account = kSecond;
};

}  // namespace tidemark
