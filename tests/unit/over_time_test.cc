#include "coordinator/report/model/over_time.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/plan/defaults.h"
#include "coordinator/merge/failures.h"
#include "coordinator/report/json.h"
#include "coordinator/report/model/curve.h"
#include "coordinator/report/model/four_digits.h"
#include "coordinator/report/summary.h"
#include "tests/support/made_run.h"

namespace tidemark {
namespace {

proto::Plan ClosedPlan(std::int64_t seconds) {
  proto::Plan plan;
  plan.set_target("http://127.0.0.1:9/");
  plan.mutable_sweep()->add_connections(10);
  plan.mutable_sweep()->mutable_duration()->set_seconds(seconds);
  ApplyDefaults(&plan);
  return plan;
}

double SumOf(const proto::Numbers& numbers) {
  double sum = 0;
  for (const double number : numbers.list()) sum += number;
  return sum;
}

TEST(OverTimeTest, ARowOfASecondSaysWhatTheSeriesSays) {
  const proto::Plan plan = ClosedPlan(5);
  const RunResult run = MakeRun(plan, 2, 6, 300);  // the last second is drained
  const proto::Report report = Summarise(run, plan);
  const proto::Point& point = report.points(0);
  const proto::Columns& columns = point.columns();
  EXPECT_EQ(columns.row_length_s(), 1u);
  ASSERT_EQ(columns.requests().list_size(), point.series_size());
  ASSERT_EQ(point.heat().rows_size(), point.series_size());
  for (int i = 0; i < point.series_size(); ++i) {
    const proto::Window& window = point.series(i);
    EXPECT_EQ(columns.requests().list(i), static_cast<double>(window.requests()));
    EXPECT_EQ(columns.success().list(i), static_cast<double>(window.success()));
    EXPECT_EQ(columns.p50_us().list(i), FourDigits(window.p50_us()));
    EXPECT_EQ(columns.p99_us().list(i), FourDigits(window.p99_us()));
    EXPECT_LE(columns.p50_us().list(i), columns.p90_us().list(i));
    EXPECT_LE(columns.p99_us().list(i), columns.p99_9_us().list(i));
    EXPECT_EQ(columns.availability_percent().list(i), FourDigits(window.availability_percent()));
    EXPECT_NEAR(columns.generator_cpu_percent().list(i), 20, 1);  // two agents, some 100 ms of each second
    EXPECT_GT(columns.lateness_p99_us().list(i), 40);
    double failed = 0;
    for (const proto::Numbers* const part :
         {&columns.failed_4xx(), &columns.failed_429(), &columns.failed_5xx(), &columns.failed_other_status(),
          &columns.timed_out(), &columns.no_answer(), &columns.never_sent()})
      failed += part->list(i);
    EXPECT_EQ(failed, static_cast<double>(window.errors()));
    std::uint64_t counts = 0;
    for (const std::uint64_t count : point.heat().rows(i).counts()) counts += count;
    EXPECT_EQ(counts, window.success());
  }
  for (const proto::Numbers* const part : {&columns.failed_4xx(), &columns.failed_429(), &columns.failed_5xx(),
                                           &columns.timed_out(), &columns.no_answer(), &columns.never_sent()})
    EXPECT_GT(SumOf(*part), 0);
  EXPECT_EQ(SumOf(columns.failed_other_status()), 0);
  EXPECT_FALSE(columns.has_messages()) << "none is measured";
}

// Which of these a heat row says is what the edges say.
TEST(OverTimeTest, ABucketIsFourToAnOctave) {
  const proto::Plan plan = ClosedPlan(1);
  const proto::Report report = Summarise(MakeRun(plan, 1, 1, 1'000), plan);
  const proto::HeatRow& row = report.points(0).heat().rows(0);
  EXPECT_EQ(row.first(), 43) << "2 ms is above 2^(43/4) us = 1,722 us";
  const double least = std::exp2(row.first() / 4.0);
  const double most = std::exp2((row.first() + row.counts_size()) / 4.0);
  EXPECT_GE(report.points(0).latency().min_us(), least);
  EXPECT_LT(report.points(0).latency().max_us(), most);
  EXPECT_GE(report.points(0).latency().max_us(), most / std::exp2(0.25));
}

// Two messages of one read have no time between them.
TEST(OverTimeTest, NoTimeAtAllAndTheLongestHaveBucketsToo) {
  proto::Plan plan;
  plan.set_target("ws://127.0.0.1:9/");
  plan.mutable_sweep()->add_connections(1);
  plan.mutable_sweep()->mutable_duration()->set_seconds(1);
  plan.mutable_web_socket()->mutable_listen();
  ApplyDefaults(&plan);
  PointResult point;
  point.is_started = true;
  point.merger = MakeMerger(plan, 1);
  ShardSender sender(proto::ShardKey(), 1);
  WorkerReport report{.kind = WorkerReport::Kind::kWindow, .is_final = true, .length = kSecond};
  report.recorder = std::make_unique<Recorder>();
  for (const Nanos interval : {Nanos{0}, Nanos{999}, 1'001 * kMicrosecond / 1'000, 2 * 3'600 * kSecond})
    (*report.recorder)[Metric::kInterval].Record(interval);
  for (const proto::Shard& shard : sender.Add(report)) ASSERT_TRUE(point.merger->Apply(shard).ok());
  ASSERT_TRUE(point.merger->Finish().ok());
  proto::Point out;
  FillOverTime(plan, point, &out);
  ASSERT_EQ(out.heat().rows_size(), 1);
  const proto::HeatRow& row = out.heat().rows(0);
  EXPECT_EQ(row.first(), -1);
  EXPECT_EQ(row.counts(0), 2u);
  EXPECT_EQ(row.counts(1), 1u);
  EXPECT_EQ(row.counts(row.counts_size() - 1), 1u);
  EXPECT_LE(row.counts_size(), 130);
}

TEST(OverTimeTest, EachAgentsRowsAddUpToThePoint) {
  const proto::Plan plan = ClosedPlan(60);
  const proto::Report report = Summarise(MakeRun(plan, 3, 62, 20), plan);
  const proto::Point& point = report.points(0);
  double sum = 0;
  for (const proto::AgentRow& agent : point.agents()) {
    EXPECT_EQ(agent.columns().row_length_s(), 1u) << "what is drained makes no row";
    EXPECT_EQ(agent.columns().requests().list_size(), 60);
    EXPECT_EQ(agent.columns().p99_us().list_size(), 60);
    EXPECT_NEAR(agent.columns().cpu_percent().list(7), 10, 0.2);
    sum += SumOf(agent.columns().requests());
  }
  EXPECT_EQ(sum, SumOf(point.columns().requests()));
}

TEST(OverTimeTest, AnAgentsRowsBecomeLongerAndTheirQuantilesStayThoseOfAllTheirValues) {
  const proto::Plan plan = ClosedPlan(65);
  const RunResult run = MakeRun(plan, 1, 65, 100);
  const proto::Report report = Summarise(run, plan);
  const proto::AgentColumns& columns = report.points(0).agents(0).columns();
  EXPECT_EQ(columns.row_length_s(), 10u);
  ASSERT_EQ(columns.p99_us().list_size(), 6) << "the last 5 s are no whole row";
  const std::vector<Histogram> seconds = SecondsOf(*run.points[0].merger);
  for (int row = 0; row < 6; ++row) {
    Histogram all;
    double requests = 0;
    for (int i = 10 * row; i < 10 * (row + 1); ++i) {
      all.Add(seconds[static_cast<std::size_t>(i)]);
      requests += report.points(0).columns().requests().list(i);
    }
    EXPECT_EQ(columns.p99_us().list(row), FourDigits(static_cast<double>(all.Quantile(99, 100)) / 1e3));
    EXPECT_EQ(columns.requests().list(row), requests);
  }
}

TEST(OverTimeTest, OfManyAgentsTheSlowestHaveColumnsWithoutLatencies) {
  proto::Plan plan = ClosedPlan(2);
  plan.mutable_sweep()->set_connections(0, 40);
  const proto::Report report = Summarise(MakeRun(plan, 40, 2, 50), plan);
  std::vector<double> with;
  std::vector<double> without;
  for (const proto::AgentRow& agent : report.points(0).agents()) {
    (agent.has_columns() ? with : without).push_back(agent.p99_us());
    EXPECT_FALSE(agent.columns().has_p99_us());
  }
  ASSERT_EQ(with.size(), Merger::kMaxTimelines);
  EXPECT_GE(*std::min_element(with.begin(), with.end()), *std::max_element(without.begin(), without.end()));
}

TEST(OverTimeTest, ALongPointHasFewRows) {
  const proto::Plan plan = ClosedPlan(7'201);
  const RunResult run = MakeRun(plan, 1, 7'201, 1);
  const proto::Report report = Summarise(run, plan);
  const proto::Point& point = report.points(0);
  EXPECT_EQ(point.columns().row_length_s(), 3u);
  ASSERT_EQ(point.columns().requests().list_size(), 2'400) << "the last second is no whole row";
  EXPECT_EQ(point.heat().rows_size(), 2'400);
  EXPECT_EQ(point.agents(0).columns().row_length_s(), 600u);
  EXPECT_EQ(point.agents(0).columns().requests().list_size(), 12);
  double success = 0;
  for (int i = 0; i < 7'200; ++i) success += static_cast<double>(point.series(i).success());
  EXPECT_EQ(SumOf(point.columns().success()), success);
}

TEST(OverTimeTest, APointOfLessThanASecondHasNone) {
  proto::Plan plan = ClosedPlan(1);
  plan.mutable_sweep()->mutable_duration()->set_seconds(0);
  plan.mutable_sweep()->mutable_duration()->set_nanos(500'000'000);
  const proto::Report report = Summarise(MakeRun(plan, 1, 1, 100), plan);
  EXPECT_EQ(report.points(0).duration_s(), 0.5);
  EXPECT_FALSE(report.points(0).has_columns());
  EXPECT_FALSE(report.points(0).has_heat());
  EXPECT_FALSE(report.points(0).agents(0).has_columns());
  EXPECT_TRUE(report.points(0).has_curve());
}

TEST(OverTimeTest, WhatIsNotMeasuredIsNull) {
  proto::Columns columns;
  for (const double number : {1.0, std::nan(""), 1'234'000.0}) columns.mutable_requests()->add_list(number);
  EXPECT_EQ(ToJson(columns), "{\"row_length_s\":0,\"requests\":[1,null,1234000]}\n");
  proto::HeatMap heat;
  heat.add_rows();
  heat.mutable_rows(0)->set_first(-3);
  heat.mutable_rows(0)->add_counts(2);
  heat.add_rows();
  EXPECT_EQ(ToJson(heat), "{\"row_length_s\":0,\"rows\":[[-3,2],[]]}\n");
}

TEST(OverTimeTest, FourDigitsAreLeft) {
  for (const auto& [value, rounded] :
       {std::pair{0.0, 0.0}, {12'344.9, 12'340.0}, {0.0123456, 0.01235}, {9'999.6, 10'000.0}, {-2.00049, -2.0}})
    EXPECT_EQ(FourDigits(value), rounded);
}

TEST(FailuresTest, EachOutcomeThatIsNoSuccessIsInOneClass) {
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    Counters delta;
    ++delta[outcome];
    StatusCounts::Rows statuses;
    for (const std::uint32_t status : {200u, 302u, 404u, 429u, 500u, 600u}) {
      if (OutcomeOfStatus(static_cast<int>(status)) != outcome) continue;
      statuses.Add()->set_status(status);
      statuses.at(0).set_count(1);
    }
    const Failures failures = FailuresOf(delta, statuses, {});
    EXPECT_EQ(failures.Total(), outcome == Outcome::kReply ? 0u : 1u) << kOutcomeRows[i].json;
    if (outcome != Outcome::kReply) {
      EXPECT_EQ(failures.*FailureClassOf(outcome), 1u) << kOutcomeRows[i].json;
    }
    EXPECT_EQ(FailuresOf(delta, statuses, StatusSet().set()).Total(), failures.Total() - (statuses.empty() ? 0 : 1))
        << kOutcomeRows[i].json << ", if all are successes";
  }
}

TEST(CurveTest, ItsValuesAreQuantilesUpToTheLargestAndItSaysWhatIsABound) {
  Histogram complete;
  Histogram censored;
  Sequence sequence(1);
  for (int i = 0; i < 99'990; ++i) complete.Record(sequence.Latency());
  for (int i = 0; i < 10; ++i) censored.Record(kSecond);
  Histogram all = complete;
  all.Add(censored);
  const proto::Curve curve = CurveOf(complete, &censored);
  ASSERT_EQ(curve.beyond().list_size(), curve.value_us().list_size());
  EXPECT_EQ(curve.beyond().list(0), 1);
  int rows_at_half = 0;
  for (int i = 0; i < curve.beyond().list_size(); ++i) {
    const double beyond = curve.beyond().list(i);
    if (beyond >= 2 && beyond < 4) ++rows_at_half;
    for (const std::uint64_t level : {1u, 2u, 10u, 80u, 1'000u}) {
      if (beyond != static_cast<double>(level)) continue;
      const Nanos quantile = all.Quantile(level - 1, level);
      EXPECT_EQ(curve.value_us().list(i), FourDigits(static_cast<double>(quantile) / 1e3)) << level;
    }
    EXPECT_GE(curve.value_us().list(i), i == 0 ? 0 : curve.value_us().list(i - 1));
    EXPECT_EQ(curve.value_us().list(i) == 1e6, beyond >= curve.at_least_from()) << beyond;
  }
  EXPECT_EQ(rows_at_half, 5);
  EXPECT_EQ(curve.beyond().list(curve.beyond().list_size() - 1), 100'000);
  EXPECT_NEAR(curve.at_least_from(), 10'000, 1'000) << "ten of 100,000";
  EXPECT_FALSE(CurveOf(complete, nullptr).has_at_least_from());
  EXPECT_FALSE(CurveOf(Histogram(), &complete).beyond().list().empty()) << "all were given up";
  EXPECT_FALSE(CurveOf(Histogram(), nullptr).has_beyond());
}

// What pictures add to a report of 10 points of 600 s with 10 agents: at most 1.3 MB, of one of them a tenth.
TEST(OverTimeTest, WhatPicturesAreMadeOfIsSmall) {
  const proto::Plan plan = ClosedPlan(600);
  const proto::Report report = Summarise(MakeRun(plan, 10, 600, 400), plan);
  const proto::Point& point = report.points(0);
  ASSERT_EQ(point.columns().requests().list_size(), 600);
  std::size_t agents = 0;
  for (const proto::AgentRow& agent : point.agents()) {
    EXPECT_EQ(agent.columns().p99_us().list_size(), 60);
    agents += ToJson(agent.columns()).size();
  }
  const std::size_t columns = ToJson(point.columns()).size();
  const std::size_t heat = ToJson(point.heat()).size();
  const std::size_t curve = ToJson(point.curve()).size();
  EXPECT_LT(columns + heat + curve + agents, 130'000u)
      << "columns " << columns << ", heat " << heat << ", curve " << curve << ", agents " << agents;
  RecordProperty("bytes", absl::StrCat(columns, " ", heat, " ", curve, " ", agents));
}

}  // namespace
}  // namespace tidemark
