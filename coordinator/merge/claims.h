// What an agent can truly say of a point: its share, the plan and the time that has passed are bounds that no honest
// figure exceeds.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "protos/agent.pb.h"
#include "protos/plan.pb.h"
#include "protos/shard.pb.h"

namespace tidemark {

// One agent's part of a point.
struct PointShare {
  std::uint32_t point = 0;
  std::int64_t connections = 0;
  std::int64_t requests = 0;  // 0: not known beforehand
  std::int64_t streams = 0;   // open loop: so many agents deal its slots among themselves
};

// The requests of a point that each agent plans, given its connections; 0: not known beforehand. Agents that have
// connections deal the slots of an open loop in turn; those of a closed one go where the connections are.
std::vector<std::int64_t> RequestShares(const proto::Sweep& sweep, const std::vector<std::int64_t>& connections);
PointShare ShareOf(std::uint32_t point, const std::vector<std::int64_t>& connections,
                   const std::vector<std::int64_t>& requests, std::size_t agent);

// The most requests that an agent with this share can have planned within `time` after T0: what is left of a count, or
// what of its part of the schedule has fallen due, with room for 7 standard deviations of Poisson arrivals. None in a
// closed loop by time, where the target's speed is the only bound.
std::optional<std::uint64_t> MostPlanned(const proto::Plan& plan, const PointShare& share, Nanos time);

// The most requests that so many workers can have sent within `time`, whatever they send.
std::uint64_t MostSent(int workers, Nanos time);

// What an agent's allow-list gives the target at most, as the agent says; 0: no ceiling.
struct Ceilings {
  double max_rate = 0;
  double max_connect_rate = 0;
};

// How long an agent may take to prepare a point: its ramp, its warm-up, its time-outs, and what its ceilings hold
// back.
Nanos LongestPreparing(const proto::Plan& plan, const PointShare& share, const Ceilings& ceilings);
// How long a point may take from T0 to its agents' final shards: what the plan says of its length, its time-outs and
// its drain, what the ceilings hold back of a count, and a grace.
Nanos LongestRun(const proto::Plan& plan, const PointShare& share, const Ceilings& ceilings);

// Checks what one agent says of one point.  Threads: one.
class Claims {
 public:
  Claims(const proto::Plan& plan, const PointShare& share, int workers, const Ceilings& ceilings = {})
      : plan_(plan), share_(share), workers_(workers), ceilings_(ceilings) {}

  Nanos LongestPreparing() const { return tidemark::LongestPreparing(plan_, share_, ceilings_); }
  Nanos LongestRun() const { return tidemark::LongestRun(plan_, share_, ceilings_); }

  // Instants are those at which the coordinator hears it: `since_prepare` after it told the agent to prepare,
  // `since_start` after T0.
  // Errors: DataLoss "FIGURE is VALUE, but BOUND".
  absl::Status CheckProgress(std::int64_t connections_up) const;
  absl::Status CheckReady(const proto::Ready& ready, Nanos since_prepare) const;
  absl::Status CheckShard(const proto::Shard& shard, Nanos since_prepare, Nanos since_start) const;

 private:
  const proto::Plan& plan_;
  const PointShare share_;
  const int workers_;
  const Ceilings ceilings_;
};

// What may be said before any point. Errors: DataLoss.
absl::Status CheckDescription(const proto::DescribeResponse& description);
absl::Status CheckOpened(const proto::Opened& opened, const proto::Plan& plan);
// Whether an agent may end its stream with that exit code.
bool IsFailureCode(int exit_code);

}  // namespace tidemark
