// Whether a point can be believed, and if not, whose fault it is.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/histogram.h"
#include "common/outcome.h"
#include "coordinator/merger.h"

namespace tidemark {

enum class Verdict { kValid, kGeneratorLimited, kTargetLimited, kNotSteady, kPartial };
// "VALID", "GENERATOR_LIMITED", ...
absl::string_view Name(Verdict verdict);

// The gates. A figure beyond one of those that bias the result makes the point invalid if what it could have added to a
// p99 is more than kMaxBias of it; otherwise it is a note.
namespace gate {
// The most by which the generator's own delay may have raised the p99 of service.
inline constexpr double kMaxBias = 0.05;
// Below this lateness nothing is said: it is a timer's own, on any machine.
inline constexpr Nanos kLateness = 200 * kMicrosecond;
// A worker that computes for more than this share of the time has no room left for a burst (as Hyperfoil's watchdog).
inline constexpr double kWorkerCpu = 0.80;
// A worker without a core for this share of its time is not alone on its machine.
inline constexpr double kWaited = 0.05;
// Of the machine's CPU time, taken by its hypervisor.
inline constexpr double kSteal = 0.01;
// Two agents whose mean latencies differ by more, and by more than chance explains, do not see the same target.
inline constexpr double kAgentsDiffer = 0.05;
// Slots of an open loop that must have gone out.
inline constexpr double kSent = 0.999;
// Slots of an open loop that may have waited for a free connection.
inline constexpr double kMayWait = 0.01;
}  // namespace gate

struct PointFacts {
  bool is_open_loop = false;
  bool is_spinning = false;  // computing says nothing: workers poll
  bool is_partial = false;   // an agent was lost, or the run was interrupted
  double duration_s = 0;
  int workers = 0;  // of all agents
  Counters counters = {};
  bool is_listening = false;
  const Histogram* measured =
      nullptr;  // what the generator's delay may have raised: service, or of streams the headline
  const char* measured_name = "service time";
  const Histogram* pacing = nullptr;  // open loop: sent - due, where a connection was free
  const Histogram* loop_lag = nullptr;
  const std::vector<WindowSum>* windows = nullptr;
  proto::HostCounters host = {};                // of all agents' machines together
  std::vector<std::vector<double>> means = {};  // by agent: the mean latency of each second, ns
};

struct Judgement {
  Verdict verdict = Verdict::kValid;
  std::string reason;              // one sentence with its figures; empty if valid
  std::vector<std::string> notes;  // beyond a gate, yet without much effect
};

// Pure. The first of: partial, generator limited, target limited, not steady.
Judgement Judge(const PointFacts& facts);

}  // namespace tidemark
