#include "coordinator/report/read_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/inert_text.h"
#include "coordinator/report/csv.h"
#include "coordinator/report/html.h"
#include "coordinator/report/json.h"
#include "coordinator/report/markdown.h"
#include "coordinator/report/summary.h"
#include "coordinator/report/tables.h"
#include "coordinator/report/text.h"
#include "tests/support/made_run.h"

namespace tidemark {
namespace {

using testing::HasSubstr;

proto::Report ReportOf(const proto::Plan& plan, std::size_t agents = 2) {
  return Summarise(MakeRun(plan, agents, 3, 100), plan);
}

TEST(ReadJsonTest, EachKindOfReportComesBackAndLooksTheSame) {
  for (const auto& [name, plan] : PlansOfEachKind()) {
    SCOPED_TRACE(name);
    const proto::Report report = ReportOf(plan);
    const std::string json = ToJson(report);
    const auto again = ParseReport(json, "run.json");
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(ToJson(*again), json);
    for (const bool is_explained : {false, true}) {
      const TextOptions options = {.is_explained = is_explained, .has_latency_detail = is_explained};
      EXPECT_EQ(ToText(*again, options), ToText(report, options));
    }
    EXPECT_EQ(ToHtml(*again), ToHtml(report));
    EXPECT_EQ(ToMarkdown(*again), ToMarkdown(report));
    EXPECT_EQ(ToCsv(*again), ToCsv(report));
    EXPECT_EQ(ToPointsCsv(*again), ToPointsCsv(report));
  }
}

TEST(ReadJsonTest, WhatAFormerVersionWroteIsReadWithWhatItHas) {
  for (const auto& [name, plan] : PlansOfEachKind()) {
    SCOPED_TRACE(name);
    std::ifstream file(absl::StrCat(TIDEMARK_SOURCE_DIR, "/tests/golden/report_", name, ".json"));
    std::stringstream text;
    text << file.rdbuf();
    const auto report = ParseReport(text.str(), "run.json");
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_FALSE(report->points(0).has_columns());
    EXPECT_EQ(ToJson(*report), text.str());
  }
}

// A JSON that other programs have written anew is the same: its numbers may have an exponent, or a point.
TEST(ReadJsonTest, NumbersMayBeWrittenInOtherWays) {
  std::string json = ToJson(ReportOf(PlansOfEachKind().at("closed")));
  json = absl::StrReplaceAll(
      json, {{"\"duration_s\":3,", "\"duration_s\":0.3E1,"}, {"\"connections\":2,", "\"connections\":2.0,"}});
  const auto report = ParseReport(json, "run.json");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->points(0).duration_s(), 3);
  EXPECT_EQ(report->points(0).connections(), 2);
}

TEST(ReadJsonTest, WhatOthersWroteIsMadeInert) {
  proto::Report report = ReportOf(PlansOfEachKind().at("closed"));
  report.mutable_plan()->set_target("http://h/\x1b[31m");
  report.add_notes("a\nb\xe2\x80\xae");
  const auto again = ParseReport(ToJson(report), "run.json");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->plan().target(), "http://h/?[31m");
  EXPECT_EQ(again->notes(0), "a b?");
}

TEST(ReadJsonTest, WhatIsNoResultIsRefusedWithItsPlace) {
  const std::string json = ToJson(ReportOf(PlansOfEachKind().at("closed")));
  const auto changed = [&json](absl::string_view what, const std::string& to) {
    EXPECT_NE(json.find(std::string(what)), std::string::npos) << what;
    return absl::StrReplaceAll(json, {{what, to}});
  };
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  std::string points = "{\"agents\":[],\"plan\":{},\"points\":[{}";
  for (int i = 0; i < 1'000; ++i) points += ",{}";
  std::string numbers = "0";
  for (int i = 0; i < 10'000; ++i) numbers += ",0";
  std::string names = "\"a\":0";
  for (int i = 0; i < 1'000; ++i) absl::StrAppend(&names, ",\"", i, "\":0");
  const std::pair<std::string, const char*> kCases[] = {
      {"", "'run.json' is no JSON ("},
      {json.substr(0, json.size() / 2), "'run.json' is no JSON ("},
      {"\xff", "'run.json' is no JSON ("},
      {deep, "it is deeper than 24"},
      {"[]", "'run.json' is no result of tidemark; write one with -o json=FILE"},
      {"7", "is no result of tidemark"},
      {R"({"points": 7, "agents": [], "plan": {}})", "is no result of tidemark"},
      {R"({"trials": [], "plan": {}})", "is the answer of a search"},
      {R"({"points": [], "agents": [], "plan": {}})", "had not begun its first point"},
      {R"({"points": [{}], "agents": [], "plan": {"sweep": {"rates": [5]}}})", "an open loop without connections"},
      {changed("\"run\":", "\"rum\":"), "'run.json': rum is no field; tidemark "},
      {changed("\"run\":", "\"points\":[],\"run\":"), "points is given twice"},
      {changed("\"started_at\":", "\"\x7f\x7f\":"), "'run.json': ?? is no field"},
      {changed("\"duration_s\":3,", "\"duration_s\":\"3\","), "points[0].duration_s is text instead of a number"},
      {changed("\"duration_s\":3,", "\"duration_s\":1e18,\"duration_s\":3,"), "points[0].duration_s is given twice"},
      {changed("\"duration_s\":3,", "\"duration_s\":1.1e18,"), "points[0].duration_s is beyond 10^18"},
      {changed("\"duration_s\":3,", "\"duration_s\":1e999,"), "is no JSON ("},
      {changed("\"connections\":2,", "\"connections\":2.5,"), "points[0].connections is no whole number"},
      {changed("\"connections\":2,", "\"connections\":99999999999999999999999,"), "is no JSON ("},
      {changed("\"exit_code\":0", "\"exit_code\":4294967296"), "exit_code is 4294967296, which is beyond"},
      {changed("\"total_requests\":", "\"total_requests\":-1,\"x\":"),
       "points[0].total_requests is -1, which is beyond 0"},
      {changed("\"p50_us\":", "\"p50_us\":-1,\"x\":"), "points[0].latency.p50_us is negative"},
      {changed("\"identity_holds\":true", "\"identity_holds\":1"),
       "points[0].accounting.identity_holds is a number instead of true or false"},
      {changed("\"run\":\"", "\"run\":{},\"x\":\""), "'run.json': run is an object instead of text"},
      {changed("\"duration\":\"3s\"", "\"duration\":\"3 years\""),
       "plan.sweep.duration is '3 years', which is no duration"},
      {changed("\"points\":[{", "\"points\":[7,{"), "points[0] is a number instead of an object"},
      {changed("\"outcomes\":{", "\"outcomes\":{\"a\":[],"),
       "points[0].accounting.outcomes.a is a list instead of a number"},
      {changed("\"outcomes\":{", absl::StrCat("\"outcomes\":{", names, ",")), "outcomes has more than 1000 names"},
      {changed("\"failed_4xx\":[", "\"failed_4xx\":[true,"),
       "points[0].columns.failed_4xx[0] is true or false instead of"},
      {changed("\"failed_4xx\":[", absl::StrCat("\"failed_4xx\":[", numbers, ",")),
       "is one more than the 10000 numbers"},
      {changed("\"rows\":[[", "\"rows\":[[1001,"), "points[0].heat.rows[0][0] is 1001, which is beyond -1 to 1000"},
      {changed("\"status\":\"", "\"status\":\"=A1,"), "status is no word"},
      {points + "]}", "points[1000] is one more than the 1000 points"},
  };
  for (const auto& [text, message] : kCases) {
    const auto report = ParseReport(text, "run.json");
    ASSERT_FALSE(report.ok()) << message;
    EXPECT_THAT(std::string(report.status().message()), HasSubstr(message));
    EXPECT_TRUE(IsInert(report.status().message())) << report.status();
    EXPECT_LT(report.status().message().size(), 400u);
  }
}

}  // namespace
}  // namespace tidemark
