// How an agent's clock reads against ours: the exchange with the least round trip of a burst.
#pragma once

#include <algorithm>
#include <limits>

#include "common/clock.h"

namespace tidemark {

// Source: the NTP offset formula (RFC 5905 section 8) with the agent's two time stamps equal; of a burst the exchange
// with the smallest round trip bounds the error best: the true offset lies within +-round_trip/2.
class ClockOffset {
 public:
  void Add(Nanos sent, Nanos agent, Nanos received) {
    const Nanos round_trip = received - sent;
    if (round_trip < 0) return;
    slowest_ = std::max(slowest_, round_trip);
    if (round_trip >= round_trip_) return;
    round_trip_ = round_trip;
    offset_ = agent - (sent + round_trip / 2);
  }
  bool IsKnown() const { return round_trip_ != std::numeric_limits<Nanos>::max(); }
  // Agent's clock minus ours.
  Nanos offset() const { return offset_; }
  Nanos round_trip() const { return round_trip_; }
  // The longest round trip seen: how late a message to this agent may be.
  Nanos slowest() const { return slowest_; }

 private:
  Nanos offset_ = 0;
  Nanos slowest_ = 0;
  Nanos round_trip_ = std::numeric_limits<Nanos>::max();
};

}  // namespace tidemark
