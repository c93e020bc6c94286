#include "coordinator/merge/claims.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "common/exit_code.h"
#include "common/plan/durations.h"
#include "common/plan/limits.h"
#include "common/plan/schedule.h"
#include "common/plan/split.h"
#include "common/plan/sweep.h"
#include "common/stats/outcome.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

// What clocks may differ by, and messages be under way.
constexpr Nanos kSlack = kSecond;
// Windows have numbers of their own after the end of a point's duration.
constexpr std::uint32_t kSpareWindows = 3;
// No worker makes a request, a message or a byte in less.
constexpr Nanos kPerRequest = 10;
constexpr Nanos kPerConnect = 1'000;
constexpr std::uint64_t kBytesPerNano = 100;
// Cores of an agent's machine.
constexpr std::uint64_t kMaxCores = 65'536;
constexpr std::size_t kMaxAddresses = 4'096;
constexpr std::size_t kMaxErrors = 1'024;
constexpr std::int64_t kMaxDescriptors = std::int64_t{1} << 31;
// A connection of a counted run is given up after that long without one.
constexpr Nanos kGivenUpAfter = 5 * kSecond;
constexpr Nanos kGrace = 5 * kSecond;
// No agent waits for longer for its ceilings while it prepares, nor for its think times.
constexpr Nanos kMaxPacedPreparing = 24 * 3600 * kSecond;

absl::Status Check(absl::string_view figure, absl::uint128 value, absl::uint128 bound, absl::string_view why) {
  if (value <= bound) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      figure, " is ", absl::Uint128High64(value) == 0 ? absl::StrCat(absl::Uint128Low64(value)) : "beyond 2^64",
      ", but ", why, " at most ", absl::Uint128Low64(bound)));
}

absl::Status CheckRange(absl::string_view figure, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(figure, " is ", value, ", but it lies between ", least, " and ", most));
}

std::uint64_t Product(std::int64_t count, Nanos time) {
  const absl::uint128 product = absl::uint128(static_cast<std::uint64_t>(std::max<std::int64_t>(0, count))) *
                                static_cast<std::uint64_t>(std::max<Nanos>(0, time));
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  return product > kMost ? kMost : absl::Uint128Low64(product);
}

std::int64_t PipelineOf(const proto::Plan& plan) { return std::max<std::int64_t>(1, plan.web_socket().pipeline()); }

// Slots that stages cover within `time`.
long double SlotsWithin(const std::vector<RateStage>& stages, Nanos time) {
  long double slots = 0;
  for (const RateStage& stage : stages) {
    if (time <= 0) break;
    const auto length = static_cast<long double>(std::min(time, stage.duration));
    const auto from = static_cast<long double>(stage.from);
    const auto slope =
        (static_cast<long double>(stage.to) - from) / static_cast<long double>(std::max<Nanos>(1, stage.duration));
    slots += (from * length + slope * length * length / 2) / (static_cast<long double>(kOnePerSecond) * 1e9L);
    time -= stage.duration;
  }
  return slots;
}

// Of all slots of a schedule, what one of `streams` agents may have: their equal part, and chance.
std::uint64_t PartOf(long double slots, std::int64_t streams, bool is_poisson) {
  if (streams <= 0) return 0;
  const long double mean = slots / static_cast<long double>(streams);
  constexpr long double kDeviations = 7;
  constexpr long double kOfFew = 20;  // the tail of a small mean is no normal one
  const long double most = is_poisson ? mean + kDeviations * std::sqrt(mean) + kOfFew : mean + 1;
  return static_cast<std::uint64_t>(std::min(std::ceil(most), static_cast<long double>(kMaxRequestsPerPoint)));
}

// What bounds the figures of a phase: the time that it took, how much there was of what counts, and what was allowed.
struct Means {
  Nanos time = 0;     // that workers had
  Nanos counted = 0;  // ... of it, after T0
  std::int64_t workers = 1;
  std::int64_t connections = 0;
  std::int64_t in_flight = 0;  // requests that they hold at once
  Ceilings ceilings;
};

Means MeansOf(const proto::Plan& plan, const PointShare& share, int workers, const Ceilings& ceilings, Nanos time,
              Nanos counted) {
  return {.time = time,
          .counted = counted,
          .workers = std::max(1, workers),
          .connections = share.connections,
          .in_flight = share.connections * PipelineOf(plan),
          .ceilings = ceilings};
}

std::uint64_t MostOf(Quantity quantity, const Means& means) {
  constexpr std::uint64_t kNoBound = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t worked = Product(means.workers, means.time);
  switch (quantity) {
    case Quantity::kEvents:
      return worked / kPerRequest;
    case Quantity::kBytes:
      return worked > kNoBound / kBytesPerNano ? kNoBound : worked * kBytesPerNano;
    case Quantity::kUpTime:
      return Product(means.connections, means.counted);
    case Quantity::kLifeTime:
      return Product(means.connections, means.time);
    case Quantity::kFlightTime:
      return Product(means.in_flight, means.counted);
    case Quantity::kThreadTime:
      return Product(means.workers, means.counted);
    case Quantity::kAnything:
      break;
  }
  return kNoBound;
}

constexpr absl::string_view OwnersOf(Quantity quantity) {
  const bool is_of_connections =
      quantity == Quantity::kUpTime || quantity == Quantity::kLifeTime || quantity == Quantity::kFlightTime;
  return is_of_connections                   ? "its connections have"
         : quantity == Quantity::kThreadTime ? "its workers have"
                                             : "its workers make in that time";
}

// What a ceiling of so many a second lets through in `time`.
std::uint64_t Through(double ceiling, Nanos time) {
  const double most = std::ceil(ceiling * static_cast<double>(time) / 1e9 + std::max(1.0, ceiling / 10));
  return most < 1e18 ? static_cast<std::uint64_t>(most) : std::numeric_limits<std::uint64_t>::max();
}

// What volume and physics bound, and what the agent's own ceilings do.
absl::Status CheckVolumes(const Counters& counters, const Means& means) {
  for (const CounterRow& row : kCounterRows) {
    const absl::Status status =
        Check(row.name, counters.*row.field, MostOf(row.quantity, means), OwnersOf(row.quantity));
    if (!status.ok()) return status;
  }
  const std::uint64_t most = MostOf(Quantity::kEvents, means);
  const auto check_each = [most](absl::string_view what, const auto& counts) {
    return Check(what, *std::max_element(counts.begin(), counts.end()), most, OwnersOf(Quantity::kEvents));
  };
  if (absl::Status status = check_each("a count of closings", counters.closings); !status.ok()) return status;
  if (absl::Status status = check_each("a count of TLS alerts", counters.tls_alerts); !status.ok()) return status;
  absl::uint128 attempts = 0;
  for (const std::uint64_t count : counters.connects) attempts += count;
  const absl::Status opened =
      Check("connections opened", attempts,
            absl::uint128(static_cast<std::uint64_t>(means.connections)) + most * kPerRequest / kPerConnect,
            OwnersOf(Quantity::kEvents));
  if (!opened.ok()) return opened;
  const Ceilings& ceilings = means.ceilings;
  if (ceilings.max_rate > 0) {
    const absl::uint128 sent = absl::uint128(counters.sent) + counters.client_pings + counters.redirects_followed;
    const absl::Status status = Check("requests, redirects and pings sent", sent,
                                      Through(ceilings.max_rate, means.time), "its ceiling lets through");
    if (!status.ok()) return status;
  }
  if (ceilings.max_connect_rate <= 0) return absl::OkStatus();
  return Check("connections established", counters.connects[static_cast<std::size_t>(ConnectResult::kEstablished)],
               Through(ceilings.max_connect_rate, means.time), "its ceiling lets through");
}

absl::Status CheckHost(const proto::HostCounters& host, Nanos time) {
  const std::uint64_t cores_time = Product(static_cast<std::int64_t>(kMaxCores), time);
  const std::tuple<absl::string_view, std::uint64_t, std::uint64_t> figures[] = {
      {"the host's cpu_ns", host.cpu_ns(), cores_time},
      {"the host's steal_ns", host.steal_ns(), cores_time},
      {"the host's throttled_ns", host.throttled_ns(), cores_time},
      {"the host's dropped_packets", host.dropped_packets(), cores_time / kPerRequest},
      {"the host's syn_retransmits", host.syn_retransmits(), cores_time / kPerRequest},
      {"the host's accept_overflows", host.accept_overflows(), cores_time / kPerRequest}};
  for (const auto& [name, value, most] : figures) {
    if (absl::Status status = Check(name, value, most, "a machine has"); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// At most `kMaxDuration`.
Nanos Times(Nanos time, std::int64_t count) {
  const absl::int128 product = absl::int128(time) * count;
  return product > kMaxDuration ? kMaxDuration : static_cast<Nanos>(product);
}

// How long ceilings may hold back that many requests, each of which may want connections of its own, up to those that
// are tried before it is given up. At most `kMaxDuration`.
Nanos HeldBack(const proto::Plan& plan, std::int64_t connections, std::int64_t requests, const Ceilings& ceilings) {
  constexpr double kAttempts = 5;
  const double asked = static_cast<double>(requests) * static_cast<double>(1 + plan.follow());
  const bool is_kept = !plan.sweep().new_connection() && plan.sweep().reconnect_after() == 0;
  const double opened = kAttempts * static_cast<double>(connections) + (is_kept ? 1 : kAttempts) * asked;
  const double opening = 2 + plan.web_socket().subscribe_size();  // a tunnel, an upgrade
  double seconds = 0;
  if (ceilings.max_connect_rate > 0) seconds += opened / ceilings.max_connect_rate;
  if (ceilings.max_rate > 0) seconds += (asked + opened * opening) / ceilings.max_rate;
  return static_cast<Nanos>(std::min(seconds * 1e9, static_cast<double>(kMaxDuration)));
}

// Answers of a closed loop that pauses between an answer and the next request, with room for connections that take one
// another's place; of others there is no such bound.
std::uint64_t MostPaused(const proto::Plan& plan, const PointShare& share, Nanos time) {
  const Nanos pause = FromProto(plan.sweep().think_time());
  if (pause == 0 || IsOpenLoop(plan.sweep())) return std::numeric_limits<std::uint64_t>::max();
  return Product(share.connections, 2 * (time / pause) + 4);
}

}  // namespace

std::vector<std::int64_t> RequestShares(const proto::Sweep& sweep, const std::vector<std::int64_t>& connections) {
  std::vector<std::int64_t> shares(connections.size());
  if (sweep.requests_per_connection() != 0) {
    for (std::size_t i = 0; i < shares.size(); ++i) shares[i] = connections[i] * sweep.requests_per_connection();
    return shares;
  }
  if (sweep.requests() == 0) return shares;
  if (!IsOpenLoop(sweep)) return SplitByWeight(sweep.requests(), connections);
  const auto streams =
      std::count_if(connections.begin(), connections.end(), [](std::int64_t count) { return count > 0; });
  std::int64_t stream = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (connections[i] == 0) continue;
    if (sweep.requests() > stream) shares[i] = (sweep.requests() - stream + streams - 1) / streams;
    ++stream;
  }
  return shares;
}

PointShare ShareOf(std::uint32_t point, const std::vector<std::int64_t>& connections,
                   const std::vector<std::int64_t>& requests, std::size_t agent) {
  return {
      .point = point,
      .connections = connections[agent],
      .requests = requests[agent],
      .streams = std::count_if(connections.begin(), connections.end(), [](std::int64_t count) { return count > 0; })};
}

std::uint64_t MostSent(int workers, Nanos time) { return Product(workers, time) / kPerRequest; }

std::optional<std::uint64_t> MostPlanned(const proto::Plan& plan, const PointShare& share, Nanos time) {
  const proto::Sweep& sweep = plan.sweep();
  const bool is_counted = sweep.requests() != 0 || sweep.requests_per_connection() != 0;
  const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(0, share.requests));
  if (plan.web_socket().has_listen() || share.connections == 0) return 0;
  if (!IsOpenLoop(sweep)) return is_counted ? std::optional(count) : std::nullopt;
  const std::uint64_t due = PartOf(SlotsWithin(PointAt(sweep, static_cast<int>(share.point)).stages, time),
                                   share.streams, sweep.arrivals() != "constant");
  return is_counted ? std::min(count, due) : due;
}

Nanos LongestPreparing(const proto::Plan& plan, const PointShare& share, const Ceilings& ceilings) {
  const proto::Sweep& sweep = plan.sweep();
  const Nanos timeout = FromProto(plan.timeout());
  const std::int64_t connect_rate = ScheduleRate(sweep.connect_rate());
  Nanos length = connect_rate == 0 ? 0 : DueAt(PointAt(sweep, static_cast<int>(share.point)).connections, connect_rate);
  length += FromProto(plan.connect_timeout()) + timeout;
  if (sweep.has_warmup()) length += FromProto(sweep.warmup()) + timeout;
  const Nanos pauses = Times(FromProto(sweep.think_time()), sweep.warmup_requests_per_connection());
  return length + std::min(kMaxPacedPreparing, pauses) +
         std::min(kMaxPacedPreparing,
                  HeldBack(plan, share.connections, Times(share.connections, sweep.warmup_requests_per_connection()),
                           ceilings));
}

Nanos LongestRun(const proto::Plan& plan, const PointShare& share, const Ceilings& ceilings) {
  const proto::Sweep& sweep = plan.sweep();
  const Nanos timeout = FromProto(plan.timeout());
  const Nanos connect = 2 * FromProto(plan.connect_timeout());
  const Nanos drain = sweep.has_drain() ? FromProto(sweep.drain()) : timeout;
  Nanos length = PointLength(sweep);
  if (length == 0 && IsOpenLoop(sweep)) {
    const double rate = sweep.rates().empty() ? 0 : sweep.rates(static_cast<int>(share.point));
    if (rate > 0) length = static_cast<Nanos>(std::min(1.5e9 * static_cast<double>(sweep.requests()) / rate, 1e18));
    length += kGrace;  // the gaps of Poisson arrivals may add up to more than their mean
  } else if (length == 0) {
    // Each connection has as many in turn as fall to it, and one more; none takes longer than all time-outs.
    const std::int64_t turns = share.requests / std::max<std::int64_t>(1, share.connections) + 2;
    const Nanos each = timeout + connect + kGivenUpAfter + FromProto(sweep.think_time());
    length = std::min(kMaxDuration, Times(each, turns) + HeldBack(plan, share.connections, share.requests, ceilings));
  }
  // What waits after the last slot is given up after the drain, and what is in flight then by its own time-out.
  const bool has_two = IsOpenLoop(sweep) && drain >= timeout;
  return length + drain + (has_two ? timeout + kSecond : 0) + kGrace;
}

absl::Status Claims::CheckProgress(std::int64_t connections_up) const {
  return CheckRange("connections_up", connections_up, 0, share_.connections);
}

absl::Status Claims::CheckReady(const proto::Ready& ready, Nanos since_prepare) const {
  if (ready.point() != share_.point)
    return absl::DataLossError(absl::StrCat("it is ready for point ", ready.point(), ", not for ", share_.point));
  if (absl::Status status = CheckProgress(ready.connections_up()); !status.ok()) return status;
  if (static_cast<std::size_t>(ready.errors_size()) > kMaxErrors)
    return absl::DataLossError(absl::StrCat("it has ", ready.errors_size(), " kinds of connect errors"));
  const Nanos time = since_prepare + kSlack;
  const std::int64_t most_errors = share_.connections + time * std::max(1, workers_) / kPerConnect;
  for (const proto::ConnectError& error : ready.errors()) {
    if (absl::Status status = CheckRange("a count of connect errors", error.count(), 0, most_errors); !status.ok())
      return status;
    if (error.result() >= kConnectResultCount) return absl::DataLossError("a connect error has an unknown result");
  }
  Counters counters;
  Pending pending;
  if (!FromProto(ready.warmup(), &counters, &pending))
    return absl::DataLossError("its warm-up has counters this version does not know");
  const proto::Sweep& sweep = plan_.sweep();
  if (!sweep.has_warmup()) {
    const std::uint64_t most = Product(sweep.warmup_requests_per_connection(), share_.connections);
    if (absl::Status status = Check("warm-up requests planned", counters.planned, most, "its share is"); !status.ok())
      return status;
  } else if (IsOpenLoop(sweep)) {
    const std::vector<RateStage> stages = PointAt(sweep, static_cast<int>(share_.point)).stages;
    std::int64_t highest = 0;
    for (const RateStage& stage : stages) highest = std::max({highest, stage.from, stage.to});
    const RateStage most{.from = highest, .to = highest, .duration = std::min(time, FromProto(sweep.warmup()))};
    if (absl::Status status =
            Check("warm-up requests planned", counters.planned,
                  PartOf(SlotsWithin({most}, most.duration), share_.streams, true), "its part of the rate gives");
        !status.ok())
      return status;
  }
  return CheckVolumes(counters, MeansOf(plan_, share_, workers_, ceilings_, time, time));
}

absl::Status Claims::CheckShard(const proto::Shard& shard, Nanos since_prepare, Nanos since_start) const {
  Counters counters;
  Pending pending;
  if (!FromProto(shard.counters(), &counters, &pending))
    return absl::DataLossError("it has counters this version does not know");
  const Nanos run = std::max<Nanos>(0, since_start) + kSlack;
  const Nanos all = std::max(run, since_prepare + kSlack);
  // What is stopped may be planned and never sent before it falls due.
  const std::uint64_t most_due = MostPlanned(plan_, share_, run).value_or(counters.planned);
  const std::uint64_t never_sent = counters.NeverSentTotal();
  const absl::Status checks[] = {
      Check("its window", shard.window(), static_cast<std::uint64_t>(run / kSecond) + kSpareWindows,
            "since the start there were"),
      CheckRange("length_ns", shard.length_ns(), 0, run),
      CheckRange("start_late_ns", shard.start_late_ns(), 0, run),
      CheckRange("stood_still_ns", shard.stood_still_ns(), 0, all),
      Check("planned", counters.planned,
            share_.requests != 0 ? static_cast<std::uint64_t>(share_.requests) : most_due + never_sent, "its share is"),
      Check("requests that fell due", counters.planned - std::min(counters.planned, never_sent), most_due,
            share_.requests != 0 ? "its share is" : "its part of the rate gives"),
      Check("answered requests", counters.Complete(), MostPaused(plan_, share_, run), "the think time allows"),
      Check("in_flight", pending.in_flight, Product(PipelineOf(plan_), share_.connections), "its connections hold"),
      CheckHost(shard.host(), all),
      CheckVolumes(counters, MeansOf(plan_, share_, workers_, ceilings_, all, run))};
  for (const absl::Status& status : checks) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckDescription(const proto::DescribeResponse& who) {
  const absl::Status checks[] = {CheckRange("cores", who.cores(), 0, static_cast<std::int64_t>(kMaxCores)),
                                 CheckRange("descriptor_limit", who.descriptor_limit(), 0, kMaxDescriptors),
                                 CheckRange("local_ports", who.local_ports(), 0, 65'536),
                                 CheckRange("load_percent", who.load_percent(), 0, 100'000'000),
                                 CheckRange("its number of addresses", who.addresses_size(), 0, kMaxAddresses)};
  for (const absl::Status& status : checks) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckOpened(const proto::Opened& opened, const proto::Plan& plan) {
  const std::int64_t most = plan.threads() > 0 ? plan.threads() : kMaxThreads;
  const bool has_ceilings = opened.max_rate() >= 0 && opened.max_connect_rate() >= 0;  // NaN is none
  if (!has_ceilings) return absl::DataLossError("its ceilings make no sense");
  const absl::Status checks[] = {
      CheckRange("workers", opened.workers(), 1, most),
      CheckRange("its number of target addresses", opened.target_addresses_size(), 1, kMaxAddresses),
      CheckRange("its number of addresses left out", opened.left_out_addresses_size(), 0, kMaxAddresses)};
  for (const absl::Status& status : checks) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

bool IsFailureCode(int exit_code) {
  constexpr int kCodes[] = {kExitUsage, kExitAgents, kExitAccounting, kExitTarget, kExitInternal, kExitInterrupted};
  return std::find(std::begin(kCodes), std::end(kCodes), exit_code) != std::end(kCodes);
}

}  // namespace tidemark
