// How an agent's clock reads against ours: the exchange with the least round trip of a burst.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <utility>

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

// How fast an agent's clock runs away from ours: a line through the best exchange of every 5 s of the last minute.
class ClockDrift {
 public:
  void Add(Nanos sent, Nanos agent, Nanos received) {
    if (received < sent) return;
    if (spans_.empty() || sent - spans_.back().begin >= kSpan) spans_.push_back({.begin = sent});
    if (spans_.size() > kSpans) spans_.pop_front();
    Span& span = spans_.back();
    if (received - sent >= span.round_trip) return;
    span.round_trip = received - sent;
    span.at = sent + span.round_trip / 2;
    span.offset = agent - span.at;
  }
  // In parts per million, positive if the agent's clock is the faster one; nothing until there are four spans.
  std::optional<double> Ppm() const {
    if (spans_.size() < 4) return std::nullopt;
    double t_mean = 0;
    double o_mean = 0;
    for (const Span& span : spans_) {
      t_mean += static_cast<double>(span.at - spans_.front().at) / static_cast<double>(spans_.size());
      o_mean += static_cast<double>(span.offset - spans_.front().offset) / static_cast<double>(spans_.size());
    }
    double products = 0;
    double squares = 0;
    for (const Span& span : spans_) {
      const double t = static_cast<double>(span.at - spans_.front().at) - t_mean;
      products += t * (static_cast<double>(span.offset - spans_.front().offset) - o_mean);
      squares += t * t;
    }
    return products / squares * 1e6;
  }

 private:
  static constexpr Nanos kSpan = 5 * kSecond;
  static constexpr std::size_t kSpans = 12;
  struct Span {
    Nanos begin = 0;
    Nanos at = 0;
    Nanos offset = 0;
    Nanos round_trip = std::numeric_limits<Nanos>::max();
  };
  std::deque<Span> spans_;
};

// What pings and pongs tell of an agent's clock. A pong answers the ping of its id; those before it are not waited for.
class AgentClock {
 public:
  // A burst begins, of which the offset will be.
  void BeginBurst() { offset_ = ClockOffset(); }
  void Ping(std::uint64_t id, Nanos now) {
    pings_.emplace_back(id, now);
    if (pings_.size() > kMaxPingsUnderWay) pings_.pop_front();
  }
  void Pong(std::uint64_t id, Nanos agent, Nanos received) {
    while (!pings_.empty() && pings_.front().first < id) pings_.pop_front();
    if (pings_.empty() || pings_.front().first != id) return;
    offset_.Add(pings_.front().second, agent, received);
    drift_.Add(pings_.front().second, agent, received);
    pings_.pop_front();
    last_pong_ = id;
  }
  std::uint64_t last_pong() const { return last_pong_; }
  const ClockOffset& offset() const { return offset_; }
  const ClockDrift& drift() const { return drift_; }

 private:
  static constexpr std::size_t kMaxPingsUnderWay = 64;
  std::deque<std::pair<std::uint64_t, Nanos>> pings_;  // id and time of those under way
  std::uint64_t last_pong_ = 0;
  ClockOffset offset_;
  ClockDrift drift_;
};

}  // namespace tidemark
