// What streams came to: events that many connections hear, the streams' names, the reasons why they were closed.
#pragma once

#include "common/stats/named_counts.h"
#include "coordinator/merge/run_result.h"
#include "protos/plan.pb.h"
#include "protos/report.pb.h"

namespace tidemark {

void FillFanOut(const RunResult& result, const PointResult& point, const proto::Plan& plan, proto::Point* out);
void FillStreams(const NamedCounts& named, double duration_s, proto::Point* out);
void FillCloseReasons(const NamedCounts& named, proto::Point* out);

}  // namespace tidemark
