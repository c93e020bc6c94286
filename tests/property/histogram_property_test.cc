#include <gtest/gtest.h>

#include <algorithm>

#include "common/stats/histogram.h"
#include "common/stats/histogram_codec.h"
#include "coordinator/merge/sparse_histogram.h"
#include "tests/support/random.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(HistogramProperty, ASparseOneHoldsWhatADenseOneHolds) {
  TIDEMARK_SEEDED(rng);
  for (int run = 0; run < 50; ++run) {
    Histogram sum;
    SparseHistogram sparse;
    std::vector<std::uint64_t> scratch;
    for (int i = 0; i < 20; ++i) {
      Histogram part;
      for (std::uint64_t n = rng() % 300; n > 0; --n) part.Record(AnyLatency(rng));
      part.Record(-1);
      sum.Add(part);
      sparse.Add(part, &scratch);
      ASSERT_TRUE(sparse.ToHistogram() == sum);
    }
  }
}

TEST(HistogramProperty, QuantilesMatchASortedOracleWithinTheSlotWidth) {
  TIDEMARK_SEEDED(rng);
  for (int round = 0; round < 50; ++round) {
    Histogram histogram;
    std::vector<Nanos> oracle;
    const int count = 1 + static_cast<int>(rng() % 3'000);
    for (int i = 0; i < count; ++i) {
      const Nanos value = std::min(AnyLatency(rng), HistogramLayout::kHighest);
      histogram.Record(value);
      oracle.push_back(value);
    }
    std::sort(oracle.begin(), oracle.end());
    for (const auto& [numerator, denominator] : {std::pair<std::uint64_t, std::uint64_t>{0, 1},
                                                 {1, 2},
                                                 {9, 10},
                                                 {99, 100},
                                                 {999, 1000},
                                                 {9999, 10000},
                                                 {1, 1}}) {
      const std::uint64_t rank =
          std::max<std::uint64_t>(1, (static_cast<std::uint64_t>(count) * numerator + denominator - 1) / denominator);
      const Nanos truth = oracle[rank - 1];
      const Nanos value = histogram.Quantile(numerator, denominator);
      ASSERT_GE(value, truth);
      ASSERT_LE(static_cast<double>(value - truth), 0.000977 * static_cast<double>(truth));
    }
  }
}

TEST(HistogramProperty, AddingInAnyOrderAndGroupingGivesTheSameBits) {
  TIDEMARK_SEEDED(rng);
  for (int round = 0; round < 10; ++round) {
    std::vector<Histogram> parts;
    for (int i = 0; i < 12; ++i) parts.push_back(AnyHistogram(rng, 500));
    Histogram forward;
    for (const Histogram& part : parts) forward.Add(part);
    std::shuffle(parts.begin(), parts.end(), rng);
    Histogram left;
    Histogram right;
    for (std::size_t i = 0; i < parts.size(); ++i) (i % 3 == 0 ? left : right).Add(parts[i]);
    left.Add(right);
    ASSERT_EQ(left, forward);
    HistogramFacts facts;
    for (const Histogram& part : parts) facts.Add(part.Facts());
    ASSERT_EQ(facts, forward.Facts());  // what the coordinator checks instead of the counts
    ASSERT_EQ(EncodeV2(left), EncodeV2(forward));
  }
}

TEST(HistogramProperty, DecodingAnEncodedHistogramGivesItBack) {
  TIDEMARK_SEEDED(rng);
  for (int round = 0; round < 50; ++round) {
    const Histogram histogram = AnyHistogram(rng, static_cast<int>(rng() % 2'000));
    Histogram decoded;
    HistogramFacts facts;
    ASSERT_OK(DecodeCounts(EncodeCounts(histogram), &decoded, &facts));
    ASSERT_EQ(facts.count, histogram.count());
    ASSERT_EQ(facts.hash, histogram.Facts().hash);
    proto::HistogramDelta delta;
    ToProto(histogram, 0, &delta);
    Histogram checked;
    checked.Record(1);  // what was there before is gone
    ASSERT_OK(DecodeDelta(delta, &checked));
    ASSERT_EQ(checked, histogram);
    const auto v2 = DecodeHdr(EncodeV2(histogram));
    ASSERT_OK(v2);
    for (std::uint32_t slot = 0; slot < HistogramLayout::kSlotCount; ++slot)
      ASSERT_EQ(v2->CountAt(slot), histogram.CountAt(slot));
  }
}

TEST(HistogramProperty, TheSlotOfTheHighestValueSurvivesV2) {
  Histogram histogram;
  histogram.Record(HistogramLayout::kHighest);
  histogram.Record(HistogramLayout::kHighest + 1);  // clamped into the last slot
  const auto v2 = DecodeHdr(EncodeV2(histogram));
  ASSERT_OK(v2);
  EXPECT_EQ(v2->CountAt(HistogramLayout::SlotOf(static_cast<std::uint64_t>(HistogramLayout::kHighest))), 1u);
  EXPECT_EQ(v2->CountAt(HistogramLayout::kSlotCount - 1), 1u);
  EXPECT_EQ(v2->overflow(), 1u);
}

TEST(HistogramProperty, LargeCountsSurviveTheCodec) {
  TIDEMARK_SEEDED(rng);
  for (int bits = 1; bits < 62; ++bits) {
    Histogram histogram;
    histogram.AddSlot(static_cast<std::uint32_t>(rng() % HistogramLayout::kSlotCount), std::uint64_t{1} << bits);
    Histogram decoded;
    HistogramFacts facts;
    ASSERT_OK(DecodeCounts(EncodeCounts(histogram), &decoded, &facts));
    ASSERT_EQ(facts.hash, histogram.Facts().hash);
  }
}

}  // namespace
}  // namespace tidemark
