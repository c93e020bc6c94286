// What the mock knows to have happened. Plain integers: the mock has one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/stats/histogram.h"

namespace tidemark {

struct Truth {
  explicit Truth(std::size_t arrivals_to_keep = kArrivalsKept) : max_arrivals(arrivals_to_keep) {}

  std::uint64_t accepted = 0;                   // connections, without those that only asked for the truth
  std::uint64_t upgraded = 0;                   // WebSockets
  std::uint64_t parsed = 0;                     // complete requests, or messages of WebSockets
  std::uint64_t answered = 0;                   // complete, well-formed responses, handed to the kernel whole
  std::uint64_t bytes_received = 0;             // of complete requests
  std::uint64_t bytes_sent = 0;                 // of all responses, whole or not
  std::map<int, std::uint64_t> statuses;        // of the answered
  std::map<std::string, std::uint64_t> faults;  // injected, by name
  std::size_t max_arrivals;
  std::vector<Nanos> arrivals;          // instants at which requests were complete; the first max_arrivals
  std::uint64_t arrivals_left_out = 0;  // those after them
  Nanos first_close = 0;                // instant at which the first client closed a WebSocket
  std::uint64_t replied = 0;            // acks and pongs of streams, and notices
  std::uint64_t pushed = 0;             // messages of streams, handed to the kernel ...
  std::map<std::string, std::uint64_t> pushed_by_base;  // ... by the base of their symbol
  // Of streams with common updates, by their number.
  struct Event {
    Nanos engine = 0;      // its time stamp, since 1970
    Nanos first_send = 0;  // handed to the kernel, since 1970
    Nanos last_send = 0;
    std::uint64_t sends = 0;
    std::string fault;  // injected, empty if none
  };
  std::map<std::uint64_t, Event> events;  // the first kMaxEvents
  static constexpr std::size_t kMaxEvents = 1'000'000;
  Histogram staleness;  // ... their time stamp to then
  Histogram residence;  // request in the kernel to response given to it, of the answered

  static constexpr std::size_t kArrivalsKept = 250'000;  // 2 MB
  void AddArrival(Nanos instant) {
    if (arrivals.size() < max_arrivals) {
      arrivals.push_back(instant);
    } else {
      ++arrivals_left_out;
    }
  }

  std::string ToJson() const;
  // One instant per line, ns on the machine's monotonic clock; then, if some were left out, "left out: N".
  std::string ArrivalsText() const;
  // One event per line: number, time stamp, first and last sending in ns since 1970, sendings, fault or "-".
  std::string EventsText() const;
};

}  // namespace tidemark
