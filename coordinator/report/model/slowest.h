// The slowest requests of a point, as rows.
#pragma once

#include <string>

#include "coordinator/merge/run_result.h"
#include "protos/plan.pb.h"
#include "protos/report.pb.h"

namespace tidemark {

// A request of that point, in the run of that id.
void FillSlowRequest(const proto::Plan& plan, const std::string& run, const PointResult& point, const AgentTrace& trace,
                     proto::SlowRequest* out);

void FillSlowest(const proto::Plan& plan, const std::string& run, const PointResult& point, proto::Point* out);

}  // namespace tidemark
