// What each request of a mix came to.
#pragma once

#include "coordinator/report/model/sums.h"
#include "protos/plan.pb.h"
#include "protos/report.pb.h"

namespace tidemark {

// A row for each request of the plan's mix, in its order; none without a mix.
void FillMix(const proto::Plan& plan, const Sums& sums, proto::Point* out);

}  // namespace tidemark
