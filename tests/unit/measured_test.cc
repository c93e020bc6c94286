#include "common/plan/measured.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/plan/defaults.h"
#include "common/plan/durations.h"
#include "common/plan/validate.h"
#include "protos/plan.pb.h"
#include "protos/report.pb.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

proto::Plan Requests(const std::string& target) {
  proto::Plan plan;
  plan.set_target(target);
  ApplyDefaults(&plan);
  return plan;
}

// Listens for a minute by the rule, if it is not empty.
proto::Plan Listening(const std::string& rule) {
  proto::Plan plan;
  plan.set_target("ws://127.0.0.1:8080/ws");
  plan.mutable_sweep()->add_connections(10);
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(60 * kSecond);
  proto::Sequence* const sequence = plan.mutable_web_socket()->mutable_listen()->mutable_sequence();
  sequence->set_rule(rule);
  if (!rule.empty()) sequence->set_number("/u");
  if (rule == "range") sequence->set_first("/U");
  if (rule == "link") sequence->set_previous("/pu");
  if (rule == "snapshot" || rule == "checksum") sequence->set_snapshot("/type=snapshot");
  if (rule == "checksum") {
    sequence->set_bids("/b");
    sequence->set_asks("/a");
  }
  ApplyDefaults(&plan);
  EXPECT_OK(ValidatePlan(plan));
  return plan;
}

// What each kind of plan can be asked for, and what it cannot.
TEST(MeasuredTest, APlanMeasuresWhatItLooksFor) {
  struct Case {
    std::string name;
    proto::Plan plan;
    std::set<std::string> fields;  // of those asked for below
  };
  proto::Plan paced = Requests("https://h/");
  paced.mutable_sweep()->Clear();
  paced.mutable_sweep()->add_rates(100);
  ApplyDefaults(&paced);
  proto::Plan timed = Listening("");
  timed.mutable_web_socket()->mutable_listen()->set_time("/E");
  const Case kCases[] = {
      {"http",
       Requests("http://h/"),
       {"Point.requests_per_s", "Point.utilisation_percent", "outcomes.status_2xx", "Accounting.planned"}},
      {"a rate, over TLS",
       paced,
       {"Point.requests_per_s", "Point.response", "Point.rate_per_s", "Point.tls", "outcomes.status_2xx",
        "Accounting.planned", "counters.ended_without_close_notify"}},
      {"messages",
       Requests("wss://h/"),
       {"Point.requests_per_s", "Point.utilisation_percent", "Point.messages_per_s", "Point.tls", "outcomes.reply",
        "WebSocketCounts.orphan_messages", "Accounting.planned", "counters.ended_without_close_notify"}},
      {"listening", Listening(""), {"Point.messages_per_s", "Point.interval", "streams.silences"}},
      {"event times",
       timed,
       {"Point.messages_per_s", "Point.interval", "Point.staleness", "streams.silences", "streams.unread"}},
      {"range",
       Listening("range"),
       {"Point.messages_per_s", "Point.interval", "streams.silences", "streams.unread", "streams.gaps", "streams.lost",
        "streams.resets"}},
      {"link",
       Listening("link"),
       {"Point.messages_per_s", "Point.interval", "streams.silences", "streams.unread", "streams.gaps",
        "streams.resets", "streams.snapshots"}},
      {"snapshot",
       Listening("snapshot"),
       {"Point.messages_per_s", "Point.interval", "streams.silences", "streams.unread", "streams.resets",
        "streams.snapshots", "streams.suspect", "streams.unsynced"}},
      {"checksum",
       Listening("checksum"),
       {"Point.messages_per_s", "Point.interval", "streams.silences", "streams.unread", "streams.snapshots",
        "streams.unsynced", "streams.checked"}},
  };
  std::set<std::string> all;
  for (const Case& a : kCases) all.insert(a.fields.begin(), a.fields.end());
  for (const Case& a : kCases) {
    const Measured measured(a.plan);
    for (const std::string& field : all)
      EXPECT_EQ(measured.Has(field), a.fields.count(field) != 0) << a.name << ": " << field;
  }
}

TEST(MeasuredTest, AnExpectationOfWhatIsNotMeasuredIsRefusedWithTheRemedy) {
  proto::Plan brief = Listening("range");
  *brief.mutable_sweep()->mutable_duration() = ToDurationProto(2 * kSecond);
  struct Case {
    proto::Plan plan;
    const char* expect;
    const char* reason;  // empty: it is accepted
  };
  const Case kCases[] = {
      {Listening(""), "gaps<1",
       "'gaps<1' is not measured: how messages follow each other is not known; give "
       "web_socket.listen.sequence the rule consecutive, range or link"},
      {Listening(""), "unread<1", "messages are not read"},
      {Listening(""), "p99<20ms", ""},  // of the interval
      {Listening("range"), "gaps<1", ""},
      {Listening("range"), "checksum_wrong<1", "no checksum is compared"},
      {Listening("range"), "suspect<1", "the rule snapshot"},
      {Listening("range"), "storm>0", "web_socket.listen.storm"},
      {Listening("range"), "held>0", "web_socket.listen.hold"},
      {Listening("range"), "ignored<1", "web_socket.listen.ignore"},
      {Listening("range"), "silences<1", ""},
      {Listening("range"), "reconnects<1", ""},
      {Listening("range"), "error_rate<1%", ""},
      {Listening("range"), "requests_per_s>5", "write messages_per_s"},
      {brief, "silences<1", "no silence fits into a point"},  // of 10 s, by default
      {Listening("link"), "lost<1", "the rule consecutive or range"},
      {Listening("checksum"), "gaps<1", "how messages follow each other"},
      {Listening("checksum"), "checked>1", ""},
      {Requests("http://h/"), "availability>99%", ""},
      {Requests("http://h/"), "dead_seconds<1", ""},
      {Requests("http://h/"), "gaps<1", "it is of streams; give --listen"},
      {Requests("http://h/"), "messages_per_s>1", "it is of WebSockets"},
      {Requests("ws://h/"), "messages_per_s>1", ""},
      {Requests("ws://h/"), "silences<1", "it is of streams"},
  };
  proto::Plan fleeting = Requests("http://h/");
  fleeting.mutable_sweep()->set_new_connection(true);
  fleeting.add_expect("availability>99%");
  EXPECT_THAT(ValidatePlan(fleeting), FailsWith("it is of connections that last"));
  for (const auto& [plan, expect, reason] : kCases) {
    proto::Plan expecting = plan;
    expecting.add_expect(expect);
    const absl::Status status = ValidatePlan(expecting);
    if (*reason == '\0') {
      EXPECT_OK(status) << expect;
    } else {
      EXPECT_THAT(status, FailsWith(reason)) << expect;
    }
  }
}

// Every field of a report: a row of a table, which says what measures it; measured by every plan; or named by the list
// in common/plan/measured.cc. A new one must be decided on.
TEST(MeasuredTest, EachFieldOfAReportHasBeenDecidedOn) {
  const std::set<std::string> kAlways = {
      "Point.connections",
      "Point.error_rate_percent",
      "Point.duration_s",
      "Point.dead_seconds",
      "Point.generator_seconds",
      "Point.received_bytes_per_s",
      "Window.is_dead",
      "Point.accounting",
      "Point.warmup",
      "Point.series",
      "Point.agents",
      "Point.generator_cpu_percent",
      "Point.generator_wait_percent",
      "Point.status",
      "Point.start_skew_bound_us",
      "Point.start_skew_us",  // of several agents
      "Point.verdict",
      "Point.verdict_reason",
      "Point.generator",
      "Point.generator_reason",
      "Point.generator_slowed_the_loop",
      "Point.target",
      "Point.target_reason",
      "Point.verdict_notes",
      "Point.expected",
      "Point.addresses",  // where one of several had no success
      "Point.coverage_percent",
      "StreamRow.name",
      "StreamRow.messages",
      "StreamRow.bytes",
      "StreamRow.messages_per_s",
      "StreamRow.bytes_per_s",
      "Accounting.connections",
      "Accounting.statuses",
      "Accounting.identity_holds",
      "WebSocketCounts.closings",
      "Window.second",
      "Window.mean_us",
      "Window.p50_us",
      "Window.p99_us",
      "Window.max_us",
      "AgentRow.agent",
      "AgentRow.connections",
      "AgentRow.p50_us",
      "AgentRow.p99_us",
      "AgentRow.max_us",
      "Point.columns",
      "Point.started_at",
      "Point.heat",
      "Point.curve",
      "Columns.row_length_s",
      "Columns.p50_us",
      "Columns.p90_us",
      "Columns.p99_us",
      "Columns.p99_9_us",
      "Columns.generator_cpu_percent",
      "AgentRow.columns",
      "AgentColumns.row_length_s",
      "AgentColumns.p99_us",
      "AgentColumns.cpu_percent",
      "Point.histograms",
      "Accounting.counters",
      "WebSocketCounts.counters",
      "AgentRow.cpu_percent",
      "AgentRow.shards",
  };
  std::set<std::string> figures;
  for (const Descriptor* type :
       {proto::Point::descriptor(), proto::StreamRow::descriptor(), proto::Accounting::descriptor(),
        proto::WebSocketCounts::descriptor(), proto::Window::descriptor(), proto::AgentRow::descriptor(),
        proto::Columns::descriptor(), proto::AgentColumns::descriptor()}) {
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* const field = type->field(i);
      const std::string name = absl::StrCat(type->name(), ".", field->name());
      figures.insert(name);
      const bool can_be_absent =
          field->is_repeated() || field->has_presence() || field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
      EXPECT_TRUE(can_be_absent || NeedOf(name) == Need::kNothing) << name << " must be optional";
    }
  }
  const auto is_row = [](const std::string& figure) {
    const auto is_metric = [&](const MetricRow& row) { return figure == absl::StrCat("Point.", row.json); };
    const auto is_counter = [&](const CounterRow& row) {
      return figure == absl::StrCat(row.shown == Shown::kAccount ? "Accounting." : "WebSocketCounts.", row.name);
    };
    return std::any_of(std::begin(kMetricRows), std::end(kMetricRows), is_metric) ||
           std::any_of(std::begin(kCounterRows), std::end(kCounterRows), is_counter);
  };
  for (const std::string& figure : figures) {
    if (is_row(figure)) continue;
    EXPECT_NE(kAlways.count(figure) != 0, NeedOf(figure) != Need::kNothing) << figure << ": which plan measures it?";
  }
  for (const std::string& figure : kAlways) {
    EXPECT_EQ(figures.count(figure), 1u) << figure << " is no figure";
    EXPECT_FALSE(is_row(figure)) << figure << " is decided by its row";
  }
}

}  // namespace
}  // namespace tidemark
