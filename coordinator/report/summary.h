// From merged histograms and counters to the report message.
#pragma once

#include "coordinator/analysis/search.h"
#include "coordinator/run.h"
#include "protos/report.pb.h"

namespace tidemark {

// Pure. `plan` is the resolved plan.
proto::Report Summarise(const RunResult& result, const proto::Plan& plan);

// The latency figures of `complete`; `censored` values (time-outs, cut-offs) count with the time at which they were
// given up, and a quantile that reaches them is named in `at_least`. Of no values there are no figures but their
// number. Null: nothing of the kind can be given up.  Source: DESIGN.md "Censoring".
proto::Latency SummariseLatency(const Histogram& complete, const Histogram* censored = nullptr);

// What a point says about expectations.
Evidence EvidenceOf(const proto::Plan& plan, const PointResult& point);

}  // namespace tidemark
