#include "coordinator/verdict/remarks.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/units.h"
#include "coordinator/verdict/generator.h"
#include "coordinator/verdict/split.h"

namespace tidemark {
namespace {

// What the agents' machines went through meanwhile, whatever program it was.
void RemarkMachines(const PointFacts& facts, std::vector<std::string>* notes) {
  const proto::HostCounters& host = facts.host;
  const double steal =
      host.cpu_ns() == 0 ? 0 : static_cast<double>(host.steal_ns()) / static_cast<double>(host.cpu_ns());
  if (steal > gate::kSteal)
    notes->push_back(
        absl::StrFormat("the hypervisor took %.1f %% of the CPU time of the generator's machine", steal * 100));
  if (host.dropped_packets() > 0)
    notes->push_back(absl::StrCat("the generator's machine dropped ", host.dropped_packets(), " packets"));
  // Of SYNs our own sockets know how many were ours; the rest are the machine's.
  const std::uint64_t own = facts.counters.syn_retransmits;
  if (own > 0)
    notes->push_back(absl::StrCat(own, " SYNs had to be sent again: an accept queue or the network dropped them"));
  if (facts.syns_before > 0)
    notes->push_back(absl::StrCat("before the start ", facts.syns_before,
                                  " SYNs had to be sent again: an accept queue or the network dropped them"));
  if (host.syn_retransmits() > own) {
    notes->push_back(absl::StrCat("the generator's machine sent ", host.syn_retransmits() - own,
                                  own > 0 ? " more SYNs" : " SYNs", " again, for other programs than this"));
  }
  if (host.accept_overflows() > 0) {
    notes->push_back(absl::StrCat("an accept queue on the generator's machine was full ", host.accept_overflows(),
                                  " times",
                                  own + facts.syns_before > 0 ? "" : ", though this run had no SYN to send again",
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

// A mean of seconds, and how sure it is.
struct Mean {
  double value = 0;
  double variance = 0;  // of the mean
};
Mean MeanOf(const std::vector<double>& series) {
  const auto n = static_cast<double>(series.size());
  double sum = 0;
  double squares = 0;
  for (const double x : series) {
    sum += x;
    squares += x * x;
  }
  return {.value = sum / n, .variance = std::max(0.0, squares / n - sum * sum / n / n) / (n - 1)};
}

// Whether one agent sees another latency than the others do. Of three or more each is held against the one in the
// middle, which one agent cannot move; of two it cannot be said which is the odd one.
void RemarkLatencies(const PointFacts& facts, std::vector<std::string>* notes) {
  constexpr std::size_t kLeastSeconds = 5;
  std::vector<std::pair<std::size_t, Mean>> means;
  for (std::size_t i = 0; i < facts.agents.size(); ++i) {
    if (facts.agents[i].means.size() >= kLeastSeconds) means.emplace_back(i, MeanOf(facts.agents[i].means));
  }
  if (means.size() < 2) return;
  std::vector<std::pair<std::size_t, Mean>> sorted = means;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second.value < b.second.value; });
  const auto& [middle, there] = sorted[(sorted.size() - 1) / 2];
  for (const auto& [agent, here] : means) {
    const double difference = std::abs(here.value - there.value);
    if (agent == middle || difference <= gate::kAgentsDiffer * there.value ||
        difference <= 3 * std::sqrt(here.variance + there.variance))
      continue;
    notes->push_back(absl::StrCat("agent ", agent, " sees a mean latency of ", FormatLatency(here.value / 1e3),
                                  means.size() == 2 ? ", the other of " : ", the one in the middle of ",
                                  FormatLatency(there.value / 1e3), ": they do not see the same target"));
  }
}

// Which agents moved their own figures, by the stamps, where there are several.
void RemarkParts(const PointFacts& facts, std::vector<std::string>* notes) {
  if (facts.agents.size() < 2) return;
  for (std::size_t i = 0; i < facts.agents.size(); ++i) {
    const AgentFacts& agent = facts.agents[i];
    const double own = agent.mean - agent.wire_mean;
    if (!agent.is_stamped || own <= static_cast<double>(gate::kMinPart) || own <= gate::kMaxBias * agent.wire_mean)
      continue;
    notes->push_back(absl::StrCat("agent ", i, " itself took ", FormatLatency(own / 1e3), " of its mean ",
                                  facts.measured_name, " of ", FormatLatency(agent.mean / 1e3),
                                  ", by the kernel's stamps"));
  }
}

// The network takes more of a figure than the target does, or loses what is sent.
void RemarkNetwork(const PointFacts& facts, std::vector<std::string>* notes) {
  const std::uint64_t resent = facts.counters.resent_segments;
  const std::uint64_t out_of_order = facts.counters.segments_out_of_order;
  if (resent + out_of_order > 0) {
    notes->push_back(absl::StrCat(
        "the network lost or reordered what was sent: on the connections that were looked at ", FormatCount(resent),
        " segments were sent again, and ", FormatCount(out_of_order), " came out of order"));
  }
  for (const SplitFigure& figure : SplitsOf(facts)) {
    if (figure.network < static_cast<double>(gate::kNetwork) || figure.network <= figure.target) continue;
    notes->push_back(absl::StrCat("most of the ", ShownName(figure.name), " is the network's and not the target's: ",
                                  FormatLatency(figure.network / 1e3), " of ", FormatLatency(figure.whole / 1e3)));
    return;
  }
}

// Connections that we kept closed ourselves are none that the target lacked, but missing they are.
void RemarkHeld(const PointFacts& facts, std::vector<std::string>* notes) {
  if (!facts.is_open_loop && IsAtConnectRate(facts))
    notes->push_back(absl::StrCat("connections were made at --connect-rate ", WriteRate(facts.connect_rate),
                                  ": that, and not the target, held the throughput back"));
  if (facts.kept_closed <= gate::kMaxBias) return;
  notes->push_back(
      absl::StrFormat("a ceiling, or the rate of new connections, kept connections closed for %.0f %% of "
                      "their time",
                      facts.kept_closed * 100));
}

// Which agents were short of cores, where not all were.
void RemarkCores(const PointFacts& facts, std::vector<std::string>* notes) {
  for (std::size_t i = 0; i < facts.agents.size(); ++i) {
    const AgentFacts& agent = facts.agents[i];
    const std::string who = facts.agents.size() == 1 ? "the generator" : absl::StrCat("agent ", i);
    if (agent.throttled >= gate::kStall) {
      notes->push_back(absl::StrCat(who, " was held back by its quota of CPU time, for ",
                                    FormatLatency(static_cast<double>(agent.throttled) / 1e3), " over its cores"));
    } else if (facts.agents.size() > 1 && !agent.is_stamped && agent.waited > gate::kWaited) {
      notes->push_back(
          absl::StrFormat("%s waited for a core for %.0f %% of its workers' time", who, agent.waited * 100));
    }
  }
}

}  // namespace

std::vector<std::string> RemarksOn(const PointFacts& facts) {
  std::vector<std::string> notes;
  RemarkMachines(facts, &notes);
  RemarkNames(facts, &notes);
  RemarkLatencies(facts, &notes);
  RemarkParts(facts, &notes);
  RemarkHeld(facts, &notes);
  RemarkCores(facts, &notes);
  RemarkNetwork(facts, &notes);
  return notes;
}

}  // namespace tidemark
