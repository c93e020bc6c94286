#include "coordinator/report/formats.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "coordinator/report/csv.h"
#include "coordinator/report/hdr.h"
#include "coordinator/report/html.h"
#include "coordinator/report/json.h"
#include "coordinator/report/markdown.h"
#include "coordinator/report/tables.h"

namespace tidemark {
namespace {

constexpr FormatRow kFormats[] = {
    {.name = "json",
     .what = "all there is",
     .render = [](const RunResult&, const proto::Report& report) { return std::vector{ToJson(report)}; },
     .is_last = true},
    {.name = "csv",
     .what = "a row for each point",
     .render = [](const RunResult&, const proto::Report& report) { return std::vector{ToCsv(report)}; }},
    {.name = "html",
     .what = "a page with charts, in one file that needs no network",
     .render = [](const RunResult&, const proto::Report& report) { return std::vector{ToHtml(report)}; }},
    {.name = "hlog",
     .what = "HdrHistogram's log: the latencies of each second",
     .render = [](const RunResult& result, const proto::Report&) { return std::vector{ToHlog(result)}; },
     .needs = "the histogram of each second"},
    {.name = "hgrm",
     .what = "HdrHistogram's percentiles, a file for each point",
     .render =
         [](const RunResult& result, const proto::Report&) {
           std::vector<std::string> texts;
           for (const PointResult& point : result.points)
             texts.push_back(ToHgrm(point.merger->histogram(point.merger->headline())));
           return texts;
         },
     .needs = "the histogram of each point",
     .is_per_point = true},
    {.name = "points",
     .what = "for notebooks: CSV with a row for each point, see docs/notebook.md",
     .render = [](const RunResult&, const proto::Report& report) { return std::vector{ToPointsCsv(report)}; }},
    {.name = "series",
     .what = "for notebooks: CSV with a row for each second of each point, and for rows of each agent",
     .render = [](const RunResult& result,
                  const proto::Report& report) { return std::vector{ToSeriesCsv(result, report)}; },
     .needs = "each second's failures to the last digit"},
    {.name = "svg",
     .what = "a folder with each chart of the page as a picture; node makes them",
     .render = [](const RunResult&, const proto::Report& report) { return std::vector{ToHtml(report)}; },
     .is_folder = true},
    {.name = "png",
     .what = "the same in pixels; by rsvg-convert",
     .render = [](const RunResult&, const proto::Report& report) { return std::vector{ToHtml(report)}; },
     .is_folder = true},
    {.name = "trace",
     .what = "CSV with a row for each request of the sample that --trace-sample asks for",
     .render = [](const RunResult& result,
                  const proto::Report& report) { return std::vector{ToTraceCsv(result, report)}; },
     .needs = "the requests of the sample"},
    {.name = "markdown",
     .what = "a summary for a CI job or a comment",
     .render = [](const RunResult&, const proto::Report& report) { return std::vector{ToMarkdown(report)}; },
     .is_last = true},
};

}  // namespace

absl::Span<const FormatRow> Formats() { return kFormats; }

std::string FormatEndings() {
  std::string text;
  for (const FormatRow& row : kFormats) {
    if (row.is_folder) continue;
    absl::StrAppend(&text,
                    &row == std::begin(kFormats)     ? ""
                    : &row + 1 == std::end(kFormats) ? " or "
                                                     : ", ",
                    "FILE.", row.name);
  }
  return text;
}

const FormatRow* FindFormat(absl::string_view name) {
  for (const FormatRow& row : kFormats) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace tidemark
