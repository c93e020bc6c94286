// What of a latency is the generator's, by requests that the kernel stamped.
#pragma once

#include <algorithm>

#include "common/stats/histogram.h"

namespace tidemark {

// Of the mean, or of a quantile, of `all` latencies, where requests that the kernel stamped took `stamped`, and `wire`
// of that between the two drivers. Those that were stamped need not be like all - the sampler takes so many a second,
// and none that follows a redirect -, so that only what they themselves lost on the way is taken off. In ns, or all in
// one other unit.
inline double OwnPart(double all, double stamped, double wire) { return std::max(0.0, std::min(all, stamped) - wire); }

// Whether what was stamped may stand for all: the two means differ by no more than 5 % and 30 us, or than chance
// explains (three standard errors).  REQUIRES: neither is empty.
bool IsLikeAll(const Histogram& stamped, const Histogram& all);

}  // namespace tidemark
