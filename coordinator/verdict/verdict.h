// Whether a point can be believed, and what became of its target: two answers, each with its figures, and the one word
// that a table has room for.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/plan/status_set.h"
#include "common/stats/address_counts.h"
#include "common/stats/histogram.h"
#include "common/stats/outcome.h"
#include "common/stats/status_counts.h"
#include "coordinator/analysis/dead_seconds.h"
#include "coordinator/merge/merger.h"
#include "protos/plan.pb.h"

namespace tidemark {

// The one word, the graver one first.
enum class Verdict { kPartial, kTargetFailing, kGeneratorLimited, kTargetLimited, kNotSteady, kValid };
// "VALID", "GENERATOR_LIMITED", ...
absl::string_view Name(Verdict verdict);
// Whether a result with that word may stand: VALID or TARGET_LIMITED.
bool IsSound(absl::string_view verdict);

// Whether the figures are the target's own.
enum class Generator { kTrusted, kLimited };
absl::string_view Name(Generator generator);  // "TRUSTED", "LIMITED"

enum class TargetState { kSteady, kNotSteady, kLimited, kFailing };
absl::string_view Name(TargetState target);  // "STEADY", "NOT_STEADY", "LIMITED", "FAILING"

// The gates.
namespace gate {
// The most by which the generator may have raised a figure that is printed ...
inline constexpr double kMaxBias = 0.05;
// ... by more than this: less is nothing to a reader, and a timer's own lateness.
inline constexpr Nanos kMinPart = 30 * kMicrosecond;
// A quantile is judged if so many values lie beyond it.
inline constexpr double kBeyond = 10;
// So many stamps tell the generator's part from the wire's.
inline constexpr double kStamps = 20;
// Where the delay is known only as a bound, below this nothing is said.
inline constexpr Nanos kLateness = 200 * kMicrosecond;
// A worker that computes for more than this share of the time has no room left for a burst (as Hyperfoil's watchdog).
inline constexpr double kWorkerCpu = 0.80;
// A worker without a core for this share of its time is not alone on its machine.
inline constexpr double kWaited = 0.05;
// Of the connections, the most that may be busy on the wire where there are enough of them.
inline constexpr double kEnough = 0.5;
// A network that takes more of a figure than the target is named, if it takes this at least.
inline constexpr Nanos kNetwork = kMillisecond;
// A second in which the workers neither read nor waited for so long says nothing of the target.
inline constexpr Nanos kStoodStill = 100 * kMillisecond;
// Of less than that no cause is named.
inline constexpr Nanos kStall = 20 * kMillisecond;
// Of the machine's CPU time, taken by its hypervisor.
inline constexpr double kSteal = 0.01;
// Two agents whose mean latencies differ by more, and by more than chance explains, do not see the same target.
inline constexpr double kAgentsDiffer = 0.05;
// Slots of an open loop that must have gone out.
inline constexpr double kSent = 0.999;
// Slots of an open loop that may have waited for a free connection.
inline constexpr double kMayWait = 0.01;
// A target fails if more of its requests failed, by Wilson's lower bound, unless the plan has a limit of its own ...
inline constexpr double kFailures = 0.05;
// ... or so many of one request of a mix ...
inline constexpr double kMixFailures = 0.50;
// ... or so much of their time was spent on requests that hung: without an answer for longer than that, and than so
// many times the longest answer ...
inline constexpr double kHung = 0.05;
inline constexpr Nanos kHungFor = kSecond;
inline constexpr Nanos kHungTimes = 2;
// ... or so many of its streams were mute, where each of the others had so many messages.
inline constexpr double kMute = 0.05;
inline constexpr double kHeard = 20;
// ... or its connections were up for less of the time.
inline constexpr double kAvailability = 0.99;
}  // namespace gate

// One request of a mix.
struct MixFacts {
  std::string name;
  std::uint64_t sent = 0;
  std::uint64_t success = 0;
};

// One agent's part.
struct AgentFacts {
  std::vector<double> means = {};  // its mean latency in each second, ns
  double waited = 0;               // of its workers' time, the share in which they had no core
  double stood_still_s = 0;        // for how long each of them neither read nor waited, on average
  double duration_s = 0;           // of its part
  Nanos throttled = 0;             // for how long its quota of CPU time was used up
  bool is_stamped = false;         // by enough stamps ...
  double mean = 0;                 // ... its mean latency is known, ns
  double wire_mean = 0;            // ... and what of it passed between the two drivers
};

struct PointFacts {
  bool is_open_loop = false;
  bool is_spinning = false;  // computing says nothing: workers poll
  bool is_partial = false;   // an agent was lost, or the run was interrupted
  double duration_s = 0;
  double start_wall_s = 0;  // T0, seconds since 1970; 0: not known
  int workers = 0;          // of all agents
  Nanos stood_still = 0;    // the longest time for which one of them neither read nor waited
  Counters counters = {};
  std::uint64_t syns_before = 0;  // of ours that were sent again before the start
  bool is_listening = false;
  const Histogram* measured = nullptr;  // service time, or of streams the headline
  const char* measured_name = "service time";
  const Histogram* other = nullptr;       // service times of complete answers that are no success
  const Histogram* censored = nullptr;    // lower bounds of service times
  const Histogram* response = nullptr;    // open loop: from the due time
  const Histogram* unanswered = nullptr;  // ... lower bounds of those
  const Histogram* pacing = nullptr;      // open loop: sent - due, where a connection was free
  const Histogram* loop_lag = nullptr;
  const Histogram* stamped = nullptr;      // service times of requests that the kernel stamped ...
  const Histogram* wire = nullptr;         // ... and what of them passed between the two drivers
  const Histogram* target_time = nullptr;  // ... of that, what was not the network's
  const Histogram* wire_to_app = nullptr;  // ... and how long they, or what was read of streams, lay unread
  const Histogram* first_event = nullptr;  // listening: of the connections that heard anything, before the start too
  std::uint64_t established = 0;           // connections, before the start too
  std::int64_t connections = 0;
  const std::vector<WindowSum>* windows = nullptr;
  std::vector<Second> seconds = {};  // what became of each
  const StatusCounts* statuses = nullptr;
  const AddressCounts* addresses = nullptr;  // of the target, before the start too
  SilentAddresses silent = {};               // of them
  StatusSet success = {};                    // statuses that are one
  std::vector<MixFacts> mix = {};
  bool has_availability = false;          // connections are to stay up
  double connect_rate = 0;                // a second, where requests need new connections; 0: no limit, or none needed
  double kept_closed = 0;                 // of their time, the share for which we kept them closed, unplanned
  double max_failures = gate::kFailures;  // a share
  proto::HostCounters host = {};          // of all agents' machines together
  std::vector<AgentFacts> agents = {};
};

struct Judgement {
  Verdict verdict = Verdict::kValid;
  std::string reason;  // that of the word, with its figures; empty if valid
  Generator generator = Generator::kTrusted;
  std::string generator_reason;  // the largest effect first; empty if trusted
  bool slowed_the_loop = false;  // closed loop: the generator held the throughput back, and not only a tail
  TargetState target = TargetState::kSteady;
  std::string target_reason;       // the largest effect first; empty if steady
  std::vector<std::string> notes;  // beyond a gate, yet without much effect
};

// Pure. What is partial is not judged further.
Judgement Judge(const PointFacts& facts);

}  // namespace tidemark
