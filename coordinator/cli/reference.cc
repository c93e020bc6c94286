#include "coordinator/cli/reference.h"

#include <google/protobuf/descriptor.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <deque>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/exit_code.h"
#include "common/inert_text.h"
#include "common/man_page.h"
#include "common/plan/durations.h"
#include "common/stats/metric.h"
#include "common/stats/outcome.h"
#include "coordinator/cli/cli.h"
#include "coordinator/cli/json_page.h"
#include "coordinator/report/csv.h"
#include "coordinator/report/formats.h"
#include "coordinator/report/hdr.h"
#include "coordinator/report/tables.h"
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
  if (field.is_map()) return "map of text";
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
      const bool is_message =
          field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_map() && !IsDuration(field.message_type());
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

void AppendColumns(absl::string_view title, absl::string_view what, const std::vector<ColumnRow>& rows,
                   std::string* out) {
  absl::StrAppend(out, "\n## ", title, "\n\n", what, "\n\n| column | unit | |\n|---|---|---|\n");
  for (const ColumnRow& row : rows)
    absl::StrAppend(out, "| `", row.name, "` | ", UnitOf(row.name), " | ", Cell(row.meaning), " |\n");
}

std::string CsvPage() {
  std::string out =
      "# The columns of the tables\n\nA cell is empty if its figure was not measured. The unit is in a column's name; "
      "without one it is a count, or a word. New columns come at the end of `csv`.\n";
  AppendColumns("-o csv", "A row for each point; CSV as in RFC 4180, lines end with CR LF.", CsvColumns(), &out);
  absl::StrAppend(&out,
                  "\n## Latencies of points and series\n\nThey are of the latency that the point is about: response "
                  "times of successes in an open loop (from the due time), service times in a closed one (from the "
                  "first byte sent); of streams staleness, or without event times the interval between messages.\n");
  AppendColumns("-o points", "A row for each point; lines end with LF.", PointsColumns(), &out);
  AppendColumns("-o series",
                "A row for each whole second of each point, and rows of each agent (of more than 32 those with the "
                "highest p99); lines end with LF.",
                SeriesColumns(), &out);
  AppendColumns("-o trace", "A row for each request of the sample that --trace-sample asks for; lines end with LF.",
                TraceColumns(), &out);
  AppendColumns("-o hlog", "HdrHistogram's log, format 1.3: a line for each point and second with a value.",
                HlogColumns(), &out);
  return out;
}

std::string Code(absl::string_view text) { return absl::StrCat("`", Cell(text), "`"); }

std::string FlagsPage() {
  std::string out =
      "# The commands and their flags\n\nOf a value's forms small letters are written as they stand, and capitals are "
      "replaced. In a plan file the fields of [plan](plan.md) set the same.\n";
  for (const CommandRow& row : CommandTable()) {
    if (row.flags.size() == 1 && row.operands.empty() && !row.commands.empty()) continue;  // its commands have them
    absl::StrAppend(&out, "\n## ", row.Name(), "\n\n", row.what, "\n\n| flag | value | |\n|---|---|---|\n");
    for (const FlagRow& operand : row.operands)
      absl::StrAppend(&out, "| ", operand.names[0], " | ", Code(operand.value), " | ", Cell(operand.help), " |\n");
    for (const FlagRow& flag : row.flags)
      absl::StrAppend(&out, "| `", absl::StrJoin(flag.names, "`, `"), "` | ",
                      flag.value.empty() ? "" : Code(flag.value), " | ", Cell(flag.help), " |\n");
  }
  return out;
}

std::string ExitCodesPage() {
  std::string out =
      "# The exit codes\n\nErrors of the target during a run are results: the code is 0 as long as anything "
      "succeeded.\n";
  for (const CommandRow& row : CommandTable()) {
    if (row.exit_codes.empty()) continue;
    absl::StrAppend(&out, "\n## ", row.Name(), "\n\n| code | |\n|---|---|\n");
    for (const ExitCodeRow& code : row.exit_codes)
      absl::StrAppend(&out, "| ", code.code, " | ", Cell(code.meaning), " |\n");
  }
  return out;
}

constexpr ReferencePage kPages[] = {
    {"flags", "the commands and their flags", FlagsPage},
    {"exit_codes", "with which code each command ends", ExitCodesPage},
    {"plan", "the fields of a plan file, and their flags", PlanPage},
    {"outcomes", "how requests, connections and streams end, and what else is counted", OutcomesPage},
    {"histograms", "the latencies of a report", FiguresPage},
    {"json", "each field of the JSON of a result", JsonPage},
    {"formats", "the forms in which a result is written", FormatsPage},
    {"csv", "each column of its tables, and the tags of a .hlog", CsvPage},
};

constexpr char kExamples[] = R"(
Examples:
  tidemark reference plan
  tidemark reference tidemark-run.1 | man -l -

Exit codes: 0 printed; 1 usage.)";

// "" if there is none of that name.
std::string MakePage(absl::string_view name) {
  for (const ReferencePage& page : kPages) {
    if (page.name == name) return page.make();
  }
  const std::vector<CommandRow> table = CommandTable();
  std::string manuals;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::string manual = absl::StrCat(ManPageName(table[i]), ".1");
    if (name == manual) return ManPage(table, i, TIDEMARK_VERSION);
    absl::StrAppend(&manuals, manual, "\n");
  }
  return name == "manuals" ? manuals : "";
}

}  // namespace

absl::Span<const ReferencePage> ReferencePages() { return kPages; }

Prepare AddReference(CLI::App* app) {
  const auto name = std::make_shared<std::string>();
  std::vector<std::string> names;
  std::string help;
  for (const ReferencePage& page : kPages) {
    names.emplace_back(page.name);
    absl::StrAppend(&help, help.empty() ? "" : "; ", page.name, ": ", page.what);
  }
  app->add_option(
         "page", *name,
         absl::StrCat(help, "; manuals: the names of the manual pages, as tidemark-run.1, each of which is one too"))
      ->required()
      ->type_name(absl::StrCat(absl::StrJoin(names, "|"), "|manuals|MANUAL"));
  app->footer(kExamples);
  return [name, names]() -> absl::StatusOr<Prepared> {
    const std::string text = MakePage(*name);
    if (text.empty())
      return absl::InvalidArgumentError(absl::StrCat("page: '", InertText(*name, 64), "' is none; there are ",
                                                     absl::StrJoin(names, ", "), ", manuals"));
    return Prepared{.act = [text] {
      std::fputs(text.c_str(), stdout);
      return kExitOk;
    }};
  };
}

}  // namespace tidemark
