#include "coordinator/verdict.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/units.h"
#include "coordinator/analysis/steady.h"

namespace tidemark {
namespace {

std::string Show(Nanos value) { return FormatLatency(static_cast<double>(value) / 1e3); }

// Shares of the workers' time: that in which they computed, and that in which they were ready to but had no core.
struct WorkerTime {
  double computed = 0;
  double waited = 0;
};
WorkerTime WorkerTimeOf(const PointFacts& facts) {
  const double busy_s = facts.duration_s * std::max(facts.workers, 1);
  if (busy_s <= 0) return {};  // no time has a share
  return {.computed = static_cast<double>(facts.counters.cpu_ns) / 1e9 / busy_s,
          .waited = static_cast<double>(facts.counters.run_delay_ns) / 1e9 / busy_s};
}

// The generator's own delay, and how much of the p99 it could be.
void JudgeGenerator(const PointFacts& facts, Judgement* judgement) {
  const auto p99 = [](const Histogram* histogram) { return histogram->Quantile(99, 100); };
  const Nanos measured = p99(facts.measured);
  // Open loop: how late slots went out. Closed: how long an answer may have lain unread, since lateness only lowers
  // the load there.
  const Nanos delay = facts.is_open_loop ? p99(facts.pacing) : p99(facts.loop_lag);
  const char* const what = facts.is_open_loop ? "requests went out late" : "answers lay unread";
  if (delay == 0) return;                    // nothing was sent
  if (facts.measured->count() == 0) return;  // there is no figure that the generator could have moved
  const double bias = measured == 0 ? 1 : static_cast<double>(delay) / static_cast<double>(measured);
  const auto [cpu, waited] = WorkerTimeOf(facts);
  std::vector<std::string> beyond;
  if (delay > gate::kLateness) {
    beyond.push_back(absl::StrFormat("%s: p99 %s, which is %.0f %% of the p99 of the %s, %s", what, Show(delay),
                                     bias * 100, facts.measured_name, Show(measured)));
  }
  if (cpu > gate::kWorkerCpu)
    beyond.push_back(absl::StrFormat("its workers computed for %.0f %% of the time", cpu * 100));
  // While a worker has no core, answers lie unread: on average for this long in each turn of its loop.
  double unread_bias = 0;
  if (waited > gate::kWaited) {
    const double turns = static_cast<double>(std::max<std::uint64_t>(facts.loop_lag->count(), 1));
    const double unread_ns = static_cast<double>(facts.counters.run_delay_ns) / turns;
    unread_bias = unread_ns / facts.measured->Mean();
    beyond.push_back(
        absl::StrFormat("its workers waited for a core for %.0f %% of the time, %s a turn, which is %.0f %% of "
                        "the mean %s",
                        waited * 100, Show(static_cast<Nanos>(unread_ns)), unread_bias * 100, facts.measured_name));
  }
  if (beyond.empty()) return;
  if (std::max(bias, unread_bias) > gate::kMaxBias) {
    judgement->verdict = Verdict::kGeneratorLimited;
    for (const std::string& reason : beyond)
      absl::StrAppend(&judgement->reason, judgement->reason.empty() ? "" : "; ", reason);
    if (delay <= gate::kLateness && bias > gate::kMaxBias)
      absl::StrAppendFormat(&judgement->reason, "; %s by up to %s, %.0f %% of the p99 of the %s", what, Show(delay),
                            bias * 100, facts.measured_name);
  } else {
    judgement->notes.insert(judgement->notes.end(), beyond.begin(), beyond.end());
  }
}

// What the agents ran out of.
void JudgeLimits(const PointFacts& facts, Judgement* judgement) {
  const auto limit = [judgement](std::uint64_t count, const char* what) {
    if (count == 0) return;
    judgement->verdict = Verdict::kGeneratorLimited;
    absl::StrAppend(&judgement->reason, judgement->reason.empty() ? "" : "; ", count,
                    " connection attempts found no free ", what);
  };
  limit(facts.counters.no_local_port, "local port (add --source addresses or agents)");
  limit(facts.counters.no_descriptor, "descriptor (raise ulimit -n or add agents)");
}

// What the agents' machines went through meanwhile, whatever program it was.
void RemarkMachines(const PointFacts& facts, std::vector<std::string>* notes) {
  const proto::HostCounters& host = facts.host;
  const double steal =
      host.cpu_ns() == 0 ? 0 : static_cast<double>(host.steal_ns()) / static_cast<double>(host.cpu_ns());
  if (steal > gate::kSteal)
    notes->push_back(absl::StrFormat("the hypervisor took %.1f %% of the generator's CPU time", steal * 100));
  if (host.dropped_packets() > 0)
    notes->push_back(absl::StrCat("the generator's machine dropped ", host.dropped_packets(), " packets"));
  // Of SYNs our own sockets know how many were ours; the rest are the machine's.
  const std::uint64_t own = facts.counters.syn_retransmits;
  if (own > 0)
    notes->push_back(absl::StrCat(own, " SYNs had to be sent again: an accept queue or the network dropped them"));
  if (host.syn_retransmits() > own) {
    notes->push_back(absl::StrCat("the generator's machine sent ", host.syn_retransmits() - own,
                                  own > 0 ? " more SYNs" : " SYNs", " again, for other programs than this"));
  }
  if (host.accept_overflows() > 0) {
    notes->push_back(absl::StrCat("an accept queue on the generator's machine was full ", host.accept_overflows(),
                                  " times", own > 0 ? "" : ", though this run had no SYN to send again",
                                  ": give the target a longer backlog, or use --connect-rate"));
  }
}

// What became of the target's name while it was looked up again.
void RemarkNames(const PointFacts& facts, std::vector<std::string>* notes) {
  const Counters& counters = facts.counters;
  if (counters.names_changed > 0) {
    notes->push_back(absl::StrCat("the target's name had other addresses ", counters.names_changed,
                                  " times: new connections went there"));
  }
  if (counters.names_kept > 0) {
    notes->push_back(absl::StrCat("the target's name was looked up again ", counters.names_kept,
                                  " times without an address that may be used: the old ones were kept"));
  }
}

// Whether one agent sees another latency than the others do.
void RemarkAgents(const PointFacts& facts, std::vector<std::string>* notes) {
  struct Mean {
    double value = 0;
    double variance = 0;  // of the mean
  };
  const auto mean_of = [](const std::vector<const std::vector<double>*>& series) {
    double n = 0;
    double sum = 0;
    double squares = 0;
    for (const std::vector<double>* one : series) {
      for (const double x : *one) {
        n += 1;
        sum += x;
        squares += x * x;
      }
    }
    if (n < 2) return Mean{};
    return Mean{.value = sum / n, .variance = std::max(0.0, squares / n - sum * sum / n / n) / (n - 1)};
  };
  for (std::size_t i = 0; i < facts.means.size(); ++i) {
    constexpr std::size_t kLeastSeconds = 5;
    std::vector<const std::vector<double>*> others;
    for (std::size_t k = 0; k < facts.means.size(); ++k) {
      if (k != i && facts.means[k].size() >= kLeastSeconds) others.push_back(&facts.means[k]);
    }
    if (others.empty() || facts.means[i].size() < kLeastSeconds) continue;
    const Mean here = mean_of({&facts.means[i]});
    const Mean there = mean_of(others);
    const double difference = std::abs(here.value - there.value);
    if (difference <= gate::kAgentsDiffer * there.value || difference <= 3 * std::sqrt(here.variance + there.variance))
      continue;
    notes->push_back(absl::StrCat("agent ", i, " sees a mean latency of ", Show(static_cast<Nanos>(here.value)),
                                  ", the others of ", Show(static_cast<Nanos>(there.value)),
                                  ": they do not see the same target"));
    if (facts.means.size() == 2) return;  // said once for both
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
  // Workers without room for more work leave connections busy with answers that lie unread: no target is to blame then.
  const WorkerTime time = WorkerTimeOf(facts);
  const double wanted = (facts.is_spinning ? 0 : time.computed) + time.waited;
  if (judgement->verdict != Verdict::kTargetLimited || wanted <= gate::kWorkerCpu) return;
  judgement->verdict = Verdict::kGeneratorLimited;
  absl::StrAppendFormat(&judgement->reason,
                        "; but the generator's workers computed for %.0f %% of the time and waited for a core for "
                        "%.0f %%: they had no room left",
                        time.computed * 100, time.waited * 100);
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
  RemarkMachines(facts, &judgement.notes);
  RemarkNames(facts, &judgement.notes);
  RemarkAgents(facts, &judgement.notes);
  JudgeGenerator(facts, &judgement);
  JudgeLimits(facts, &judgement);
  if (judgement.verdict == Verdict::kValid) JudgeTarget(facts, &judgement);
  if (judgement.verdict != Verdict::kValid) return judgement;
  std::vector<double> means;
  for (const WindowSum& window : *facts.windows) {
    if (window.second + 1 > facts.duration_s) break;  // cut short by the end, or after it
    if (facts.is_listening ? window.mean_us > 0 : window.success > 0) means.push_back(window.mean_us);
  }
  const Steadiness steady = FindSteadyState(means);
  if (steady.kind == Steadiness::Kind::kNever) {
    judgement.verdict = Verdict::kNotSteady;
    judgement.reason = absl::StrCat("the ", facts.measured_name, " never settled (MSER-5 over seconds); run it longer");
  } else if (steady.kind == Steadiness::Kind::kAfter) {
    judgement.notes.push_back(
        absl::StrCat("settled only after ", steady.cut, " s (MSER-5); a warm-up of that length would leave it out"));
  }
  return judgement;
}

}  // namespace tidemark
