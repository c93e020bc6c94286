#include "agent/measure/stamp_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "common/stats/histogram.h"

namespace tidemark {
namespace {

// Of requests at `gap`, one after the other for `length`: which of them were taken.
std::vector<Nanos> Taken(StampSampler* sampler, Nanos from, Nanos length, Nanos gap) {
  std::vector<Nanos> taken;
  for (Nanos now = from; now < from + length; now += gap) {
    if (now % (10 * kMillisecond) < gap) sampler->OnTick(now);
    if (sampler->Passes() || !sampler->Take(now)) continue;
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
  sampler.Begin(0, false, 1, 0);
  EXPECT_EQ(Taken(&sampler, 0, 10 * kSecond, 2 * kMillisecond).size(), 5'000u);
}

TEST(StampSamplerTest, OfAFastOneAThousandASecond) {
  StampSampler sampler;
  sampler.Begin(0, false, 1, 0);
  EXPECT_LE(Taken(&sampler, 0, kSecond, 10 * kMicrosecond).size(), 1'300u);  // while the rate is not known
  const auto size = static_cast<double>(Taken(&sampler, kSecond, 10 * kSecond, 10 * kMicrosecond).size());
  EXPECT_NEAR(size, 10'000, 600);
}

// 100,000 a second, each answered after `wire` of its own; the kernel stamps what arrives while it is wanted, from a
// millisecond after it was first. Says how long it was wanted for.
struct Windows {
  Nanos wanted = 0;
  std::vector<Nanos> recorded;  // when they were sent
  std::vector<Nanos> wires;
};
Windows Answered(StampSampler* sampler, Nanos length, Nanos (*wire)(std::int64_t)) {
  constexpr Nanos kGap = 10 * kMicrosecond;
  Windows out;
  std::multimap<Nanos, std::pair<Nanos, Nanos>>
      under_way;  // by when the answer comes: sent, and that by the wall clock
  bool is_wanted = true;
  Nanos stamped_from = 0;
  for (Nanos now = 0; now < length; now += kGap) {
    while (!under_way.empty() && under_way.begin()->first <= now) {
      const auto [sent, wall] = under_way.begin()->second;
      const bool is_stamped = is_wanted && now >= stamped_from;
      if (sampler->Settle(wall, is_stamped) && is_stamped) {
        out.recorded.push_back(sent);
        out.wires.push_back(now - sent);
      }
      under_way.erase(under_way.begin());
    }
    if (now % (10 * kMillisecond) < kGap) {
      sampler->OnTick(now);
      if (sampler->WantsReceipts() && !is_wanted) stamped_from = now + kMillisecond;
      is_wanted = sampler->WantsReceipts();
    }
    if (is_wanted) out.wanted += kGap;
    if (sampler->Passes() || !sampler->Take(now)) continue;
    sampler->Send();
    under_way.emplace(now + wire(now / kGap), std::pair(now, WallNow()));
  }
  return out;
}

TEST(StampSamplerTest, AFastPointIsLookedAtInWindows) {
  StampSampler sampler;
  sampler.Begin(0, true, 1, 0);
  const Windows windows = Answered(&sampler, 20 * kSecond, [](std::int64_t) { return 500 * kMicrosecond; });
  EXPECT_LT(windows.wanted, 3 * kSecond);
  EXPECT_NEAR(static_cast<double>(windows.recorded.size()), 17'500, 3'500);  // a little of each window goes by before
  // In every second there are some.
  std::vector<int> each(20);
  for (const Nanos sent : windows.recorded) ++each[static_cast<std::size_t>(sent / kSecond)];
  EXPECT_GE(*std::min_element(each.begin(), each.end()), 500);
}

// An answer that comes long after its window counts as those within: one request in a hundred takes 300 ms.
TEST(StampSamplerTest, WhoIsSlowIsNotLeftOutOfAWindow) {
  StampSampler sampler;
  sampler.Begin(0, true, 1, 0);
  const Windows windows = Answered(&sampler, 20 * kSecond, [](std::int64_t i) {
    return Mix64(static_cast<std::uint64_t>(i)) % 100 == 0 ? 300 * kMillisecond : 500 * kMicrosecond;
  });
  const auto slow =
      std::count_if(windows.wires.begin(), windows.wires.end(), [](Nanos wire) { return wire > 100 * kMillisecond; });
  const auto all = static_cast<double>(windows.wires.size());
  EXPECT_GT(all, 15'000);
  EXPECT_NEAR(static_cast<double>(slow) / all, 0.01, 0.003);
}

// A point that was fast and falls silent, or slow, has all its requests stamped soon.
TEST(StampSamplerTest, AFastPointThatSlowsDownIsLookedAtAllTheTimeAgain) {
  for (const Nanos pause : {Nanos{0}, 2 * kSecond}) {
    StampSampler sampler;
    sampler.Begin(0, true, 1, 0);
    Taken(&sampler, 0, 3 * kSecond, 10 * kMicrosecond);
    for (Nanos now = 3 * kSecond; now < 3 * kSecond + pause; now += 10 * kMillisecond) sampler.OnTick(now);
    const Nanos from = 3 * kSecond + pause;
    Taken(&sampler, from, 500 * kMillisecond, 5 * kMillisecond);
    EXPECT_TRUE(sampler.WantsReceipts());
    EXPECT_EQ(Taken(&sampler, from + 500 * kMillisecond, kSecond, 5 * kMillisecond).size(), 200u);
  }
}

// The same for all workers of a machine, however they began: else the kernel would never rest.
TEST(StampSamplerTest, WorkersOpenTheirWindowsTogether) {
  StampSampler one;
  StampSampler two;
  one.Begin(0, true, 1, 0);
  two.Begin(0, true, 99, 0);
  Taken(&one, 0, 3 * kSecond, 10 * kMicrosecond);
  Taken(&two, 0, 3 * kSecond, 40 * kMicrosecond);
  int both = 0;
  int either = 0;
  for (Nanos now = 3 * kSecond; now < 6 * kSecond; now += 10 * kMillisecond) {
    Taken(&one, now, 10 * kMillisecond, 10 * kMicrosecond);
    Taken(&two, now, 10 * kMillisecond, 40 * kMicrosecond);
    both += one.WantsReceipts() && two.WantsReceipts() ? 1 : 0;
    either += one.WantsReceipts() || two.WantsReceipts() ? 1 : 0;
  }
  EXPECT_GT(both, 20);
  EXPECT_EQ(both, either);
}

TEST(StampSamplerTest, OneOfSoManyOnAverage) {
  StampSampler sampler;
  sampler.Begin(8, true, 3, 0);
  EXPECT_NEAR(static_cast<double>(Taken(&sampler, 0, 80 * kSecond, kMillisecond).size()), 10'000, 300);
}

// A worker that has a core for 5 ms of 100: the requests of a burst have the same chance, first or last.
TEST(StampSamplerTest, ThePlaceInABurstDoesNotMatter) {
  StampSampler sampler;
  sampler.Begin(0, true, 5, 0);
  constexpr int kPlaces = 400;
  std::vector<int> taken(kPlaces);
  for (int burst = 0; burst < 2'000; ++burst) {
    for (int place = 0; place < kPlaces; ++place) {
      if (sampler.Passes()) continue;
      const Nanos now = burst * 100 * kMillisecond + place * 12 * kMicrosecond;
      ASSERT_TRUE(sampler.Take(now));
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
