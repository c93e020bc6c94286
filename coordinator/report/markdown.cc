#include "coordinator/report/markdown.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/inert_text.h"
#include "common/plan/sweep.h"
#include "common/units.h"
#include "coordinator/report/answer.h"
#include "coordinator/report/figures.h"
#include "coordinator/report/phrases.h"

namespace tidemark {
namespace {

constexpr int kMaxRows = 200;

// What others wrote is no markup.
std::string Plain(absl::string_view text) {
  return absl::StrReplaceAll(InertLine(text), {{"&", "&amp;"},
                                               {"<", "&lt;"},
                                               {">", "&gt;"},
                                               {"|", "&#124;"},
                                               {"`", "&#96;"},
                                               {"*", "&#42;"},
                                               {"_", "&#95;"},
                                               {"[", "&#91;"},
                                               {"\\", "&#92;"}});
}

std::string Row(const std::vector<std::string>& cells) {
  return absl::StrCat("| ", absl::StrJoin(cells, " | "), " |\n");
}

void AppendTable(const proto::Report& report, std::string* out) {
  const bool is_listening = report.plan().web_socket().has_listen();
  const std::string of = HasRates(report) ? "rate" : "connections";
  absl::StrAppend(out,
                  Row({of, is_listening ? "messages/s" : "requests/s", is_listening ? "up %" : "errors %", "p50", "p99",
                       "p99.9", "max", "verdict"}),
                  "|---:|---:|---:|---:|---:|---:|---:|---|\n");
  for (int i = 0; i < std::min(report.points_size(), kMaxRows); ++i) {
    const proto::Point& point = report.points(i);
    const proto::Latency& latency = HeadlineOf(report, point);
    const bool has_rate = is_listening ? point.has_messages_per_s() : point.has_requests_per_s();
    const double rate = is_listening ? point.messages_per_s() : point.requests_per_s();
    const bool has_share = is_listening ? point.has_availability_percent() : point.has_error_rate_percent();
    const double share = is_listening ? point.availability_percent() : point.error_rate_percent();
    absl::StrAppend(
        out, Row({LevelName(point), has_rate ? PlainFigures(ShownRate(rate)) : "-", has_share ? Percent(share) : "-",
                  Quantile(latency, "p50_us"), Quantile(latency, "p99_us"), Quantile(latency, "p99_9_us"),
                  Quantile(latency, "max_us"), point.verdict().empty() ? point.status() : point.verdict()}));
  }
  if (report.points_size() > kMaxRows)
    absl::StrAppend(out, "\n... and ", report.points_size() - kMaxRows, " more points\n");
}

// Why points are not VALID.
void AppendReasons(const proto::Report& report, std::string* out) {
  int shown = 0;
  for (const proto::Point& point : report.points()) {
    if (point.verdict_reason().empty() || ++shown > kMaxRows) continue;
    absl::StrAppend(out, shown == 1 ? "\n" : "", "- ", LevelName(point), ": ", point.verdict(), ": ",
                    Plain(point.verdict_reason()), "\n");
  }
}

// Those that were missed first.
void AppendExpected(const proto::Report& report, std::string* out) {
  std::vector<std::string> missed;
  std::vector<std::string> met;
  for (const proto::Point& point : report.points()) {
    for (const proto::Expected& expected : point.expected()) {
      const std::string what = absl::StrCat(LevelName(point), ": ", Plain(expected.text()));
      const char* const how = expected.is_clear() ? "" : ", but not clearly";
      const std::string figure =
          ShownFigure(expected).empty() ? "" : absl::StrCat(", ", PlainFigures(ShownFigure(expected)));
      if (expected.is_met()) met.push_back(absl::StrCat("- ", what, ": met", figure, how, "\n"));
      if (!expected.is_met()) missed.push_back(absl::StrCat("- **", what, ": MISSED**", figure, how, "\n"));
    }
  }
  if (missed.empty() && met.empty()) return;
  std::vector<std::string> lines = missed;
  lines.insert(lines.end(), met.begin(), met.end());
  const std::size_t shown = std::min<std::size_t>(lines.size(), kMaxRows);
  absl::StrAppend(out, "\n", missed.size(), " of ", lines.size(), " expectations missed\n\n",
                  absl::StrJoin(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(shown), ""));
  if (shown < lines.size()) absl::StrAppend(out, "- ... and ", lines.size() - shown, " more\n");
}

}  // namespace

std::string ToMarkdown(const proto::Report& report) {
  std::string out =
      absl::StrCat("### tidemark: ", Plain(report.plan().target()), "\n\n", report.status(), ", exit code ",
                   report.exit_code(), ", run ", Plain(report.run()), ", ", Plain(report.started_at()), "\n\n");
  const Answer answer = AnswerOf(report);
  absl::StrAppend(&out, "**", Plain(answer.word), "** ", Plain(PlainFigures(answer.sentence)), "\n\n");
  AppendTable(report, &out);
  AppendReasons(report, &out);
  AppendExpected(report, &out);
  const proto::Accounting& account = report.total().accounting();
  absl::StrAppend(&out, "\n<details><summary>Account and notes</summary>\n\n");
  if (account.has_planned())
    absl::StrAppend(&out, "- planned ", FormatCount(account.planned()), " = sent ", FormatCount(account.sent()),
                    " + never sent ", FormatCount(account.never_sent()),
                    account.identity_holds() ? "" : ": IDENTITY BROKEN", "\n");
  absl::StrAppend(&out, "- merge ", report.merge().is_exact() ? "exact" : "NOT COMPLETE", ", ", report.agents_size(),
                  report.agents_size() == 1 ? " agent\n" : " agents\n");
  for (int i = 0; i < std::min(report.notes_size(), kMaxRows); ++i)
    absl::StrAppend(&out, "- ", Plain(report.notes(i)), "\n");
  return absl::StrCat(out, "\n</details>\n");
}

}  // namespace tidemark
