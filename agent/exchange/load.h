// What the connections of one load share: the route to its target, and when its slots are due.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/compose/request_source.h"
#include "agent/exchange/loop_state.h"
#include "agent/host/socket_address.h"
#include "agent/measure/slot_book.h"
#include "agent/net/tls.h"
#include "agent/pace/budget.h"
#include "agent/pace/pacer.h"
#include "common/clock.h"
#include "common/stats/outcome.h"

namespace tidemark {

// Connection attempts that failed, by what is said of all of the kind. Bounded.
struct ConnectErrors {
  struct Entry {
    ConnectResult result = ConnectResult::kOther;
    std::int64_t count = 0;
    std::string detail = {};  // of one of them, as the reply that refused it

    void Add(const Entry& other);
  };
  std::map<std::string, Entry> by_text;
};

// The route to a target, from the plan.  Threads: one worker.
struct Route {
  std::vector<SocketAddress> targets;
  std::vector<std::uint32_t> target_indices;  // of each, as of AddressTally
  std::vector<SocketAddress> sources;
  Nanos targets_since = 0;  // when they came in the place of others; 0: they are the first
  bool is_proxied = false;  // the targets are a proxy's addresses
  std::string tunnel;       // ... which is asked for a tunnel with this; empty: for each request
  SSL_CTX* tls = nullptr;
  std::string server_name;
  Nanos connect_timeout = 0;
  Nanos connect_interval = 0;  // between two attempts to connect; 0: none
  Nanos may_connect_at = 0;    // ... when the next one may begin
  bool has_stamps = false;     // the kernel can stamp what goes to the target
  Gate
      sends;  // the ceiling on every request, message, ping and subscription, and on what opens a tunnel or a WebSocket
  Gate connects;                               // ... on every attempt to connect
  bool has_held = false;                       // somebody waits at one of them
  NeverSent last_refusal = NeverSent::kCount;  // why the last attempt failed; kCount: it did not
  ConnectErrors connect_errors;

  // The plan's rate of new connections: when an attempt may begin that wants to begin at `now`. Turns of the last
  // 100 ms that nobody took may still be taken, so that a late wake-up costs none.
  Nanos TakeTurnToConnect(Nanos now) {
    const Nanos turn = std::max(may_connect_at, now - 100 * kMillisecond);
    may_connect_at = turn + connect_interval;
    return turn;
  }
};

// Connections of an open loop that are free to take a slot, longest first.
struct FreeConnection {
  FreeConnection* next_free = nullptr;
};

// A load: its route, its pace and its book. What a protocol adds is in what derives from it.
// Owner: the worker, at one address.  Threads: one worker.
struct Load : Route {
  explicit Load(LoopState* shared) : loop(shared) {}

  LoopState* const loop;
  SlotBook book;
  ClosedLoop pacer;
  std::optional<OpenLoop> open_loop;  // while a point with a schedule runs; then the pacer only says when to stop
  FreeConnection* first_free = nullptr;
  FreeConnection* last_free = nullptr;

  // From the plan, constant.
  RequestMix requests;
  Nanos timeout = 0;
  Nanos think_time = 0;
  bool new_connection = false;                       // each request on a connection of its own
  const std::atomic<Nanos>* target_clock = nullptr;  // its offset to our wall clock; null: 0

  std::uint64_t seed = 0;         // of what requests have that is random; of the phase that begins or runs
  std::uint32_t trace_point = 0;  // of their trace ids, see TracePoint
  std::uint64_t openings = 0;     // WebSockets that were asked for

  void RecordInto(Recorder* recorder) { book.RecordInto(recorder); }
  void BeginOpenLoop(const Arrivals& arrivals, Nanos begin) {
    open_loop.emplace(arrivals, begin);
    book.CountFromDue(true);
    first_free = nullptr;
  }
  void EndOpenLoop() {
    open_loop.reset();
    book.CountFromDue(false);
  }
  // Whether nothing new may begin at `instant`, not even the hop of a slot that is under way.
  bool IsOver(Nanos instant) const { return loop->is_over || pacer.IsStopped() || instant >= pacer.end(); }
  // Which request the slot sends.
  std::size_t RequestIndex(std::uint64_t slot) const {
    if (!requests.IsMixed()) [[likely]]
      return 0;
    return requests.IndexOf(slot, book.stride());
  }
};

}  // namespace tidemark
