#include "tests/mock_exchange/directives.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/mock_exchange/endpoints.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(DirectivesTest, BimodalDelaysHaveExactlyTheirShare) {
  const Directives directives = *ParseDirectives("delay=bimodal:2ms:100ms:3/200");
  int slow = 0;
  for (std::int64_t i = 0; i < 10'000; ++i) slow += directives.DelayOf(i) == 100 * kMillisecond ? 1 : 0;
  EXPECT_EQ(slow, 150);
}

TEST(DirectivesTest, TheLogNormalGridHasTheAnalyticQuantiles) {
  // Median 2 ms, sigma 0.8, 10,000 midpoints: the analytic values.
  const Directives directives = *ParseDirectives("delay=lognormal:2ms:0.8");
  std::vector<Nanos> values;
  double sum = 0;
  for (std::int64_t i = 0; i < kGridSize; ++i) {
    values.push_back(directives.DelayOf(i));
    sum += static_cast<double>(values.back());
  }
  std::sort(values.begin(), values.end());
  EXPECT_EQ(std::adjacent_find(values.begin(), values.end()), values.end());  // a permutation of the grid
  const auto millis = [&](std::size_t rank) { return static_cast<double>(values[rank - 1]) / 1e6; };
  EXPECT_NEAR(millis(5'000), 1.9998, 0.0001);
  EXPECT_NEAR(millis(9'000), 5.5743, 0.002);
  EXPECT_NEAR(millis(9'900), 12.842, 0.01);
  EXPECT_NEAR(millis(9'990), 23.423, 0.1);
  EXPECT_NEAR(millis(10'000), 44.953, 0.5);
  EXPECT_NEAR(sum / 1e6 / static_cast<double>(kGridSize), 2.7539, 0.001);
}

TEST(DirectivesTest, FaultsComeEveryNth) {
  const Directives directives = *ParseDirectives("fault=reset/1000,status=429/10");
  int resets = 0;
  int limited = 0;
  for (std::int64_t i = 0; i < 10'000; ++i) {
    resets += directives.FaultOf(i) == Fault::kReset ? 1 : 0;
    limited += directives.StatusOf(i) == 429 ? 1 : 0;
  }
  EXPECT_EQ(resets, 10);
  EXPECT_EQ(limited, 1'000);
}

TEST(DirectivesTest, WhatIsUnknownIsRefused) {
  for (const char* text : {"delay", "delay=x", "delay=bimodal:1ms", "fault=frob", "fault=reset/0", "status=7", "what=1",
                           "size=1TiB", "body=x"}) {
    EXPECT_FALSE(ParseDirectives(text).ok()) << text;
  }
}

TEST(EndpointsTest, ShapesAndSizesAreTheDocumentedOnes) {
  EXPECT_EQ(AnswerOf("/api/v3/ping", 0).body, "{}");
  EXPECT_EQ(AnswerOf("/api/v3/time", 1499827319559).body, "{\"serverTime\":1499827319559}");
  EXPECT_NEAR(static_cast<double>(AnswerOf("/api/v3/ticker/price?symbol=BTCUSDT", 0).body.size()), 45, 5);
  EXPECT_NEAR(static_cast<double>(AnswerOf("/api/v3/ticker/bookTicker?symbol=BTCUSDT", 0).body.size()), 120, 20);
  EXPECT_NEAR(static_cast<double>(AnswerOf("/api/v3/depth?symbol=BTCUSDT&limit=100", 0).body.size()), 6'400, 700);
  EXPECT_EQ(AnswerOf("/api/v3/depth?symbol=BTCUSDT&limit=x", 0).status, 400);
  EXPECT_EQ(AnswerOf("/api/v3/ticker/price", 0).status, 400);
  EXPECT_EQ(AnswerOf("/nowhere", 0).status, 404);
}

}  // namespace
}  // namespace tidemark
