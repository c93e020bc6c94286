// Where the time of a latency went: into the generator, the network, or the target.
#pragma once

#include <string>
#include <vector>

#include "coordinator/verdict/verdict.h"

namespace tidemark {

// A figure that is printed; its parts are its sum. In ns.
struct SplitFigure {
  std::string name;  // in JSON: "p99_us"
  double whole = 0;
  double ours = 0;
  double network = 0;
  double target = 0;
};

// As text says it: "p99.9" of "p99_9_us".
std::string ShownName(const std::string& name);

// Of a figure `whole`, of which so much lies between the two drivers, and so much of that is the target's: differences
// of the same quantile, none of them negative.
SplitFigure Split(std::string name, double whole, double wire, double target);

// The mean, and the quantiles with ten stamps beyond them; nothing without stamps enough.
std::vector<SplitFigure> SplitsOf(const PointFacts& facts);

}  // namespace tidemark
