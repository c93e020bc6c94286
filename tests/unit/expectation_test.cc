#include "common/plan/expectation.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(ExpectationTest, EveryFigureIsRead) {
  const auto p999 = ParseExpectation("p99.9 <= 20ms");
  ASSERT_OK(p999);
  EXPECT_EQ(p999->numerator, 999u);
  EXPECT_EQ(p999->denominator, 1000u);
  EXPECT_TRUE(p999->is_at_most);
  EXPECT_EQ(p999->limit, 20e6);
  EXPECT_EQ(p999->text, "p99.9<=20ms");
  const auto errors = ParseExpectation("error_rate<0.1%");
  ASSERT_OK(errors);
  EXPECT_EQ(errors->figure, Expectation::Figure::kErrorRate);
  EXPECT_EQ(errors->limit, 0.1);
  const auto rate = ParseExpectation("requests_per_s>5k");
  ASSERT_OK(rate);
  EXPECT_FALSE(rate->is_at_most);
  EXPECT_EQ(rate->limit, 5'000);
  const auto gaps = ParseExpectation("checksum_wrong<1");
  ASSERT_OK(gaps);
  EXPECT_EQ(gaps->figure, Expectation::Figure::kFinding);
  EXPECT_EQ(gaps->finding, Finding::kChecksumWrong);
  EXPECT_EQ(gaps->limit, 0);
  ASSERT_OK(ParseExpectation("messages_per_s>5k"));
  ASSERT_OK(ParseExpectation("mean<1ms"));
  const auto max = ParseExpectation("max<1s");
  ASSERT_OK(max);
  EXPECT_EQ(max->numerator, max->denominator);
}

// "<1" of whole numbers is none; a report with one dead second met dead_seconds<1 once.
TEST(ExpectationTest, WholeNumbersBelowALimitDoNotReachIt) {
  EXPECT_EQ(ParseExpectation("dead_seconds<3")->limit, 2);
  EXPECT_EQ(ParseExpectation("dead_seconds<=3")->limit, 3);
  EXPECT_EQ(ParseExpectation("snapshots>3")->limit, 4);
  EXPECT_EQ(ParseExpectation("snapshots>=3")->limit, 3);
  EXPECT_EQ(ParseExpectation("requests_per_s>3")->limit, 3);
  EXPECT_NE(ParseExpectation("gaps<0").status().message().find("gaps<1"), std::string::npos);
  EXPECT_EQ(ParseExpectation("gaps<=0")->limit, 0);
}

TEST(ExpectationTest, WhatNothingCanMeetIsRefused) {
  for (const char* text : {"error_rate<0%", "availability<0%", "availability>100%", "p99<0ms", "mean<0us"})
    EXPECT_NE(ParseExpectation(text).status().message().find("never met"), std::string::npos) << text;
  for (const char* text : {"error_rate<=0%", "availability>=100%", "availability>99.99%"})
    EXPECT_OK(ParseExpectation(text)) << text;
}

TEST(ExpectationTest, NonsenseIsNamed) {
  for (const char* text :
       {"", "<", "p99", "p99<", "<20ms", "p0<1ms", "p100<1ms", "p99.9999<1ms", "p<1ms", "p-1<1ms", "p99<20", "p99<-1ms",
        "error_rate<1", "error_rate<101%", "error_rate<nan%", "latency<1ms", "requests_per_s>fast", "p9 9.<x"}) {
    EXPECT_FALSE(ParseExpectation(text).ok()) << text;
  }
  EXPECT_NE(ParseExpectation("latency<1ms").status().message().find("error_rate"), std::string::npos);
}

TEST(ExpectationTest, APrecisionIsAQuantileAndAWidth) {
  const auto precision = ParsePrecision("p99:5%");
  ASSERT_OK(precision);
  EXPECT_EQ(precision->numerator, 99u);
  EXPECT_EQ(precision->half_width, 0.05);
  for (const char* text : {"", "p99", "p99:", "p99:5", "99:5%", "p99:0%", "p99:101%", "p100:5%", ":5%"})
    EXPECT_FALSE(ParsePrecision(text).ok()) << text;
}

}  // namespace
}  // namespace tidemark
