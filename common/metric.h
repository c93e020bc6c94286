// The histograms that exist, in one list: agents record them, shards carry them by number, reports name them.
#pragma once

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace tidemark {

enum class Metric : std::uint8_t {
  kService,     // sent to last byte, successes
  kOther,       // sent to last byte, complete responses that are no success
  kCensored,    // sent to time-out or cut-off: the true value lies above
  kFirstByte,   // sent to first byte of the response, complete responses
  kLateness,    // due to sent
  kConnect,     // TCP connect
  kTls,         // TLS handshake
  kLoopLag,     // busy time of one turn of a worker's event loop
  kResponse,    // open loop: due to last byte, successes
  kUnanswered,  // open loop: due to time-out, cut-off or the end of waiting: the true value lies above
  kPacing,      // due to sent, of slots that found a free connection when they fell due: the generator's own part
  kAppToWire,   // sampled: sent to the kernel's hand-over to the driver
  kWire,        // sampled: from there to the response's last byte coming in from the driver
  kWireToApp,   // sampled: from there to our read
  kUpgrade,     // WebSocket: the request for it sent, to its answer read
  kSubscribe,   // WebSocket: subscriptions sent, to the last of their acks
  kFirstEvent,  // listening: from there, or from the upgrade, to the first message
  kInterval,    // listening: between two messages of a stream
  kReturn,      // listening: a storm, to a connection subscribed again
  kStaleness,   // listening: event time to receipt, by the wall clocks of target and agent
  kRequest,     // of a mix: service times of its first request, and so on, kMaxRequests of them
  kCount = kRequest + 16
};

inline constexpr std::size_t kMetricCount = static_cast<std::size_t>(Metric::kCount);

// Requests that a plan may mix.
inline constexpr std::size_t kMaxRequests = kMetricCount - static_cast<std::size_t>(Metric::kRequest);
// REQUIRES: index < kMaxRequests.
constexpr Metric MetricOfRequest(std::size_t index) {
  return static_cast<Metric>(static_cast<std::size_t>(Metric::kRequest) + index);
}

// What is recorded once for a connection, before the start too.
inline constexpr std::array<Metric, 5> kConnectionMetrics = {Metric::kConnect, Metric::kTls, Metric::kUpgrade,
                                                             Metric::kSubscribe, Metric::kFirstEvent};

inline constexpr std::array<absl::string_view, kMetricCount> kMetricNames = {
    "service",     "other",      "censored",   "first_byte",  "lateness",  "connect",     "tls",        "loop_lag",
    "response",    "unanswered", "pacing",     "app_to_wire", "wire",      "wire_to_app", "upgrade",    "subscribe",
    "first_event", "interval",   "return",     "staleness",   "request_1", "request_2",   "request_3",  "request_4",
    "request_5",   "request_6",  "request_7",  "request_8",   "request_9", "request_10",  "request_11", "request_12",
    "request_13",  "request_14", "request_15", "request_16"};

}  // namespace tidemark
