// A19: the search for the highest rate, in virtual time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "coordinator/analysis/search.h"
#include "tests/support/random.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

// An M/M/1 queue with service times of 1 ms on average, asked `rate` times a second, by Lindley's recursion.
Evidence AskQueue(std::mt19937_64& rng, std::int64_t rate, Nanos duration) {
  const double gap_ns = 1e9 / static_cast<double>(rate);
  std::exponential_distribution<double> service(1 / 1e6);
  std::exponential_distribution<double> gap(1 / gap_ns);
  Evidence evidence{.seconds = std::vector<Histogram>(static_cast<std::size_t>(duration / kSecond)),
                    .duration = duration};
  double arrival = -5e9;  // five seconds to fill the queue
  double free_at = arrival;
  while ((arrival += gap(rng)) < static_cast<double>(duration)) {
    free_at = std::max(arrival, free_at) + service(rng);
    if (arrival < 0) continue;
    evidence.seconds[static_cast<std::size_t>(arrival / 1e9)].Record(static_cast<Nanos>(free_at - arrival));
    ++evidence.planned;
    ++evidence.responses;
  }
  return evidence;
}

// p99 <= 20 ms holds up to 1000 - ln(100) / 0.020 = 769.7 a second.
TEST(SearchProperty, TheRateAtWhichAQueueMeetsItsP99IsFound) {
  TIDEMARK_SEEDED(rng);
  const auto expectation = ParseExpectation("p99<20ms");
  ASSERT_OK(expectation);
  int right = 0;
  const int rounds = std::getenv("TIDEMARK_FULL") != nullptr ? 20 : 4;
  for (int i = 0; i < rounds; ++i) {
    const SearchResult result = FindHighest(
        {.from = 100, .trial = 300 * kSecond}, {*expectation},
        [&rng](std::int64_t rate, Nanos duration) { return AskQueue(rng, rate, duration); }, [](const Trial&) {});
    EXPECT_TRUE(result.is_complete && result.is_confirmed);
    right += result.met >= 746 && result.missed <= 793 ? 1 : 0;
  }
  EXPECT_GE(right, rounds - 1);
}

}  // namespace
}  // namespace tidemark
