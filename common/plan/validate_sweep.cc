#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/plan/checks.h"
#include "common/plan/durations.h"
#include "common/plan/expectation.h"
#include "common/plan/limits.h"
#include "common/plan/sweep.h"
#include "common/plan/validate_parts.h"
#include "common/status_macros.h"
#include "common/units.h"

namespace tidemark {
namespace {

absl::Status CheckStages(const proto::Sweep& sweep) {
  if (sweep.stages_size() > kMaxPoints) return Invalid("sweep.stages", absl::StrCat("more than ", kMaxPoints));
  Nanos length = 0;
  for (const proto::Stage& stage : sweep.stages()) {
    if (stage.has_over() == stage.has_hold() || (stage.has_hold() && stage.to() != 0))
      return Invalid("sweep.stages", "each stage is either {to: RATE, over: TIME} or {hold: TIME}");
    const Nanos duration = FromProto(stage.has_over() ? stage.over() : stage.hold());
    TIDEMARK_RETURN_IF_ERROR(CheckDuration("sweep.stages", duration, kMillisecond, kMaxDuration));
    TIDEMARK_RETURN_IF_ERROR(CheckRate("sweep.stages.to", stage.to(), kMaxRate, true));
    length += duration;
  }
  return CheckDuration("sweep.stages", length, kMillisecond, kMaxDuration);
}

absl::Status CheckWarmup(const proto::Sweep& sweep) {
  TIDEMARK_RETURN_IF_ERROR(
      CheckRange("sweep.warmup_requests_per_connection", sweep.warmup_requests_per_connection(), 0, 1'000'000));
  if (!sweep.has_warmup()) return absl::OkStatus();
  if (sweep.warmup_requests_per_connection() != 0)
    return Invalid("sweep.warmup", "stands beside warmup_requests_per_connection; give one");
  if (!sweep.stages().empty()) return Invalid("sweep.warmup", "has no rate of its own; make the first stages longer");
  return CheckDuration("sweep.warmup", FromProto(sweep.warmup()), kMillisecond, kMaxTimeout);
}

absl::Status CheckUntil(const proto::Sweep& sweep) {
  if (sweep.until().empty()) return absl::OkStatus();
  const auto precision = ParsePrecision(sweep.until());
  if (!precision.ok()) return Invalid("sweep.until", precision.status().message());
  if (!sweep.has_duration())
    return Invalid("sweep.until", "needs a duration, which is the longest that a point may take");
  return absl::OkStatus();
}

absl::Status CheckConnectRate(const proto::Sweep& sweep) {
  TIDEMARK_RETURN_IF_ERROR(CheckRate("sweep.connect_rate", sweep.connect_rate(), 10'000'000, true));
  for (const std::int64_t count : sweep.connections()) {
    if (static_cast<double>(count) > sweep.connect_rate() * static_cast<double>(kMaxDuration / kSecond) &&
        sweep.connect_rate() != 0)
      return Invalid("sweep.connect_rate", absl::StrCat(count, " connections at ", FormatRate(sweep.connect_rate()),
                                                        " take longer than 7 days"));
  }
  return absl::OkStatus();
}

absl::Status CheckOpenLoop(const proto::Sweep& sweep) {
  if (sweep.connections_size() != 1)
    return Invalid("sweep.connections", "an open loop takes one count; its points are the rates");
  if (sweep.requests_per_connection() != 0 || sweep.has_think_time())
    return Invalid("sweep",
                   "an open loop has neither requests_per_connection nor think_time: its slots are due by the clock");
  if (!sweep.rates().empty() && !sweep.stages().empty()) return Invalid("sweep", "has both rates and stages; give one");
  if (sweep.rates_size() > kMaxPoints) return Invalid("sweep.rates", absl::StrCat("more than ", kMaxPoints, " points"));
  for (const double rate : sweep.rates()) TIDEMARK_RETURN_IF_ERROR(CheckRate("sweep.rates", rate, kMaxRate, false));
  if (!sweep.stages().empty()) {
    if (sweep.has_duration() || sweep.requests() != 0)
      return Invalid("sweep", "stages end by themselves; leave out duration and requests");
    TIDEMARK_RETURN_IF_ERROR(CheckStages(sweep));
  } else if ((sweep.requests() != 0) == sweep.has_duration()) {
    return Invalid("sweep", "an open loop ends by exactly one of requests and duration");
  }
  for (const double rate : sweep.rates()) {
    if (static_cast<double>(sweep.requests()) / rate > static_cast<double>(kMaxDuration / kSecond))
      return Invalid("sweep.requests",
                     absl::StrCat(sweep.requests(), " at ", FormatRate(rate), " take longer than 7 days"));
  }
  if (sweep.requests() != 0)
    TIDEMARK_RETURN_IF_ERROR(CheckRange("sweep.requests", sweep.requests(), 1, kMaxRequestsPerPoint));
  if (sweep.has_duration())
    TIDEMARK_RETURN_IF_ERROR(CheckDuration("sweep.duration", FromProto(sweep.duration()), kMillisecond, kMaxDuration));
  TIDEMARK_RETURN_IF_ERROR(CheckRange("sweep.seed", sweep.seed(), 0, std::numeric_limits<std::int64_t>::max()));
  if (sweep.arrivals() != "poisson" && sweep.arrivals() != "constant")
    return Invalid("sweep.arrivals", absl::StrCat("'", sweep.arrivals().substr(0, 32), "'; write poisson or constant"));
  if (sweep.pace() != "timer" && sweep.pace() != "spin")
    return Invalid("sweep.pace", absl::StrCat("'", sweep.pace().substr(0, 32), "'; write timer or spin"));
  TIDEMARK_RETURN_IF_ERROR(CheckWarmup(sweep));
  TIDEMARK_RETURN_IF_ERROR(CheckUntil(sweep));
  return CheckConnectRate(sweep);
}

// How long a connection lasts, and how long its last answer is waited for.
absl::Status CheckEnds(const proto::Sweep& sweep) {
  TIDEMARK_RETURN_IF_ERROR(
      CheckRange("sweep.reconnect_after", sweep.reconnect_after(), 0, std::numeric_limits<std::int32_t>::max()));
  if (sweep.reconnect_after() != 0 && sweep.new_connection())
    return Invalid("sweep.reconnect_after", "each request has a connection of its own; leave one of them out");
  if (!sweep.has_drain()) return absl::OkStatus();
  if (!sweep.has_duration() && sweep.stages().empty())
    return Invalid("sweep.drain", "is of points that end at a time; give a duration (-d), or leave it out");
  return CheckDuration("sweep.drain", FromProto(sweep.drain()), 0, kMaxTimeout);
}

}  // namespace

absl::Status CheckSweep(const proto::Sweep& sweep) {
  if (sweep.connections().empty())
    return Invalid("sweep.connections", "is empty; name at least one count, as 10,50,100");
  if (sweep.connections_size() > kMaxPoints)
    return Invalid("sweep.connections", absl::StrCat("more than ", kMaxPoints, " points"));
  for (const std::int64_t count : sweep.connections()) {
    TIDEMARK_RETURN_IF_ERROR(CheckRange("sweep.connections", count, 1, kMaxConnections));
  }
  TIDEMARK_RETURN_IF_ERROR(CheckEnds(sweep));
  if (IsOpenLoop(sweep)) return CheckOpenLoop(sweep);
  if (!sweep.arrivals().empty() || !sweep.pace().empty())
    return Invalid("sweep", "arrivals and pace belong to an open loop; give rates or stages, or leave them out");
  TIDEMARK_RETURN_IF_ERROR(CheckRange("sweep.seed", sweep.seed(), 0, std::numeric_limits<std::int64_t>::max()));
  TIDEMARK_RETURN_IF_ERROR(CheckUntil(sweep));
  const int ends = (sweep.requests_per_connection() != 0) + (sweep.requests() != 0) + sweep.has_duration();
  if (ends != 1) {
    return Invalid("sweep", absl::StrCat("has ", ends == 0 ? "none" : "more than one",
                                         " of requests_per_connection, requests (-n) and duration (-d); give exactly one"));
  }
  const std::int64_t widest = *std::max_element(sweep.connections().begin(), sweep.connections().end());
  if (sweep.requests_per_connection() != 0) {
    TIDEMARK_RETURN_IF_ERROR(
        CheckRange("sweep.requests_per_connection", sweep.requests_per_connection(), 1, kMaxRequestsPerPoint / widest));
  }
  if (sweep.requests() != 0)
    TIDEMARK_RETURN_IF_ERROR(CheckRange("sweep.requests", sweep.requests(), 1, kMaxRequestsPerPoint));
  if (sweep.has_duration()) {
    TIDEMARK_RETURN_IF_ERROR(CheckDuration("sweep.duration", FromProto(sweep.duration()), kMillisecond, kMaxDuration));
  }
  if (sweep.has_think_time()) {
    TIDEMARK_RETURN_IF_ERROR(
        CheckDuration("sweep.think_time", FromProto(sweep.think_time()), kMillisecond, kMaxTimeout));
  }
  TIDEMARK_RETURN_IF_ERROR(CheckWarmup(sweep));
  return CheckConnectRate(sweep);
}

}  // namespace tidemark
