#include "agent/wire/json_pointers.h"

#include <gtest/gtest.h>

#include "common/plan/durations.h"

namespace tidemark {
namespace {

TEST(JsonPointersTest, ScalarsAreTextAndNothingElseIs) {
  JsonPointers json;
  json.Read(R"({"a":"x","b":12.50 ,"c":true,"d":false,"e":null,"f":[7,{"g":"h"}],"i":{}})");
  const auto get = [&json](const char* pointer) {
    absl::string_view value;
    return json.Get(pointer, &value) ? std::string(value) : "-";
  };
  EXPECT_EQ(get("/a"), "x");
  EXPECT_EQ(get("/b"), "12.50");
  EXPECT_EQ(get("/c"), "true");
  EXPECT_EQ(get("/d"), "false");
  EXPECT_EQ(get("/e"), "null");
  EXPECT_EQ(get("/f/0"), "7");
  EXPECT_EQ(get("/f/1/g"), "h");
  for (const char* pointer : {"/f", "/i", "/none", "/f/2", "/a/b"}) EXPECT_EQ(get(pointer), "-") << pointer;
  json.Read("no JSON");
  EXPECT_EQ(get("/a"), "-");
}

// What is broken further on is found when a value behind it is asked for; then nothing can be read any more.
TEST(JsonPointersTest, BrokenMessagesMayBeAskedAgain) {
  JsonPointers json;
  absl::string_view value;
  std::vector<std::pair<absl::string_view, absl::string_view>> pairs;
  for (const char* message : {R"({"a":1,"b":[[1,2],[3,4]q"c,":5}]})", R"({"a":1,"b"})", R"({"a":1,"b":[[1,2]})",
                              R"({"a":1 "b":2})", R"({"a":1,"b":{"c":nul}})", R"({"a":1,"b":"\uD800"})"}) {
    json.Read(message);
    for (int i = 0; i < 3; ++i) {
      json.GetPairs("/b", &pairs);
      json.Get("/b", &value);
      json.Get("/b/c", &value);
      json.Get("/z", &value);
      json.GetPairs("/z", &pairs);
      json.GetInstant("/b", kSecond);
    }
  }
  json.Read(R"({"a":7})");
  EXPECT_TRUE(json.Get("/a", &value));
  EXPECT_EQ(value, "7");
}

TEST(JsonPointersTest, ItemsOfAnArrayAreTextThatCanBeReadInTurn) {
  JsonPointers json;
  json.Read(R"({"data":[ {"a":[1,{"b":2}]} , "x", 12.50 ,null,[]],"o":{},"e":[]})");
  ASSERT_TRUE(json.ReadItems("/data"));
  ASSERT_EQ(json.items().size(), 5u);
  absl::string_view value;
  JsonPointers& inner = json.Inner(1);
  inner.Read(json.items()[0]);
  EXPECT_TRUE(json.Get("/data/1", &value));  // which leaves the items as they are
  ASSERT_TRUE(inner.ReadItems("/a"));
  json.Inner(2).Read(inner.items()[1]);
  EXPECT_TRUE(json.Inner(2).Get("/b", &value));
  EXPECT_EQ(value, "2");
  inner.Read(json.items()[2]);
  EXPECT_FALSE(inner.Get("/a", &value));
  EXPECT_FALSE(json.ReadItems("/o"));
  EXPECT_FALSE(json.ReadItems("/none"));
  EXPECT_TRUE(json.ReadItems("/e"));
  EXPECT_TRUE(json.items().empty());
  json.Read(R"([1,2])");
  EXPECT_TRUE(json.ReadItems(""));
  EXPECT_EQ(json.items().size(), 2u);
  for (const char* broken : {R"([1,2)", R"([{"a":1},{"b")", "{}", "7", "", "nonsense"}) {
    json.Read(broken);
    EXPECT_FALSE(json.ReadItems("")) << broken;
  }
}

struct InstantCase {
  const char* json;
  Nanos unit;
  Nanos at;  // -1: none
  Nanos step;
};

TEST(JsonPointersTest, InstantsAreExactAndKnowTheirLastDigit) {
  constexpr InstantCase kCases[] = {
      {"1700000000123", kMillisecond, 1'700'000'000'123'000'000, kMillisecond},
      {"\"1700000000123\"", kMillisecond, 1'700'000'000'123'000'000, kMillisecond},
      {"1700000000", kSecond, 1'700'000'000'000'000'000, kSecond},
      {"1420674445.201", kSecond, 1'420'674'445'201'000'000, kMillisecond},
      {"\"1420674445.2010009991\"", kSecond, 1'420'674'445'201'000'999, 1},
      {"1688639403423213947", 1, 1'688'639'403'423'213'947, 1},
      {"0.5", 1, 0, 1},
      {"\"2023-10-06T17:35:55.440295Z\"", kRfc3339, 1'696'613'755'440'295'000, kMicrosecond},
      {"\"2023-10-06T19:35:55+02:00\"", kRfc3339, 1'696'613'755'000'000'000, kSecond},
      {"\"2023-10-06\"", kRfc3339, -1, 0},
      {"\"9999-10-06T17:35:55Z\"", kRfc3339, -1, 0},
      {"\"1800-10-06T17:35:55Z\"", kRfc3339, -1, 0},
      {"\"infinite-future\"", kRfc3339, -1, 0},
      {"1700000000123", kRfc3339, -1, 0},
      {"1e300", kMillisecond, -1, 0},
      {"9223372036855", kMillisecond, -1, 0},
      {"-1", kMillisecond, -1, 0},
      {"\"1.5.2\"", kSecond, -1, 0},
      {"\"soon\"", kMillisecond, -1, 0},
      {"\"\"", kMillisecond, -1, 0},
      {"null", kMillisecond, -1, 0},
      {"{}", kMillisecond, -1, 0},
  };
  JsonPointers json;
  for (const InstantCase& test : kCases) {
    json.Read(std::string("{\"t\":") + test.json + "}");
    const auto instant = json.GetInstant("/t", test.unit);
    ASSERT_EQ(instant.has_value(), test.at >= 0) << test.json;
    if (!instant) continue;
    EXPECT_EQ(instant->at, test.at) << test.json;
    EXPECT_EQ(instant->step, test.step) << test.json;
  }
  EXPECT_FALSE(json.GetInstant("/none", kMillisecond).has_value());
}

}  // namespace
}  // namespace tidemark
