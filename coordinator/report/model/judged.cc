#include "coordinator/report/model/judged.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "common/check.h"
#include "common/plan/expectation.h"
#include "common/plan/status_set.h"
#include "common/units.h"
#include "coordinator/merge/merger.h"
#include "coordinator/report/model/agent_rows.h"
#include "coordinator/verdict/generator.h"
#include "coordinator/verdict/split.h"
#include "coordinator/verdict/verdict.h"

namespace tidemark {
namespace {

// The share of requests that may fail: the plan's, or what is usual.
double MaxFailures(const proto::Plan& plan) {
  double most = gate::kFailures;
  for (const std::string& text : plan.expect()) {
    const auto expectation = ParseExpectation(text);
    CHECK(expectation.ok());  // the plan is valid
    if (expectation->figure == Expectation::Figure::kErrorRate && expectation->is_at_most)
      most = expectation->limit / 100;
  }
  return most;
}

std::uint64_t Established(const Counters& counters) {
  return counters.connects[static_cast<std::size_t>(ConnectResult::kEstablished)];
}

}  // namespace

void FillVerdict(const RunResult& result, const PointResult& point, const Sums& sums,
                 const std::vector<Second>& seconds, bool is_open_loop, const proto::Plan& plan, proto::Point* out) {
  const std::string& until = plan.sweep().until();
  PointFacts facts{.is_open_loop = is_open_loop,
                   .is_spinning = plan.sweep().pace() == "spin",
                   .is_partial = point.is_partial || point.is_interrupted || !point.is_started,
                   .duration_s = sums.duration_s,
                   .start_wall_s = result.started_wall_s + static_cast<double>(point.start_offset) / 1e9,
                   .counters = sums.counters,
                   .syns_before = sums.warmup.syn_retransmits,
                   .is_listening = plan.web_socket().has_listen(),
                   .measured = &sums[Metric::kService],
                   .other = &sums[Metric::kOther],
                   .censored = &sums[Metric::kCensored],
                   .response = &sums[Metric::kResponse],
                   .unanswered = &sums[Metric::kUnanswered],
                   .pacing = &sums[Metric::kPacing],
                   .loop_lag = &sums[Metric::kLoopLag],
                   .stamped = &sums[Metric::kStamped],
                   .wire = &sums[Metric::kWire],
                   .target_time = &sums[Metric::kTargetTime],
                   .wire_to_app = &sums[Metric::kWireToApp],
                   .first_event = &sums[Metric::kFirstEvent],
                   .established = Established(sums.counters) + Established(sums.warmup),
                   .connections = point.connections,
                   .windows = &point.merger->windows(),
                   .seconds = seconds,
                   .statuses = &sums.statuses,
                   .addresses = &sums.addresses,
                   .silent = sums.silent,
                   .success = *ParseStatusSet(plan.expect_status()),  // the plan is valid
                   .has_availability = !plan.sweep().new_connection(),
                   .max_failures = MaxFailures(plan)};
  if (plan.sweep().new_connection() || plan.sweep().reconnect_after() != 0)
    facts.connect_rate = plan.sweep().connect_rate();
  const double time_ns = static_cast<double>(point.connections) * sums.duration_s * 1e9;
  const proto::Listen& listen = plan.web_socket().listen();
  if (facts.has_availability && plan.sweep().has_duration() && !listen.has_hold() && !listen.has_storm() && time_ns > 0)
    facts.kept_closed = 1 - std::min(1.0, static_cast<double>(sums.counters.asked_ns) / time_ns);
  for (const proto::RequestResult& request : out->requests())
    facts.mix.push_back({.name = request.name(), .sent = request.sent(), .success = request.success()});
  if (facts.is_listening) {
    facts.measured = &sums[point.merger->headline()];
    facts.measured_name = point.merger->headline() == Metric::kStaleness ? "staleness" : "interval between messages";
  }
  for (std::size_t i = 0; i < point.shares.size(); ++i) {
    const AgentSum& agent = point.merger->agents()[i];
    const int workers = point.shares[i] > 0 ? result.agents[i].workers() : 0;
    facts.workers += workers;
    facts.stood_still = std::max(facts.stood_still, agent.stood_still);
    const auto time = static_cast<double>(agent.length) * workers;
    const SplitFigure mean = MeanSplit(agent);
    facts.agents.push_back(
        {.means = agent.means,
         .waited = time <= 0 ? 0 : static_cast<double>(agent.counters.run_delay_ns) / time,
         .stood_still_s =
             workers == 0 ? 0 : static_cast<double>(agent.counters.stood_still_ns) / 1e9 / static_cast<double>(workers),
         .duration_s = static_cast<double>(agent.length) / 1e9,
         .throttled = static_cast<Nanos>(agent.host.throttled_ns()),
         .is_stamped = mean.whole > 0,
         .mean = mean.whole,
         .wire_mean = mean.network + mean.target});
    facts.host.set_cpu_ns(facts.host.cpu_ns() + agent.host.cpu_ns());
    facts.host.set_steal_ns(facts.host.steal_ns() + agent.host.steal_ns());
    facts.host.set_dropped_packets(facts.host.dropped_packets() + agent.host.dropped_packets());
    facts.host.set_syn_retransmits(facts.host.syn_retransmits() + agent.host.syn_retransmits());
    facts.host.set_accept_overflows(facts.host.accept_overflows() + agent.host.accept_overflows());
  }
  for (const SplitFigure& figure : SplitsOf(facts)) FillSplit(figure, out->add_splits());
  // A row on the wire beside that of all would compare two kinds of requests.
  if (IsStamped(facts) && facts.measured->count() > 0 && !StampedAreLikeAll(facts)) {
    out->clear_wire();
    out->add_verdict_notes(absl::StrCat(
        "those that the kernel stamped are not like all: their mean is ", FormatLatency(facts.stamped->Mean() / 1e3),
        ", that of all ", FormatLatency(facts.measured->Mean() / 1e3), ": there are no figures on the wire"));
  }
  const Judgement judgement = Judge(facts);
  if (point.is_precise)
    out->add_verdict_notes(
        absl::StrFormat("ended after %.0f s, when the interval was as narrow as %s", sums.duration_s, until));
  if (!point.is_precise && !until.empty())
    out->add_verdict_notes(absl::StrCat("went on to the end: the interval never was as narrow as ", until));
  const absl::string_view name = Name(judgement.verdict);
  out->set_verdict(std::string(name));
  out->set_verdict_reason(judgement.reason);
  if (judgement.verdict != Verdict::kPartial) {
    out->set_generator(std::string(Name(judgement.generator)));
    out->set_generator_reason(judgement.generator_reason);
    out->set_generator_slowed_the_loop(judgement.slowed_the_loop);
    out->set_target(std::string(Name(judgement.target)));
    out->set_target_reason(judgement.target_reason);
  }
  for (const std::string& note : judgement.notes) out->add_verdict_notes(note);
  if (const std::uint64_t closes = sums.counters.unannounced_closes; closes > 0) {
    out->add_verdict_notes(
        absl::StrCat("the target closed ", closes, " idle connections without announcing it (Connection: close)"));
  }
  if (!is_open_loop && sums.duration_s > 0) {
    out->set_utilisation_percent(static_cast<double>(sums.counters.busy_ns - sums.counters.drained_busy_ns) / 1e7 /
                                 sums.duration_s / static_cast<double>(point.connections) /
                                 static_cast<double>(std::max<std::int64_t>(1, plan.web_socket().pipeline())));
  }
}

Evidence EvidenceWith(const proto::Plan& plan, const PointResult& point, const std::vector<Second>& seconds) {
  const Merger& merger = *point.merger;
  const bool is_open_loop = merger.headline() == Metric::kResponse;
  const Counters counters = merger.counters();
  const std::uint64_t unsuccessful = counters.planned - counters.success;
  Evidence evidence{.seconds = SecondsOf(merger),
                    .unanswered = merger.histogram(Metric::kCensored),
                    .planned = counters.planned,
                    // A redirect that came when the point was over was answered.
                    .failed = unsuccessful - std::min(unsuccessful, counters.redirects_ended),
                    .responses = counters.Complete() - counters.drained,
                    .drained_success = counters.drained_success,
                    .messages = counters.messages - counters.early_messages - counters.drained_messages,
                    .findings = counters.findings,
                    .up_ns = counters.up_ns,
                    .asked_ns = counters.asked_ns,
                    .dead_seconds = CountSeconds(seconds, Second::kDead),
                    .is_listening = merger.IsListening(),
                    .duration = DurationOf(plan, point)};
  if (is_open_loop) evidence.unanswered = merger.histogram(Metric::kUnanswered);
  if (static_cast<double>(merger.histogram(Metric::kWire).count()) >= gate::kStamps) {
    evidence.stamped = merger.histogram(Metric::kStamped);
    evidence.on_wire = merger.histogram(Metric::kWire);
  }
  return evidence;
}

void FillExpected(const proto::Plan& plan, const PointResult& point, const std::vector<Second>& seconds,
                  proto::Point* out) {
  if (plan.expect().empty()) return;
  const Evidence evidence = EvidenceWith(plan, point, seconds);
  for (const std::string& text : plan.expect()) {
    const auto expectation = ParseExpectation(text);
    CHECK(expectation.ok());  // the plan is valid
    proto::Expected* const entry = out->add_expected();
    entry->set_text(expectation->text);
    entry->set_is_met(IsMet(*expectation, evidence));
    entry->set_is_clear(Assess(*expectation, evidence) != Assessment::kUnsure);
    if (IsMetOnWire(*expectation, evidence)) entry->set_is_met_on_wire(true);
    const Estimate estimate = EstimateOf(*expectation, evidence);
    const double unit = expectation->IsLatency() ? 1e3 : 1;
    if (!estimate.is_unknown || estimate.value > 0) entry->set_value(estimate.value / unit);
    if (estimate.is_unknown && estimate.value > 0) entry->set_value_is_at_least(true);
    // Of a rate the other end is what drained, which is no interval.
    const bool is_rate = expectation->figure == Expectation::Figure::kRequestsPerSecond;
    if (!estimate.is_unknown && !is_rate && estimate.interval && estimate.interval->low < estimate.interval->high) {
      entry->set_low(estimate.interval->low / unit);
      entry->set_high(estimate.interval->high / unit);
    }
    if (expectation->IsLatency())
      entry->set_of(std::string(kMetricRows[static_cast<std::size_t>(point.merger->headline())].json));
  }
}

}  // namespace tidemark
