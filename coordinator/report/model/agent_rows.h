// What each agent had of a point.
#pragma once

#include <optional>

#include "coordinator/merge/merger.h"
#include "coordinator/merge/run_result.h"
#include "coordinator/verdict/split.h"
#include "protos/plan.pb.h"
#include "protos/report.pb.h"

namespace tidemark {

void FillSplit(const SplitFigure& figure, proto::Split* out);
// Where the mean latency of one agent went; all zero where too little was stamped.
SplitFigure MeanSplit(const AgentSum& agent);

void FillAgentRows(const PointResult& point, proto::Point* out);

// Of what was planned, the share that its agents did. Nothing of no plan.
std::optional<double> CoveragePercent(const PointResult& point, const proto::Sweep& sweep);

// How far apart the first and the last agent began, those without a part in the point left out; and how surely that is
// known. Nothing of a single agent.
void FillStartSkew(const PointResult& point, proto::Point* out);

}  // namespace tidemark
