// The points of a sweep.
#pragma once

#include <cstdint>
#include <vector>

#include "common/clock.h"
#include "common/plan/schedule.h"
#include "protos/plan.pb.h"

namespace tidemark {

// One level of the sweep.
struct SweepPoint {
  std::int64_t connections = 0;
  std::vector<RateStage> stages = {};  // open loop; empty: closed loop
};
bool IsOpenLoop(const proto::Sweep& sweep);
// REQUIRES: the plan is valid, `index` < PointCount.
int PointCount(const proto::Sweep& sweep);
SweepPoint PointAt(const proto::Sweep& sweep, int index);
// How long a point takes by the plan, as one by time or by stages does; 0 if it ends with a count of requests.
Nanos PointLength(const proto::Sweep& sweep);

// The connect rate, as each of those gets it that have so many of the connections: slots per 1,000 hours, 0: no limit.
std::vector<std::int64_t> SplitConnectRate(double per_s, const std::vector<std::int64_t>& connections);

}  // namespace tidemark
