#include "agent/measure/stamp_sampler.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidemark {
namespace {

// Of requests at `gap`, one after the other for `length`: which of them were taken.
std::vector<Nanos> Taken(StampSampler* sampler, Nanos from, Nanos length, Nanos gap) {
  std::vector<Nanos> taken;
  for (Nanos now = from; now < from + length; now += gap) {
    if (sampler->Passes()) continue;
    sampler->Take(now);
    taken.push_back(now);
  }
  return taken;
}

TEST(StampSamplerTest, NoneUnlessItWasBegun) {
  StampSampler sampler;
  EXPECT_FALSE(sampler.IsOn());
  EXPECT_TRUE(Taken(&sampler, 0, kSecond, kMillisecond).empty());
}

TEST(StampSamplerTest, OfASlowPointAll) {
  StampSampler sampler;
  sampler.Begin(0, 1, 0);
  EXPECT_EQ(Taken(&sampler, 0, 10 * kSecond, 2 * kMillisecond).size(), 5'000u);
}

TEST(StampSamplerTest, OfAFastOneAThousandASecond) {
  StampSampler sampler;
  sampler.Begin(0, 1, 0);
  EXPECT_LE(Taken(&sampler, 0, kSecond, 10 * kMicrosecond).size(), 1'300u);  // while the rate is not known
  const auto size = static_cast<double>(Taken(&sampler, kSecond, 10 * kSecond, 10 * kMicrosecond).size());
  EXPECT_NEAR(size, 10'000, 600);
}

TEST(StampSamplerTest, OneOfSoManyOnAverage) {
  StampSampler sampler;
  sampler.Begin(8, 3, 0);
  EXPECT_NEAR(static_cast<double>(Taken(&sampler, 0, 80 * kSecond, kMillisecond).size()), 10'000, 300);
}

// A worker that has a core for 5 ms of 100: the requests of a burst have the same chance, first or last.
TEST(StampSamplerTest, ThePlaceInABurstDoesNotMatter) {
  StampSampler sampler;
  sampler.Begin(0, 5, 0);
  constexpr int kPlaces = 400;
  std::vector<int> taken(kPlaces);
  for (int burst = 0; burst < 2'000; ++burst) {
    for (int place = 0; place < kPlaces; ++place) {
      if (sampler.Passes()) continue;
      const Nanos now = burst * 100 * kMillisecond + place * 12 * kMicrosecond;
      sampler.Take(now);
      if (burst >= 10) ++taken[static_cast<std::size_t>(place)];
    }
  }
  double first = 0;
  double last = 0;
  for (int place = 0; place < kPlaces / 2; ++place) {
    first += taken[static_cast<std::size_t>(place)];
    last += taken[static_cast<std::size_t>(place + kPlaces / 2)];
  }
  EXPECT_GT(first, 50'000);
  EXPECT_NEAR(first / last, 1, 0.02);
}

}  // namespace
}  // namespace tidemark
