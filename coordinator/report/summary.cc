#include "coordinator/report/summary.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "common/plan/measured.h"
#include "common/plan/redact.h"
#include "common/plan/sweep.h"
#include "common/stats/metric.h"
#include "coordinator/report/absent.h"
#include "coordinator/report/model/accounting.h"
#include "coordinator/report/model/agent_rows.h"
#include "coordinator/report/model/capacity.h"
#include "coordinator/report/model/curve.h"
#include "coordinator/report/model/judged.h"
#include "coordinator/report/model/latency.h"
#include "coordinator/report/model/mix.h"
#include "coordinator/report/model/over_time.h"
#include "coordinator/report/model/rates.h"
#include "coordinator/report/model/slowest.h"
#include "coordinator/report/model/streams.h"
#include "coordinator/report/model/sums.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

void FillPoint(const Measured& measured, const Sums& sums, proto::Point* out) {
  const Counters& counters = sums.counters;
  FillRates(measured, sums, out);
  FillLatencies(sums, out);
  if (counters.schedule_hash != 0) out->set_schedule_hash(absl::StrFormat("%016x", counters.schedule_hash));
  FillAccounts(sums, out);
  FillAddresses(sums, measured.Has(Need::kListening), out);
  if (!sums.unaccounted_is_unknown) out->set_unaccounted_requests_max(sums.unaccounted_max);
  if (sums.unaccounted_is_estimate && !sums.unaccounted_is_unknown) out->set_unaccounted_is_estimate(true);
  out->set_status(StatusOf(sums));
}

void FillCurve(const Sums& sums, Metric headline, proto::Point* out) {
  const Metric bounds = kMetricRows[static_cast<std::size_t>(headline)].bounded_by;
  proto::Curve curve = CurveOf(sums[headline], bounds == Metric::kCount ? nullptr : &sums[bounds]);
  if (curve.has_beyond()) *out->mutable_curve() = std::move(curve);
}

}  // namespace

Evidence EvidenceOf(const proto::Plan& plan, const PointResult& point) {
  return EvidenceWith(plan, point, SecondsJudged(plan, point));
}

proto::Point SummarisePoint(const RunResult& result, const PointResult& point, const proto::Plan& plan) {
  const Measured measured(plan);
  const auto sums = std::make_unique<Sums>();
  const std::vector<Second> seconds = SecondsJudged(plan, point);
  AddPoint(plan, point, seconds, sums.get());
  proto::Point out;
  out.set_connections(point.connections);
  out.set_connections_up(point.connections_up);
  out.set_rate_per_s(point.rate);
  FillPoint(measured, *sums, &out);
  FillMix(plan, *sums, &out);
  FillVerdict(result, point, *sums, seconds, IsOpenLoop(plan.sweep()), plan, &out);
  DropUnmeasured(measured, &out);
  return out;
}

proto::Report Summarise(const RunResult& result, const proto::Plan& plan) {
  proto::Report report;
  report.set_version(TIDEMARK_VERSION);
  report.set_run(result.run);
  report.set_started_at(result.started_at);
  *report.mutable_plan() = PlanForPrinting(plan);
  report.mutable_agents()->Assign(result.agents.begin(), result.agents.end());
  auto total = std::make_unique<Sums>();
  proto::Merge* merge = report.mutable_merge();
  bool is_exact = true;
  const bool is_open_loop = IsOpenLoop(plan.sweep());
  const Measured measured(plan);
  for (const PointResult& point : result.points) {
    auto sums = std::make_unique<Sums>();
    const std::vector<Second> seconds = SecondsJudged(plan, point);
    AddPoint(plan, point, seconds, sums.get());
    AddPoint(plan, point, seconds, total.get());
    proto::Point* out = report.add_points();
    out->set_connections(point.connections);
    out->set_connections_up(point.connections_up);
    out->set_rate_per_s(point.rate);
    if (point.is_started)
      out->set_started_at(FormatWallTime(result.started_wall_s + static_cast<double>(point.start_offset) / 1e9));
    FillPoint(measured, *sums, out);
    FillMix(plan, *sums, out);
    FillSeries(plan, point, seconds, out);
    FillOverTime(plan, point, out);
    FillCurve(*sums, point.merger->headline(), out);
    FillAgentRows(point, out);
    for (std::size_t i = 0; i < point.shares.size(); ++i)
      FillAgentColumns(plan, point, i, out->mutable_agents(static_cast<int>(i)));
    FillFanOut(result, point, plan, out);
    FillStreams(point.merger->named(), sums->duration_s, out);
    FillCloseReasons(point.merger->named(), out);
    proto::Latency* headline = is_open_loop ? out->mutable_response() : out->mutable_latency();
    if (point.merger->headline() == Metric::kInterval) headline = out->mutable_interval();
    if (point.merger->headline() == Metric::kStaleness) headline = out->mutable_staleness();
    FillIntervals(*point.merger, sums->duration_s, headline);
    FillVerdict(result, point, *sums, seconds, is_open_loop, plan, out);
    FillExpected(plan, point, seconds, out);
    if (const auto coverage = !point.is_started ? std::nullopt : CoveragePercent(point, plan.sweep()))
      out->set_coverage_percent(*coverage);
    FillSlowest(plan, result.run, point, out);
    FillStartSkew(point, out);
    merge->set_late(merge->late() + point.merger->late());
    is_exact = is_exact && point.merger->AllFinal() && out->accounting().identity_holds();
  }
  for (const PointResult& point : result.abandoned) {
    auto sums = std::make_unique<Sums>();
    AddPoint(plan, point, SecondsJudged(plan, point), sums.get());
    proto::Point* out = report.add_abandoned_points();
    out->set_connections(point.connections);
    out->set_connections_up(point.connections_up);
    out->set_rate_per_s(point.rate);
    FillPoint(measured, *sums, out);
    FillMix(plan, *sums, out);
    FillAgentRows(point, out);
  }
  FillPoint(measured, *total, report.mutable_total());
  FillMix(plan, *total, report.mutable_total());
  if (!is_open_loop && !plan.web_socket().has_listen() && result.points.size() > 1)
    FillCapacity(result, report, report.mutable_capacity());
  merge->set_shards(result.shards);
  merge->set_duplicates(result.duplicates);
  merge->set_rejected(result.rejected);
  merge->set_is_exact(is_exact && result.exit_code != kExitAccounting);
  report.set_status(StatusOf(*total));
  report.set_exit_code(result.exit_code);
  for (const std::string& note : result.notes) report.add_notes(note);
  DropUnmeasured(measured, &report);
  return report;
}

}  // namespace tidemark
