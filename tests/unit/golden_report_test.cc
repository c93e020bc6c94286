// Reports as they were: who reads the JSON of one version can read that of the next.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "coordinator/report/json.h"
#include "coordinator/report/phrases.h"
#include "coordinator/report/summary.h"
#include "tests/support/made_run.h"

namespace tidemark {
namespace {

using boost::json::value;

std::string JsonOf(const proto::Plan& plan) {
  proto::Report report = Summarise(MakeRun(plan, 2, 3, 100), plan);
  report.set_version("-");
  return ToJson(report);
}

// What later versions added.
bool IsAdded(const std::string& path) {
  static const std::regex kAdded(
      R"((points|total)\.(columns|heat|curve|started_at|agents\.columns|expected\.(value|low|high|value_is_at_least)|slowest))");
  return std::regex_match(path, kAdded);
}

void ExpectSame(const std::string& path, const value& golden, const value& now) {
  if (golden.is_object() && now.is_object()) {
    for (const auto& [key, part] : golden.as_object()) {
      const std::string name(key);
      const std::string place = path.empty() ? name : path + "." + name;
      const value* const found = now.as_object().if_contains(key);
      ASSERT_NE(found, nullptr) << place << " is gone";
      ExpectSame(place, part, *found);
    }
    for (const auto& [key, part] : now.as_object()) {
      const std::string name(key);
      const std::string place = path.empty() ? name : path + "." + name;
      EXPECT_TRUE(golden.as_object().contains(key) || IsAdded(place)) << place << " is new";
    }
  } else if (golden.is_array() && now.is_array()) {
    ASSERT_EQ(golden.as_array().size(), now.as_array().size()) << path;
    for (std::size_t i = 0; i < golden.as_array().size(); ++i)
      ExpectSame(path, golden.as_array()[i], now.as_array()[i]);
  } else if (golden.is_number() && now.is_number()) {
    const auto was = golden.to_number<double>();
    EXPECT_NEAR(was, now.to_number<double>(), 1e-9 * std::abs(was)) << path;  // as far as libraries agree
  } else {
    EXPECT_EQ(golden, now) << path;
  }
}

// Files are of a former version and stay as they are. TIDEMARK_MAKE_GOLDEN=1 writes those that are missing.
TEST(GoldenReportTest, WhatAReportSaidItStillSaysAndWhatIsNewIsKnown) {
  for (const auto& [name, plan] : PlansOfEachKind()) {
    const std::string path = absl::StrCat(TIDEMARK_SOURCE_DIR, "/tests/golden/report_", name, ".json");
    const std::string now = JsonOf(plan);
    std::ifstream file(path);
    if (!file.is_open() && std::getenv("TIDEMARK_MAKE_GOLDEN") != nullptr) std::ofstream(path) << now;
    if (!file.is_open()) file.open(path);
    ASSERT_TRUE(file.is_open()) << path;
    std::stringstream golden;
    golden << file.rdbuf();
    SCOPED_TRACE(name);
    ExpectSame("", boost::json::parse(golden.str()), boost::json::parse(now));
  }
}

// What those who look on are told of a point that has ended is what the report will say of it.
TEST(GoldenReportTest, APointAloneHasTheFiguresOfTheReport) {
  for (const auto& [name, plan] : PlansOfEachKind()) {
    const RunResult result = MakeRun(plan, 2, 3, 100);
    const proto::Report report = Summarise(result, plan);
    ASSERT_EQ(report.points_size(), static_cast<int>(result.points.size())) << name;
    for (int i = 0; i < report.points_size(); ++i) {
      const proto::Point& whole = report.points(i);
      const proto::Point alone = SummarisePoint(result, result.points[static_cast<std::size_t>(i)], plan);
      EXPECT_FALSE(alone.verdict().empty()) << name;
      EXPECT_EQ(alone.verdict(), whole.verdict()) << name;
      EXPECT_EQ(alone.verdict_reason(), whole.verdict_reason()) << name;
      EXPECT_EQ(alone.has_duration_s(), whole.has_duration_s()) << name;
      EXPECT_EQ(alone.requests_per_s(), whole.requests_per_s()) << name;
      EXPECT_EQ(alone.messages_per_s(), whole.messages_per_s()) << name;
      EXPECT_EQ(alone.failed_requests(), whole.failed_requests()) << name;
      for (const char* quantile : {"p50_us", "p99_us"})
        EXPECT_EQ(Quantile(HeadlineOf(report, alone), quantile), Quantile(HeadlineOf(report, whole), quantile)) << name;
    }
  }
}

}  // namespace
}  // namespace tidemark
