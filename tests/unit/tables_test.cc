#include "coordinator/report/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/plan/defaults.h"
#include "coordinator/report/decimal.h"
#include "coordinator/report/markdown.h"
#include "coordinator/report/summary.h"
#include "tests/support/made_run.h"

namespace tidemark {
namespace {

using testing::HasSubstr;
using testing::Not;

proto::Plan TwoPoints() {
  proto::Plan plan;
  plan.set_target("http://127.0.0.1:9/");
  plan.mutable_sweep()->add_connections(2);
  plan.mutable_sweep()->add_connections(4);
  plan.mutable_sweep()->mutable_duration()->set_seconds(3);
  ApplyDefaults(&plan);
  return plan;
}

// Each row by its titles; every row has a cell for each.
std::vector<std::map<std::string, std::string>> Rows(const std::string& csv) {
  const std::vector<std::string> lines = absl::StrSplit(csv, '\n');
  EXPECT_EQ(lines.back(), "") << "the last line ends too";
  const std::vector<std::string> titles = absl::StrSplit(lines[0], ',');
  std::vector<std::map<std::string, std::string>> rows;
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
    const std::vector<std::string> cells = absl::StrSplit(lines[i], ',');
    EXPECT_EQ(cells.size(), titles.size()) << lines[i];
    rows.resize(i);
    for (std::size_t k = 0; k < std::min(cells.size(), titles.size()); ++k) rows[i - 1][titles[k]] = cells[k];
  }
  return rows;
}

double Number(const std::string& cell) { return std::stod(cell); }

TEST(TablesTest, ARowOfAPointSaysWhatTheReportSays) {
  const proto::Plan plan = TwoPoints();
  const RunResult run = MakeRun(plan, 2, 3, 200);
  const proto::Report report = Summarise(run, plan);
  const auto rows = Rows(ToPointsCsv(report));
  ASSERT_EQ(rows.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    const auto& row = rows[static_cast<std::size_t>(i)];
    const proto::Point& point = report.points(i);
    EXPECT_EQ(row.at("run"), report.run());
    EXPECT_EQ(row.at("connections"), absl::StrCat(point.connections()));
    EXPECT_EQ(row.at("rate_per_s"), "") << "it has none";
    EXPECT_EQ(row.at("messages_per_s"), "") << "none is measured";
    EXPECT_EQ(Number(row.at("planned")), Number(row.at("sent")) + Number(row.at("never_sent")));
    EXPECT_EQ(row.at("p99_us"), Decimal(point.latency().p99_us()));
    EXPECT_EQ(row.at("p99_at_least"), "1") << "one in a hundred was given up";
    EXPECT_EQ(row.at("p99_low_us"), "") << "three seconds have no interval";
    EXPECT_EQ(row.at("verdict"), point.verdict());
    double ended = 0;
    for (const EndRow& outcome : kOutcomeRows) {
      if (!row.at(std::string(outcome.json)).empty()) ended += Number(row.at(std::string(outcome.json)));
    }
    EXPECT_EQ(ended, Number(row.at("sent")));
  }
  EXPECT_EQ(rows[0].at("started_at"), "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(rows[1].at("started_at"), "2026-01-01T00:00:20.000Z");
}

TEST(TablesTest, ASeriesHasEachSecondAndEachAgentAndTheyAddUp) {
  const proto::Plan plan = TwoPoints();
  const RunResult run = MakeRun(plan, 2, 4, 200);  // the last second is drained
  const proto::Report report = Summarise(run, plan);
  std::map<std::string, double> sums;
  const auto rows = Rows(ToSeriesCsv(run, report));
  EXPECT_EQ(rows.size(), 2u * 3 * 3) << "two points, three seconds, all and two agents";
  for (const auto& row : rows) {
    sums[row.at("agent") == "all" ? "all" : "agents"] += Number(row.at("success"));
    EXPECT_EQ(row.at("messages"), "");
    EXPECT_EQ(row.at("seconds"), "1");
    EXPECT_NE(row.at("p99_us"), "");
    if (row.at("agent") != "all") continue;
    const proto::Window& window = report.points(std::stoi(row.at("point"))).series(std::stoi(row.at("second")));
    EXPECT_EQ(row.at("requests"), absl::StrCat(window.requests()));
    EXPECT_EQ(row.at("p99_us"), Decimal(window.p99_us()));
    double failed = 0;
    for (const char* name :
         {"failed_4xx", "failed_429", "failed_5xx", "failed_other_status", "timed_out", "no_answer", "never_sent"})
      failed += Number(row.at(name));
    EXPECT_EQ(failed, static_cast<double>(window.errors()));
  }
  EXPECT_EQ(sums["all"], sums["agents"]);
  EXPECT_EQ(rows[1].at("started_at"), "2026-01-01T00:00:01.000Z");
}

TEST(TablesTest, WhatAListenerDoesNotMeasureIsEmpty) {
  proto::Plan plan;
  plan.set_target("ws://127.0.0.1:9/");
  plan.mutable_sweep()->add_connections(2);
  plan.mutable_sweep()->mutable_duration()->set_seconds(3);
  plan.mutable_web_socket()->mutable_listen();
  ApplyDefaults(&plan);
  const RunResult run = MakeRun(plan, 1, 3, 50);
  const proto::Report report = Summarise(run, plan);
  for (const auto& row : Rows(ToSeriesCsv(run, report))) {
    EXPECT_EQ(row.at("requests"), "");
    EXPECT_EQ(row.at("never_sent"), "");
    EXPECT_EQ(row.at("messages"), "50");
  }
  const auto points = Rows(ToPointsCsv(report));
  EXPECT_EQ(points[0].at("planned"), "");
  EXPECT_EQ(points[0].at("p99_at_least"), "0");
  EXPECT_EQ(points[0].at("p99_us"), Decimal(report.points(0).interval().p99_us()));
}

TEST(MarkdownTest, ItHasARowForEachPointAndWhatOthersWroteIsNoMarkup) {
  proto::Plan plan = TwoPoints();
  plan.add_expect("p99<1us");
  proto::Report report = Summarise(MakeRun(plan, 2, 3, 200), plan);
  report.mutable_plan()->set_target("http://h/<img src=x>|`a`");
  report.add_notes("a\nnote</details>\x1b[31m");
  const std::string text = ToMarkdown(report);
  EXPECT_THAT(text, HasSubstr("### tidemark: http://h/&lt;img src=x&gt;&#124;&#96;a&#96;\n"));
  EXPECT_THAT(text, HasSubstr("- a note&lt;/details&gt;?&#91;31m\n"));
  EXPECT_THAT(text, HasSubstr("\n| 2 | "));
  EXPECT_THAT(text, HasSubstr("\n| 4 | "));
  EXPECT_THAT(text, HasSubstr("2 of 2 expectations missed\n"));
  EXPECT_THAT(text, HasSubstr("- **2: p99&lt;1us: MISSED**"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(MarkdownTest, AThousandPointsStayBelowWhatServicesTake) {
  const proto::Plan plan = TwoPoints();
  proto::Report report = Summarise(MakeRun(plan, 1, 1, 100), plan);
  for (int i = 2; i < 1'000; ++i) *report.add_points() = report.points(0);
  for (int i = 0; i < 1'000; ++i) report.add_notes(std::string(2'000, '<'));
  const std::string text = ToMarkdown(report);
  EXPECT_LT(text.size(), 1'000'000u);
  EXPECT_THAT(text, HasSubstr("... and 800 more points\n"));
}

}  // namespace
}  // namespace tidemark
