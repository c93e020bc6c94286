#include "coordinator/report/summary.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "coordinator/report/absent.h"
#include "coordinator/report/csv.h"
#include "coordinator/report/decimal.h"
#include "coordinator/report/json.h"
#include "coordinator/report/model/latency.h"
#include "coordinator/report/text.h"

namespace tidemark {
namespace {

std::vector<std::string> Bounds(const proto::Latency& latency) {
  return {latency.at_least().begin(), latency.at_least().end()};
}

TEST(SummaryTest, QuantilesThatReachCensoredRequestsAreLowerBounds) {
  Histogram complete;
  Histogram censored;
  for (int i = 0; i < 990; ++i) complete.Record(kMillisecond);
  for (int i = 0; i < 10; ++i) censored.Record(kSecond);
  const proto::Latency latency = SummariseLatency(complete, &censored);
  EXPECT_EQ(Bounds(latency), (std::vector<std::string>{"p99_9_us", "p99_99_us", "max_us"}));
  EXPECT_NEAR(latency.p99_us(), 1'000, 1);
  EXPECT_NEAR(latency.p99_9_us(), 1e6, 1e3);
  EXPECT_EQ(latency.count(), 990u);
  EXPECT_EQ(latency.censored(), 10u);
}

TEST(SummaryTest, WithoutCensoredRequestsNothingIsABound) {
  Histogram complete;
  complete.Record(kMillisecond);
  EXPECT_TRUE(Bounds(SummariseLatency(complete)).empty());
}

TEST(SummaryTest, WhatASampleHasAboveTheWholeSaysNothing) {
  Histogram all;
  Histogram sampled;
  for (int i = 1; i <= 1'000; ++i) all.Record(i * kMicrosecond);
  for (int i = 1; i <= 1'000; ++i) sampled.Record(i < 700 ? (i + 100) * kMicrosecond : i * kMicrosecond);
  const proto::Latency whole = SummariseLatency(all);
  proto::Latency part = SummariseLatency(sampled);
  LeaveOutWhatContradicts(whole, &part);
  EXPECT_FALSE(part.has_p50_us());
  EXPECT_FALSE(part.has_mean_us());
  EXPECT_TRUE(part.has_p90_us());
  EXPECT_TRUE(part.has_max_us());
  proto::Latency same = whole;
  LeaveOutWhatContradicts(whole, &same);
  EXPECT_TRUE(same.has_mean_us() && same.has_p50_us() && same.has_p99_us());
}

TEST(SummaryTest, ATextTableMarksLowerBounds) {
  proto::Report report;
  proto::Point* point = report.add_points();
  point->set_connections(10);
  point->set_status("COMPLETE");
  Histogram censored;
  censored.Record(kSecond);
  *point->mutable_latency() = SummariseLatency(Histogram(), &censored);
  EXPECT_NE(ToText(report, {}).find(">=1.00s"), std::string::npos) << ToText(report, {});
}

TEST(SummaryTest, JsonHasNumbersAndFieldNamesWithUnits) {
  proto::Report report;
  report.set_version("1");
  report.mutable_total()->set_total_requests(std::uint64_t{1} << 60);
  report.mutable_total()->mutable_latency()->set_p99_us(1.5);
  report.mutable_total()->set_error_rate_percent(std::numeric_limits<double>::quiet_NaN());
  const std::string json = ToJson(report);
  EXPECT_NE(json.find("\"total_requests\":1152921504606846976"), std::string::npos) << json;
  EXPECT_NE(json.find("\"p99_us\":1.5"), std::string::npos) << json;
  EXPECT_NE(json.find("\"error_rate_percent\":null"), std::string::npos) << json;
}

TEST(SummaryTest, NumbersAreTheShortestThatReadBack) {
  for (const auto& [value, text] : {std::pair{12.5, "12.5"},
                                    {0.1, "0.1"},
                                    {34359.0, "34359"},
                                    {100.0, "100"},
                                    {1e6, "1000000"},
                                    {-0.25, "-0.25"},
                                    {0.0, "0"},
                                    {-0.0, "0"},
                                    {1e-7, "0.0000001"},
                                    {1.0 / 3, "0.3333333333333333"}})
    EXPECT_EQ(Decimal(value), text);
  for (const double extreme : {std::numeric_limits<double>::max(), std::numeric_limits<double>::denorm_min(),
                               -std::numeric_limits<double>::min()})
    EXPECT_EQ(std::strtod(Decimal(extreme).c_str(), nullptr), extreme);
}

TEST(SummaryTest, OfNoValuesThereAreNoFigures) {
  const std::string nothing = ToJson(SummariseLatency(Histogram()));
  EXPECT_EQ(nothing, "{\"count\":0,\"overflow\":0,\"clock_error\":0}\n");
  Histogram censored;
  censored.Record(kSecond);
  const proto::Latency bounds = SummariseLatency(Histogram(), &censored);
  EXPECT_FALSE(bounds.has_mean_us());
  EXPECT_FALSE(bounds.has_min_us());
  EXPECT_TRUE(bounds.has_p99_us());
  EXPECT_EQ(Bounds(bounds).size(), 7u);
}

TEST(SummaryTest, CsvHasAsManyCellsAsTitlesAndTheirOrderStays) {
  proto::Report report;
  report.add_points()->set_connections(10);
  const std::string csv = ToCsv(report);
  const std::string kFirst =
      "connections,total_requests,successful_requests,failed_requests,error_rate_percent,duration_s,requests_per_s,"
      "success_per_s,mean_us,min_us,p50_us,p90_us,p95_us,p99_us,p99_9_us,p99_99_us,max_us,censored,status_2xx,"
      "status_3xx,status_4xx,status_429,status_5xx,status_other,closed_early,reset,request_timeout,malformed,"
      "over_limit,cut_off,never_sent,bytes_sent,bytes_received,generator_cpu_percent,status,rate_per_s,"
      "response_mean_us,response_p50_us,response_p90_us,response_p99_us,response_p99_9_us,response_max_us,"
      "response_censored,";
  EXPECT_EQ(csv.substr(0, kFirst.size()), kFirst);
  const std::size_t end = csv.find("\r\n");
  EXPECT_EQ(std::count(csv.begin(), csv.begin() + static_cast<long>(end), ','),
            std::count(csv.begin() + static_cast<long>(end), csv.end(), ','));
  EXPECT_EQ(csv.substr(end + 2, 6), "10,,,,") << "absent is empty";
}

proto::Plan Listening(const std::string& rule) {
  proto::Plan plan;
  plan.set_target("ws://127.0.0.1:1/");
  proto::Listen* const listen = plan.mutable_web_socket()->mutable_listen();
  listen->mutable_sequence()->set_rule(rule);
  return plan;
}

void Set(proto::Counts* counts, const std::string& name, std::uint64_t value) {
  proto::Count* const count = counts->add_list();
  count->set_name(name);
  count->set_count(value);
}

TEST(SummaryTest, AZeroIsTakenOutWhereThePlanDoesNotLook) {
  proto::Point point;
  point.set_total_requests(0);
  point.set_requests_per_s(7);  // impossible, and not hidden
  point.mutable_latency()->set_count(0);
  proto::Accounting* const accounting = point.mutable_accounting();
  accounting->set_planned(0);
  Set(accounting->mutable_outcomes(), "status_2xx", 0);
  proto::Counts* const streams = accounting->mutable_web_socket()->mutable_streams();
  accounting->mutable_web_socket()->set_messages(5);
  for (const char* name : {"gaps", "reconnects", "checked"}) Set(streams, name, 0);
  Set(streams, "held", 3);
  DropUnmeasured(Measured(Listening("range")), &point);
  EXPECT_FALSE(point.has_total_requests());
  EXPECT_TRUE(point.has_requests_per_s());
  EXPECT_FALSE(point.has_latency());
  EXPECT_FALSE(accounting->has_planned());
  EXPECT_FALSE(accounting->has_outcomes());
  EXPECT_EQ(ToJson(*streams), "{\"gaps\":0,\"reconnects\":0,\"held\":3}\n");
}

TEST(SummaryTest, FindingsOfNoMessagesAreAbsent) {
  proto::WebSocketCounts counts;
  for (const char* name : {"gaps", "reconnects"}) Set(counts.mutable_streams(), name, 0);
  DropUnmeasured(Measured(Listening("range")), &counts);
  EXPECT_EQ(ToJson(counts.streams()), "{\"reconnects\":0}\n");
}

}  // namespace
}  // namespace tidemark
