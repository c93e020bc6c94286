// What all connections of a worker share, whatever they load: its loop, its clock, its recorder.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "agent/guard/secrets.h"
#include "agent/host/attention.h"
#include "agent/host/event_loop.h"
#include "agent/measure/recorder.h"
#include "agent/measure/stamp_sampler.h"
#include "agent/net/stamped_socket.h"
#include "common/clock.h"

namespace tidemark {

class Lifecycle;

// Owned by the worker; its connections live shorter.  Threads: one worker.
struct LoopState {
  EventLoop* loop = nullptr;
  TimeoutWheel* wheel = nullptr;
  Recorder* recorder = nullptr;   // of the current interval
  const Masks* masks = nullptr;   // of the plan's secrets
  std::vector<char> buffer = {};  // one read buffer for all
  std::uint64_t random = 0;       // state of NextRandom
  StampSampler stamps = {};       // which requests, or reads of streams, get kernel time stamps
  StampSwitch stamp_switch = {};  // ... of what arrives
  Nanos path_looked_at = 0;       // when the path of a stamped connection was last looked at
  Nanos usual_wire = 0;           // of stamped requests, on average ...
  Nanos usual_target = 0;         // ... and without the network, where it lost nothing
  // Requests that are due go out together at the end of a turn: see Worker::Run.
  std::vector<Lifecycle*> to_send = {};
  bool is_in_turn = false;
  bool is_over = false;            // the time of the point has passed, or it was stopped: no hop begins
  bool is_preparing = true;        // connections stay open for the start, whether or not they have a slot
  Nanos now = 0;                   // the latest clock reading of this thread
  Nanos start = 0;                 // T0 of the point; meaningful when not preparing
  Attention attention = {};        // of this thread
  Nanos behind_at = 0;             // when it last had not read for a while, or left more unread than fits its buffer
  std::int64_t settled = 0;        // connections with nothing left to do in this phase
  std::int64_t up = 0;             // connections established now
  std::int64_t asked = 0;          // ... that should be up now: all but those that we hold closed ourselves
  Nanos counted_to = 0;            // up to when the recorder knows of both
  std::int64_t backing_off = 0;    // connections that wait before they are tried again
  std::int64_t short_of_room = 0;  // attempts that wait for room in the target's accept queue
  int open_credits = 0;            // see Worker::OpenConnections

  Nanos ReadClock() { return now = MonotonicNow(); }

  // Of keys and masks: what nobody can foretell without the seed.
  std::uint64_t NextRandom() { return Mix64(++random); }

  // From T0 on, `connections` are asked for.
  void BeginCounting(Nanos instant, std::int64_t connections) {
    counted_to = instant;
    asked = connections;
  }
  void EndCounting() { counted_to = TimeoutWheel::kNever; }
  // Brings the integrals of the connections that are up, and of those that are asked for, up to `instant`.
  void CountConnections(Nanos instant) {
    if (is_preparing || instant <= counted_to) return;
    const auto length = static_cast<std::uint64_t>(instant - counted_to);
    recorder->counters.up_ns += static_cast<std::uint64_t>(up) * length;
    recorder->counters.asked_ns += static_cast<std::uint64_t>(asked) * length;
    counted_to = instant;
  }
  // One more connection was asked for since `from`.
  void CountMissing(Nanos from) {
    if (is_preparing || counted_to == TimeoutWheel::kNever) return;
    recorder->counters.asked_ns += static_cast<std::uint64_t>(std::max<Nanos>(0, now - std::max(from, start)));
  }
  void ChangeUp(std::int64_t by) {
    CountConnections(now);
    up += by;
  }
  void ChangeAsked(std::int64_t by) {
    CountConnections(now);
    asked += by;
  }
};

}  // namespace tidemark
