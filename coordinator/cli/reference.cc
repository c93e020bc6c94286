#include "coordinator/cli/reference.h"

#include <google/protobuf/descriptor.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <deque>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/inert_text.h"
#include "common/plan/durations.h"
#include "common/stats/metric.h"
#include "common/stats/outcome.h"
#include "coordinator/cli/fail.h"
#include "coordinator/cli/parse_arguments.h"
#include "coordinator/merge/run_result.h"
#include "coordinator/report/formats.h"
#include "protos/options.pb.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::string Cell(absl::string_view text) { return absl::StrReplaceAll(text, {{"|", "\\|"}}); }

std::string KindOf(const FieldDescriptor& field) {
  std::string kind;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      kind = "true or false";
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      kind = "rate";
      break;
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      kind = field.name().size() > 6 && field.name().substr(field.name().size() - 6) == "_bytes" ? "bytes" : "count";
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      kind = IsDuration(field.message_type()) ? "duration" : absl::StrCat("`", field.message_type()->name(), "`");
      break;
    default:
      kind = "text";
      break;
  }
  return field.is_repeated() ? absl::StrCat("list of ", kind) : kind;
}

std::string PlanPage() {
  std::string out =
      "# The plan\n\nA plan file is YAML; its keys are the fields below, and a flag of `tidemark run` sets the same. "
      "Counts take k, M and G, bytes KiB, MiB and GiB; durations have a unit (`500us`, `20ms`, `30s`, `2m`); a rate is "
      "per second, or `30/m`, `10/h`.\n";
  std::deque<const Descriptor*> left = {proto::Plan::descriptor()};
  std::set<const Descriptor*> seen = {proto::Plan::descriptor()};
  for (; !left.empty(); left.pop_front()) {
    const Descriptor& type = *left.front();
    absl::StrAppend(&out, "\n## ", type.name(), "\n\n| field | is | flag | |\n|---|---|---|---|\n");
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      const proto::Flag& flag = field.options().GetExtension(proto::flag);
      const std::string names = absl::StrReplaceAll(flag.names(), {{",", "`, `"}});
      absl::StrAppend(&out, "| `", field.name(), "` | ", KindOf(field), " | ",
                      names.empty() ? "" : absl::StrCat("`", names, "`"), " | ",
                      Cell(field.options().GetExtension(proto::help)), " |\n");
      const bool is_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field.message_type());
      if (is_message && seen.insert(field.message_type()).second) left.push_back(field.message_type());
    }
  }
  return out;
}

template <typename Rows>
void AppendRows(absl::string_view title, const Rows& rows, std::string* out) {
  absl::StrAppend(out, "\n## ", title, "\n\n| in JSON | in text |\n|---|---|\n");
  for (const auto& row : rows) absl::StrAppend(out, "| `", row.json, "` | ", Cell(row.label), " |\n");
}

std::string OutcomesPage() {
  std::string out =
      "# How things end\n\nEach request that was sent has one outcome, and each that was planned and not sent one "
      "reason; none is in two of them, and none in none.\n";
  AppendRows("Requests that were sent: `outcomes`", kOutcomeRows, &out);
  AppendRows("Requests that were never sent: `never_sent_by_reason`", kNeverSentRows, &out);
  AppendRows("Attempts to connect: `connections`", kConnectResultRows, &out);
  AppendRows("WebSockets that the target closed: `closings`", kClosingRows, &out);
  AppendRows("What was found in streams: `streams`", kFindingRows, &out);
  AppendRows("Alerts of TLS that came: `tls_alerts`", kTlsAlertRows, &out);
  absl::StrAppend(&out, "\n## Other counters\n\n| in JSON | in text |\n|---|---|\n");
  for (const CounterRow& row : kCounterRows) {
    if (row.shown != Shown::kPart) absl::StrAppend(&out, "| `", row.name, "` | ", Cell(row.label), " |\n");
  }
  return out;
}

std::string FiguresPage() {
  std::string out =
      "# The histograms\n\nEach of these is a latency of the report, with its count, mean and quantiles in us.\n\n"
      "| in JSON | in text | its quantiles are lower bounds where they reach |\n|---|---|---|\n";
  for (const MetricRow& row : kMetricRows) {
    if (row.json.empty()) continue;
    absl::StrAppend(&out, "| `", row.json, "` | ", row.label, " | ",
                    row.bounded_by == Metric::kCount ? "" : Label(row.bounded_by), " |\n");
  }
  return out;
}

std::string FormatsPage() {
  std::string out =
      "# The forms of a result\n\n`-o FILE.NAME`, or `-o NAME=FILE`; `-` is standard output.\n\n| | |\n|---|---|\n";
  for (const FormatRow& row : Formats()) absl::StrAppend(&out, "| `", row.name, "` | ", row.what, " |\n");
  return out;
}

constexpr ReferencePage kPages[] = {
    {"plan", "the fields of a plan file, and their flags", PlanPage},
    {"outcomes", "how requests, connections and streams end, and what else is counted", OutcomesPage},
    {"histograms", "the latencies of a report", FiguresPage},
    {"formats", "the forms in which a result is written", FormatsPage},
};

}  // namespace

absl::Span<const ReferencePage> ReferencePages() { return kPages; }

int ReferenceCommand(std::vector<std::string> arguments) {
  CLI::App app{"What may be written, and what is written, as Markdown.", "tidemark reference"};
  std::string pages;
  for (const ReferencePage& page : kPages)
    absl::StrAppend(&pages, pages.empty() ? "" : "; ", page.name, ": ", page.what);
  std::string name;
  app.add_option("page", name, pages)->required()->type_name("PAGE");
  if (const auto exit_code = ParseArguments(&app, std::move(arguments))) return *exit_code;
  for (const ReferencePage& page : kPages) {
    if (page.name != name) continue;
    std::fputs(page.make().c_str(), stdout);
    return kExitOk;
  }
  return Fail(kExitUsage, absl::StrCat("reference: '", InertText(name, 64), "' is no page; there are ", pages));
}

}  // namespace tidemark
