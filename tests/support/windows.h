// What arrived within a time, held against a rate.
#pragma once

#include <algorithm>
#include <vector>

#include "common/clock.h"

namespace tidemark {

// The most that any window of `instants`, however short, holds beyond `rate` times its length.
inline double MostBeyond(std::vector<Nanos> instants, double rate) {
  std::sort(instants.begin(), instants.end());
  double lowest = 0;
  double most = 0;
  for (std::size_t i = 0; i < instants.size(); ++i) {
    const double ahead = static_cast<double>(i) - rate * static_cast<double>(instants[i] - instants[0]) / 1e9;
    lowest = i == 0 ? ahead : std::min(lowest, ahead);
    most = std::max(most, ahead + 1 - lowest);
  }
  return most;
}

}  // namespace tidemark
