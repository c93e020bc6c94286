// Seeded randomness for property tests; the seed is printed with every failure.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <vector>

#include "common/stats/histogram.h"

namespace tidemark {

// TIDEMARK_SEED in the environment, or a new seed.
inline std::uint64_t TestSeed() {
  const char* text = std::getenv("TIDEMARK_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device()();
}

#define TIDEMARK_SEEDED(rng)                                          \
  const std::uint64_t rng##_seed = TestSeed();                        \
  SCOPED_TRACE(testing::Message() << "TIDEMARK_SEED=" << rng##_seed); \
  std::mt19937_64 rng(rng##_seed)

// A latency of any magnitude: log-uniform over the histogram's range, now and then beyond it.
inline Nanos AnyLatency(std::mt19937_64& rng) {
  const double exponent = std::uniform_real_distribution<double>(0, 12.7)(rng);
  return static_cast<Nanos>(std::pow(10.0, exponent));
}

inline Histogram AnyHistogram(std::mt19937_64& rng, int count) {
  Histogram histogram;
  for (int i = 0; i < count; ++i) histogram.Record(AnyLatency(rng));
  return histogram;
}

}  // namespace tidemark
