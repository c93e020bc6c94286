#include "coordinator/verdict/remarks.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/units.h"

namespace tidemark {
namespace {

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
    notes->push_back(absl::StrCat("agent ", i, " sees a mean latency of ", FormatLatency(here.value / 1e3),
                                  ", the others of ", FormatLatency(there.value / 1e3),
                                  ": they do not see the same target"));
    if (facts.means.size() == 2) return;  // said once for both
  }
}

}  // namespace

std::vector<std::string> RemarksOn(const PointFacts& facts) {
  std::vector<std::string> notes;
  RemarkMachines(facts, &notes);
  RemarkNames(facts, &notes);
  RemarkAgents(facts, &notes);
  return notes;
}

}  // namespace tidemark
