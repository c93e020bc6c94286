#include "common/plan/sweep.h"

#include <algorithm>

#include "common/plan/durations.h"
#include "common/plan/limits.h"
#include "common/plan/split.h"

namespace tidemark {
namespace {

// Of a rate that a number of requests ends: longer than any of them takes, short enough for 128 bits.
constexpr Nanos kUnlimitedStage = 1'000 * kMaxDuration;

}  // namespace

bool IsOpenLoop(const proto::Sweep& sweep) { return !sweep.rates().empty() || !sweep.stages().empty(); }

int PointCount(const proto::Sweep& sweep) {
  if (!IsOpenLoop(sweep)) return sweep.connections_size();
  return sweep.rates().empty() ? 1 : sweep.rates_size();
}

Nanos PointLength(const proto::Sweep& sweep) {
  if (sweep.has_duration()) return FromProto(sweep.duration());
  Nanos length = 0;
  for (const proto::Stage& stage : sweep.stages()) length += FromProto(stage.has_hold() ? stage.hold() : stage.over());
  return length;
}

std::vector<std::int64_t> SplitConnectRate(double per_s, const std::vector<std::int64_t>& connections) {
  std::vector<std::int64_t> rates = SplitByWeight(ScheduleRate(per_s), connections);
  // Of a small limit a small share rounds to none, which would be no limit.
  if (per_s != 0)
    for (std::int64_t& rate : rates) rate = std::max<std::int64_t>(rate, 1);
  return rates;
}

SweepPoint PointAt(const proto::Sweep& sweep, int index) {
  if (!IsOpenLoop(sweep)) return {.connections = sweep.connections(index)};
  SweepPoint point{.connections = sweep.connections(0)};
  if (!sweep.rates().empty()) {
    const std::int64_t rate = ScheduleRate(sweep.rates(index));
    point.stages.push_back(
        {.from = rate, .to = rate, .duration = sweep.has_duration() ? FromProto(sweep.duration()) : kUnlimitedStage});
  }
  std::int64_t rate = 0;
  for (const proto::Stage& stage : sweep.stages()) {
    const std::int64_t to = stage.has_hold() ? rate : ScheduleRate(stage.to());
    point.stages.push_back(
        {.from = rate, .to = to, .duration = FromProto(stage.has_hold() ? stage.hold() : stage.over())});
    rate = to;
  }
  return point;
}

}  // namespace tidemark
