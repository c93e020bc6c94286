#include "common/suggestion.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace tidemark {
namespace {

// ab, autocannon, bombardier, curl, fortio, Gatling, h2load, hey, JMeter, k6, locust, oha, siege, vegeta, wrk, wrk2.
constexpr PeerWord kPeerWords[] = {
    {"vus users user-count u concurrency clients virtual-users", "--connections", "sweep.connections", ""},
    {"rps qps throughput req-rate request-rate arrival-rate", "--rate", "sweep.rates", ""},
    {"iterations i total-requests num-requests amount", "--requests", "sweep.requests", ""},
    {"run-time length time test-duration z", "--duration", "sweep.duration", ""},
    {"workers w jobs cpus gomaxprocs", "--threads", "threads", ""},
    {"m request http-method", "--method", "requests.method", ""},
    {"body data-raw data-binary data-ascii payload", "--data", "requests.body", ""},
    {"form-string data-urlencode", "--form", "requests.body", ""},
    {"content-type T", "--header", "requests.headers", "as 'Content-Type: VALUE'"},
    {"cookie b", "--header", "requests.headers", "as 'Cookie: NAME=VALUE'"},
    {"user-agent A", "--header", "requests.headers", "as 'User-Agent: NAME'"},
    {"accept", "--header", "requests.headers", "as 'Accept: VALUE'"},
    {"auth basic-auth a", "--user", "requests.headers", "which makes an Authorization header"},
    {"location L redirect redirects max-redirects", "--follow", "follow", ""},
    {"x proxy-url", "--proxy", "proxy", ""},
    {"disable-keepalive no-keepalive no-keep-alive", "--new-connection", "sweep.new_connection", ""},
    {"ramp-up ramp rampup spawn-rate hatch-rate", "--connect-rate", "sweep.connect_rate",
     "of connections; a rate of requests climbs by sweep.stages in a plan"},
    {"scenarios executor executors stage", "", "sweep.stages", ""},
    {"thresholds threshold", "--expect", "expect", ""},
    {"url uri host", "", "target", ""},
    {"think sleep pause wait wait-time pacing", "--think-time", "sweep.think_time", ""},
    {"pipelining", "--pipeline", "web_socket.pipeline", "of a WebSocket"},
    {"unix-socket", "", "target", "as unix:SOCKET:/PATH"},
    {"cafile ca cacerts", "--cacert", "tls.ca_file", ""},
    {"skip-verify insecure-skip-tls-verify no-verify", "--insecure", "tls.insecure", ""},
    {"target rate", "", "sweep.stages.to", "the rate that is reached then", "Stage"},
    {"duration", "", "sweep.stages.over", "the time that the rate takes to get there, or hold, for which it stays",
     "Stage"},
    {"csv json out summary-export output-format", "--output", "", "as json=FILE or csv=FILE"},
};

// Damerau's distance in which no letter moves twice ("optimal string alignment").
std::size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<std::size_t>> rows(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      std::size_t& here = rows[i][j];
      if (i == 0 || j == 0) {
        here = i + j;
        continue;
      }
      here = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) here = std::min(here, rows[i - 2][j - 2] + 1);
    }
  }
  return rows[a.size()][b.size()];
}

}  // namespace

std::optional<std::string> Nearest(absl::string_view unknown, const std::vector<std::string>& known) {
  unknown = unknown.substr(0, 64);
  std::size_t best_distance = std::max<std::size_t>(1, unknown.size() / 3) + 1;
  std::optional<std::string> best;
  for (const std::string& name : known) {
    const std::size_t distance = Distance(unknown, name);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = name;
  }
  if (best) return best;
  // Else the longest that it begins with, or the one that begins with it.
  constexpr std::size_t kFewest = 4;  // letters that say something
  const absl::string_view letters = absl::StripPrefix(unknown, "--");
  if (letters.size() < kFewest) return best;
  int longer = 0;
  for (const std::string& name : known) {
    const absl::string_view other = absl::StripPrefix(name, "--");
    const bool is_longer = absl::StartsWith(other, letters);
    longer += is_longer ? 1 : 0;
    if (is_longer || (other.size() >= kFewest && absl::StartsWith(letters, other) && (!best || name > *best)))
      best = name;
  }
  return longer > 1 ? std::nullopt : best;
}

const PeerWord* FindPeerWord(absl::string_view name, absl::string_view within) {
  // A letter alone is a flag of its own case: -a is not -A.
  std::string word = absl::StrReplaceAll(name, {{"_", "-"}});
  if (word.size() > 1) word = absl::AsciiStrToLower(word);
  for (const PeerWord& row : kPeerWords) {
    if (!row.within.empty() && row.within != within) continue;
    for (const absl::string_view candidate : absl::StrSplit(row.names, ' ')) {
      if (candidate == word) return &row;
    }
  }
  return nullptr;
}

}  // namespace tidemark
