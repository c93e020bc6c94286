#include "coordinator/report/mix_text.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/units.h"
#include "coordinator/report/phrases.h"
#include "coordinator/report/text_table.h"

namespace tidemark {
namespace {

// Rows of a terminal; the JSON has all.
constexpr std::size_t kMaxRows = 30;

std::uint64_t FailuresOf(const proto::RequestResult& request) {
  std::uint64_t ended = 0;
  for (const proto::Count& count : request.outcomes().list()) ended += count.count();
  return ended - request.success();
}

}  // namespace

void AppendMix(const proto::Point& point, const std::string& who, bool is_open, int width, std::string* out) {
  if (point.requests().empty()) return;
  const auto latency = [is_open](const proto::RequestResult& request) -> const proto::Latency& {
    return is_open ? request.response() : request.latency();
  };
  std::vector<const proto::RequestResult*> shown;
  std::uint64_t sent = 0;
  for (const proto::RequestResult& request : point.requests()) {
    shown.push_back(&request);
    sent += request.sent();
  }
  const std::size_t all = shown.size();
  if (all > kMaxRows) {
    const auto badness = [&latency](const proto::RequestResult* request) {
      return std::tuple(FailuresOf(*request), latency(*request).p99_us());
    };
    std::stable_sort(shown.begin(), shown.end(),
                     [&badness](const auto* a, const auto* b) { return badness(a) > badness(b); });
    shown.resize(kMaxRows);
  }
  absl::StrAppend(out, "  Requests : ", who, "each of the mix, ",
                  is_open ? "from the due time" : "from the first byte sent",
                  all > kMaxRows ? absl::StrCat("; of ", all, " the ", kMaxRows,
                                                " with the most failures, then the highest p99; the JSON has all")
                                 : "",
                  "\n");
  TextTable table({{"sent", 6},
                   {"ok", 9},
                   {"failed"},
                   {"share", 4},
                   {"MiB", 8},
                   {"avg", 5},
                   {"p50"},
                   {"p90", 7},
                   {"p99"},
                   {"p99.9", 3},
                   {"max", 2}},
                  "request");
  for (const proto::RequestResult* request : shown) {
    const proto::Latency& l = latency(*request);
    const std::string share =
        sent == 0 ? "-"
                  : absl::StrFormat("%.1f %%", 100 * static_cast<double>(request->sent()) / static_cast<double>(sent));
    table.Add({FormatCount(request->sent()), FormatCount(request->success()), FormatCount(FailuresOf(*request)), share,
               FormatMebibytes(static_cast<double>(request->received_bytes())), Mean(l), Quantile(l, "p50_us"),
               Quantile(l, "p90_us"), Quantile(l, "p99_us"), Quantile(l, "p99_9_us"), Quantile(l, "max_us"),
               request->name()});
  }
  absl::StrAppend(out, table.Render(width));
}

}  // namespace tidemark
