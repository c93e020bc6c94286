#include "common/histogram_codec.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(HistogramCodecTest, RunsOfEmptySlotsTakeOneNumber) {
  Histogram histogram;
  histogram.Record(3);
  histogram.Record(3);
  // -3 empty slots, then a count of 2: ZigZag 5 and 4.
  EXPECT_EQ(EncodeCounts(histogram), std::string("\x05\x04"));
}

TEST(HistogramCodecTest, DamagedCountsAreRefusedWithAReason) {
  const std::pair<std::string, const char*> kCases[] = {
      {std::string("\x80", 1), "truncated"},
      {std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9), "empty slots"},  // the most negative number
      {std::string("\xfe\xff\xff\xff\xff\xff\xff\xff\xff", 9), "too large"},    // the most positive one
      {std::string("\xff\x8f\x04\x02", 4), "beyond the last slot"},             // all slots empty, then a count
  };
  for (const auto& [bytes, reason] : kCases) {
    Histogram histogram;
    HistogramFacts facts;
    EXPECT_THAT(DecodeCounts(bytes, &histogram, &facts), FailsWith(reason));
  }
}

TEST(HistogramCodecTest, ADeltaThatContradictsItsSummaryIsRefused) {
  Histogram source;
  source.Record(1'000);
  proto::HistogramDelta delta;
  ToProto(source, 0, &delta);
  Histogram decoded;
  delta.mutable_summary()->set_count(2);
  EXPECT_THAT(DecodeDelta(delta, &decoded), FailsWith("the shard says 2"));
  delta.mutable_summary()->set_count(1);
  delta.mutable_summary()->set_min_ns(-4);
  EXPECT_THAT(DecodeDelta(delta, &decoded), FailsWith("impossible"));
  delta.mutable_summary()->set_min_ns(1'000);
  ASSERT_OK(DecodeDelta(delta, &decoded));
  EXPECT_EQ(decoded, source);
}

TEST(HistogramCodecTest, V2RefusesWhatIsNotV2) {
  Histogram histogram;
  histogram.Record(42);
  const std::string good = EncodeV2(histogram);
  EXPECT_OK(DecodeV2(good));
  EXPECT_THAT(DecodeV2(""), FailsWith("not HdrHistogram V2"));
  EXPECT_THAT(DecodeV2(good.substr(0, good.size() - 3)), FailsWith("truncated"));
  std::string damaged = good;
  damaged[12] = static_cast<char>(damaged[12] ^ 0x55);
  EXPECT_FALSE(DecodeV2(damaged).ok());
}

}  // namespace
}  // namespace tidemark
