#include "coordinator/report/model/sums.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "coordinator/merge/merger.h"

namespace tidemark {
namespace {

// Those of the point's addresses that served nobody any more from a second on.
SilentAddresses SilentAddressesOf(const AddressCounts& addresses, const Merger& merger) {
  std::vector<std::uint64_t> answers;
  for (const WindowSum& window : merger.windows()) {
    answers.resize(window.second + 1);
    answers.back() = merger.IsListening() ? window.messages : window.success;
  }
  Nanos stood_still = 0;
  for (const AgentSum& agent : merger.agents()) stood_still = std::max(stood_still, agent.stood_still);
  // Nothing is asked of a stream that could fail. One that was closed may go on at another address.
  const Counters counters = merger.counters();
  const bool where_none_failed = merger.IsListening() && std::all_of(counters.closings.begin(), counters.closings.end(),
                                                                     [](std::uint64_t count) { return count == 0; });
  return addresses.Silent(answers, static_cast<std::uint32_t>(1 + (stood_still + kSecond - 1) / kSecond),
                          where_none_failed);
}

}  // namespace

Nanos DurationOf(const proto::Plan& plan, const PointResult& point) {
  if (!point.is_started) return 0;
  const Nanos length = point.merger->length();
  if (point.rate == 0 || plan.sweep().requests() == 0 || point.is_interrupted || length == 0) return length;
  return std::max(
      length, static_cast<Nanos>(1e9 * static_cast<double>(plan.sweep().requests()) / static_cast<double>(point.rate)));
}

std::vector<Second> SecondsJudged(const proto::Plan& plan, const PointResult& point) {
  const bool is_listening = plan.web_socket().has_listen();
  std::vector<SecondFacts> facts;
  for (const WindowSum& window : point.merger->windows()) {
    facts.push_back({.second = window.second,
                     .success = is_listening ? window.messages : window.success,
                     .failures = window.errors + window.failed_connects,
                     // Where connections are asked for and none is up, it is they that are asked of the target.
                     .is_asked = is_listening ? window.availability >= 0
                                              : window.planned + window.pending + window.requests + window.errors > 0 ||
                                                    window.availability == 0,
                     .is_carried = window.pending > 0,
                     .longest = window.longest,
                     .usual_gap = window.usual_gap,
                     .covered = window.covered,
                     .stood_still = window.stood_still});
  }
  return JudgeSeconds(facts, DurationOf(plan, point), is_listening);
}

std::uint64_t CountSeconds(const std::vector<Second>& seconds, Second kind) {
  return static_cast<std::uint64_t>(std::count(seconds.begin(), seconds.end(), kind));
}

void AddPoint(const proto::Plan& plan, const PointResult& point, const std::vector<Second>& seconds, Sums* sums) {
  const Merger& merger = *point.merger;
  sums->has_replies = absl::StartsWith(plan.target(), "ws") && !merger.IsListening();
  sums->counters.Add(merger.counters());
  sums->pending.waiting += merger.pending().waiting;
  sums->pending.in_flight += merger.pending().in_flight;
  sums->warmup.Add(point.warmup);
  sums->statuses.AddLater(merger.statuses());
  sums->warmup_statuses.AddLater(point.warmup_statuses);
  AddressCounts addresses = point.warmup_addresses;
  addresses.Add(merger.addresses());
  sums->addresses.Add(addresses);
  sums->silent.merge(SilentAddressesOf(addresses, merger));
  for (std::size_t i = 0; i < kMetricCount; ++i) sums->histograms[i].Add(merger.histogram(static_cast<Metric>(i)));
  sums->requests.resize(std::max(sums->requests.size(), merger.requests().size()));
  for (std::size_t i = 0; i < merger.requests().size(); ++i) sums->requests[i].Add(merger.requests()[i]);
  for (const auto& [metric, histogram] : point.warmup_connects)
    sums->histograms[static_cast<std::size_t>(metric)].Add(histogram);
  sums->duration_s += static_cast<double>(DurationOf(plan, point)) / 1e9;
  sums->dead_seconds += CountSeconds(seconds, Second::kDead);
  sums->generator_seconds += CountSeconds(seconds, Second::kGenerator);
  sums->unaccounted_max += point.unaccounted_max;
  sums->unaccounted_is_estimate = sums->unaccounted_is_estimate || point.unaccounted_is_estimate;
  sums->unaccounted_is_unknown = sums->unaccounted_is_unknown || point.unaccounted_is_unknown;
  sums->is_partial = sums->is_partial || point.is_partial || !point.is_started;
  sums->is_interrupted = sums->is_interrupted || point.is_interrupted;
}

const char* StatusOf(const Sums& sums) {
  return sums.is_partial ? "PARTIAL" : sums.is_interrupted ? "INTERRUPTED" : "COMPLETE";
}

}  // namespace tidemark
