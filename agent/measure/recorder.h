// What a worker measures: one histogram per metric and the counters, plain integers of one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/stats/address_counts.h"
#include "common/stats/histogram.h"
#include "common/stats/metric.h"
#include "common/stats/named_counts.h"
#include "common/stats/outcome.h"
#include "common/stats/request_sum.h"
#include "common/stats/request_trace.h"
#include "common/stats/status_counts.h"

namespace tidemark {

// When connections heard of one event; instants of one clock.
struct Receipts {
  Nanos first = 0;
  Nanos last = 0;
  std::uint64_t count = 0;

  void Add(const Receipts& other) {
    first = count == 0 ? other.first : std::min(first, other.first);
    last = count == 0 ? other.last : std::max(last, other.last);
    count += other.count;
  }
};

// Threads: one at a time; a worker hands a full recorder over and goes on with an empty one.
struct Recorder {
  std::array<Histogram, kMetricCount> histograms;
  std::vector<RequestSum> requests;  // of a mix, in the plan's order; else empty
  Counters counters;
  Nanos last_end = 0;     // instant at which the last slot ended, was given up, or an event came; 0: none
  Nanos stood_still = 0;  // the longest time for which a worker neither read nor waited
  absl::flat_hash_map<std::uint64_t, Receipts> events;  // fan-out, by the hash of the event; see AddReceipts
  NamedCounts named;                                    // of streams that are listened to, and closes
  AddressTally addresses;                               // of the target
  StatusCounts statuses;                                // wide: behind what each response touches
  std::vector<RequestTrace> slow;                       // those that were among the slowest when they ended
  std::vector<RequestTrace> sampled;
  std::uint64_t left_out = 0;  // of the sample, for want of room

  Histogram& operator[](Metric metric) { return histograms[static_cast<std::size_t>(metric)]; }
  const Histogram& operator[](Metric metric) const { return histograms[static_cast<std::size_t>(metric)]; }

  // Beyond kMaxEvents receipts are counted as untracked, so that a shard stays smaller than a message may be.
  static constexpr std::size_t kMaxEvents = 50'000;
  void AddReceipts(std::uint64_t event, const Receipts& receipts);

  void AddSampled(const RequestTrace& trace) {
    sampled.size() < kMaxSampled ? sampled.push_back(trace) : void(++left_out);
  }
  void AddSlow(const RequestTrace& trace, bool is_open_loop) {
    slow.push_back(trace);
    if (slow.size() >= 2 * kSlowest) KeepSlowest(is_open_loop, &slow);
  }

  void Add(const Recorder& other);
  void Clear();
};

}  // namespace tidemark
