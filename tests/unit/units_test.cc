#include "common/units.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(UnitsTest, DurationsCarryTheirUnit) {
  const std::pair<const char*, Nanos> kCases[] = {
      {"500us", 500'000}, {"20ms", 20'000'000}, {"1.5s", 1'500'000'000}, {"2m", 120 * kSecond}, {"1h", 3600 * kSecond},
      {"0", 0},           {"250ns", 250}};
  for (const auto& [text, value] : kCases) EXPECT_EQ(*ParseDuration(text), value) << text;
}

TEST(UnitsTest, BadDurationsSayWhatIsMissing) {
  EXPECT_THAT(ParseDuration("30"), FailsWith("has no unit"));
  EXPECT_THAT(ParseDuration("30sec"), FailsWith("unknown unit"));
  EXPECT_THAT(ParseDuration("s"), FailsWith("not a number"));
  EXPECT_THAT(ParseDuration("-5s"), FailsWith("not a number"));
  EXPECT_THAT(ParseDuration("1e9s"), FailsWith("unknown unit"));
  EXPECT_THAT(ParseDuration("99999999h"), FailsWith("too large"));
  EXPECT_THAT(ParseDuration("0.3ns"), FailsWith("whole"));
}

TEST(UnitsTest, CountsAndBytesTakeSuffixes) {
  EXPECT_EQ(*ParseCount("5k"), 5'000);
  EXPECT_EQ(*ParseCount("1.5M"), 1'500'000);
  EXPECT_EQ(*ParseBytes("10MiB"), 10 << 20);
  EXPECT_EQ(*ParseBytes("1kB"), 1'000);
  EXPECT_THAT(ParseCount("1.5"), FailsWith("whole"));
  EXPECT_THAT(ParseCount("5x"), FailsWith("unknown unit"));
  EXPECT_THAT(ParseCount(""), FailsWith("not a number"));
}

TEST(UnitsTest, WhatIsPrintedReadsBackTheSame) {
  for (const Nanos value : {Nanos{1}, 999 * kMicrosecond, kMillisecond, 1'500 * kMillisecond, 30 * kSecond,
                            120 * kSecond, 3600 * kSecond}) {
    EXPECT_EQ(*ParseDuration(FormatDuration(value)), value) << FormatDuration(value);
  }
}

TEST(UnitsTest, LatenciesKeepThreeDigits) {
  EXPECT_EQ(FormatLatency(87.3), "87us");
  EXPECT_EQ(FormatLatency(1'240), "1.24ms");
  EXPECT_EQ(FormatLatency(12'500), "12.5ms");
  EXPECT_EQ(FormatLatency(2'000'000), "2.00s");
  EXPECT_EQ(FormatCount(1'234'567), "1,234,567");
  EXPECT_EQ(FormatCount(999), "999");
}

}  // namespace
}  // namespace tidemark
