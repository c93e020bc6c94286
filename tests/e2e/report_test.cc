// `tidemark report` on the JSON of real runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

struct Ended {
  int code = 0;
  std::string out;
  std::string err;
};
Ended Report(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {TIDEMARK_BINARY, "report"});
  Process process(arguments);
  const int code = process.Wait();
  return {code, process.Out(), process.Err()};
}

TEST(ReportTest, WhatIsMadeOfTheJsonIsWhatTheRunHadWritten) {
  Mock mock;
  TempDir dir;
  const auto outputs = [&dir](const std::string& name) {
    std::vector<std::string> flags;
    for (const char* format : {"json", "html", "markdown", "csv", "points"})
      flags.insert(flags.end(), {"-o", std::string(format) + "=" + (dir / (name + "." + format))});
    return flags;
  };
  std::vector<std::string> arguments = {
      TIDEMARK_BINARY, "run", "-c", "2,4", "-d", "1s", "--expect", "p99<1us", mock.Url("/mock/fault=reset/50")};
  const auto files = outputs("run");
  arguments.insert(arguments.end(), files.begin(), files.end());
  Process run(arguments);
  EXPECT_EQ(run.Wait(), 99) << run.Err();

  std::vector<std::string> again = {dir / "run.json"};
  const auto others = outputs("again");
  again.insert(again.end(), others.begin(), others.end());
  const Ended report = Report(again);
  EXPECT_EQ(report.code, 0) << "what the run came to is in the report: " << report.err;
  EXPECT_EQ(report.out, run.Out());
  EXPECT_EQ(report.err, "");
  for (const char* format : {"json", "html", "markdown", "csv", "points"})
    EXPECT_TRUE(Slurp(dir / (std::string("run.") + format)) == Slurp(dir / (std::string("again.") + format))) << format;
}

TEST(ReportTest, WhatCannotBeMadeOfItIsRefused) {
  TempDir dir;
  Spill(dir / "empty.json", "{}");
  const std::pair<std::vector<std::string>, const char*> kCases[] = {
      {{dir / "none.json"}, "none.json' cannot be read; check the path"},
      {{dir / "empty.json"}, "empty.json' is no result of tidemark; write one with -o json=FILE"},
      {{"/dev/zero"}, "'/dev/zero' is larger than 256 MiB"},
      {{dir / "empty.json", "-o", "hlog=x"},
       "-o/--output: hlog is made of the histogram of each second, which a result's JSON does not have; write it with "
       "the run"},
      {{dir / "empty.json", "-o", "hgrm=x"}, "hgrm is made of the histogram of each point"},
      {{dir / "empty.json", "-o", "series=x"}, "series is made of each second's failures"},
  };
  for (const auto& [arguments, reason] : kCases) {
    const Ended report = Report(arguments);
    EXPECT_EQ(report.code, 1);
    EXPECT_EQ(report.out, "");
    EXPECT_NE(report.err.find(reason), std::string::npos) << report.err;
    EXPECT_EQ(std::count(report.err.begin(), report.err.end(), '\n'), 1) << report.err;
  }
}

// Results of two versions that differ in their delay by a known factor.
class TwoSidesTest : public testing::Test {
 protected:
  TwoSidesTest() {
    Mock mock;
    const RunOutcome run = TidemarkRun({"-c", "2,4", "-d", "1s", mock.Url("/mock/delay=5ms")});
    EXPECT_EQ(run.code, 0) << run.err;
    report_ = run.report;
    for (auto& point : report_.at("points").as_array()) point.as_object()["verdict"] = "VALID";
  }
  std::string File(const std::string& name, double factor) {
    boost::json::value report = report_;
    report.at("run") = name;
    for (auto& point : report.at("points").as_array()) {
      for (auto& [key, value] : point.at("latency").as_object()) {
        if (std::string(key).ends_with("_us")) value = value.to_number<double>() * factor;
      }
    }
    Spill(dir_ / (name + ".json"), boost::json::serialize(report));
    return dir_ / (name + ".json");
  }
  TempDir dir_;
  boost::json::value report_;
};

TEST_F(TwoSidesTest, APageOfSeveralRunsSaysWhatCompareSays) {
  std::vector<std::string> arguments;
  for (int i = 0; i < 5; ++i) arguments.push_back(File("a" + std::to_string(i), 1 + 0.002 * i));
  arguments.push_back("--");
  for (int i = 0; i < 5; ++i) arguments.push_back(File("b" + std::to_string(i), 1.1 + 0.002 * i));
  arguments.insert(arguments.end(), {"-o", "html=" + (dir_ / "both.html")});
  const Ended report = Report(arguments);
  EXPECT_EQ(report.code, 0) << report.err;
  EXPECT_NE(report.out.find("p 0.00794  regressed"), std::string::npos) << report.out;
  const std::string page = Slurp(dir_ / "both.html");
  EXPECT_NE(page.find("REGRESSED</span> 8 of 8 figures regressed: "), std::string::npos);
  EXPECT_NE(page.find("regressed</td>"), std::string::npos);
  EXPECT_NE(page.find("data-chart=\"compared-rate\""), std::string::npos);

  arguments.insert(arguments.begin(), {TIDEMARK_BINARY, "compare"});
  arguments[arguments.size() - 1] = "html=" + (dir_ / "compare.html");
  Process compare(arguments);
  EXPECT_EQ(compare.Wait(), 99) << compare.Err();
  EXPECT_EQ(compare.Out(), report.out);
  EXPECT_TRUE(Slurp(dir_ / "compare.html") == page);
}

TEST_F(TwoSidesTest, WhatMayNotBeComparedIsShownWithTheReason) {
  const std::string before = File("a", 1);
  report_.at("agents").as_array().push_back(report_.at("agents").as_array()[0]);
  const std::string after = File("b", 1);
  const Ended report = Report({before, after, "-o", "html=" + (dir_ / "both.html")});
  EXPECT_EQ(report.code, 0) << report.err;
  EXPECT_EQ(report.out, "");
  EXPECT_NE(report.err.find("not compared: "), std::string::npos) << report.err;
  const std::string page = Slurp(dir_ / "both.html");
  EXPECT_NE(page.find("NOT COMPARED</span>"), std::string::npos);
  EXPECT_NE(page.find("differ in number of agents: "), std::string::npos);
  EXPECT_EQ(page.find("regressed</td>"), std::string::npos);
  EXPECT_NE(page.find("<h2>Side by side</h2>"), std::string::npos);
  Process compare({TIDEMARK_BINARY, "compare", before, "--", after, "-o", "html=" + (dir_ / "none.html")});
  EXPECT_EQ(compare.Wait(), 1);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "none.html"));
}

bool IsInstalled(const std::string& program) {
  Process which({"sh", "-c", "command -v " + program});
  return which.Wait() == 0;
}

TEST_F(TwoSidesTest, EachChartIsAFileThatNeedsNothingElse) {
  if (!IsInstalled("node") || !IsInstalled("rsvg-convert"))
    GTEST_SKIP() << "there is no node, or no rsvg-convert; scripts/setup installs them";
  const std::string file = File("a", 1);
  Process page({TIDEMARK_BINARY, "report", file, "-q", "-o", "html=" + (dir_ / "run.html"), "-o",
                "svg=" + (dir_ / "charts/svg"), "-o", "png=" + (dir_ / "png")});
  EXPECT_EQ(page.Wait(), 0) << page.Err();
  const std::string html = Slurp(dir_ / "run.html");
  int charts = 0;
  for (std::size_t at = html.find("data-chart="); at != std::string::npos; at = html.find("data-chart=", at + 1)) {
    const std::string name = html.substr(at + 12, html.find('"', at + 12) - at - 12);
    const std::string svg = Slurp(dir_ / ("charts/svg/" + name + ".svg"));
    EXPECT_EQ(svg.rfind("<svg xmlns=", 0), 0u) << name;
    EXPECT_TRUE(svg.ends_with("</svg>\n")) << name;
    EXPECT_NE(svg.find("font-family: sans-serif"), std::string::npos) << name;
    for (const char* foreign : {"<script", "var(", "url(", "NaN", "undefined", "system-ui", "href=\"http"})
      EXPECT_EQ(svg.find(foreign), std::string::npos) << name << " has " << foreign;
    EXPECT_EQ(Slurp(dir_ / ("png/" + name + ".png")).substr(1, 3), "PNG") << name;
    ++charts;
  }
  EXPECT_GE(charts, 5);
  // Marks stand for the same figures as in the page.
  const std::string rate = Slurp(dir_ / "charts/svg/rate.svg");
  for (const auto& point : report_.at("points").as_array())
    EXPECT_NE(rate.find("data-v=\"" + std::to_string(static_cast<int>(point.at("success_per_s").to_number<double>()))),
              std::string::npos);
}

TEST_F(TwoSidesTest, WithoutNodeChartsAreRefusedBeforeAnythingIsRead) {
  Process report(
      {"env", "PATH=/nonexistent", TIDEMARK_BINARY, "report", File("a", 1), "-q", "-o", "svg=" + (dir_ / "charts")});
  EXPECT_EQ(report.Wait(), 1);
  EXPECT_EQ(report.Err(),
            "tidemark: -o/--output: charts as files are made with node, which is not in PATH; install nodejs\n");
}

}  // namespace
}  // namespace tidemark
