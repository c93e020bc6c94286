// `tidemark compare` on results of real runs, some of them with figures moved by a known factor.
#include "absl/strings/match.h"
#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

class CompareTest : public testing::Test {
 protected:
  CompareTest() {
    Mock mock(OnCore(1));
    const RunOutcome run = TidemarkRun(
        {"-R", "200", "-d", "1s", "-c", "50", "-t", "1", "--seed", "1", mock.Url("/mock/delay=20ms")}, OnCore(0));
    EXPECT_EQ(run.code, 0) << run.err;
    report_ = run.report;
    // Whatever this machine was busy with: the comparison is what is tested.
    report_.at("points").as_array()[0].as_object()["verdict"] = "VALID";
  }

  // A result with all latencies times `factor`.
  std::string File(const std::string& name, double factor) {
    boost::json::value report = report_;
    report.at("run") = name;
    for (auto& [key, value] : report.at("points").as_array()[0].at("response").as_object()) {
      if (absl::EndsWith(absl::string_view(key.data(), key.size()), "_us")) value = value.to_number<double>() * factor;
    }
    Spill(dir_ / name, boost::json::serialize(report));
    return dir_ / name;
  }
  static std::pair<int, std::string> Compare(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {TIDEMARK_BINARY, "compare"});
    Process process(arguments);
    const int code = process.Wait();
    return {code, process.Out() + process.Err()};
  }

  TempDir dir_;
  boost::json::value report_;
};

TEST_F(CompareTest, ARegressionIsNamedAndGivesItsExitCode) {
  std::vector<std::string> before;
  std::vector<std::string> after;
  for (int i = 0; i < 5; ++i) {
    before.push_back(File("a" + std::to_string(i), 1 + 0.002 * i));
    after.push_back(File("b" + std::to_string(i), 1.1 + 0.002 * i));
  }
  std::vector<std::string> arguments = before;
  arguments.push_back("--");
  arguments.insert(arguments.end(), after.begin(), after.end());
  const auto [code, text] = Compare(arguments);
  EXPECT_EQ(code, 99) << text;
  EXPECT_NE(text.find("p 0.00794  regressed"), std::string::npos) << text;

  arguments = after;
  arguments.push_back("--");
  arguments.insert(arguments.end(), before.begin(), before.end());
  const auto [better_code, better] = Compare(arguments);
  EXPECT_EQ(better_code, 0);
  EXPECT_NE(better.find("improved"), std::string::npos) << better;
}

TEST_F(CompareTest, OneAgainstOneIsOnlyIndicative) {
  const auto [code, text] = Compare({File("a", 1), "--", File("b", 2)});
  EXPECT_EQ(code, 0);
  EXPECT_NE(text.find("2.000"), std::string::npos) << text;
  EXPECT_EQ(text.find("regressed"), std::string::npos) << text;
}

TEST_F(CompareTest, TwoServersBehindOneNameMayBeCompared) {
  const std::string before = File("a", 1);
  report_.at("plan").as_object()["connect_to"] = boost::json::array{"h:80:other:80"};
  const auto [code, text] = Compare({before, "--", File("b", 1)});
  EXPECT_EQ(code, 0) << text;
  EXPECT_NE(text.find("p99_us"), std::string::npos) << text;
}

TEST_F(CompareTest, WhatIsNotAlikeIsRefused) {
  const std::string good = File("a", 1);
  report_.at("points").as_array()[0].as_object()["verdict"] = "GENERATOR_LIMITED";
  const std::string biased = File("b", 1);
  report_.at("points").as_array()[0].as_object()["verdict"] = "VALID";
  report_.at("plan").at("sweep").as_object()["rates"] = boost::json::array{300};
  const std::string other = File("c", 1);
  report_.at("plan").as_object()["target"] = "http://old.internal/";
  const std::string elsewhere = File("e", 1);
  Spill(dir_ / "d", "{\"points\": []}");
  const std::pair<std::vector<std::string>, const char*> kCases[] = {
      {{good, "--", biased}, "verdict is GENERATOR_LIMITED"},
      {{good, "--", other}, "differ in the plan"},
      {{good, "--", elsewhere}, "and 'http://old.internal/' (--connect-to reaches another server by the same name)"},
      {{good, "--", dir_ / "d"}, "is no result of tidemark"},
      {{good, "--", dir_ / "none"}, "none"},
      {{good}, "both sides"},
      {{good, "--", good, "--hepl"}, "--hepl: unknown flag; did you mean '--help'?"},
      {{"--strict", good, "--", good}, "--strict: unknown flag; see 'tidemark compare --help'"},
      {{good, "--", ""}, "has an empty value; give one, or leave it out"},
      {{"--", good}, "both sides"}};
  for (const auto& [arguments, reason] : kCases) {
    const auto [code, text] = Compare(arguments);
    EXPECT_EQ(code, 1) << text;
    EXPECT_NE(text.find(reason), std::string::npos) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  }
}

}  // namespace
}  // namespace tidemark
