// The quantiles of a latency, close enough to each other to be drawn as a curve.
#pragma once

#include "common/stats/histogram.h"
#include "protos/report.pb.h"

namespace tidemark {

// The curve of `complete` and those that were given up, which count as in SummariseLatency; null: there can be none. Of
// no values there is none.
proto::Curve CurveOf(const Histogram& complete, const Histogram* censored);

}  // namespace tidemark
