#include "coordinator/report/model/agent_rows.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/plan/sweep.h"
#include "common/stats/metric.h"
#include "common/stats/outcome.h"
#include "coordinator/report/model/sums.h"
#include "coordinator/verdict/generator.h"
#include "coordinator/verdict/verdict.h"

namespace tidemark {
namespace {

// What an agent has done of its part of the point, from 0 to 1. Of a number of requests, those that have an outcome; of
// a time, that which it lived: one that was lost until the end of the last window that it delivered, one that ended
// early until it said so.
double PartCovered(const PointResult& point, std::size_t index, double length_s) {
  const AgentSum& agent = point.merger->agents()[index];
  const bool has_ended_early = point.early.count(index) != 0;
  if (agent.is_final && !has_ended_early) return 1;
  if (const std::int64_t requests = point.request_shares[index]; requests != 0) {
    const std::uint64_t ended = agent.counters.OutcomeTotal() + agent.counters.NeverSentTotal() -
                                agent.counters.never_sent[static_cast<std::size_t>(NeverSent::kStopped)];
    return std::min(1.0, static_cast<double>(ended) / static_cast<double>(requests));
  }
  if (length_s == 0) return 1;
  const double lived_s =
      has_ended_early ? static_cast<double>(agent.length) / 1e9 : static_cast<double>(agent.last_window + 1);
  return std::min(1.0, lived_s / length_s);
}

}  // namespace

void FillSplit(const SplitFigure& figure, proto::Split* out) {
  out->set_name(figure.name);
  out->set_whole_us(figure.whole / 1e3);
  out->set_ours_us(figure.ours / 1e3);
  out->set_network_us(figure.network / 1e3);
  out->set_target_us(figure.target / 1e3);
}

SplitFigure MeanSplit(const AgentSum& agent) {
  const auto facts = [&agent](Metric metric) -> const HistogramFacts& {
    return agent.facts[static_cast<std::size_t>(metric)];
  };
  const auto mean = [](const HistogramFacts& of) {
    return of.count == 0 ? 0 : static_cast<double>(of.sum) / static_cast<double>(of.count);
  };
  if (static_cast<double>(facts(Metric::kTargetTime).count) < gate::kStamps) return {};
  // Of an open loop the service time: what waited for a connection has no stamps.
  return Split("mean_us", mean(facts(Metric::kStamped)), mean(facts(Metric::kWire)), mean(facts(Metric::kTargetTime)));
}

void FillAgentRows(const PointResult& point, proto::Point* out) {
  for (std::size_t i = 0; i < point.shares.size(); ++i) {
    const AgentSum& sum = point.merger->agents()[i];
    proto::AgentRow* row = out->add_agents();
    row->set_agent(static_cast<std::uint32_t>(i));
    row->set_connections(point.shares[i]);
    row->set_planned(sum.counters.planned);
    row->set_sent(sum.counters.sent);
    row->set_success(sum.counters.success);
    if (sum.facts[static_cast<std::size_t>(point.merger->headline())].count != 0) {
      row->set_p50_us(Micros(sum.p50));
      row->set_p99_us(Micros(sum.p99));
      row->set_max_us(Micros(sum.max));
    }
    if (const SplitFigure split = MeanSplit(sum); split.whole > 0) FillSplit(split, row->mutable_split());
    row->set_shards(sum.shards);
    row->set_target_clock_readings(sum.target_clock.readings());
    row->set_target_clock_failures(sum.target_clock.failures());
    row->set_target_clock_steps(sum.target_clock.steps());
    if (sum.target_clock.readings() != 0) {
      row->set_target_clock_offset_us(Micros(sum.target_clock.offset_ns()));
      row->set_target_clock_error_us(Micros(sum.target_clock.error_ns()));
      out->set_staleness_error_us(std::max(out->staleness_error_us(), row->target_clock_error_us()));
    }
    if (point.is_started && sum.length > 0)
      row->set_cpu_percent(static_cast<double>(sum.counters.cpu_ns) * 100 / static_cast<double>(sum.length));
  }
}

// Its agents' parts weigh as much as they have connections, or requests.
std::optional<double> CoveragePercent(const PointResult& point, const proto::Sweep& sweep) {
  const Nanos planned_length = PointLength(sweep);
  const double length_s = static_cast<double>(planned_length != 0 ? planned_length : point.merger->length()) / 1e9;
  double planned = 0;
  double covered = 0;
  for (std::size_t i = 0; i < point.shares.size(); ++i) {
    const std::int64_t requests = point.request_shares[i];
    const auto share = static_cast<double>(requests != 0 ? requests : point.shares[i]);
    planned += share;
    covered += share * PartCovered(point, i, length_s);
  }
  if (planned == 0) return std::nullopt;
  return 100 * covered / planned;
}

void FillStartSkew(const PointResult& point, proto::Point* out) {
  std::vector<Nanos> starts;
  for (std::size_t i = 0; i < point.shares.size(); ++i) {
    if (point.shares[i] > 0 && point.merger->agents()[i].shards > 0)
      starts.push_back(point.merger->agents()[i].start_late);
  }
  if (starts.size() < 2) return;
  const auto [first, last] = std::minmax_element(starts.begin(), starts.end());
  out->set_start_skew_us(Micros(*last - *first));
  out->set_start_skew_bound_us(Micros(point.start_skew_bound));
}

}  // namespace tidemark
