#include "coordinator/report/hdr.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

std::string Golden(const std::string& name) {
  std::ifstream in(std::string(TIDEMARK_SOURCE_DIR) + "/tests/golden/" + name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// tests/golden/WriteLog.java wrote the log: interval i holds 1000 * (i + 1) values, v_k = (k + 1) * 7919 us + i, tag T.
TEST(HdrTest, ALogOfTheJavaWriterIsReadExactly) {
  const auto intervals = ParseHlog(Golden("java_writer.hlog"));
  ASSERT_OK(intervals);
  ASSERT_EQ(intervals->size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    Histogram expected;
    for (std::size_t k = 0; k < 1'000 * (i + 1); ++k) {
      const Nanos value = static_cast<Nanos>(k + 1) * 7'919'000 % (3600 * kSecond) + static_cast<Nanos>(i);
      expected.Record(value);
    }
    const HlogInterval& interval = (*intervals)[i];
    EXPECT_EQ(interval.tag, i == 0 ? "" : "T");
    EXPECT_DOUBLE_EQ(interval.length_s, 1.0);
    ASSERT_EQ(interval.histogram.count(), expected.count()) << i;
    for (std::uint32_t slot = 0; slot < HistogramLayout::kSlotCount; ++slot) {
      ASSERT_EQ(interval.histogram.CountAt(slot), expected.CountAt(slot)) << i << " slot " << slot;
    }
  }
}

TEST(HdrTest, DamagedLogsNameTheLine) {
  EXPECT_THAT(ParseHlog("#[comment]\n0.1,1.0,2.0"), FailsWith("hlog line 2: not start, length"));
  EXPECT_THAT(ParseHlog("x,1.0,2.0,AAAA"), FailsWith("hlog line 1: bad time"));
  EXPECT_THAT(ParseHlog("0.1,1.0,2.0,!!"), FailsWith("bad base64"));
  EXPECT_THAT(ParseHlog("0.1,1.0,2.0,AAAA"), FailsWith("not HdrHistogram V0, V1 or V2"));
}

TEST(HdrTest, TagsOfRepeatedPointsDiffer) {
  std::vector<PointResult> points(3);
  points[0].connections = points[2].connections = 10;
  points[1].connections = 50;
  EXPECT_EQ(PointTags(points), (std::vector<std::string>{"c10", "c50", "c10.2"}));
}

TEST(HdrTest, APercentileFileOfNothingHasNoRows) {
  const std::string text = ToHgrm(Histogram());
  EXPECT_NE(text.find("Total count    =            0"), std::string::npos) << text;
}

}  // namespace
}  // namespace tidemark
