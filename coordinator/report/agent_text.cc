#include "coordinator/report/agent_text.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/units.h"
#include "coordinator/report/phrases.h"

namespace tidemark {
namespace {

// Whether more is to be said than who and where it is.
bool IsRemarkable(const proto::AgentInfo& agent) {
  return !agent.left_out_addresses().empty() || agent.is_insecure_control() || !agent.permission().empty() ||
         agent.resumed_streams() != 0 || !agent.lost().empty();
}

void AppendAgents(const proto::Report& report, bool has_all, std::string* out) {
  // Lists of more than this many agents help nobody in a terminal; the JSON has them all.
  constexpr int kMaxAgentLines = 20;
  for (int i = 0; i < std::min(report.agents_size(), kMaxAgentLines); ++i) {
    const proto::AgentInfo& agent = report.agents(i);
    if (!has_all && !IsRemarkable(agent)) continue;
    absl::StrAppend(
        out, "  Agent ", i, "  : ", agent.address(),
        agent.has_workers() ? absl::StrCat(", ", agent.workers(), agent.workers() == 1 ? " worker" : " workers") : "",
        agent.target_addresses().empty() ? ""
        : report.plan().proxy().empty()  ? ", target "
                                         : ", proxy ",
        absl::StrJoin(agent.target_addresses(), " "), agent.left_out_addresses().empty() ? "" : ", nothing listens on ",
        absl::StrJoin(agent.left_out_addresses(), " "), agent.is_insecure_control() ? ", INSECURE CONTROL CHANNEL" : "",
        agent.permission().empty() ? "" : ", with permission: ", agent.permission(),
        agent.resumed_streams() == 0 ? "" : absl::StrCat(", stream resumed ", agent.resumed_streams(), " times"),
        agent.lost().empty() ? "" : ", LOST: ", agent.lost(), "\n");
  }
  if (report.agents_size() <= kMaxAgentLines) return;
  absl::StrAppend(out, "  ... and ", report.agents_size() - kMaxAgentLines, " more agents\n");
  for (const proto::Point& point : report.points()) {
    std::vector<std::pair<double, std::uint32_t>> p99s;
    for (const proto::AgentRow& row : point.agents()) {
      if (row.has_p99_us()) p99s.emplace_back(row.p99_us(), row.agent());
    }
    if (p99s.empty()) continue;
    std::sort(p99s.begin(), p99s.end());
    absl::StrAppend(out, "  Agents   : ", point.connections(), ": p99 of each from ", FormatLatency(p99s.front().first),
                    " to ", FormatLatency(p99s.back().first), " (agent ", p99s.back().second, "), median ",
                    FormatLatency(p99s[p99s.size() / 2].first), "\n");
  }
}

}  // namespace

void AppendGenerator(const proto::Report& report, bool is_explained, std::string* out) {
  const proto::Point& total = report.total();
  std::vector<std::string> parts;
  if (total.has_generator_cpu_percent()) {
    parts.push_back(absl::StrFormat("CPU %.0f %% of one core", total.generator_cpu_percent()));
    parts.push_back(absl::StrFormat("waited for a core %.0f %%", total.generator_wait_percent()));
  }
  if (total.has_lateness() && (is_explained || IsOpenLoop(report)))
    parts.push_back("lateness p99 " + Quantile(total.lateness(), "p99_us"));
  if (is_explained) parts.push_back("loop lag p99 " + Quantile(total.loop_lag(), "p99_us"));
  if (!parts.empty()) absl::StrAppend(out, "  Generator: ", absl::StrJoin(parts, ", "), "\n");
  AppendAgents(report, is_explained || report.agents_size() > 1, out);
}

}  // namespace tidemark
