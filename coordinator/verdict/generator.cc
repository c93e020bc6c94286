#include "coordinator/verdict/generator.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/units.h"
#include "coordinator/analysis/own_part.h"
#include "coordinator/verdict/printed.h"

namespace tidemark {
namespace {

std::string Show(double ns) { return FormatLatency(ns / 1e3); }

// A figure that is printed, and how much of it is the generator's.
struct Part {
  std::string figure;  // "p99"
  double own = 0;      // ns
  double whole = 0;    // ns, as it is printed

  // By what share the figure is larger than it would be without.
  double Bias() const { return whole <= own ? 1 : own / (whole - own); }
};

// Both together: a figure that counts what was given up with its lower bound.
Histogram Sum(const Histogram& complete, const Histogram* given_up) {
  Histogram sum(complete);
  if (given_up != nullptr) sum.Add(*given_up);
  return sum;
}

// The part that is judged: of those above kMinPart the one with the largest bias; if there is none, nothing.
std::optional<Part> Largest(const std::vector<Part>& parts) {
  std::optional<Part> largest;
  for (const Part& part : parts) {
    if (part.own > static_cast<double>(gate::kMinPart) && (!largest || part.Bias() > largest->Bias())) largest = part;
  }
  return largest;
}

// Of the workers' time, what they stood still.
double StoodStill(const PointFacts& facts) {
  const double time = facts.duration_s * std::max(facts.workers, 1);
  return time <= 0 ? 0 : std::min(1.0, static_cast<double>(facts.counters.stood_still_ns) / 1e9 / time);
}

// What fell due while the workers stood still waited for the rest of that time: with a `share` of all, evenly over the
// longest of these times. So much, in ns, is exceeded by a share `beyond` of all.
double WaitedForUs(double share, Nanos longest, double beyond) {
  return share <= beyond ? 0 : static_cast<double>(longest) * (1 - beyond / share);
}

// Open loop: requests went out late, where a connection was free, or because nobody was there to send them. That can
// have moved a quantile of the response times by no more than the same quantile of the lateness, nor by more than lies
// between response and service times.
std::vector<Part> LateParts(const PointFacts& facts) {
  const Histogram response = Sum(*facts.response, facts.unanswered);
  const Histogram service = Sum(*facts.measured, facts.censored);
  if (response.count() == 0) return {};
  const double still = StoodStill(facts);
  const auto part = [](const char* figure, double late, double waited, double whole, double served) {
    return Part{.figure = figure, .own = std::max(late, std::min(waited, whole - served)), .whole = whole};
  };
  const double served_mean = service.count() == 0 ? 0 : service.Mean();
  const double late_mean = facts.pacing->count() == 0 ? 0 : facts.pacing->Mean();
  std::vector<Part> parts = {part("mean", std::min(late_mean, std::max(0.0, response.Mean() - served_mean)),
                                  still * static_cast<double>(facts.stood_still) / 2, response.Mean(), served_mean)};
  for (const Printed& q : kPrinted) {
    if (!q.HasEnough(response.count())) continue;
    const double whole = q.Of(response);
    const double served = service.count() == 0 ? 0 : q.Of(service);
    const double late = q.HasEnough(facts.pacing->count()) ? q.Of(*facts.pacing) : 0;
    const double beyond = static_cast<double>(q.denominator - q.numerator) / static_cast<double>(q.denominator);
    parts.push_back(part(q.name, std::min(late, std::max(0.0, whole - served)),
                         WaitedForUs(still, facts.stood_still, beyond), whole, served));
  }
  return parts;
}

// Measured at the kernel: what of the stamped requests was neither the network's nor the target's.
// REQUIRES: IsStamped.
Part StampedMean(const PointFacts& facts) {
  const double mean = facts.measured->Mean();
  return {.figure = "mean", .own = OwnPart(mean, facts.stamped->Mean(), facts.wire->Mean()), .whole = mean};
}

std::vector<Part> StampedParts(const PointFacts& facts) {
  std::vector<Part> parts = {StampedMean(facts)};
  for (const Printed& q : kPrinted) {
    if (!q.HasEnough(facts.stamped->count())) continue;
    const double whole = q.Of(*facts.measured);
    parts.push_back({.figure = q.name, .own = OwnPart(whole, q.Of(*facts.stamped), q.Of(*facts.wire)), .whole = whole});
  }
  return parts;
}

// Where no latency was stamped: how long an answer may have lain unread. Of streams whose reads were stamped that is
// measured; else it is a bound: while a worker was busy with others in a turn of its loop.
std::vector<Part> UnreadParts(const PointFacts& facts) {
  std::vector<Part> parts;
  const bool is_measured =
      facts.wire_to_app != nullptr && static_cast<double>(facts.wire_to_app->count()) >= gate::kStamps;
  const Histogram& unread = is_measured ? *facts.wire_to_app : *facts.loop_lag;
  for (const Printed& q : kPrinted) {
    if (!q.HasEnough(facts.measured->count()) || !q.HasEnough(unread.count())) continue;
    const double own = q.Of(unread);
    const double whole = q.Of(*facts.measured);
    if (own > static_cast<double>(gate::kLateness))
      parts.push_back({.figure = q.name, .own = own, .whole = own + whole});  // the bound may not be in it
  }
  return parts;
}

void Weigh(double bias, std::string text, std::vector<Reason>* reasons, std::vector<std::string>* notes) {
  if (bias > gate::kMaxBias) {
    reasons->push_back({.effect = bias, .text = std::move(text)});
  } else {
    notes->push_back(std::move(text));
  }
}

// What the generator's delay did to the figures that are printed.
void WeighDelays(const PointFacts& facts, std::vector<Reason>* reasons, std::vector<std::string>* notes) {
  if (facts.is_open_loop) {
    const std::optional<Part> late = Largest(LateParts(facts));
    if (late && (late->own > static_cast<double>(gate::kLateness) || late->Bias() > gate::kMaxBias)) {
      Weigh(
          late->Bias(),
          absl::StrFormat("requests went out late: %s of it in the %s of the response time, %s, which is %.0f %% more "
                          "than without",
                          Show(late->own), late->figure, Show(late->whole), late->Bias() * 100),
          reasons, notes);
    }
  }
  if (IsStamped(facts)) {
    const std::optional<Part> own = Largest(StampedParts(facts));
    if (!own) return;
    Weigh(own->Bias(),
          absl::StrFormat("of the %s of the %s%s, %s, %s was the generator's by the kernel's stamps, which makes "
                          "it %.0f %% more than on the wire",
                          own->figure, facts.measured_name,
                          facts.censored != nullptr && facts.censored->count() > 0 ? " of successes" : "",
                          Show(own->whole), Show(own->own), own->Bias() * 100),
          reasons, notes);
    return;
  }
  if (facts.is_open_loop) return;
  if (const std::optional<Part> unread = Largest(UnreadParts(facts))) {
    const double measured = unread->whole - unread->own;
    Weigh(unread->Bias(),
          absl::StrFormat("answers lay unread: %s %s, which is %.0f %% of the %s of the %s, %s", unread->figure,
                          Show(unread->own), unread->Bias() * 100, unread->figure, facts.measured_name, Show(measured)),
          reasons, notes);
  }
}

// While a worker has no core, answers lie unread: on average for this long in each turn of its loop, ns.
double WaitedATurn(const PointFacts& facts) {
  const double turns = static_cast<double>(std::max<std::uint64_t>(facts.loop_lag->count(), 1));
  return static_cast<double>(facts.counters.run_delay_ns) / turns;
}

void WeighWaiting(const PointFacts& facts, std::vector<Reason>* reasons, std::vector<std::string>* notes) {
  const auto [computed, waited] = WorkerTimeOf(facts);
  if (waited <= gate::kWaited) return;
  const double unread = WaitedATurn(facts);
  // Where the kernel stamped requests, what that did to them is measured.
  const double bias = unread / facts.measured->Mean();
  Weigh(IsStamped(facts) ? 0 : bias,
        absl::StrFormat("its workers waited for a core for %.0f %% of the time, %s a turn, which is %.0f %% of the "
                        "mean %s",
                        waited * 100, Show(unread), bias * 100, facts.measured_name),
        reasons, notes);
}

// Of what the workers stood still nothing was measured, at whatever rate they go on; how long it was is told of each
// agent.
void WeighStandstill(const PointFacts& facts, std::vector<Reason>* reasons, std::vector<std::string>* notes) {
  const double share = StoodStill(facts);
  if (share == 0) return;
  std::string text;
  for (std::size_t i = 0; i < facts.agents.size(); ++i) {
    const AgentFacts& agent = facts.agents[i];
    if (agent.stood_still_s == 0) continue;
    absl::StrAppendFormat(&text, "%s%s stood still for %s of %s", text.empty() ? "" : ", ",
                          facts.agents.size() == 1 ? "this generator" : absl::StrCat("agent ", i),
                          FormatLatency(agent.stood_still_s * 1e6), FormatLatency(agent.duration_s * 1e6));
  }
  Weigh(share, std::move(text), reasons, notes);
}

void WeighHeld(const PointFacts& facts, std::vector<Reason>* reasons, std::vector<std::string>* notes) {
  const std::uint64_t held = KeptBack(facts);
  if (held == 0) return;
  const double share = static_cast<double>(held) / static_cast<double>(facts.counters.planned);
  Weigh(
      share,
      absl::StrFormat("%s of %s requests that were due were kept back by a ceiling, or by the rate of new connections",
                      FormatCount(held), FormatCount(facts.counters.planned)),
      reasons, notes);
}

// An open loop whose requests waited for connections that the plan's rate did not let us make.
void WeighConnectRate(const PointFacts& facts, std::vector<Reason>* reasons, std::vector<std::string>* notes) {
  if (!facts.is_open_loop || !IsAtConnectRate(facts)) return;
  const double waited = ShareThatWaited(facts);
  if (waited <= gate::kMayWait) return;
  Weigh(waited,
        absl::StrFormat("%.1f %% of the requests waited for a connection, and those were made at --connect-rate %s",
                        waited * 100, WriteRate(facts.connect_rate)),
        reasons, notes);
}

// Attempts to connect that failed for want of something here.
void WeighShortages(const PointFacts& facts, std::vector<Reason>* reasons) {
  const auto limit = [&facts, reasons](std::uint64_t count, const char* what) {
    if (count == 0) return;
    const auto attempts = std::accumulate(facts.counters.connects.begin(), facts.counters.connects.end(), count);
    reasons->push_back({.effect = static_cast<double>(count) / static_cast<double>(attempts),
                        .text = absl::StrCat(count, " connection attempts found no free ", what)});
  };
  limit(facts.counters.no_local_port, "local port (add --source addresses or agents)");
  limit(facts.counters.no_descriptor, "descriptor (raise ulimit -n or add agents)");
}

}  // namespace

std::uint64_t KeptBack(const PointFacts& facts) {
  return facts.counters.never_sent[static_cast<std::size_t>(NeverSent::kHeld)];
}

double ShareThatWaited(const PointFacts& facts) {
  const std::uint64_t held = KeptBack(facts);
  if (held >= facts.counters.planned) return 0;
  return 1 - static_cast<double>(facts.pacing->count()) / static_cast<double>(facts.counters.planned - held);
}

bool IsAtConnectRate(const PointFacts& facts) {
  constexpr double kNearly = 0.9;
  const auto& connects = facts.counters.connects;
  const double attempts = std::accumulate(connects.begin(), connects.end(), 0.0);
  return facts.connect_rate > 0 && facts.duration_s > 0 && attempts >= kNearly * facts.connect_rate * facts.duration_s;
}

WorkerTime WorkerTimeOf(const PointFacts& facts) {
  const double busy_s = facts.duration_s * std::max(facts.workers, 1);
  if (busy_s <= 0) return {};  // no time has a share
  return {.computed = static_cast<double>(facts.counters.cpu_ns) / 1e9 / busy_s,
          .waited = static_cast<double>(facts.counters.run_delay_ns) / 1e9 / busy_s};
}

bool IsStamped(const PointFacts& facts) {
  return facts.stamped != nullptr && static_cast<double>(facts.stamped->count()) >= gate::kStamps;
}

bool StampedAreLikeAll(const PointFacts& facts) {
  return facts.is_listening || IsLikeAll(*facts.stamped, *facts.measured);
}

bool SlowedTheLoop(const PointFacts& facts) {
  if (facts.counters.no_local_port + facts.counters.no_descriptor > 0) return true;
  if (StoodStill(facts) > gate::kMaxBias) return true;
  if (facts.measured->count() == 0) return false;
  if (IsStamped(facts)) return StampedMean(facts).Bias() > gate::kMaxBias;
  const double own = WaitedATurn(facts) + facts.loop_lag->Mean();
  return Part{.figure = "mean", .own = own, .whole = own + facts.measured->Mean()}.Bias() > gate::kMaxBias;
}

std::vector<Reason> WhyLimited(const PointFacts& facts, std::vector<std::string>* notes) {
  std::vector<Reason> reasons;
  WeighShortages(facts, &reasons);
  WeighStandstill(facts, &reasons, notes);
  WeighHeld(facts, &reasons, notes);
  WeighConnectRate(facts, &reasons, notes);
  if (facts.measured->count() == 0) return reasons;  // there is no figure that the generator could have moved
  WeighDelays(facts, &reasons, notes);
  WeighWaiting(facts, &reasons, notes);
  const double computed = facts.is_spinning ? 0 : WorkerTimeOf(facts).computed;
  if (computed > gate::kWorkerCpu)
    notes->push_back(absl::StrFormat("its workers computed for %.0f %% of the time", computed * 100));
  return reasons;
}

}  // namespace tidemark
