// How sure a quantile is.
#pragma once

#include <optional>
#include <vector>

#include "common/stats/histogram.h"

namespace tidemark {

struct Interval {
  double low = 0;  // ns
  double high = 0;
};

// A 95 % interval of the quantile numerator/denominator of all windows together, by batch means: the windows, which are
// equal spans of time, are put together into 20 batches; the spread of the batches' own quantiles, by Student's t, goes
// to both sides of the quantile of all. Consecutive latencies depend on each other, so that an interval from the sample
// as a whole would be several times too narrow. Nothing if there are fewer than 20 windows or a batch has fewer than
// 10 / (1 - q) values. Windows left over at the end, fewer than 20, are in no batch.
// Source: Law, "Simulation Modeling and Analysis", batch means; Chen and Kelton on quantiles.
std::optional<Interval> BatchInterval(const std::vector<Histogram>& windows, std::uint64_t numerator,
                                      std::uint64_t denominator);

// The same of the mean; nothing if there are fewer than 20 windows or a batch is empty.
std::optional<Interval> BatchMeanInterval(const std::vector<Histogram>& windows);

// Wilson's 95 % interval of the share `of` / `all` (Wilson 1927).  REQUIRES: all > 0.
struct ShareInterval {
  double low = 0;
  double high = 0;
};
ShareInterval WilsonInterval(std::uint64_t of, std::uint64_t all);

}  // namespace tidemark
