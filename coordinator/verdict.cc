#include "coordinator/verdict.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/units.h"
#include "coordinator/analysis/steady.h"

namespace tidemark {
namespace {

std::string Show(Nanos value) { return FormatLatency(static_cast<double>(value) / 1e3); }

// The generator's own delay, and how much of the p99 it could be.
void JudgeGenerator(const PointFacts& facts, Judgement* judgement) {
  const auto p99 = [](const Histogram* histogram) { return histogram->Quantile(99, 100); };
  const Nanos service = p99(facts.service);
  // Open loop: how late slots went out. Closed: how long an answer may have lain unread, since lateness only lowers
  // the load there.
  const Nanos delay = facts.is_open_loop ? p99(facts.pacing) : p99(facts.loop_lag);
  const char* const what = facts.is_open_loop ? "requests went out late" : "answers lay unread";
  if (delay == 0) return;  // nothing was sent
  const double bias = service == 0 ? 1 : static_cast<double>(delay) / static_cast<double>(service);
  const double busy_s = facts.duration_s * std::max(facts.workers, 1);
  const double cpu = static_cast<double>(facts.counters.cpu_ns) / 1e9 / busy_s;
  const double waited = static_cast<double>(facts.counters.run_delay_ns) / 1e9 / busy_s;

  std::vector<std::string> beyond;
  if (delay > gate::kLateness) {
    beyond.push_back(absl::StrFormat("%s: p99 %s, which is %.0f %% of the service p99 %s", what, Show(delay),
                                     bias * 100, Show(service)));
  }
  if (cpu > gate::kWorkerCpu)
    beyond.push_back(absl::StrFormat("its workers computed for %.0f %% of the time", cpu * 100));
  // While a worker has no core, answers lie unread: on average for this long in each turn of its loop.
  double unread_bias = 0;
  if (waited > gate::kWaited) {
    const double turns = static_cast<double>(std::max<std::uint64_t>(facts.loop_lag->count(), 1));
    const double unread_ns = static_cast<double>(facts.counters.run_delay_ns) / turns;
    unread_bias = facts.service->count() == 0 ? 1 : unread_ns / facts.service->Mean();
    beyond.push_back(
        absl::StrFormat("its workers waited for a core for %.0f %% of the time, %s a turn, which is %.0f %% of "
                        "the mean service time",
                        waited * 100, Show(static_cast<Nanos>(unread_ns)), unread_bias * 100));
  }
  if (beyond.empty()) return;
  if (std::max(bias, unread_bias) > gate::kMaxBias) {
    judgement->verdict = Verdict::kGeneratorLimited;
    for (const std::string& reason : beyond)
      absl::StrAppend(&judgement->reason, judgement->reason.empty() ? "" : "; ", reason);
    if (delay <= gate::kLateness && bias > gate::kMaxBias)
      absl::StrAppendFormat(&judgement->reason, "; %s by up to %s, %.0f %% of the service p99", what, Show(delay),
                            bias * 100);
  } else {
    judgement->notes = beyond;
  }
}

void JudgeTarget(const PointFacts& facts, Judgement* judgement) {
  if (!facts.is_open_loop || facts.counters.planned == 0) return;
  const auto planned = static_cast<double>(facts.counters.planned);
  const double sent = static_cast<double>(facts.counters.sent) / planned;
  const double waited = 1 - static_cast<double>(facts.pacing->count()) / planned;
  if (sent < gate::kSent) {
    judgement->verdict = Verdict::kTargetLimited;
    judgement->reason = absl::StrFormat("%.1f %% of the requests that were due could not be sent", (1 - sent) * 100);
  } else if (waited > gate::kMayWait) {
    judgement->verdict = Verdict::kTargetLimited;
    judgement->reason = absl::StrFormat(
        "%.1f %% of the requests found every connection busy when they were due: the target is slower than the rate, "
        "or "
        "there are too few connections",
        waited * 100);
  }
}

}  // namespace

absl::string_view Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kValid:
      return "VALID";
    case Verdict::kGeneratorLimited:
      return "GENERATOR_LIMITED";
    case Verdict::kTargetLimited:
      return "TARGET_LIMITED";
    case Verdict::kNotSteady:
      return "NOT_STEADY";
    case Verdict::kPartial:
      return "PARTIAL";
  }
  return "";
}

Judgement Judge(const PointFacts& facts) {
  Judgement judgement;
  if (facts.is_partial) {
    judgement.verdict = Verdict::kPartial;
    judgement.reason = "not all of the point was run";
    return judgement;
  }
  JudgeGenerator(facts, &judgement);
  if (judgement.verdict == Verdict::kValid) JudgeTarget(facts, &judgement);
  if (judgement.verdict != Verdict::kValid) return judgement;
  std::vector<double> means;
  for (const WindowSum& window : *facts.windows) {
    if (window.success > 0) means.push_back(window.mean_us);
  }
  // The last window is cut short by the end.
  if (!means.empty()) means.pop_back();
  const Steadiness steady = FindSteadyState(means);
  if (steady.kind == Steadiness::Kind::kNever) {
    judgement.verdict = Verdict::kNotSteady;
    judgement.reason = "the latency never settled (MSER-5 over seconds); run it longer";
  } else if (steady.kind == Steadiness::Kind::kAfter) {
    judgement.notes.push_back(
        absl::StrCat("settled only after ", steady.cut, " s (MSER-5); a warm-up of that length would leave it out"));
  }
  return judgement;
}

}  // namespace tidemark
