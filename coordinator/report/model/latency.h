// The figures of a histogram.
#pragma once

#include "common/stats/histogram.h"
#include "coordinator/merge/merger.h"
#include "coordinator/report/model/sums.h"
#include "protos/report.pb.h"

namespace tidemark {

// The latency figures of `complete`; `censored` values (time-outs, cut-offs) count with the time at which they were
// given up, and a quantile that reaches them is named in `at_least`. Of no values there are no figures but their
// number. Null: nothing of the kind can be given up.  Source: DESIGN.md "Censoring".
proto::Latency SummariseLatency(const Histogram& complete, const Histogram* censored = nullptr);

// Clears what `part`, by a sample, has larger than `whole` by more than chance: such a sample does not stand for it.
void LeaveOutWhatContradicts(const proto::Latency& whole, proto::Latency* part);

// Every metric of the table, in the field of its name or, if there is none, among the others.
void FillLatencies(const Sums& sums, proto::Point* out);

// How sure the quantiles of the headline are. What was drained is in the figures, but in no span of time.
void FillIntervals(const Merger& merger, double duration_s, proto::Latency* out);

}  // namespace tidemark
