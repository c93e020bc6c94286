// Our .hlog read by HdrHistogram's own Java reader, and its .hgrm beside ours, row by row.
#include "coordinator/report/hdr.h"
#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

constexpr char kJar[] = "/usr/share/java/hdrhistogram.jar";

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

TEST(HdrInteropTest, JavaReadsOurLogAndMakesTheSamePercentileFile) {
  Mock mock;
  TempDir dir;
  Process run({TIDEMARK_BINARY, "run", "-c", "5,20", "-d", "2500ms", "--warmup", "1", "-o",
               "hlog=" + (dir / "run.hlog"), "-o", "hgrm=" + (dir / "run.hgrm"), "-o", "json=" + (dir / "run.json"),
               mock.Url("/mock/delay=lognormal:1ms:0.9")});
  ASSERT_EQ(run.Wait(), 0) << run.Err();
  const boost::json::value report = ReadReport(dir / "run.json");
  const auto ours = ParseHlog(Slurp(dir / "run.hlog"));
  ASSERT_TRUE(ours.ok()) << ours.status();

  for (const auto& [tag, point] : {std::pair<std::string, int>{"c5", 0}, {"c20", 1}}) {
    Process java({"java", "-cp", kJar, "org.HdrHistogram.HistogramLogProcessor", "-i", dir / "run.hlog", "-o",
                  dir / tag, "-tag", tag});
    ASSERT_EQ(java.Wait(), 0) << java.Err();

    std::vector<std::string> theirs_rows = Lines(Slurp(dir / (tag + ".hgrm")));
    // It puts two lines of comment, about the time range of the log, in front.
    while (!theirs_rows.empty() &&
           (theirs_rows[0].rfind("#[Overall", 0) == 0 || theirs_rows[0].rfind("#[StartTime", 0) == 0)) {
      theirs_rows.erase(theirs_rows.begin());
    }
    const std::vector<std::string> our_rows = Lines(Slurp(dir / ("run." + tag + ".hgrm")));
    ASSERT_GT(our_rows.size(), 20u);
    ASSERT_EQ(our_rows.size(), theirs_rows.size()) << tag;
    for (std::size_t i = 0; i < our_rows.size(); ++i) EXPECT_EQ(our_rows[i], theirs_rows[i]) << tag << " row " << i;

    // Its interval lines: "Time: IntervalPercentiles:count ( 50% 90% Max ) TotalPercentiles:count ( ... )".
    std::vector<std::pair<std::int64_t, double>> theirs;  // count and maximum in ms of each interval
    for (const std::string& line : Lines(Slurp(dir / tag))) {
      const std::size_t mark = line.find("I:");
      if (mark == std::string::npos) continue;
      std::istringstream in(line.substr(mark + 2));
      std::int64_t count = 0;
      char bracket = 0;
      double p50 = 0;
      double p90 = 0;
      double max = 0;
      in >> count >> bracket >> p50 >> p90 >> max;
      theirs.emplace_back(count, max);
    }
    std::vector<std::pair<std::int64_t, double>> expected;
    std::int64_t sum = 0;
    for (const HlogInterval& interval : *ours) {
      if (interval.tag != tag) continue;
      sum += static_cast<std::int64_t>(interval.histogram.count());
      const std::uint32_t slot = HistogramLayout::SlotOf(static_cast<std::uint64_t>(interval.histogram.max()));
      expected.emplace_back(interval.histogram.count(), static_cast<double>(HistogramLayout::HighestOf(slot)) / 1e6);
    }
    ASSERT_EQ(theirs.size(), expected.size()) << tag << Slurp(dir / tag);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(theirs[i].first, expected[i].first) << tag << " interval " << i;
      EXPECT_NEAR(theirs[i].second, expected[i].second, 0.0006) << tag << " interval " << i;
    }
    EXPECT_EQ(sum, Int(report, "points." + std::to_string(point) + ".latency.count")) << tag;
  }
}

}  // namespace
}  // namespace tidemark
