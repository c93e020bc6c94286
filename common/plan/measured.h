// Which figures a plan measures: what it does not measure is absent from every output, and cannot be expected of it.
#pragma once

#include <bitset>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/plan/target.h"
#include "common/stats/outcome.h"
#include "protos/plan.pb.h"

namespace tidemark {

// What a plan must have for a figure to be measured.
enum class Need : std::uint8_t {
  kNothing,       // every plan measures it
  kRequests,      // requests, of any kind: it does not listen
  kHttp,          // ... over HTTP
  kReplies,       // ... over WebSockets
  kOpenLoop,      // a rate
  kClosedLoop,    // requests without a rate
  kRates,         // an open loop with a point per rate
  kMix,           // several requests
  kStamps,        // kernel time stamps
  kStampedSends,  // ... of what is sent: requests
  kStampedTimes,  // ... of what has a latency: requests, or events whose times are known
  kConnections,   // connections that last
  kTls,
  kTlsRequests,  // requests over TLS
  kContinue,
  kFollow,  // redirects that are followed
  kSample,
  kUnixSocket,
  kResolveEvery,  // names that are looked up again
  kWebSocket,
  kDeflate,
  kAcks,  // subscriptions that are answered
  kPing,
  kListening,
  kStreams,     // their names
  kEventTimes,  // when events happened
  kClock,       // the target's
  kFanOut,
  kStorm,
  kHold,
  kIgnore,
  kSeveral,   // messages that have several events
  kPointers,  // messages are read
  kSilence,   // one that fits into a point, or a factor
  kOrder,     // numbers that follow each other: the rules consecutive, range and link
  kNumbers,   // ... of which the first two tell how many are missing
  kRising,    // those, or numbers that rise: snapshot
  kSnapshots,
  kSnapshotRule,
  kBooks,  // the rules snapshot and checksum, which may lose their place
  kChecksums,
  kCount
};

class Measured {
 public:
  // Of a plan that is valid but for its expectations.
  explicit Measured(const proto::Plan& plan);

  bool Has(Need need) const { return has_[static_cast<std::size_t>(need)]; }
  // Whether a figure of a report is measured. It goes by its message and field in report.proto, "Point.requests_per_s";
  // one of a list of counts by the list's field, "streams.gaps".
  bool Has(absl::string_view figure) const;

 private:
  std::bitset<static_cast<std::size_t>(Need::kCount)> has_;
};

// What a figure needs; kNothing if the table does not name it.
Need NeedOf(absl::string_view figure);

// Why a plan does not measure a figure, and what to give it: "no checksum is compared; give ...".
// REQUIRES: `measured` does not have it.
absl::string_view WhyNotMeasured(const Measured& measured, absl::string_view figure);

// A finding that only messages bring to light: where none came, nothing was looked at.
bool IsOfMessages(Finding finding);

// Whether the kernel can stamp requests of this plan, and is to.
bool HasStamps(const proto::Plan& plan, const Target& target);

}  // namespace tidemark
