// Whether two sets of runs differ.
#pragma once

#include <cstdint>
#include <vector>

#include "coordinator/analysis/confidence.h"

namespace tidemark {

enum class Change { kRegressed, kImproved, kEquivalent, kInconclusive };

struct Comparison {
  double before = 0;  // medians
  double after = 0;
  double ratio = 1;    // after / before
  Interval interval;   // 95 % of the ratio
  double p_value = 1;  // Mann-Whitney, exact, two-sided
  Change change = Change::kInconclusive;
  int runs_needed = 0;  // per side, when inconclusive: a rough estimate from the spread seen
};

// Compares per-run figures (a quantile of each run; larger is worse). The unit of replication is the run: requests of
// one run depend on each other. Equivalent: the interval of the ratio lies within 3 % of 1. Regressed or improved: it
// does not contain 1, and the exact test says p < 0.05. The ratio's interval comes from 10,000 bootstrap resamples of
// the runs, with a fixed seed.  REQUIRES: neither side is empty, all values > 0.
// Source: Mann and Whitney 1947 for the distribution of U; Efron for the bootstrap.
Comparison CompareRuns(const std::vector<double>& before, const std::vector<double>& after);

// The exact two-sided p-value of Mann and Whitney's U, by counting; ties count half, and the p-value is then that of
// the nearest U without ties, rounded towards 1.  REQUIRES: neither side is empty, at most 1,000 values each.
double MannWhitney(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace tidemark
