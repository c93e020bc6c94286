// libcurl's URL parser as the judge: what we load it loads too, and it is the same host and port.
#include <arpa/inet.h>
#include <curl/curl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/plan/target.h"
#include "tests/support/random.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

struct HostPort {
  std::string host;  // in lower case; of IPv6 its 16 bytes, since libcurl writes it anew
  int port = 0;
  bool operator==(const HostPort&) const = default;
};

HostPort Comparable(std::string host, int port) {
  host = absl::AsciiStrToLower(host);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  unsigned char bytes[16];
  if (inet_pton(AF_INET6, host.c_str(), bytes) == 1) host.assign(reinterpret_cast<const char*>(bytes), sizeof bytes);
  return {host, port};
}

// What libcurl would load; nullopt if it refuses.
std::optional<HostPort> Judge(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return std::nullopt;
  const auto part = [&](CURLUPart which) -> std::optional<std::string> {
    char* text = nullptr;
    if (curl_url_get(parsed.get(), which, &text, 0) != CURLUE_OK || text == nullptr) return std::nullopt;
    std::string copy = text;
    curl_free(text);
    return copy;
  };
  const auto host = part(CURLUPART_HOST);
  const auto port = part(CURLUPART_PORT);
  const std::string scheme = part(CURLUPART_SCHEME).value_or("");
  if (!host) return std::nullopt;
  return Comparable(*host, port ? std::stoi(*port) : scheme == "https" || scheme == "wss" ? 443 : 80);
}

// What libcurl takes and we refuse: our reason, found in our message.
struct Kind {
  const char* message;
  const char* example;
  const char* reason;
};
constexpr Kind kRefusedKinds[] = {
    {"holds a user name", "http://u:p@h/", "credentials are sent as a header, and are in no report"},
    {"which some programs read as", "http://127.1/", "an address to libcurl and a name to others: two hosts"},
    {"which ends in a number and is no IPv4", "http://1.2.3.4.5/", "a name to libcurl and an error to browsers"},
    {"has '%' in its host", "http://%61.test/", "decoded or not, it is another name"},
    {"has the zone of", "http://[fe80::1%25lo]/", "each agent has its own zones"},
    {"in its ASCII form",
     "http://b\xc3\xbc"
     "cher.test/",
     "which name it becomes depends on the version of IDNA"},
    {"with nothing between two dots", "http://a..b/", "no resolver takes an empty label"},
    {"between two dots are 63 at most",
     "http://"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     ".test/",
     "no resolver takes it (RFC 1035)"},
    {"a name has letters, digits", "http://a~b/", "characters that no host name has"},
    {"has port '", "http://h:0080/", "a port that is not written as a number from 1 to 65535 is a slip"},
    {"and no port behind it", "http://h:/", "a variable that is empty, and the default is another port"},
    {"has '#', and so a fragment", "http://h/#f", "what is never sent is not what the user meant"},
    {"which no path holds", "http://h/a|b", "a character that must be encoded, and libcurl sends as it is"},
    {"without two hexadecimal digits", "http://h/%zz", "an encoding that is none"},
    {"is no URL", "http:/h/", "a slash too few or too many"},
    {"has no host", "http:///h/", "a slash too few or too many"},
    {"has a scheme", "ftp://h/", "not HTTP"},
};

const Kind* KindOf(const absl::Status& refusal) {
  for (const Kind& kind : kRefusedKinds) {
    if (absl::StrContains(refusal.message(), kind.message)) return &kind;
  }
  return nullptr;
}

std::string OddUrl(std::mt19937_64& rng) {
  static const std::string kPieces[] = {"0",
                                        "1",
                                        "9",
                                        "80",
                                        "127",
                                        "255",
                                        "256",
                                        "8080",
                                        "65535",
                                        "65536",
                                        "00",
                                        "0x7f",
                                        "0177",
                                        "2130706433",
                                        ".",
                                        ".",
                                        ".",
                                        "..",
                                        ":",
                                        ":",
                                        ":",
                                        "::",
                                        "[",
                                        "]",
                                        "[::1]",
                                        "[::ffff:127.0.0.1]",
                                        "[fe80::1%25lo]",
                                        "127.0.0.1",
                                        "127.0.0.1",
                                        "127.0.0.9.nip.test",
                                        "10.0.0.1",
                                        "a",
                                        "b",
                                        "h",
                                        "test",
                                        "localhost",
                                        "API.example",
                                        "xn--bcher-kva",
                                        "com",
                                        "-",
                                        "_",
                                        "%",
                                        "%41",
                                        "%2e",
                                        "%00",
                                        "@",
                                        "user@",
                                        "u:p@",
                                        "/",
                                        "/",
                                        "//",
                                        "?",
                                        "?x=1",
                                        "#",
                                        "#f",
                                        "\\",
                                        "\\@",
                                        ";",
                                        "|",
                                        "~",
                                        "!",
                                        "$",
                                        "&",
                                        "'",
                                        "*",
                                        "+",
                                        ",",
                                        "=",
                                        " ",
                                        "\t",
                                        "\n",
                                        "\xc3\xbc",
                                        "\xef\xbc\x91",
                                        "\xe3\x80\x82",
                                        "\xff",
                                        ":80",
                                        ":443",
                                        ":8080",
                                        ":0",
                                        ":0080",
                                        ":+80",
                                        ":-1",
                                        ":abc",
                                        ":",
                                        std::string(63, 'x'),
                                        std::string(64, 'y'),
                                        std::string(70, 'z') + "."};
  static const char* const kHosts[] = {"127.0.0.1", "h",  "api.example.test", "[::1]",
                                       "a_b",       "h.", "10.1.2.3",         "x-1.test"};
  static const char* const kSchemes[] = {"http://", "https://", "ws://", "wss://", "HTTP://"};
  const auto any = [&](const auto& list) { return list[rng() % std::size(list)]; };
  std::string rest;
  if (rng() % 2 == 0) {
    for (std::uint64_t i = 0, count = 1 + rng() % 6; i < count; ++i) rest += any(kPieces);
  } else {  // an ordinary one, with a piece too many somewhere
    rest = any(kHosts);
    if (rng() % 2 == 0) rest += ":" + std::to_string(rng() % 70'000);
    if (rng() % 2 == 0) rest += "/p?q=1";
    if (rng() % 4 != 0) rest.insert(rng() % (rest.size() + 1), any(kPieces));
  }
  return any(kSchemes) + rest;
}

TEST(AuthorityProperty, WhatIsLoadedIsWhatLibcurlWouldLoadOrItIsRefused) {
  TIDEMARK_SEEDED(rng);
  int accepted = 0;
  std::map<std::string, int> refused_alone;
  for (int i = 0; i < 1'000; ++i) {
    const std::string url = OddUrl(rng);
    const auto ours = ParseTarget(url);
    const std::optional<HostPort> judged = Judge(url);
    if (ours.ok()) {
      ++accepted;
      ASSERT_TRUE(judged) << "libcurl refuses '" << url << "', of which we load " << ours->host << " " << ours->port;
      ASSERT_EQ(Comparable(ours->host, ours->port), *judged)
          << url << ": " << ours->host << " " << ours->port << ", libcurl " << judged->host << " " << judged->port;
    } else if (judged) {
      const Kind* const kind = KindOf(ours.status());
      ASSERT_NE(kind, nullptr) << "of no kind: " << ours.status();
      ++refused_alone[kind->message];
    }
  }
  // Else the judge was asked nothing.
  EXPECT_GT(accepted, 150);
  EXPECT_GT(refused_alone.size(), 8u);
}

TEST(AuthorityProperty, EachKindThatIsRefusedHasAnExampleThatLibcurlTakes) {
  for (const Kind& kind : kRefusedKinds) {
    const auto ours = ParseTarget(kind.example);
    ASSERT_FALSE(ours.ok()) << kind.example;
    EXPECT_EQ(KindOf(ours.status()), &kind) << ours.status();
    EXPECT_TRUE(Judge(kind.example)) << "libcurl refuses " << kind.example << " too: no kind";
  }
}

TEST(AuthorityProperty, OrdinaryUrlsAreNeverRefused) {
  std::vector<std::string> urls;
  for (const char* host : {"localhost",
                           "127.0.0.1",
                           "127.255.0.3",
                           "10.0.0.5",
                           "192.168.1.20",
                           "172.16.0.1",
                           "8.8.8.8",
                           "255.255.255.255",
                           "[::1]",
                           "[::]",
                           "[2001:db8::1]",
                           "[2001:DB8:0:0:8:800:200C:417A]",
                           "[::ffff:10.0.0.1]",
                           "[fd00::1]",
                           "example.com",
                           "www.example.com",
                           "EXAMPLE.com",
                           "example.com.",
                           "api.binance.com",
                           "testnet.binance.vision",
                           "stream.bybit.com",
                           "wspap.okx.com",
                           "ws.kraken.com",
                           "api-public.sandbox.exchange.coinbase.com",
                           "test.deribit.com",
                           "api",
                           "web-1",
                           "my_service",
                           "my_service_1",
                           "redis-0.redis.default.svc.cluster.local",
                           "xn--bcher-kva.example",
                           "1and1.com",
                           "3com.com",
                           "127.0.0.1.nip.io",
                           "10-0-0-1.sslip.io",
                           "a.b.c.d.e.f.g",
                           "host.docker.internal",
                           "ip-10-0-0-1.eu-west-1.compute.internal",
                           "d111111abcdef8.cloudfront.net",
                           "my-app-0123456789.us-east-1.elb.amazonaws.com",
                           "123abc.test",
                           "0xbeef.test",
                           "x--y.test"}) {
    for (const char* around :
         {"http://%s/", "https://%s", "http://%s:8080/api/v1/ping", "wss://%s:9443/ws?streams=a@b/c@d"}) {
      std::string url = around;
      urls.push_back(url.replace(url.find("%s"), 2, host));
    }
  }
  for (const char* path : {"/",
                           "/index.html",
                           "/a/b/c/",
                           "/api/v3/ticker/price?symbol=BTCUSDT",
                           "/api/v3/klines?symbol=A&interval=1m&limit=5",
                           "/?a=1&b=2",
                           "/?q=a+b",
                           "/?q=a%20b",
                           "/?ids[]=1&ids[]=2",
                           "/?filter[name]=x",
                           "/?symbols=%5B%22A%22%5D",
                           "/~user/",
                           "/a;v=1/b",
                           "/a,b",
                           "/a:b",
                           "/a@b",
                           "/$metadata",
                           "/?$filter=x%20eq%20'y'",
                           "/search?q=(a)",
                           "/*",
                           "/a!b",
                           "/a=b",
                           "/?next=/home?x=1",
                           "/?url=https://h/x",
                           "//double//slashes",
                           "/./a/../b",
                           "/%E2%82%AC",
                           "/?empty=",
                           "/?",
                           "/a.b-c_d",
                           "/ws/btcusdt@depth@100ms",
                           "/stream?streams=btcusdt@trade/ethusdt@trade"})
    urls.push_back(std::string("https://api.example.test:8443") + path);
  EXPECT_GT(urls.size(), 200u);
  for (const std::string& url : urls) {
    const auto ours = ParseTarget(url);
    ASSERT_OK(ours) << url;
    const auto judged = Judge(url);
    ASSERT_TRUE(judged) << url;
    EXPECT_EQ(Comparable(ours->host, ours->port), *judged) << url;
  }
}

}  // namespace
}  // namespace tidemark
