// What the figures of a point, and of the total, are made of.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/stats/address_counts.h"
#include "common/stats/histogram.h"
#include "common/stats/metric.h"
#include "common/stats/outcome.h"
#include "common/stats/request_sum.h"
#include "common/stats/status_counts.h"
#include "coordinator/analysis/dead_seconds.h"
#include "coordinator/merge/run_result.h"
#include "protos/plan.pb.h"

namespace tidemark {

struct Sums {
  Counters counters;
  Pending pending;
  Counters warmup;
  StatusCounts statuses;
  StatusCounts warmup_statuses;
  AddressCounts addresses;  // before the start too
  SilentAddresses silent;   // of them, in some point
  std::array<Histogram, kMetricCount> histograms;
  std::vector<RequestSum> requests;  // of a mix, in the plan's order
  double duration_s = 0;
  std::uint64_t dead_seconds = 0;
  std::uint64_t generator_seconds = 0;
  std::uint64_t unaccounted_max = 0;
  bool unaccounted_is_estimate = false;
  bool unaccounted_is_unknown = false;
  bool has_replies = false;  // a request is a message of a WebSocket
  bool is_partial = false;
  bool is_interrupted = false;

  const Histogram& operator[](Metric metric) const { return histograms[static_cast<std::size_t>(metric)]; }
};

inline double Micros(Nanos value) { return static_cast<double>(value) / 1e3; }

// T0 to the end; none if there was no T0. An open loop that counts takes at least as long as its schedule.
Nanos DurationOf(const proto::Plan& plan, const PointResult& point);
// What became of each second of a point.
std::vector<Second> SecondsJudged(const proto::Plan& plan, const PointResult& point);
std::uint64_t CountSeconds(const std::vector<Second>& seconds, Second kind);

// `seconds`: SecondsJudged.
void AddPoint(const proto::Plan& plan, const PointResult& point, const std::vector<Second>& seconds, Sums* sums);
// "COMPLETE", "PARTIAL", "INTERRUPTED".
const char* StatusOf(const Sums& sums);

}  // namespace tidemark
