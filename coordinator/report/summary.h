// From merged histograms and counters to the report message.
#pragma once

#include "coordinator/analysis/search.h"
#include "coordinator/merge/run_result.h"
#include "protos/report.pb.h"

namespace tidemark {

// Pure. `plan` is the resolved plan.
proto::Report Summarise(const RunResult& result, const proto::Plan& plan);

// Pure. Of one point, whose merger is finished: what is said of it alone, its verdict among it, and nothing over time.
proto::Point SummarisePoint(const RunResult& result, const PointResult& point, const proto::Plan& plan);

// What a point says about expectations.
Evidence EvidenceOf(const proto::Plan& plan, const PointResult& point);

}  // namespace tidemark
