#include "agent/compose/request_source.h"

#include <gtest/gtest.h>

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
  made.Of(7);
  const std::string first = made.Of(7);
  EXPECT_EQ(first.find("{slot}"), std::string::npos);
  EXPECT_NE(first.find("POST /o?id=000000000007 HTTP/1.1\r\n"), std::string::npos) << first;
  EXPECT_NE(first.find("X-Seq: 000000000007\r\n"), std::string::npos) << first;
  EXPECT_NE(first.find("Content-Length: 29\r\n"), std::string::npos) << first;
  EXPECT_EQ(first.substr(first.size() - 29), "a=000000000007&b=000000000007");
  made.Of(1'234'567'890'123);  // the last twelve digits
  EXPECT_NE(made.stamped.find("X-Seq: 234567890123\r\n"), std::string::npos) << made.stamped;
  EXPECT_EQ(made.stamped.size(), first.size());
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
