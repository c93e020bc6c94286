// What can be believed of a point, and what was expected of it.
#pragma once

#include <vector>

#include "coordinator/analysis/dead_seconds.h"
#include "coordinator/analysis/search.h"
#include "coordinator/merge/run_result.h"
#include "coordinator/report/model/sums.h"
#include "protos/plan.pb.h"
#include "protos/report.pb.h"

namespace tidemark {

// REQUIRES: the other figures of `out` are filled in.
void FillVerdict(const RunResult& result, const PointResult& point, const Sums& sums,
                 const std::vector<Second>& seconds, bool is_open_loop, const proto::Plan& plan, proto::Point* out);

// What a point says about expectations. `seconds`: SecondsJudged.
Evidence EvidenceWith(const proto::Plan& plan, const PointResult& point, const std::vector<Second>& seconds);
void FillExpected(const proto::Plan& plan, const PointResult& point, const std::vector<Second>& seconds,
                  proto::Point* out);

}  // namespace tidemark
