#include "agent/host/periodic.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace tidemark {
namespace {

TEST(PeriodicTest, EachCallBeginsSoLongAfterTheEndOfTheLast) {
  constexpr Nanos kEvery = 20 * kMillisecond;
  std::vector<Nanos> begins;
  std::vector<Nanos> ends;
  std::atomic<int> calls = 0;
  const Nanos made = MonotonicNow();
  {
    const Periodic periodic(kEvery, [&] {
      begins.push_back(MonotonicNow());
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      ends.push_back(MonotonicNow());
      ++calls;
      calls.notify_all();
    });
    for (int seen = calls; seen < 3; seen = calls) calls.wait(seen);
  }
  EXPECT_GE(begins[0] - made, kEvery);
  for (std::size_t i = 1; i < begins.size(); ++i) EXPECT_GE(begins[i] - ends[i - 1], kEvery) << i;
}

TEST(PeriodicTest, ItsEndWaitsForACallAndForNoOther) {
  std::atomic<int> begun = 0;
  std::atomic<int> ended = 0;
  auto periodic = std::make_unique<Periodic>(kMillisecond, [&] {
    ++begun;
    begun.notify_all();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ++ended;
  });
  begun.wait(0);
  periodic.reset();
  EXPECT_EQ(ended, begun);
  // One that is due in an hour does not keep its owner waiting: the test would time out.
  Periodic(3'600 * kSecond, [&] { ++begun; });
  EXPECT_EQ(ended, begun);
}

}  // namespace
}  // namespace tidemark
