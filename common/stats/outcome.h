// How a request, and a connection attempt, can end; and the identity that binds the counts.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/stats/metric.h"
#include "protos/shard.pb.h"

namespace tidemark {

// The rows are in common/stats/outcomes.def.
enum class Outcome : std::uint8_t {
#define OUTCOME(name, json, label, need) k##name,
#include "common/stats/outcomes.def"
  kCount
};
enum class NeverSent : std::uint8_t {
#define NEVER_SENT(name, json, label, need) k##name,
#include "common/stats/outcomes.def"
  kCount
};
enum class ConnectResult : std::uint8_t {
#define CONNECT_RESULT(name, json, label, need) k##name,
#include "common/stats/outcomes.def"
  kCount
};
enum class Closing : std::uint8_t {
#define CLOSING(name, json, label) k##name,
#include "common/stats/outcomes.def"
  kCount
};
enum class Finding : std::uint8_t {
#define FINDING(name, json, label, need) k##name,
#include "common/stats/outcomes.def"
  kCount
};

enum class TlsAlert : std::uint8_t {
#define TLS_ALERT(number, name, json, label) k##name,
#include "common/stats/outcomes.def"
  kCount
};

inline constexpr std::size_t kTlsAlertCount = static_cast<std::size_t>(TlsAlert::kCount);
inline constexpr std::size_t kFindingCount = static_cast<std::size_t>(Finding::kCount);
inline constexpr std::size_t kOutcomeCount = static_cast<std::size_t>(Outcome::kCount);
inline constexpr std::size_t kNeverSentCount = static_cast<std::size_t>(NeverSent::kCount);
inline constexpr std::size_t kConnectResultCount = static_cast<std::size_t>(ConnectResult::kCount);
inline constexpr std::size_t kClosingCount = static_cast<std::size_t>(Closing::kCount);

// How a report names one of them.
struct EndRow {
  absl::string_view json;
  absl::string_view label;
};
inline constexpr std::array<EndRow, kOutcomeCount> kOutcomeRows = {{
#define OUTCOME(name, json, label, need) {json, label},
#include "common/stats/outcomes.def"
}};
inline constexpr std::array<EndRow, kNeverSentCount> kNeverSentRows = {{
#define NEVER_SENT(name, json, label, need) {json, label},
#include "common/stats/outcomes.def"
}};
inline constexpr std::array<EndRow, kTlsAlertCount> kTlsAlertRows = {{
#define TLS_ALERT(number, name, json, label) {json, label},
#include "common/stats/outcomes.def"
}};
// The alert of a target that wants to know its client, and what to do about it.
inline constexpr EndRow kCertificateRequired = kTlsAlertRows[static_cast<std::size_t>(TlsAlert::kCertificateRequired)];
inline constexpr char kClientCertificateRemedy[] = "the target wants a client certificate: --cert, --key";
inline constexpr std::array<EndRow, kConnectResultCount> kConnectResultRows = {{
#define CONNECT_RESULT(name, json, label, need) {json, label},
#include "common/stats/outcomes.def"
}};
inline constexpr std::array<EndRow, kClosingCount> kClosingRows = {{
#define CLOSING(name, json, label) {json, label},
#include "common/stats/outcomes.def"
}};
inline constexpr std::array<EndRow, kFindingCount> kFindingRows = {{
#define FINDING(name, json, label, need) {json, label},
#include "common/stats/outcomes.def"
}};

// The class of a complete response with the given status (100 to 999); the first of those that are no 2xx.
Outcome OutcomeOfOtherStatus(int status);
inline Outcome OutcomeOfStatus(int status) {
  return status >= 200 && status < 300 ? Outcome::kStatus2xx : OutcomeOfOtherStatus(status);
}

// The phase of a connection in which an operation failed.
enum class Phase : std::uint8_t { kConnect, kProxy, kTls, kUpgrade, kRequest };

// The result of a connection attempt that ended with `error` (an errno value; ETIMEDOUT also for our own time-out).
// REQUIRES: phase is not kRequest.
ConnectResult ConnectResultOf(Phase phase, int error);

// `code` as a close frame gives it; 1005 if it gives none.
Closing ClosingOf(int code);

// The alert with that number.
TlsAlert TlsAlertOf(int number);

// The outcome of a request whose connection failed with `error` (an errno value; 0: orderly close by the peer).
Outcome OutcomeOf(int error);

// Why a slot was never sent, given the connection attempt it waited for.  REQUIRES: result != kEstablished.
NeverSent NeverSentOf(ConnectResult result);

// Complete responses among outcomes: the status classes, and replies.
std::uint64_t CompleteOf(const std::array<std::uint64_t, kOutcomeCount>& outcomes);

// What is counted per request. All sums are since some start; plain integers, so that adding is exact.
struct Counters {
#define COUNTER(field, shown, label, need, quantity) std::uint64_t field = 0;
#include "common/stats/counters.def"
  std::array<std::uint64_t, kNeverSentCount> never_sent{};
  std::array<std::uint64_t, kOutcomeCount> outcomes{};
  std::array<std::uint64_t, kConnectResultCount> connects{};
  std::array<std::uint64_t, kClosingCount> closings{};  // WebSockets that the peer ended
  std::array<std::uint64_t, kFindingCount> findings{};
  std::array<std::uint64_t, kTlsAlertCount> tls_alerts{};  // that the peer sent

  std::uint64_t& operator[](Outcome outcome) { return outcomes[static_cast<std::size_t>(outcome)]; }
  std::uint64_t& operator[](NeverSent reason) { return never_sent[static_cast<std::size_t>(reason)]; }
  std::uint64_t& operator[](ConnectResult result) { return connects[static_cast<std::size_t>(result)]; }
  std::uint64_t& operator[](Finding finding) { return findings[static_cast<std::size_t>(finding)]; }
  std::uint64_t& operator[](TlsAlert alert) { return tls_alerts[static_cast<std::size_t>(alert)]; }
  std::uint64_t& operator[](Closing closing) { return closings[static_cast<std::size_t>(closing)]; }

  std::uint64_t NeverSentTotal() const;
  std::uint64_t OutcomeTotal() const;
  std::uint64_t Complete() const { return CompleteOf(outcomes); }
  // What went to the target as requests: those of slots, and redirects that were followed.
  std::uint64_t RequestsSent() const { return sent + redirects_followed; }

  void Add(const Counters& other);
  bool operator==(const Counters&) const = default;
};

// See common/stats/counters.def.
enum class Shown : std::uint8_t { kAccount, kWebSocket, kPart };
// What a counter counts, by what bounds it in a time.
enum class Quantity : std::uint8_t {
  kEvents,      // what a worker handles one after another
  kBytes,       // what it moves
  kUpTime,      // ns of connections, from T0 on ...
  kLifeTime,    // ... or from when they were established
  kFlightTime,  // ns of requests in flight
  kThreadTime,  // ns of workers
  kAnything,    // a hash
};
struct CounterRow {
  absl::string_view name;
  Shown shown;
  absl::string_view label;
  std::uint64_t Counters::*field;
  Quantity quantity;
};
inline constexpr CounterRow kCounterRows[] = {
#define COUNTER(field, shown, label, need, quantity) \
  {#field, Shown::shown, label, &Counters::field, Quantity::k##quantity},
#include "common/stats/counters.def"
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
