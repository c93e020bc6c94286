// Where a series settles.
#pragma once

#include <cstddef>
#include <vector>

namespace tidemark {

struct Steadiness {
  enum class Kind { kTooShort, kFromStart, kAfter, kNever };
  Kind kind = Kind::kTooShort;
  std::size_t cut = 0;  // values to leave out at the start
};

// MSER-5: means of five values each; the cut d at or before the middle that minimises the squared standard error of
// what is left, sum of (x - mean)^2 / (n - d)^2. A minimum within the first tenth means that it was steady from the
// start. One at the middle itself means that it never settles, if its halves also differ by more than 5 % and by more
// than twice their standard error: short series of plain noise have their minimum anywhere. At least 20 values are
// needed.
// Source: White, "An effective truncation heuristic for bias reduction in simulation output", 1997.
Steadiness FindSteadyState(const std::vector<double>& series);

}  // namespace tidemark
