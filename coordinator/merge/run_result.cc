#include "coordinator/merge/run_result.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "common/control/address.h"
#include "common/plan/durations.h"
#include "common/plan/status_set.h"
#include "common/plan/sweep.h"
#include "common/stats/histogram_codec.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "coordinator/merge/claims.h"
#include "protos/plan.pb.h"

namespace tidemark {

int GraverExit(int a, int b) {
  constexpr int kOrder[] = {kExitInternal, kExitAccounting,  kExitInterrupted, kExitAgents,
                            kExitTarget,   kExitExpectation, kExitStrict,      kExitUsage};
  for (const int code : kOrder) {
    if (a == code || b == code) return code;
  }
  return a != 0 ? a : b;
}

void RunResult::Note(int code, std::string text) {
  exit_code = GraverExit(exit_code, code);
  notes.push_back(std::move(text));
}

std::unique_ptr<Merger> MakeMerger(const proto::Plan& plan, std::size_t agent_count) {
  Metric headline = IsOpenLoop(plan.sweep()) ? Metric::kResponse : Metric::kService;
  if (plan.web_socket().has_listen())
    headline = plan.web_socket().listen().time().empty() ? Metric::kInterval : Metric::kStaleness;
  const int requests = plan.requests_size() > 1 && !plan.web_socket().has_listen() ? plan.requests_size() : 0;
  const auto success = ParseStatusSet(plan.expect_status());
  CHECK(success.ok());  // the plan is valid
  return std::make_unique<Merger>(agent_count, MergeSettings{.headline = headline,
                                                             .requests = static_cast<std::size_t>(requests),
                                                             .success = *success,
                                                             .length = PointLength(plan.sweep())});
}

absl::Status AddWarmup(const proto::Counters& warmup,
                       const google::protobuf::RepeatedPtrField<proto::HistogramDelta>& connects,
                       const StatusCounts::Rows& statuses, const AddressRows& addresses, std::uint32_t agent,
                       PointResult* point) {
  Counters counters;
  Pending pending;
  if (!FromProto(warmup, &counters, &pending) || !BrokenIdentity(counters, pending).empty())
    return absl::DataLossError("its warm-up does not add up");
  TIDEMARK_RETURN_IF_ERROR(StatusCounts::Check(statuses, counters.outcomes, counters[ConnectResult::kUpgradeFailed]));
  TIDEMARK_RETURN_IF_ERROR(AddressCounts::Check(addresses, counters, point->merger->IsListening()));
  point->warmup.Add(counters);
  point->warmup_addresses.Add(addresses, std::nullopt);
  point->warmup_statuses.Add(statuses, 0, agent);
  Histogram decoded;
  for (const proto::HistogramDelta& delta : connects) {
    const auto metric = static_cast<Metric>(delta.summary().metric());
    const bool is_known = delta.summary().metric() < kMetricCount &&
                          std::count(kConnectionMetrics.begin(), kConnectionMetrics.end(), metric) > 0;
    if (!is_known || !DecodeDelta(delta, &decoded).ok())
      return absl::DataLossError("its connect times cannot be decoded");
    point->warmup_connects[metric].Add(decoded);
  }
  return absl::OkStatus();
}

namespace {

Counters SumOf(const RunResult& result) {
  Counters sum;
  for (const PointResult& point : result.points) sum.Add(point.merger->counters());
  return sum;
}

}  // namespace

bool HasSuccess(const RunResult& result, const proto::Plan& plan) {
  const Counters sum = SumOf(result);
  return (plan.web_socket().has_listen() ? sum.messages - sum.early_messages : sum.success) != 0;
}

std::string WhyNoSuccess(const RunResult& result, const proto::Plan& plan) {
  const std::string target = absl::StrCat("target ", plan.target(), ": ");
  if (plan.web_socket().has_listen()) return absl::StrCat(target, "not one message came; does it send any, unasked?");
  const Counters sum = SumOf(result);
  if (sum.planned == 0) return absl::StrCat(target, "not one request fell due; run it longer");
  std::vector<std::string> ends;
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    if (sum.outcomes[i] != 0) ends.push_back(absl::StrCat(kOutcomeRows[i].label, " ", sum.outcomes[i]));
  }
  for (std::size_t i = 0; i < kNeverSentCount; ++i) {
    if (sum.never_sent[i] != 0)
      ends.push_back(absl::StrCat("never sent (", kNeverSentRows[i].label, ") ", sum.never_sent[i]));
  }
  const bool speaks_tls = sum.tls_answers != 0;
  return absl::StrCat(target, "not one of ", sum.planned, " requests succeeded: ", absl::StrJoin(ends, ", "),
                      speaks_tls ? "; it speaks TLS: write https://" : "");
}

namespace {

// What an agent that ended the point without a final shard may have sent that is not in what it delivered.
struct Unaccounted {
  std::uint64_t most = 0;
  bool is_estimate = false;
  bool is_unknown = false;
  bool is_told = false;  // it said so itself, when it was asked again
};

// The journal of a coordinator that died knows no departure: a shard comes each second, and the lease ends the rest.
Departure DepartureOf(const PointResult& point, std::size_t agent) {
  if (const auto found = point.departures.find(agent); found != point.departures.end()) return found->second;
  std::int64_t last = -1;
  for (const AgentSum& sum : point.merger->agents()) last = std::max(last, sum.last_window);
  const Nanos likely = point.start_offset + (last + 2) * kSecond;
  return {.likely = likely, .latest = likely + kSecond + kLeaseMillis * kMillisecond};
}

// What can be known without asking it.
Unaccounted BoundOf(const proto::Plan& plan, const PointResult& point, std::size_t agent) {
  const AgentSum& sum = point.merger->agents()[agent];
  const Departure departure = DepartureOf(point, agent);
  // Each slot may have sent its redirects too.
  const auto each = static_cast<std::uint64_t>(1 + plan.follow());
  // What was in flight is among those sent, and told of as that.
  const std::uint64_t pending = sum.pending.waiting * each + sum.pending.in_flight * (each - 1);
  const PointShare share = ShareOf(point.index, point.shares, point.request_shares, agent);
  if (const auto most = MostPlanned(plan, share, departure.latest - point.start_offset))
    return {.most = (*most > sum.counters.planned ? *most - sum.counters.planned : 0) * each + pending};
  if (sum.shards == 0) return {.is_unknown = true};
  // It went on as it did in the best of its last windows: it may have stood still in one.
  const Nanos length = PointLength(plan.sweep());
  const Nanos until = std::min(departure.likely - point.start_offset, length);
  const Nanos known = std::min<Nanos>(std::max<Nanos>(sum.length, 0), length);
  const Nanos unknown = std::max<Nanos>(0, until - known);
  const auto per_s = static_cast<double>(*std::max_element(sum.recently_sent.begin(), sum.recently_sent.end()));
  return {.most = pending + static_cast<std::uint64_t>(std::ceil(per_s * static_cast<double>(unknown) / 1e9)),
          .is_estimate = true};
}

Unaccounted UnaccountedOf(const proto::Plan& plan, const PointResult& point, std::size_t agent) {
  const auto account = point.accounts.find(agent);
  if (account == point.accounts.end()) return BoundOf(plan, point, agent);
  // What was in flight when it told of itself for the last time is among those sent.
  return {.most = account->second - point.merger->agents()[agent].counters.RequestsSent(), .is_told = true};
}

// Whether the agent had begun the point, and no shard tells of its end.
bool LacksEnd(const PointResult& point, std::size_t agent) {
  return point.is_started && !point.merger->agents()[agent].is_final;
}

void NoteUnaccounted(const proto::Plan& plan, PointResult* point, int exit_code, RunResult* result) {
  for (std::size_t i = 0; i < point->shares.size(); ++i) {
    if (!LacksEnd(*point, i)) continue;
    const AgentSum& sum = point->merger->agents()[i];
    const Unaccounted lost = UnaccountedOf(plan, *point, i);
    point->unaccounted_max += lost.most;
    point->unaccounted_is_estimate = point->unaccounted_is_estimate || lost.is_estimate;
    point->unaccounted_is_unknown = point->unaccounted_is_unknown || lost.is_unknown;
    // Its last shard tells of all until the end of its window.
    const double known_s =
        result->started_wall_s + static_cast<double>(point->start_offset + (sum.last_window + 1) * kSecond) / 1e9;
    const std::string count = lost.is_unknown    ? "an unknown number of"
                              : lost.is_estimate ? absl::StrCat("an estimated 0 to ~", lost.most)
                              : lost.is_told     ? absl::StrCat(lost.most)
                                                 : absl::StrCat("0 to ", lost.most);
    result->Note(exit_code,
                 absl::StrCat("point of ", point->connections, " connections: agent ", result->agents[i].address(),
                              " delivered ", sum.shards, " shards; ", count, " requests are unaccounted for after ",
                              FormatWallTime(known_s), lost.is_told ? ", as it said when it was asked again" : ""));
  }
}

}  // namespace

bool TakeAccount(const proto::Plan& plan, std::size_t index, const proto::AccountResponse& account, RunResult* result) {
  const auto is_it = [&](const PointResult& point) {
    return point.index == account.point() && point.attempt == account.attempt() && point.departures.count(index) != 0;
  };
  for (std::vector<PointResult>* const points : {&result->points, &result->abandoned}) {
    for (PointResult& point : *points) {
      if (!is_it(point)) continue;
      if (!LacksEnd(point, index)) return false;
      const std::uint64_t delivered = point.merger->agents()[index].counters.RequestsSent();
      if (account.sent() < delivered) return false;
      // It may not have sent more than what is bounded without its word.
      const Unaccounted bound = BoundOf(plan, point, index);
      const bool is_bounded = !bound.is_estimate && !bound.is_unknown;
      const Nanos time = DepartureOf(point, index).likely - point.start_offset + 2 * kLeaseMillis * kMillisecond;
      const std::uint64_t most = is_bounded ? bound.most : MostSent(result->agents[index].workers(), time);
      if (account.sent() - delivered > most) return false;
      point.accounts[index] = account.sent();
      return true;
    }
  }
  return false;
}

void NoteUnaccounted(const proto::Plan& plan, RunResult* result) {
  for (PointResult& point : result->abandoned) NoteUnaccounted(plan, &point, kExitOk, result);
  for (PointResult& point : result->points) NoteUnaccounted(plan, &point, kExitAccounting, result);
}

void ClosePoint(PointResult* point, int exit_code, RunResult* result) {
  for (std::size_t i = 0; i < point->shares.size(); ++i) {
    const AgentSum& sum = point->merger->agents()[i];
    const bool has_account = sum.is_final;
    if (has_account && point->early.count(i) == 0) continue;
    point->is_partial = true;
    if (has_account && point->is_started) {  // else nothing of it was sent
      result->Note(exit_code,
                   absl::StrCat("point of ", point->connections, " connections: agent ", result->agents[i].address(),
                                " ended it early, after ", FormatDuration(sum.length - sum.length % kMillisecond),
                                "; all that it sent is accounted for"));
    }
  }
  if (const absl::Status status = point->merger->Finish(); !status.ok())
    result->Note(kExitAccounting, std::string(status.message()));
}

}  // namespace tidemark
