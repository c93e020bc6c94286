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

TEST(UnitsTest, RatesAreOfASecondAMinuteOrAnHour) {
  struct Case {
    const char* text;
    double per_s;
    const char* written;
    const char* in_a_sentence;
  };
  const Case kCases[] = {{"5k", 5'000, "5000", "5,000/s"},
                         {"1.5M", 1'500'000, "1500000", "1,500,000/s"},
                         {"5k/s", 5'000, "5000", "5,000/s"},
                         {"0.5", 0.5, "0.5", "0.5/s"},
                         {"30/m", 0.5, "0.5", "0.5/s"},
                         {"1.2k/m", 20, "20", "20/s"},
                         {"1234.5", 1'234.5, "1234.5", "1,234.5/s"},
                         {"10/m", 10.0 / 60, "10/m", "10/m"},
                         {"10/h", 10.0 / 3600, "10/h", "10/h"},
                         {"0.0001", 0.0001, "0.006/m", "0.006/m"},
                         {"99999.999", 99'999.999, "99999.999", "99,999.999/s"},
                         {"0.333", 0.333, "0.333", "0.333/s"},
                         {"0", 0, "0", "0/s"}};
  for (const Case& c : kCases) {
    const auto rate = ParseRate(c.text);
    ASSERT_OK(rate.status()) << c.text;
    EXPECT_DOUBLE_EQ(*rate, c.per_s) << c.text;
    EXPECT_EQ(WriteRate(*rate), c.written);
    EXPECT_EQ(FormatRate(*rate), c.in_a_sentence);
    EXPECT_EQ(*ParseRate(WriteRate(*rate)), *rate) << c.text;
  }
  EXPECT_THAT(ParseRate("ten"), FailsWith("'ten' is not a number; write a rate as 500, 5k, 0.5, 30/m or 10/h"));
  EXPECT_THAT(ParseRate(""), FailsWith("is not a number"));
  EXPECT_THAT(ParseRate("-1"), FailsWith("is not a number"));
  EXPECT_THAT(ParseRate("30/min"), FailsWith("has an unknown unit"));
  EXPECT_THAT(ParseRate("1s"), FailsWith("has an unknown unit"));
  EXPECT_THAT(ParseRate("9999999G"), FailsWith("is too large"));
  EXPECT_THAT(ParseRate("0.3333333"), FailsWith("is no whole number of thousandths per hour"));
}

TEST(UnitsTest, MeasuredRatesKeepWhatTheyHaveToSay) {
  EXPECT_EQ(FormatMeasuredRate(0.5), "0.5");
  EXPECT_EQ(FormatMeasuredRate(1.2345), "1.23");
  EXPECT_EQ(FormatMeasuredRate(9.999), "10");
  EXPECT_EQ(FormatMeasuredRate(97.4), "97");
  EXPECT_EQ(FormatMeasuredRate(148'812.2), "148812");
  EXPECT_EQ(FormatMeasuredRate(0), "0");
}

TEST(UnitsTest, LatenciesKeepThreeDigits) {
  EXPECT_EQ(FormatLatency(87.3), "87us");
  EXPECT_EQ(FormatLatency(1'240), "1.24ms");
  EXPECT_EQ(FormatLatency(12'500), "12.5ms");
  EXPECT_EQ(FormatLatency(2'000'000), "2.00s");
  // What is rounded up to the next unit or digit is written as that.
  EXPECT_EQ(FormatLatency(9.96), "10us");
  EXPECT_EQ(FormatLatency(9'996), "10.0ms");
  EXPECT_EQ(FormatLatency(99'960), "100ms");
  EXPECT_EQ(FormatLatency(999'600), "1.00s");
  // A half goes up, where it is one in binary too.
  EXPECT_EQ(Rounded(0.125, 2), "0.13");
  EXPECT_EQ(Rounded(2.5, 0), "3");
  EXPECT_EQ(Rounded(1.005, 2), "1.00");
  EXPECT_EQ(ThreeDigits(1'234.4), "1234");
  EXPECT_EQ(FormatCount(1'234'567), "1,234,567");
  EXPECT_EQ(FormatCount(999), "999");
}

}  // namespace
}  // namespace tidemark
