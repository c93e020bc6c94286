#include "common/stats/histogram_codec.h"

#include <gtest/gtest.h>
#include <zlib.h>

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

void AppendBigEndian(std::uint64_t value, int bytes, std::string* out) {
  for (int i = bytes; i-- > 0;) out->push_back(static_cast<char>(value >> (8 * i)));
}

// The older versions keep each count in 2, 4 or 8 bytes.
TEST(HistogramCodecTest, OlderVersionsAreRead) {
  Histogram expected;
  for (const Nanos value : {3, 3, 100, 1'900}) expected.Record(value);
  for (const int version : {0, 1}) {
    for (const int word : {2, 4, 8}) {
      std::string counts;
      for (std::uint32_t slot = 0; slot <= 1'900; ++slot)
        AppendBigEndian(slot == 3 ? 2 : slot == 100 || slot == 1'900 ? 1 : 0, word, &counts);
      std::string inner;
      AppendBigEndian((version == 0 ? 0x1c849308U : 0x1c849301U) | static_cast<unsigned>(word) << 4, 4, &inner);
      if (version == 1) {
        AppendBigEndian(counts.size(), 4, &inner);
        AppendBigEndian(0, 4, &inner);
      }
      AppendBigEndian(3, 4, &inner);  // digits
      AppendBigEndian(1, 8, &inner);  // lowest
      AppendBigEndian(3'600'000'000'000, 8, &inner);
      AppendBigEndian(version == 0 ? 4 : 0x3ff0000000000000, 8, &inner);  // the total count, or a ratio of 1.0
      inner += counts;
      uLongf size = compressBound(inner.size());
      std::string compressed(size, '\0');
      ASSERT_EQ(compress(reinterpret_cast<Bytef*>(compressed.data()), &size,
                         reinterpret_cast<const Bytef*>(inner.data()), inner.size()),
                Z_OK);
      std::string bytes;
      AppendBigEndian((version == 0 ? 0x1c849309U : 0x1c849302U) | static_cast<unsigned>(word) << 4, 4, &bytes);
      AppendBigEndian(size, 4, &bytes);
      bytes.append(compressed, 0, size);
      const auto decoded = DecodeHdr(bytes);
      ASSERT_OK(decoded) << version << word;
      EXPECT_EQ(decoded->count(), expected.count());
      for (const std::uint64_t percent : {1U, 50U, 75U, 100U})
        EXPECT_EQ(decoded->Quantile(percent, 100), expected.Quantile(percent, 100)) << version << word;
    }
  }
}

TEST(HistogramCodecTest, V2RefusesWhatIsNotV2) {
  Histogram histogram;
  histogram.Record(42);
  const std::string good = EncodeV2(histogram);
  EXPECT_OK(DecodeHdr(good));
  EXPECT_THAT(DecodeHdr(""), FailsWith("not HdrHistogram V0, V1 or V2"));
  EXPECT_THAT(DecodeHdr(good.substr(0, good.size() - 3)), FailsWith("truncated"));
  std::string damaged = good;
  damaged[12] = static_cast<char>(damaged[12] ^ 0x55);
  EXPECT_FALSE(DecodeHdr(damaged).ok());
}

}  // namespace
}  // namespace tidemark
