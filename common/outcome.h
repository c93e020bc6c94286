// How a request, and a connection attempt, can end; and the identity that binds the counts.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/metric.h"
#include "protos/shard.pb.h"

namespace tidemark {

// How a sent request ended. Order is OutcomeCounts of report.proto.
enum class Outcome : std::uint8_t {
  kStatus2xx,
  kStatus3xx,
  kStatus4xx,  // without 429
  kStatus429,
  kStatus5xx,
  kStatusOther,  // any other final status
  kClosedEarly,  // orderly close before the response was complete
  kReset,        // the connection broke before the response was complete
  kRequestTimeout,
  kMalformed,  // not HTTP/1.x as RFC 9112 defines it
  kOverLimit,  // header or body larger than our limits
  kCutOff,     // still in flight when the run was stopped
  kReply,      // of a WebSocket: its reply came
  kCount
};

// Why a planned request was never sent. Order is NeverSentCounts of report.proto.
enum class NeverSent : std::uint8_t {
  kResolve,
  kConnectRefused,
  kConnectTimeout,
  kConnectOther,
  kTls,
  kCap,
  kStopped,
  kAgentLost,
  kUpgrade,
  kCount
};

// How a connection attempt ended. Order is ConnectCounts of report.proto.
enum class ConnectResult : std::uint8_t {
  kEstablished,
  kRefused,
  kTimeout,
  kOther,
  kTlsFailed,
  kAbandoned,
  kUpgradeFailed,
  kCount
};

// How the peer ended a WebSocket, by its close code (RFC 6455 section 7.4.1). Order is CloseCounts of report.proto.
enum class Closing : std::uint8_t {
  kNormal,         // 1000
  kGoingAway,      // 1001
  kProtocolError,  // 1002
  kUnsupported,    // 1003
  kNoCode,         // a close frame without a code
  kNoFrame,        // the connection ended without a close frame
  kBadPayload,     // 1007
  kPolicy,         // 1008
  kTooBig,         // 1009
  kInternal,       // 1011
  kRestart,        // 1012
  kTryLater,       // 1013
  kApplication,    // 3000 to 4999
  kOther,
  kCount
};

// What listening to a stream brought to light. Order is StreamCounts of report.proto.
enum class Finding : std::uint8_t {
  kGap,        // runs of messages that never came ...
  kLost,       // ... and how many numbers they had
  kGapBehind,  // of the gaps, those that came while the generator itself was behind
  kDuplicate,
  kReordered,  // came late
  kReset,      // the numbers began again
  kUnread,     // messages without a value at one of the pointers, or that are no JSON
  kSilence,    // connections that fell silent
  kReconnect,  // connections that were lost while listening
  kStorm,      // ... that we closed, to see them come back
  kHeld,       // ... that we closed when they had been held for as long as the plan says
  kSnapshot,   // messages that a stream begins with, or begins anew
  kSuspect,    // after a snapshot, numbers that rose by more than one
  kUnsynced,   // messages before a snapshot, or after a wrong checksum
  kChecked,    // checksums that were right
  kChecksumWrong,
  kIgnored,  // messages that the plan says are no events
  kCount
};

inline constexpr std::size_t kFindingCount = static_cast<std::size_t>(Finding::kCount);
inline constexpr std::size_t kOutcomeCount = static_cast<std::size_t>(Outcome::kCount);
inline constexpr std::size_t kNeverSentCount = static_cast<std::size_t>(NeverSent::kCount);
inline constexpr std::size_t kConnectResultCount = static_cast<std::size_t>(ConnectResult::kCount);
inline constexpr std::size_t kClosingCount = static_cast<std::size_t>(Closing::kCount);

absl::string_view Name(Outcome outcome);
absl::string_view Name(NeverSent reason);
absl::string_view Name(ConnectResult result);
absl::string_view Name(Closing closing);
absl::string_view Name(Finding finding);

// The class of a complete response with the given status (100 to 999); the first of those that are no 2xx.
Outcome OutcomeOfOtherStatus(int status);
inline Outcome OutcomeOfStatus(int status) {
  return status >= 200 && status < 300 ? Outcome::kStatus2xx : OutcomeOfOtherStatus(status);
}

// The phase of a connection in which an operation failed.
enum class Phase : std::uint8_t { kConnect, kTls, kUpgrade, kRequest };

// The result of a connection attempt that ended with `error` (an errno value; ETIMEDOUT also for our own time-out).
// REQUIRES: phase is not kRequest.
ConnectResult ConnectResultOf(Phase phase, int error);

// `code` as a close frame gives it; 1005 if it gives none.
Closing ClosingOf(int code);

// The outcome of a request whose connection failed with `error` (an errno value; 0: orderly close by the peer).
Outcome OutcomeOf(int error);

// Why a slot was never sent, given the connection attempt it waited for.  REQUIRES: result != kEstablished.
NeverSent NeverSentOf(ConnectResult result);

// What is counted per request. All sums are since some start; plain integers, so that adding is exact.
struct Counters {
  std::uint64_t planned = 0;
  std::uint64_t sent = 0;
  std::array<std::uint64_t, kNeverSentCount> never_sent{};
  std::array<std::uint64_t, kOutcomeCount> outcomes{};
  std::array<std::uint64_t, kConnectResultCount> connects{};
  std::array<std::uint64_t, kClosingCount> closings{};  // WebSockets that the peer ended
  std::array<std::uint64_t, kFindingCount> findings{};
  std::array<std::uint64_t, kMaxRequests> sent_by_request{};  // of a mix
  std::uint64_t success = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t unsolicited_bytes = 0;
  std::uint64_t messages = 0;         // of WebSockets, received
  std::uint64_t orphan_messages = 0;  // ... that were nobody's reply
  std::uint64_t pings = 0;            // ... and answered
  std::uint64_t client_pings = 0;     // sent by us, as frames or messages ...
  std::uint64_t pongs = 0;            // ... and their answers
  std::uint64_t compressed_messages = 0;
  std::uint64_t message_bytes = 0;        // of the messages' payloads
  std::uint64_t early_messages = 0;       // of these, before T0 ...
  std::uint64_t early_message_bytes = 0;  // ... and their bytes
  std::uint64_t untracked_events = 0;     // receipts that the fan-out has no room for
  std::uint64_t tls_resumed = 0;
  std::uint64_t cpu_ns = 0;
  std::uint64_t run_delay_ns = 0;
  std::uint64_t busy_ns = 0;        // integral over time of the requests in flight
  std::uint64_t failed_ns = 0;      // sent to the end, of requests that are in no histogram
  std::uint64_t no_local_port = 0;  // connection attempts that found no free local port ...
  std::uint64_t no_descriptor = 0;  // ... or no free descriptor
  std::uint64_t schedule_hash = 0;  // open loop: sum of Mix64(due - T0) over slots that fell due

  std::uint64_t& operator[](Outcome outcome) { return outcomes[static_cast<std::size_t>(outcome)]; }
  std::uint64_t& operator[](NeverSent reason) { return never_sent[static_cast<std::size_t>(reason)]; }
  std::uint64_t& operator[](ConnectResult result) { return connects[static_cast<std::size_t>(result)]; }
  std::uint64_t& operator[](Finding finding) { return findings[static_cast<std::size_t>(finding)]; }
  std::uint64_t& operator[](Closing closing) { return closings[static_cast<std::size_t>(closing)]; }

  std::uint64_t NeverSentTotal() const;
  std::uint64_t OutcomeTotal() const;
  // Complete responses: the status classes, and replies.
  std::uint64_t Complete() const;

  void Add(const Counters& other);
  bool operator==(const Counters&) const = default;
};

// Requests between plan and outcome: gauges, not sums.
struct Pending {
  std::uint64_t waiting = 0;    // planned, neither sent nor given up yet
  std::uint64_t in_flight = 0;  // sent, no outcome yet
};

// Says how `planned = sent + never_sent + waiting` or `sent = sum of outcomes + in_flight` fails, or that success
// exceeds the complete responses, early messages exceed all, or the requests of a mix do not add up; empty if all hold.
// Source: DESIGN.md "Accounting".
std::string BrokenIdentity(const Counters& counters, const Pending& pending);

// To and from the wire. FromProto accepts shorter lists (an older peer) and ignores longer tails only if zero;
// it returns false if a tail it does not know is not zero.
void ToProto(const Counters& counters, const Pending& pending, proto::Counters* out);
bool FromProto(const proto::Counters& in, Counters* counters, Pending* pending);

}  // namespace tidemark
