// What a worker measures: one histogram per metric and the counters, plain integers of one thread.
#pragma once

#include <array>

#include "common/histogram.h"
#include "common/metric.h"
#include "common/outcome.h"

namespace tidemark {

// Threads: one at a time; a worker hands a full recorder over and goes on with an empty one.
struct Recorder {
  std::array<Histogram, kMetricCount> histograms;
  Counters counters;
  Nanos last_done = 0;  // instant of the last complete response; 0: none

  Histogram& operator[](Metric metric) { return histograms[static_cast<std::size_t>(metric)]; }
  const Histogram& operator[](Metric metric) const { return histograms[static_cast<std::size_t>(metric)]; }

  void Add(const Recorder& other);
  void Clear();
};

}  // namespace tidemark
