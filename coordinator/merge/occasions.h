// How many values the histograms of requests must have.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "common/stats/histogram.h"
#include "common/stats/metric.h"
#include "common/stats/outcome.h"

namespace tidemark {

// How requests ended, of all or of one request of a mix.
struct Ends {
  std::uint64_t sent = 0;
  std::uint64_t success = 0;
  std::array<std::uint64_t, kOutcomeCount> outcomes{};
  bool is_open_loop = false;
};

// Empty if the histogram of `metric` has as many values as there were occasions to record one, or if requests alone do
// not tell of them; else "histogram 'service': 3 values of 4 occasions".
std::string BrokenHistogram(Metric metric, const HistogramFacts& facts, const Ends& ends);

}  // namespace tidemark
