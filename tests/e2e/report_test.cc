// `tidemark report` on the JSON of real runs.
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

}  // namespace
}  // namespace tidemark
