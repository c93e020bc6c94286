#include "coordinator/report/summary.h"

#include <gtest/gtest.h>

#include "coordinator/report/csv.h"
#include "coordinator/report/json.h"
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
  const proto::Latency latency = SummariseLatency(complete, censored);
  EXPECT_EQ(Bounds(latency), (std::vector<std::string>{"p99_9_us", "p99_99_us", "max_us"}));
  EXPECT_NEAR(latency.p99_us(), 1'000, 1);
  EXPECT_NEAR(latency.p99_9_us(), 1e6, 1e3);
  EXPECT_EQ(latency.count(), 990u);
  EXPECT_EQ(latency.censored(), 10u);
}

TEST(SummaryTest, WithoutCensoredRequestsNothingIsABound) {
  Histogram complete;
  complete.Record(kMillisecond);
  EXPECT_TRUE(Bounds(SummariseLatency(complete, Histogram())).empty());
}

TEST(SummaryTest, ATextTableMarksLowerBounds) {
  proto::Report report;
  proto::Point* point = report.add_points();
  point->set_connections(10);
  point->set_status("COMPLETE");
  Histogram censored;
  censored.Record(kSecond);
  *point->mutable_latency() = SummariseLatency(Histogram(), censored);
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

TEST(SummaryTest, CsvHasAsManyCellsAsTitles) {
  proto::Report report;
  report.add_points()->set_connections(10);
  const std::string csv = ToCsv(report);
  const std::size_t end = csv.find("\r\n");
  EXPECT_EQ(std::count(csv.begin(), csv.begin() + static_cast<long>(end), ','),
            std::count(csv.begin() + static_cast<long>(end), csv.end(), ','));
}

}  // namespace
}  // namespace tidemark
