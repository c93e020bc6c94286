#include "agent/compose/request_source.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tidemark {
namespace {

std::string Bytes(const proto::Request& request, const char* url = "http://h:8080/a?b=c") {
  return *SerializeRequest(request, *ParseTarget(url)).bytes;
}

TEST(RequestSourceTest, ADefaultRequestIsWhatAServerExpects) {
  proto::Request request;
  request.set_method("GET");
  EXPECT_EQ(Bytes(request), "GET /a?b=c HTTP/1.1\r\nHost: h:8080\r\nUser-Agent: tidemark/" TIDEMARK_VERSION "\r\n\r\n");
}

TEST(RequestSourceTest, HeadersReplaceDefaultsAndMayRepeat) {
  proto::Request request;
  request.set_method("GET");
  request.set_path("/other");
  for (const char* header : {"user-agent: mine", "X-A: 1", "X-A: 2", "Host: other.test"}) request.add_headers(header);
  const std::string bytes = Bytes(request);
  EXPECT_EQ(bytes.find("GET /other HTTP/1.1\r\n"), 0u);
  EXPECT_NE(bytes.find("user-agent: mine\r\n"), std::string::npos);
  EXPECT_EQ(bytes.find("tidemark/"), std::string::npos);
  EXPECT_NE(bytes.find("X-A: 1\r\n"), std::string::npos);
  EXPECT_NE(bytes.find("X-A: 2\r\n"), std::string::npos);
  EXPECT_NE(bytes.find("Host: other.test\r\n"), std::string::npos);
  EXPECT_EQ(bytes.find("h:8080"), std::string::npos);
}

TEST(RequestSourceTest, BodiesHaveALength) {
  proto::Request request;
  request.set_method("POST");
  EXPECT_NE(Bytes(request).find("Content-Length: 0\r\n"), std::string::npos);
  request.set_method("GET");
  EXPECT_EQ(Bytes(request).find("Content-Length"), std::string::npos);
  request.set_body("");  // given, as --data '' does
  EXPECT_NE(Bytes(request).find("Content-Length: 0\r\n"), std::string::npos);
  request.set_body("hello");
  const std::string bytes = Bytes(request);
  EXPECT_NE(bytes.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_EQ(bytes.substr(bytes.size() - 9), "\r\n\r\nhello");
}

TEST(RequestSourceTest, HeadIsMarked) {
  proto::Request request;
  request.set_method("HEAD");
  EXPECT_TRUE(SerializeRequest(request, *ParseTarget("http://h/")).is_head);
}

TEST(RequestSourceTest, TheSlotsNumberIsStamped) {
  proto::Request request;
  request.set_method("POST");
  request.set_path("/o?id={slot}");
  request.add_headers("X-Seq: {slot}");
  request.set_body("a={slot}&b={slot}");
  RequestBytes made = SerializeRequest(request, *ParseTarget("http://h/"));
  made.Of({.slot = 7});
  const std::string first = made.Of({.slot = 7});
  EXPECT_EQ(first.find("{slot}"), std::string::npos);
  EXPECT_NE(first.find("POST /o?id=000000000007 HTTP/1.1\r\n"), std::string::npos) << first;
  EXPECT_NE(first.find("X-Seq: 000000000007\r\n"), std::string::npos) << first;
  EXPECT_NE(first.find("Content-Length: 29\r\n"), std::string::npos) << first;
  EXPECT_EQ(first.substr(first.size() - 29), "a=000000000007&b=000000000007");
  made.Of({.slot = 1'234'567'890'123});  // the last twelve digits
  EXPECT_NE(made.stamped.find("X-Seq: 234567890123\r\n"), std::string::npos) << made.stamped;
  EXPECT_EQ(made.stamped.size(), first.size());
}

// 2024-02-29T12:34:56.789012345Z
constexpr Nanos kMoment = 1'709'210'096'789'012'345;

RequestBytes PostOf(const std::string& path, const std::string& body, std::vector<std::string> headers = {}) {
  proto::Request request;
  request.set_method("POST");
  request.set_path(path);
  request.set_body(body);
  for (const std::string& header : headers) request.add_headers(header);
  return SerializeRequest(request, *ParseTarget("http://h/"));
}

TEST(ProgramTest, TheMomentIsWrittenInEachForm) {
  RequestBytes made = PostOf("/?t={now:ms}", "{now:s} {now:us} {now:ns} {now:iso}");
  const std::string text = made.Of({.moment = kMoment});
  EXPECT_NE(text.find("POST /?t=1709210096789 HTTP/1.1\r\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\r\n\r\n1709210096 1709210096789012 1709210096789012345 2024-02-29T12:34:56.789Z"),
            std::string::npos)
      << text;
  for (const auto& [moment, written] :
       {std::pair<Nanos, const char*>{951'782'400 * kSecond, "2000-02-29T00:00:00.000Z"},
        {1'767'225'599 * kSecond + 999'999'999, "2025-12-31T23:59:59.999Z"},
        {4'102'444'800 * kSecond, "2100-01-01T00:00:00.000Z"}})
    EXPECT_NE(made.Of({.moment = moment}).find(written), std::string::npos) << made.stamped;
}

TEST(ProgramTest, WhatVariesInLengthHasItsContentLength) {
  RequestBytes made = PostOf("/{pick:a,bcd}", "q={random:1..100000}&s={slot}", {"X-A: {pick:,long}"});
  std::set<std::size_t> lengths;
  std::set<std::string> paths;
  for (std::uint64_t slot = 0; slot < 200; ++slot) {
    const std::string text = made.Of({.slot = slot, .seed = 5});
    ASSERT_EQ(made.Of({.slot = slot, .seed = 5}), text) << "the same occasion gives the same bytes";
    const std::size_t body_at = text.find("\r\n\r\n") + 4;
    const std::size_t length_at = text.find("Content-Length: ") + 16;
    ASSERT_EQ(std::stoul(text.substr(length_at)), text.size() - body_at) << text;
    ASSERT_EQ(text.substr(text.size() - 12), absl::StrCat(absl::Dec(slot, absl::kZeroPad12)));
    lengths.insert(text.size() - body_at);
    paths.insert(text.substr(5, text.find(' ', 5) - 5));
  }
  EXPECT_EQ(paths, (std::set<std::string>{"/a", "/bcd"}));
  EXPECT_GE(lengths.size(), 2u);
}

TEST(ProgramTest, RandomNumbersLieBetweenTheirEndsAndReachThem) {
  for (const auto& [text, low, high] : {std::tuple{"{random:0..3}", 0L, 3L},
                                        {"{random:-2..2}", -2L, 2L},
                                        {"{random:7..7}", 7L, 7L},
                                        {"{random:98..101}", 98L, 101L}}) {
    RequestBytes made = PostOf("/", text);
    std::map<std::int64_t, int> counts;
    for (std::uint64_t slot = 0; slot < 10'000; ++slot) {
      const std::string bytes = made.Of({.slot = slot, .seed = 1});
      ++counts[std::stol(bytes.substr(bytes.find("\r\n\r\n") + 4))];
    }
    EXPECT_EQ(counts.begin()->first, low) << text;
    EXPECT_EQ(counts.rbegin()->first, high) << text;
    const double fair = 10'000.0 / static_cast<double>(high - low + 1);
    for (const auto& [value, count] : counts) EXPECT_NEAR(count, fair, 6 * std::sqrt(fair)) << text << " " << value;
  }
}

TEST(ProgramTest, NoTwoSlotsShareAUuidAndAllAreOfVersion4) {
  RequestBytes made = PostOf("/{uuid}", "{uuid}");
  std::set<std::string> all;
  for (const std::uint64_t seed : {1u, 2u}) {
    for (std::uint64_t slot = 0; slot < 5'000; ++slot) {
      const std::string text = made.Of({.slot = slot, .seed = seed});
      for (const std::string& uuid : {text.substr(6, 36), text.substr(text.size() - 36)}) {
        ASSERT_EQ(uuid[8], '-');
        ASSERT_EQ(uuid[14], '4') << uuid;
        ASSERT_NE(std::string("89ab").find(uuid[19]), std::string::npos) << uuid;
        ASSERT_TRUE(all.insert(uuid).second) << uuid << " of slot " << slot;
      }
    }
  }
  EXPECT_EQ(all.size(), 20'000u);
}

TEST(ProgramTest, HolesOfOneLengthAreStampedInPlace) {
  RequestBytes made = PostOf("/{slot}?t={now:ms}&r={random:100..999}&p={pick:aa,bb}", "{uuid}");
  ASSERT_TRUE(made.has_holes);
  const std::size_t size = made.bytes->size();
  const void* const buffer = made.Of({.slot = 1}).data();
  for (std::uint64_t slot = 2; slot < 50; ++slot) {
    const std::string& text = made.Of({.slot = slot});
    EXPECT_EQ(text.data(), buffer);
    EXPECT_EQ(text.size(), size);
  }
}

TEST(ProgramTest, WhatIsLiteralStaysAsItIs) {
  const char* const json = R"({"a":{"b":[1,{}]},"c":"{ x }","d":{e:1}} {{slot}} {{symbol}} {{now:ms}} }{)";
  RequestBytes made = PostOf("/", json);
  EXPECT_FALSE(made.has_holes);
  const std::string text = made.Of({});
  EXPECT_EQ(text.substr(text.find("\r\n\r\n") + 4),
            R"({"a":{"b":[1,{}]},"c":"{ x }","d":{e:1}} {slot} {symbol} {now:ms} }{)");
}

TEST(ProgramTest, AnUpgradeHasItsKeyAndItsHoles) {
  proto::Request request;
  request.set_path("/ws?t={now:ms}&r={random:1..1000000}");
  request.add_headers("X-Id: {uuid}");
  const std::string key = MakeUpgradeKey(1, 2);
  RequestBytes made = SerializeUpgrade(request, *ParseTarget("ws://h/"), "");
  const std::string text = made.Of({.slot = 3, .moment = kMoment, .upgrade_key = key});
  EXPECT_NE(text.find("GET /ws?t=1709210096789&r="), std::string::npos) << text;
  EXPECT_NE(text.find("Sec-WebSocket-Key: " + key + "\r\n"), std::string::npos) << text;
  EXPECT_EQ(text.find('{'), std::string::npos) << text;
  EXPECT_EQ(text.find('\x01'), std::string::npos) << text;
}

TEST(RequestMixTest, EachRunOfSlotsHasTheSharesEvenlySpread) {
  const RequestMix mix(std::vector<RequestBytes>(3), {5, 1, 2});
  EXPECT_TRUE(mix.IsMixed());
  for (const std::uint64_t stride : {1u, 2u, 8u}) {  // of workers whose slots are so far apart
    for (std::uint64_t run = 0; run < 100; ++run) {
      std::map<std::size_t, int> shares;
      std::string order;
      for (std::uint64_t i = 0; i < 8; ++i) {
        const std::size_t index = mix.IndexOf((run * 8 + i) * stride, stride);
        ++shares[index];
        order += static_cast<char>('a' + index);
      }
      ASSERT_EQ(shares, (std::map<std::size_t, int>{{0, 5}, {1, 1}, {2, 2}}));
      ASSERT_EQ(order, "acaabaca");
    }
  }
}

}  // namespace
}  // namespace tidemark
