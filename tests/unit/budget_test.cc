// A ceiling's budget: no window holds more than it allows, whoever takes, however, and for how many runs.
#include "agent/pace/budget.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

#include "tests/support/random.h"
#include "tests/support/windows.h"

namespace tidemark {
namespace {

TEST(BudgetTest, NoWindowHoldsMoreThanTheRateAndTheBurst) {
  TIDEMARK_SEEDED(rng);
  for (int plan = 0; plan < 200; ++plan) {
    const double rate = std::exp(std::uniform_real_distribution<double>(std::log(0.5), std::log(200'000))(rng));
    const int workers = std::uniform_int_distribution<int>(1, 8)(rng);
    SCOPED_TRACE(testing::Message() << rate << "/s, " << workers << " workers");
    const auto budget = std::make_shared<Budget>(rate);
    std::vector<Gate> gates(static_cast<std::size_t>(workers));
    for (Gate& gate : gates) gate.Use(budget, workers);
    std::vector<Nanos> taken;
    Nanos now = 5 * kSecond;
    while (taken.size() < 2'000) {
      // Idle for a while, as many times as it takes for one, or at once; then a run begins anew, now and then.
      const double mean = std::uniform_int_distribution<int>(0, 9)(rng) == 0 ? 1e9 : 1e9 / rate;
      now += static_cast<Nanos>(std::exponential_distribution<double>(1)(rng) * mean);
      Gate& gate = gates[rng() % gates.size()];
      if (rng() % 100 == 0) {
        gate = Gate();
        gate.Use(budget, workers);
      }
      for (std::uint64_t wanted = rng() % 50; wanted > 0 && gate.Take(now); --wanted) taken.push_back(now);
    }
    // A request that a worker has taken leave for, and not sent yet, is what is in its hands.
    EXPECT_LE(MostBeyond(taken, rate), Budget::Burst(rate) + 1e-3);
  }
}

TEST(BudgetTest, WhoAlwaysWantsGetsTheRate) {
  for (const double rate : {0.5, 7.0, 100.0, 3'000.0, 250'000.0}) {
    Budget budget(rate);
    const Nanos start = kSecond;
    const Nanos end = start + static_cast<Nanos>(1e9 * std::max(2.0, 30 / rate));
    std::int64_t taken = 0;
    for (Nanos now = start; now <= end; now = std::max(now + 1, budget.ReadyAt())) taken += budget.Take(1, now);
    const double expected = rate * static_cast<double>(end - start) / 1e9;
    EXPECT_GE(static_cast<double>(taken), expected * 0.995) << rate;
    EXPECT_LE(static_cast<double>(taken), expected + Budget::Burst(rate) + 1) << rate;
  }
}

TEST(BudgetTest, ThreadsShareIt) {
  Budget budget(1'000'000);
  std::atomic<std::int64_t> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (Nanos now = 0; now < 10 * kMillisecond; now += 100) taken += budget.Take(1 + now % 7, now);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(taken, 10'000 + 100'000);  // 10 ms of the rate, and what may have been put by
  EXPECT_GT(taken, 10'000);
}

TEST(BudgetTest, AnEqualFigureIsTheSameBudgetAndNoFigureNone) {
  Budgets budgets;
  EXPECT_EQ(budgets.Of(Budgets::Kind::kSends, 10), budgets.Of(Budgets::Kind::kSends, 10));
  EXPECT_NE(budgets.Of(Budgets::Kind::kSends, 10), budgets.Of(Budgets::Kind::kSends, 11));
  EXPECT_NE(budgets.Of(Budgets::Kind::kSends, 10), budgets.Of(Budgets::Kind::kConnects, 10));
  EXPECT_EQ(budgets.Of(Budgets::Kind::kSends, 0), nullptr);
}

// Connections that have waited for their turn may be closed when it comes. Leave that they do not use is kept by no
// worker beside what the budget holds: of small rates each worker's one would be more than the burst.
TEST(BudgetTest, WhoWantsNoMoreLeavesItToTheOthers) {
  for (const double rate : {9.0, 14.0, 16.0, 40.0, 300.0}) {
    constexpr int kWorkers = 3;
    const auto budget = std::make_shared<Budget>(rate);
    std::vector<Gate> gates(kWorkers);
    std::vector<Nanos> taken;
    Nanos now = 5 * kSecond;
    for (Gate& gate : gates) {
      gate.Use(budget, kWorkers);
      gate.Empty(1);
    }
    while (budget->Take(1, now) == 1) taken.push_back(now);
    for (Gate& gate : gates) {
      gate.Wait(reinterpret_cast<Lifecycle*>(16));
      now = std::max(now, budget->ReadyAt());
      gate.Serve(now, [](Lifecycle*) {});
    }
    now += kSecond;
    for (Gate& gate : gates) {
      while (gate.Take(now)) taken.push_back(now);
    }
    EXPECT_LE(MostBeyond(taken, rate), Budget::Burst(rate) + 1e-3) << rate;
  }
}

TEST(BudgetTest, AGateServesInTurn) {
  Gate gate;
  gate.Use(std::make_shared<Budget>(10), 1);
  gate.Empty(3);
  // Only told apart here.
  Lifecycle* const first = reinterpret_cast<Lifecycle*>(16);
  Lifecycle* const second = reinterpret_cast<Lifecycle*>(32);
  Nanos now = kSecond;
  EXPECT_TRUE(gate.Take(now));
  EXPECT_FALSE(gate.Take(now));
  gate.Wait(first);
  gate.Wait(second);
  now = gate.ReadyAt();
  EXPECT_EQ(now, kSecond + 100 * kMillisecond);
  EXPECT_FALSE(gate.Take(now)) << "others wait";
  std::vector<Lifecycle*> served;
  const auto go_on = [&](Lifecycle* connection) {
    served.push_back(connection);
    EXPECT_TRUE(gate.Take(now));
  };
  gate.Serve(now, go_on);
  EXPECT_EQ(served, std::vector<Lifecycle*>{first});
  now = gate.ReadyAt();
  gate.Serve(now, go_on);
  EXPECT_EQ(served, (std::vector<Lifecycle*>{first, second}));
  EXPECT_FALSE(gate.IsWaitedFor());
}

}  // namespace
}  // namespace tidemark
