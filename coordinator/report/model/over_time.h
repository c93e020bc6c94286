// A point over time: by the second, and as pictures are drawn of it.
#pragma once

#include <vector>

#include "coordinator/analysis/dead_seconds.h"
#include "coordinator/merge/run_result.h"
#include "protos/plan.pb.h"
#include "protos/report.pb.h"

namespace tidemark {

// Each second of the point, with what became of it (SecondsJudged); what was drained afterwards is in no second.
void FillSeries(const proto::Plan& plan, const PointResult& point, const std::vector<Second>& seconds,
                proto::Point* out);

// Columns and the heat map, of whole rows within the point's duration; nothing of a point of less than a second. Of a
// point of `n` seconds a row takes ceil(n / 3,600) of them.
void FillOverTime(const proto::Plan& plan, const PointResult& point, proto::Point* out);

// The columns of one agent, from what is kept of it.
void FillAgentColumns(const proto::Plan& plan, const PointResult& point, std::size_t agent, proto::AgentRow* out);

}  // namespace tidemark
