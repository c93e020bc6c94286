#include "coordinator/report/glossary.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace tidemark {
namespace {

struct WordRow {
  absl::string_view seen;  // where it stands in a report
  absl::string_view word;
  absl::string_view meaning;
};

constexpr WordRow kWords[] = {
    {" p50 ", "avg to max",
     "latency of successes; closed loop: first byte sent to last byte received; open loop: from the moment it was due"},
    {">=", ">=", "a lower bound: requests that timed out or were given up would lie there"},
    {"\n  service ", "service", "open loop: the same from the first byte sent, without what waited to be sent"},
    {"on wire", "on wire",
     "the same between the two network drivers, by the kernel's stamps of a sample: without what the generator added"},
    {"\n  Verdict  :", "Verdict",
     "why a point is not VALID: whether the generator left the figures alone, and what became of the target"},
    {"\n  Split    :", "Split", "of the latency so much passed in the generator, on the network and in the target"},
    {"\n  Stamps   :", "Stamps", "what the split is reckoned from"},
    {"\n  Service  :", "Service",
     "seconds in which nobody was served, and connection time there was of that asked for"},
    {"\n  Interval :", "Interval", "how sure a quantile is, 95 %: by its spread over 20 spans of the point's time"},
    {"\n  Slowest  :", "Slowest",
     "the three that took longest; the JSON has a hundred; --traceparent finds them in the target's traces"},
    {"\n  Drained  :", "Drained", "answers after the end of the time: in the latencies, and in no rate"},
    {"\n  Capacity :", "Capacity", "the Universal Scalability Law, fitted to requests a second over connections"},
    {"\n  Knee     :", "Knee", "where more connections begin to buy latency instead of throughput, by three rules"},
    {"\n  Account  :", "Account", "where each planned request went; it must add up, or the exit code is 3"},
    {"\n  Warm-up  :", "Warm-up", "the same before the start, in no figure"},
    {"\n  Connect  :", "Connect", "how attempts to get a connection ended"},
    {"\n  Merge    :", "Merge",
     "exact: what the agents say they measured is what was added up, to the last request and nanosecond"},
    {"\n  Generator:", "Generator",
     "what measuring cost; waited: it was ready to run, and had no core; lateness: due to sent"},
};

}  // namespace

std::string Glossary(absl::string_view text) {
  std::string out;
  for (const WordRow& row : kWords) {
    if (absl::StrContains(text, row.seen)) absl::StrAppendFormat(&out, "  %-10s: %s\n", row.word, row.meaning);
  }
  return out;
}

}  // namespace tidemark
