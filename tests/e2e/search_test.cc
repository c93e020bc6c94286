// tidemark search, against targets whose capacity is known.
#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

RunOutcome Search(std::vector<std::string> arguments, const std::vector<std::string>& prefix = {}) {
  TempDir dir;
  arguments.insert(arguments.begin(), {TIDEMARK_BINARY, "search", "-t", "1", "-o", "json=" + (dir / "answer.json")});
  arguments.insert(arguments.begin(), prefix.begin(), prefix.end());
  Process process(arguments);
  RunOutcome outcome;
  outcome.code = process.Wait();
  outcome.out = process.Out();
  outcome.err = process.Err();
  if (std::filesystem::exists(dir / "answer.json")) outcome.report = ReadReport(dir / "answer.json");
  return outcome;
}

// One server that takes 1 ms for each request, asked at even intervals, holds 1,000/s and not one more.
TEST(SearchE2eTest, TheRateThatAServerHoldsIsFound) {
  Mock mock(OnCore(1));
  const RunOutcome search = Search({"--rate", "--from", "300", "-d", "1s", "--within", "4%", "--arrivals", "constant",
                                    "--expect", "p99<20ms", "--expect", "error_rate<0.1%", mock.Url("/mock/queue=1ms")},
                                   OnCore(0));
  ASSERT_EQ(search.code, 0) << search.err;
  EXPECT_TRUE(At(search.report, "is_confirmed").as_bool());
  const auto met = Int(search.report, "met");
  const auto missed = Int(search.report, "missed");
  EXPECT_GE(met, 930) << search.err;
  EXPECT_LE(met, 1'010) << search.err;
  EXPECT_GT(missed, met);
  EXPECT_LE(missed, 1'060) << search.err;
  EXPECT_NE(search.out.find("Holds "), std::string::npos) << search.out;
}

// 5 ms each, one after the other: n connections wait n x 5 ms.
TEST(SearchE2eTest, TheConnectionsThatAServerHoldsAreFound) {
  Mock mock(OnCore(1));
  const RunOutcome search = Search({"--connections", "--from", "3", "-d", "1s", "--within", "1%", "--expect",
                                    "max<72ms", mock.Url("/mock/queue=5ms")},
                                   OnCore(0));
  ASSERT_EQ(search.code, 0) << search.err;
  EXPECT_NEAR(static_cast<double>(Int(search.report, "met")), 14, 1) << search.err;
  EXPECT_EQ(Int(search.report, "missed"), Int(search.report, "met") + 1) << search.err;
}

// Of streams: each connection brings ten messages a second.
TEST(SearchE2eTest, TheStreamsThatKeepAnExpectationAreFound) {
  Mock mock;
  const RunOutcome search = Search({"--connections", "--listen", "--from", "10", "-d", "2s", "--within", "10%",
                                    "--expect", "messages_per_s<505", "--expect", "reconnects<1", "--expect",
                                    "error_rate<1%", "ws" + mock.Url("/mock/stream=100ms").substr(4)});
  ASSERT_EQ(search.code, 0) << search.err;
  EXPECT_GE(Int(search.report, "met"), 44) << search.err;
  EXPECT_LE(Int(search.report, "met"), 52) << search.err;
  EXPECT_GT(Int(search.report, "missed"), Int(search.report, "met"));
  EXPECT_NE(search.err.find("msg/s"), std::string::npos) << search.err;
}

TEST(SearchE2eTest, NothingMetIsExit99) {
  Mock mock;
  const RunOutcome search =
      Search({"--rate", "--from", "4", "-d", "1s", "--expect", "p50<1ms", mock.Url("/mock/delay=20ms")});
  EXPECT_EQ(search.code, 99) << search.err;
  EXPECT_FALSE(search.report.as_object().contains("met"));
  EXPECT_EQ(Int(search.report, "missed"), 1);
}

TEST(SearchE2eTest, CtrlCKeepsTheTrialsMade) {
  Mock mock;
  TempDir dir;
  Process process({TIDEMARK_BINARY, "search", "--rate", "-d", "1s", "-o", "json=" + (dir / "answer.json"), "--expect",
                   "p99<1s", mock.Url()});
  std::this_thread::sleep_for(std::chrono::milliseconds(2'500));
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(std::chrono::seconds(10)), 130) << process.Err();
  const boost::json::value report = ReadReport(dir / "answer.json");
  EXPECT_FALSE(At(report, "trials").as_array().empty());
  EXPECT_FALSE(At(report, "is_confirmed").as_bool());
}

TEST(SearchE2eTest, BadInputIsOneLine) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"http://127.0.0.1/", "--expect", "p99<1s"}, "--rate or --connections"},
      {{"--rate", "http://127.0.0.1/"}, "needs an expectation"},
      {{"--rate", "--expect", "p99<20", "http://127.0.0.1/"}, "p99<20"},
      {{"--rate", "--expect", "p99<1s", "--from", "10", "--to", "5", "http://127.0.0.1/"}, "10/s to 5/s"},
      {{"--rate", "--expect", "p99<1s", "--within", "5", "http://127.0.0.1/"}, "percentage"},
      {{"--rate", "--expect", "p99<1s", "-d", "10ms", "http://127.0.0.1/"}, "1s at least"},
      {{"--rate", "--expect", "p99<1s", "-o", "csv=x", "http://127.0.0.1/"}, "json=FILE"},
      {{"--connections", "-c", "5", "--expect", "p99<1s", "http://127.0.0.1/"}, "-c: has no effect"},
  };
  for (const auto& [arguments, part] : cases) {
    const RunOutcome search = Search(arguments);
    EXPECT_EQ(search.code, 1);
    EXPECT_NE(search.err.find(part), std::string::npos) << search.err;
    EXPECT_EQ(std::count(search.err.begin(), search.err.end(), '\n'), 1) << search.err;
  }
}

TEST(ExpectE2eTest, AMissedExpectationIsExit99) {
  Mock mock;
  const RunOutcome met = TidemarkRun({"-n", "100", "-c", "2", "--expect", "p99<10s", mock.Url()});
  EXPECT_EQ(met.code, 0) << met.err;
  EXPECT_TRUE(At(met.report, "points.0.expected.0.is_met").as_bool());
  const RunOutcome missed = TidemarkRun(
      {"-n", "100", "-c", "2", "--expect", "p99<10s", "--expect", "error_rate<=0%", mock.Url("/mock/status=500/10")});
  EXPECT_EQ(missed.code, 99) << missed.err;
  EXPECT_NE(missed.out.find("error_rate<=0%: MISSED"), std::string::npos) << missed.out;
}

TEST(SelftestE2eTest, ThePromisesHoldHere) {
  Process process({TIDEMARK_BINARY, "selftest"});
  EXPECT_EQ(process.Wait(std::chrono::seconds(60)), 0) << process.Out() << process.Err();
  for (const char* promise :
       {"exact    holds", "lean     holds", "honest   holds", "safe     holds", "selftest: passed"})
    EXPECT_NE(process.Out().find(promise), std::string::npos) << process.Out();
}

TEST(SelftestE2eTest, CtrlCEndsIt) {
  Process process({TIDEMARK_BINARY, "selftest"});
  std::this_thread::sleep_for(std::chrono::milliseconds(800));
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(std::chrono::seconds(10)), 130) << process.Out() << process.Err();
}

}  // namespace
}  // namespace tidemark
