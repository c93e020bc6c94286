// What was not measured is in no output, cannot be expected, and is no success.
#include "tests/e2e/absence.h"

#include <gtest/gtest-spi.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/report/decimal.h"
#include "tests/e2e/listen.h"

namespace tidemark {
namespace {

std::string WsUrl(const Mock& mock, const std::string& path) { return "ws" + mock.Url(path).substr(4); }

TEST(AbsenceTest, ARunWithoutOneSuccessSaysSoAndHasNoFiguresOfSuccesses) {
  Mock mock;
  const RunOutcome run = TidemarkRun({"-c", "2,4", "-n", "20", mock.Url("/mock/status=500")});
  EXPECT_EQ(run.code, 5) << run.err;
  EXPECT_NE(run.err.find("not one of 40 requests succeeded: 5xx 40"), std::string::npos) << run.err;
  EXPECT_EQ(Int(run.report, "exit_code"), 5);
  EXPECT_EQ(Int(run.report, "total.latency.count"), 0);
  EXPECT_FALSE(At(run.report, "total.latency").as_object().contains("p99_us"));
  EXPECT_EQ(Int(run.report, "total.other_latency.count"), 40);
  EXPECT_EQ(Number(run.report, "total.error_rate_percent"), 100);

  // One success is one.
  EXPECT_EQ(TidemarkRun({"-c", "1", "-n", "20", mock.Url("/mock/status=500/2")}).code, 0);
}

TEST(AbsenceTest, TimeOutsAloneGiveLowerBoundsAndNoMean) {
  Mock mock;
  const RunOutcome run =
      TidemarkRun({"-c", "2", "-n", "2", "--timeout", "100ms", "--expect", "p99<10s", mock.Url("/mock/fault=hang")});
  EXPECT_EQ(run.code, 5) << run.err;
  EXPECT_EQ(Int(run.report, "total.latency.censored"), 2);
  EXPECT_GE(Number(run.report, "total.latency.p50_us"), 100'000);
  EXPECT_FALSE(At(run.report, "total.latency").as_object().contains("mean_us"));
  EXPECT_EQ(At(run.report, "points.0.expected.0.is_met").as_bool(), false);
}

TEST(AbsenceTest, MessagesThatAreNobodysReplyAreNoSuccess) {
  Mock mock;
  const RunOutcome run = TidemarkRun({"-c", "1", "-n", "1", "--timeout", "200ms", "--data", R"({"id":"{slot}"})",
                                      "--reply-id", "/id", WsUrl(mock, "/mock/stream=10ms")});
  EXPECT_EQ(run.code, 5) << run.err;
  EXPECT_GT(Int(run.report, "total.accounting.web_socket.orphan_messages"), 0);
}

TEST(AbsenceTest, AStreamThatSaysNothingIsNoSuccessAndHasNoFindings) {
  Mock mock;
  TempDir dir;
  const auto run = [&](const std::string& expect) {
    Spill(dir / "plan.yaml",
          "target: " + WsUrl(mock, "/mock/stream=1h,subscribe=1") +
              "\nsweep: {connections: [2], duration: 1s}\nexpect: ['" + expect +
              "']\nweb_socket: {listen: {silence: 300ms, sequence: {rule: consecutive, number: /u}}}\n");
    return TidemarkRun({dir / "plan.yaml"});
  };
  const RunOutcome gaps = run("gaps<1");
  EXPECT_EQ(gaps.code, 5) << gaps.err;
  EXPECT_NE(gaps.err.find("not one message came"), std::string::npos) << gaps.err;
  EXPECT_EQ(At(gaps.report, "points.0.expected.0.is_met").as_bool(), false) << "nothing was looked at";
  EXPECT_EQ(WebSockets(gaps.report, "messages"), 0);
  EXPECT_EQ(Streams(gaps.report, "silences"), 2);
  const RunOutcome silences = run("silences<3");
  EXPECT_EQ(At(silences.report, "points.0.expected.0.is_met").as_bool(), true);
}

TEST(AbsenceTest, WhatAPlanDoesNotMeasureIsRefusedBeforeAnythingStarts) {
  Mock mock;
  const std::string stream = WsUrl(mock, "/mock/stream=10ms");
  const std::pair<std::vector<std::string>, std::string> kCases[] = {
      {{"run", "--listen", "-d", "1s", "--expect", "gaps<1", stream}, "web_socket.listen.sequence the rule"},
      {{"run", "--listen", "-d", "1s", "--expect", "silences<1", stream}, "no silence fits into a point"},
      {{"run", "--listen", "-d", "1s", "--expect", "requests_per_s>1", stream}, "write messages_per_s"},
      {{"run", "--listen", "-d", "25s", "--until", "p99:5%", stream}, "until"},
      {{"run", "--expect", "messages_per_s>1", mock.Url()}, "it is of WebSockets"},
      {{"run", "--expect", "checked>1", mock.Url()}, "it is of streams"},
      {{"search", "--connections", "--listen", "--expect", "gaps<1", stream}, "web_socket.listen.sequence the rule"},
      {{"search", "--rate", "--expect", "duplicates<1", mock.Url()}, "it is of streams"},
  };
  for (const auto& [arguments, reason] : kCases) {
    std::vector<std::string> all = arguments;
    all.insert(all.begin(), TIDEMARK_BINARY);
    Process process(all);
    EXPECT_EQ(process.Wait(), 1) << reason;
    EXPECT_NE(process.Err().find(reason), std::string::npos) << process.Err();
  }
  EXPECT_EQ(Int(mock.Truth(), "accepted"), 0);
}

TEST(AbsenceTest, ASweepOfStreamsHasColumnsOfItsOwn) {
  Mock mock;
  TempDir dir;
  Spill(dir / "plan.yaml", "target: " + WsUrl(mock, "/mock/stream=20ms,gap=10") +
                               "\nsweep: {connections: [2, 4], duration: 1s}\n"
                               "web_socket: {listen: {time: /E, sequence: {rule: range, first: /U, number: /u}}}\n");
  Process process({TIDEMARK_BINARY, "run", "-o", "json=" + (dir / "run.json"), "-o", "csv=" + (dir / "run.csv"),
                   dir / "plan.yaml"});
  ASSERT_EQ(process.Wait(), 0) << process.Err();
  const boost::json::value report = ReadReport(dir / "run.json");
  const std::string csv = Slurp(dir / "run.csv");
  ExpectCsvOf(report, csv);
  std::istringstream lines(csv);
  std::string titles;
  std::string row;
  std::getline(lines, titles);
  std::getline(lines, row);
  std::map<std::string, std::string> cells;
  std::istringstream names(titles);
  std::istringstream values(row);
  for (std::string name, value; std::getline(names, name, ',');) {
    std::getline(values, value, ',');
    cells[name] = value;
  }
  for (const char* name : {"total_requests", "requests_per_s", "p99_us", "status_2xx", "never_sent", "checked", "held"})
    EXPECT_EQ(cells[name], "") << name;
  EXPECT_EQ(cells["gaps"], std::to_string(Int(report, "points.0.accounting.web_socket.streams.gaps")));
  EXPECT_GT(std::stod(cells["gaps"]), 0);
  EXPECT_GT(std::stod(cells["messages_per_s"]), 0);
  EXPECT_GT(std::stod(cells["interval_p99_us"]), 0);
  EXPECT_GT(std::stod(cells["staleness_p50_us"]), 0);
  EXPECT_NE(process.Out().find("        -"), std::string::npos) << "no silence fits into 1 s\n" << process.Out();
}

TEST(AbsenceTest, APointThatNeverStartedHasNoTime) {
  const RunOutcome run = TidemarkRun({"-c", "2", "-n", "10", "http://127.0.0.1:1/"});
  EXPECT_EQ(run.code, 5) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(Int(run.report, "points.0.accounting.never_sent_by_reason.connect_refused"), 10);
  EXPECT_EQ(At(run.report, "points.0.status").as_string(), "PARTIAL");
  EXPECT_EQ(At(run.report, "points.0.verdict").as_string(), "PARTIAL");
  for (const char* name : {"duration_s", "requests_per_s", "generator_cpu_percent", "dead_seconds", "coverage_percent"})
    EXPECT_FALSE(At(run.report, "points.0").as_object().contains(name)) << name;
  EXPECT_FALSE(At(run.report, "points.0.agents.0").as_object().contains("cpu_percent"));
}

TEST(AbsenceTest, ASearchThatNeverSucceededIsTheTargetsFault) {
  Mock mock;
  TempDir dir;
  Process process({TIDEMARK_BINARY, "search", "--rate", "--from", "1", "-d", "1s", "-o",
                   "json=" + (dir / "search.json"), "--expect", "p99<20ms", mock.Url("/mock/status=500")});
  EXPECT_EQ(process.Wait(), 5) << process.Err();
  const boost::json::value report = ReadReport(dir / "search.json");
  EXPECT_FALSE(report.as_object().contains("met"));
  EXPECT_EQ(Int(report, "missed"), 1);
}

TEST(AbsenceTest, ResultsOfStreamsAreComparedByTheirHeadline) {
  Mock mock;
  TempDir dir;
  boost::json::value report = Listen(mock, "stream=10ms", "1", "1s", "web_socket: {listen: {}}\n");
  boost::json::object& point = report.at("points").as_array()[0].as_object();
  point["verdict"] = "VALID";
  Spill(dir / "a.json", boost::json::serialize(report));
  Process same({TIDEMARK_BINARY, "compare", dir / "a.json", "--", dir / "a.json"});
  EXPECT_EQ(same.Wait(), 0) << same.Err();
  EXPECT_NE(same.Out().find("p50_us"), std::string::npos) << same.Out();
  point.erase("interval");
  Spill(dir / "b.json", boost::json::serialize(report));
  Process without({TIDEMARK_BINARY, "compare", dir / "a.json", "--", dir / "b.json"});
  EXPECT_EQ(without.Wait(), 1);
  EXPECT_NE(without.Err().find("nothing was compared"), std::string::npos) << without.Err();
}

// The check that all reports go through can fail.
// As a report prints it: boost::json writes each double with an exponent.
std::string Print(const boost::json::value& value) {
  std::vector<std::string> parts;
  if (value.is_array()) {
    for (const boost::json::value& item : value.as_array()) parts.push_back(Print(item));
    return absl::StrCat("[", absl::StrJoin(parts, ","), "]");
  }
  if (value.is_object()) {
    for (const auto& [key, item] : value.as_object())
      parts.push_back(absl::StrCat(boost::json::serialize(boost::json::value(key)), ":", Print(item)));
    return absl::StrCat("{", absl::StrJoin(parts, ","), "}");
  }
  if (value.is_double() && value.as_double() < 1e9) return Decimal(value.as_double());
  return boost::json::serialize(value);
}

// Expects that the check finds fault with a report, and says so in these words.
void ExpectFound(const std::string& report, const std::string& words) {
  testing::TestPartResultArray found;
  {
    testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &found);
    ExpectNoFalseZeros(report);
  }
  std::string said;
  for (int i = 0; i < found.size(); ++i) absl::StrAppend(&said, found.GetTestPartResult(i).message(), "\n");
  EXPECT_GT(found.size(), 0) << words;
  EXPECT_NE(said.find(words), std::string::npos) << words << " in " << said;
}

TEST(AbsenceTest, TheCheckFindsAZeroThatStandsForNothing) {
  Mock mock;
  std::string text;
  const auto spoil = [&text](const boost::json::value& report, const std::string& pointer,
                             const boost::json::value& value) {
    boost::json::value spoilt = report;
    boost::json::error_code error;
    const std::size_t slash = pointer.rfind('/');
    boost::json::value* const parent = spoilt.find_pointer(pointer.substr(0, slash), error);
    ASSERT_NE(parent, nullptr) << pointer;
    parent->as_object()[pointer.substr(slash + 1)] = value;
    text = Print(spoilt);
  };
  const boost::json::value streams = Listen(mock, "stream=10ms", "1", "1s", "web_socket: {listen: {}}\n");
  const boost::json::value requests = TidemarkRun({"-c", "1", "-n", "50", mock.Url()}).report;
  spoil(streams, "/points/0/total_requests", 0);
  ExpectFound(text, "total_requests");
  spoil(streams, "/points/0/accounting/web_socket/streams/checked", 0);
  ExpectFound(text, "checked");
  spoil(requests, "/points/0/start_skew_us", 0);
  ExpectFound(text, "points.start_skew_us is a zero that stands for nothing");
  spoil(requests, "/points/0/other_latency/p50_us", 0);
  ExpectFound(text, "points.other_latency p50_us");
  spoil(requests, "/points/0/no_such_figure", 0);
  ExpectFound(text, "no_such_figure");
  spoil(requests, "/points/0/verdict_reason", "");
  ExpectFound(text, "says nothing");
  spoil(requests, "/points/0/duration_s", 1.5e9);  // which boost::json prints with an exponent
  ExpectFound(text, "");
}

}  // namespace
}  // namespace tidemark
