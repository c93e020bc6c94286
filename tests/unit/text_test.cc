// The text report on terminals of any width.
#include "coordinator/report/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "coordinator/report/advice.h"
#include "coordinator/report/figures.h"
#include "coordinator/report/text_table.h"

namespace tidemark {
namespace {

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

int Widest(const std::string& text) {
  int widest = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) widest = std::max(widest, WidthOf(line));
  return widest;
}

TEST(TextTableTest, ColumnsGoByTheirRankAndThoseOfRankZeroNever) {
  TextTable table({{"conns"}, {"least", 2}, {"none", 1}, {"less", 1}, {"verdict"}});
  table.Add({"10", "123456", "-", "1", "VALID"});
  table.Add({"1,000", "1", "-", "22", "PARTIAL"});
  EXPECT_EQ(table.Render(0),
            "  conns   least  none  less  verdict\n"
            "     10  123456     -     1    VALID\n"
            "  1,000       1     -    22  PARTIAL\n");
  EXPECT_EQ(table.Render(36), table.Render(0));
  // What has no figure is the first to go.
  EXPECT_EQ(table.Render(35),
            "  conns   least  less  verdict\n"
            "     10  123456     1    VALID\n"
            "  1,000       1    22  PARTIAL\n");
  EXPECT_EQ(table.Render(29),
            "  conns  less  verdict\n"
            "     10     1    VALID\n"
            "  1,000    22  PARTIAL\n");
  EXPECT_EQ(table.Render(1),
            "  conns  verdict\n"
            "     10    VALID\n"
            "  1,000  PARTIAL\n");
}

TEST(TextTableTest, ARowMayEndEarlyOrWithWhatStandsBehind) {
  TextTable table({{"sent"}, {"max", 1}}, "request");
  table.Add({"5", "µs"}, "<", ">");
  table.Add({"5"});
  table.Add({"5", "1ms", "POST /ö"});
  EXPECT_EQ(table.Render(0),
            "  sent  max  request\n"
            "<     5   µs>\n"
            "     5\n"
            "     5  1ms  POST /ö\n");
  EXPECT_EQ(Widest(table.Render(16)), 15);  // without `max`
}

TEST(WrappedTest, LinesBreakUnderTheirTextAndFiguresKeepTheirUnits) {
  EXPECT_EQ(Wrapped("  Verdict  : aaaa bbbb cccc dddd eeee 99 % of it\n", 33),
            "  Verdict  : aaaa bbbb cccc dddd\n"
            "             eeee 99 % of it\n");
  EXPECT_EQ(Wrapped("  Verdict  : aaaa bbbb cccc 99 % of it\n", 33),
            "  Verdict  : aaaa bbbb cccc 99 %\n"
            "             of it\n");
  EXPECT_EQ(Wrapped("  Next     : aaaa bbbb cccc d -o report.html\n", 36),
            "  Next     : aaaa bbbb cccc d\n"
            "             -o report.html\n");
  EXPECT_EQ(Wrapped("\x1b[31maaaa bbbb cccc dddd\x1b[0m eeee\n", 23), "\x1b[31maaaa bbbb cccc dddd\x1b[0m\neeee\n");
  EXPECT_EQ(Wrapped("a b\n\nc", 0), "a b\n\nc");
  EXPECT_EQ(Wrapped("one " + std::string(60, 'x') + " two", 30), "one\n" + std::string(60, 'x') + "\ntwo");
}

TEST(FiguresTest, PlainFiguresAreTheSameInAscii) {
  EXPECT_EQ(PlainFigures("p99\u00a0<\u00a040\u00a0ms; ≥\u00a02.01\u00a0s, 380\u00a0µs (95\u00a0%: 1\u00a0to 2)"),
            "p99 < 40ms; >=2.01s, 380us (95 %: 1 to 2)");
}

TEST(FiguresTest, AnExpectationHasItsFigureAndItsMargin) {
  proto::Expected expected;
  expected.set_text("p99<40ms");
  EXPECT_EQ(ShownFigure(expected), "");  // nothing was measured
  EXPECT_EQ(ShownMargin(expected), "");
  expected.set_value(38'200);
  EXPECT_EQ(PlainFigures(ShownFigure(expected)), "38.2ms");
  expected.set_low(37'900);
  expected.set_high(38'600);
  EXPECT_EQ(PlainFigures(ShownFigure(expected)), "38.2ms (95 %: 37.9 to 38.6ms)");
  EXPECT_EQ(PlainFigures(ShownMargin(expected)), "4.5 % below the limit");
  expected.set_text("error_rate<0.1%");
  expected.set_value(0.25);
  expected.set_low(0.2);
  expected.set_high(0.3);
  EXPECT_EQ(PlainFigures(ShownFigure(expected)), "0.25 % (95 %: 0.20 to 0.30 %)");
  EXPECT_EQ(PlainFigures(ShownMargin(expected)), "150 % above the limit");
  expected.set_value(25);
  EXPECT_EQ(ShownMargin(expected), "250 times the limit");
  expected.set_text("error_rate<0%");
  EXPECT_EQ(ShownMargin(expected), "");
}

// A closed loop's points, the verdicts in turn.
proto::Report Swept(const std::vector<std::string>& verdicts) {
  proto::Report report;
  report.set_version("1");
  report.set_run("r");
  report.set_status("COMPLETE");
  report.mutable_merge()->set_is_exact(true);
  report.mutable_plan()->set_target("http://127.0.0.1:8080/");
  report.mutable_plan()->mutable_sweep()->mutable_duration()->set_seconds(10);
  report.mutable_total()->set_successful_requests(1);
  int connections = 10;
  for (const std::string& verdict : verdicts) {
    proto::Point* const point = report.add_points();
    point->set_connections(connections);
    point->set_verdict(verdict);
    point->set_status("COMPLETE");
    point->set_success_per_s(123'456.7);
    point->set_requests_per_s(123'456.7);
    point->set_error_rate_percent(0);
    point->set_duration_s(10);
    point->set_total_requests(1'234'567);
    proto::Latency* const latency = point->mutable_latency();
    latency->set_count(1'234'567);
    for (const char* name : {"mean_us", "p50_us", "p90_us", "p95_us", "p99_us", "p99_9_us", "max_us"}) {
      latency->GetReflection()->SetDouble(latency, proto::Latency::descriptor()->FindFieldByName(name), 12'300);
      latency->add_at_least(name);
    }
    connections *= 10;
  }
  return report;
}

TEST(TextTest, NoLineOfATableIsWiderThanTheTerminalAndAllIsThereWhereThereIsRoom) {
  const proto::Report report = Swept({"GENERATOR_LIMITED", "TARGET_FAILING", "VALID"});
  for (const int width : {60, 80, 120, 200}) {
    const std::string text = ToText(report, {.width = width});
    EXPECT_LE(Widest(text), width) << text;
    for (const char* part : {"123,457", "GENERATOR_LIMITED", ">=12.3ms"}) EXPECT_TRUE(Has(text, part)) << text;
  }
  for (const char* title : {"p95", "MiB/s", "duration"}) EXPECT_TRUE(Has(ToText(report, {}), title)) << title;
}

TEST(TextTest, TheAnswerIsTheFirstLineAndNoRowAveragesTheLevels) {
  const std::string text = ToText(Swept({"VALID", "VALID"}), {.is_explained = true});
  EXPECT_EQ(text.rfind("VALID  Most that was measured: 123,457 requests/s, at 10 connections.", 0), 0U) << text;
  EXPECT_FALSE(Has(text, "total")) << text;
}

TEST(TextTest, WhatIsExplainedComesWithItsWordsAndNoOthers) {
  const std::string text = ToText(Swept({"VALID"}), {.is_explained = true, .width = 80});
  EXPECT_TRUE(Has(text, "  Account   : where each planned request went")) << text;
  EXPECT_TRUE(Has(text, "  avg to max: latency of successes")) << text;
  EXPECT_FALSE(Has(text, "Knee")) << text;
  EXPECT_LE(Widest(text), 80) << text;
}

TEST(AdviceTest, WhatIsDoubtfulComesWithItsRemedy) {
  const auto steps = [](const std::vector<std::string>& verdicts) {
    std::string all;
    for (const std::string& step : NextSteps(Swept(verdicts), false)) absl::StrAppend(&all, step, "\n");
    return all;
  };
  EXPECT_TRUE(Has(steps({"VALID", "VALID"}), "tidemark search --rate"));
  EXPECT_FALSE(Has(steps({"VALID", "PARTIAL"}), "tidemark search"));
  EXPECT_TRUE(Has(steps({"VALID", "PARTIAL"}), "a part is missing at 100: run it again, -c 100\n"));
  EXPECT_TRUE(Has(steps({"GENERATOR_LIMITED", "VALID", "GENERATOR_LIMITED"}), "then -c 10,1000\n"));
  EXPECT_TRUE(Has(steps({"NOT_STEADY"}), "-c 10 -d 40s"));
  EXPECT_TRUE(Has(steps({"TARGET_FAILING"}), "the target fails at 10"));
}

TEST(AdviceTest, ASweepThatDidNotReachThePeakGoesOn) {
  proto::Report report = Swept({"VALID", "VALID"});
  report.mutable_capacity()->set_max_requests_per_s(5);
  report.mutable_capacity()->set_has_peak(false);
  EXPECT_EQ(NextSteps(report, false).front(), "throughput still grew: go higher, -c 200,500");
  report.mutable_capacity()->set_has_peak(true);
  EXPECT_FALSE(Has(NextSteps(report, false).front(), "go higher"));
}

}  // namespace
}  // namespace tidemark
