// Adds shards into one result, exactly, and checks each against what its agent says it adds up to.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/plan/status_set.h"
#include "common/stats/address_counts.h"
#include "common/stats/histogram.h"
#include "common/stats/metric.h"
#include "common/stats/named_counts.h"
#include "common/stats/outcome.h"
#include "common/stats/status_counts.h"
#include "coordinator/merge/failures.h"
#include "coordinator/merge/fan_out.h"
#include "coordinator/merge/request_merger.h"
#include "coordinator/merge/sparse_histogram.h"
#include "coordinator/merge/timeline.h"
#include "coordinator/merge/trace_merger.h"
#include "protos/shard.pb.h"

namespace tidemark {

// What one agent had in its last second, or what of one there was.
struct AgentSecond {
  Nanos length = 0;  // 0: none has come
  std::uint64_t requests = 0;
  std::uint64_t messages = 0;
  std::uint64_t cpu_ns = 0;  // of its workers
  Nanos p99 = -1;            // of the headline metric; negative: no values
  Nanos lateness_p99 = -1;   // negative: nothing was sent
};

// What one agent has contributed.
struct AgentSum {
  Counters counters;
  Pending pending;
  std::array<HistogramFacts, kMetricCount> facts{};
  SparseHistogram latency;  // of the headline metric; gone once the point is finished, and these stay:
  Nanos p50 = 0;
  Nanos p99 = 0;
  Nanos max = 0;
  Timeline timeline;                       // of its part within the point's duration; empty: see Merger::kMaxTimelines
  std::vector<double> means;               // ... its mean in each shard that has any, ns
  proto::HostCounters host;                // since T0
  proto::TargetClockReading target_clock;  // the latest
  Nanos length = 0;                        // of its part of the point, from T0
  Nanos stood_still = 0;                   // the longest time for which one of its workers neither read nor waited
  Nanos start_late = 0;                    // after T0, by its own clock
  std::int64_t last_window = -1;
  std::uint64_t shards = 0;
  std::array<std::uint64_t, 3> recently_sent{};  // in the windows of its last shards
  AgentSecond last;
  bool is_final = false;
  bool is_lost = false;
};

// One second of a point, closed: no shard will add to it any more.
struct WindowSum {
  std::uint32_t second = 0;
  std::uint64_t requests = 0;  // complete responses
  std::uint64_t success = 0;
  std::uint64_t errors = 0;
  double mean_us = 0;
  double p50_us = 0;
  double p90_us = 0;
  double p99_us = 0;
  double p99_9_us = 0;
  double max_us = 0;
  double lateness_p99_us = -1;  // negative: nothing was sent
  std::uint64_t cpu_ns = 0;     // of the workers
  Failures failures = {};       // what `errors` is made of
  // What dead seconds are told by:
  std::uint64_t messages = 0;
  std::uint64_t planned = 0;
  std::uint64_t failed_connects = 0;
  std::uint64_t pending = 0;    // at the window's end: waiting, or in flight
  Nanos longest = 0;            // service time of its successes
  Nanos usual_gap = 0;          // service time as a random instant finds it; of streams, interval between messages
  double covered = 0;           // sum of those times / connection time that there was
  Nanos stood_still = 0;        // the longest time for which a worker neither read nor waited: the agents' least
  double availability = -1;     // connection time up / asked; negative: none was asked for
  std::string latency_v2 = {};  // HdrHistogram V2 of the headline metric; empty if nothing was recorded
};

// What a merger must know of a plan.
struct MergeSettings {
  Metric headline = Metric::kService;  // of windows and agents; of an open loop kResponse
  std::size_t requests = 0;            // of a mix; 0: there is none
  StatusSet success = {};              // statuses that are
  Nanos length = 0;                    // of a point; 0: not known beforehand
};

// The merged result of one point. Adding is commutative and associative: any order of agents gives the same bits.
// Threads: one.
// Invariant: histogram(m).Facts() equals the sum of the agents' facts, which equal what each agent says of itself.
class Merger {
 public:
  // Of so many agents, those with the highest p99, the timelines stay once the point is finished; of more than that
  // many at all they have no latencies.
  static constexpr std::size_t kMaxTimelines = 32;

  explicit Merger(std::size_t agent_count, const MergeSettings& settings = {});

  // Adds a shard that the ledger has let through.
  // Errors, after which nothing of the shard has been added: InvalidArgument if it cannot be decoded; DataLoss if it
  // breaks the accounting identity, goes backwards, or its deltas do not add up to its cumulative sums.
  absl::Status Apply(const proto::Shard& shard);

  // Nothing more will come from `agent`: windows close without it.
  void Lose(std::size_t agent);
  // `agent` has no part in this point.
  void LeaveOut(std::size_t agent) { agents_[agent].is_final = true; }

  // Closes every window. Errors: DataLoss if the invariant does not hold, or if the integral of the requests in flight
  // is not the sum of their times (Little's law, both counted apart by the agents).
  absl::Status Finish();

  bool AllFinal() const;
  const Histogram& histogram(Metric metric) const { return histograms_[static_cast<std::size_t>(metric)]; }
  const std::vector<AgentSum>& agents() const { return agents_; }
  // Of each request of a mix, in the plan's order.
  const std::vector<RequestSum>& requests() const { return requests_.sums(); }
  const FanOut& fan_out() const { return fan_out_; }
  const TraceMerger& traces() const { return traces_; }
  const NamedCounts& named() const { return named_; }
  const StatusCounts& statuses() const { return statuses_; }
  const AddressCounts& addresses() const { return addresses_; }
  Metric headline() const { return static_cast<Metric>(headline_); }
  bool IsListening() const { return headline() == Metric::kInterval || headline() == Metric::kStaleness; }
  const std::vector<WindowSum>& windows() const { return closed_; }
  Counters counters() const;
  Pending pending() const;
  // What did not succeed, of all shards.
  const Failures& failures() const { return failures_; }
  // T0 to the end of the point: the longest of the agents' lengths.
  Nanos length() const;
  // Shards whose window was closed already: counted in all sums, missing in the series.
  std::uint64_t late() const { return late_; }

 private:
  // Windows that wait for slower agents; beyond, the oldest is closed without them.
  static constexpr std::size_t kMaxOpenWindows = 64;
  static constexpr std::uint32_t kMaxWindow = 8 * 24 * 3600;

  struct OpenWindow {
    Histogram latency;
    Histogram lateness;
    Counters delta;
    Failures failures;
    Nanos longest = 0;
    double gap_sum = 0;      // ns
    double gap_squares = 0;  // of the same times
    std::optional<Nanos> stood_still;
    std::uint64_t pending = 0;
  };
  void NoteLast(const Counters& delta, Nanos length, bool has_latency, bool has_lateness, AgentSum* agent) const;
  void CloseWindow();
  void CloseCompleteWindows();
  void FinishTimelines();

  const MergeSettings settings_;
  const std::size_t headline_;
  std::array<Histogram, kMetricCount> histograms_;
  std::vector<AgentSum> agents_;
  std::map<std::uint32_t, std::unique_ptr<OpenWindow>> open_;
  std::vector<WindowSum> closed_;
  RequestMerger requests_;
  TraceMerger traces_;
  FanOut fan_out_;
  NamedCounts named_;
  StatusCounts statuses_;
  AddressCounts addresses_;
  std::uint64_t late_ = 0;
  Counters total_;  // of all agents
  Failures failures_;
  std::array<Histogram, kMetricCount> decoded_;  // of the shard in hand, kept to save their making
  std::vector<std::uint64_t> scratch_;           // of the agents' sparse histograms
};

// The headline latency of each second that is closed.
std::vector<Histogram> SecondsOf(const Merger& merger);

}  // namespace tidemark
