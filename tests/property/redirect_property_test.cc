// A redirect is followed to where libcurl would go, or not at all.
#include <curl/curl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "agent/compose/redirect.h"
#include "common/plan/authority.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"
#include "tests/support/random.h"

namespace tidemark {
namespace {

// What libcurl would load, or nothing.
TEST(RedirectProperty, ARandomReferenceLeadsWhereLibcurlWouldGoOrNowhere) {
  const std::vector<std::string> kParts = {
      "/",   "//",  "..", ".",  "a.test", "b.test", ":80",  ":81", "http:", "https:", "?",      "#",        "x",
      "y/z", "%41", "@",  "\\", " ",      ";p",     "&q=1", "[",   "]",     ":",      "%2e%2e", "127.0.0.1"};
  TIDEMARK_SEEDED(random);
  proto::Request plain;
  plain.set_method("GET");
  const std::string request = *SerializeRequest(plain, *ParseTarget("http://a.test/")).bytes;
  int followed = 0;
  int compared = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string location;
    for (std::size_t n = 1 + random() % 6; n > 0; --n) location += kParts[random() % kParts.size()];
    const Direction direction = WhereTo(location, false, request, "/b/c?d");
    if (direction.lead != Direction::Lead::kHere) continue;
    ++followed;
    // RFC 3986 section 6.2.2.2: %2e is a dot, in ".." too. libcurl 7.88 does not know that.
    const auto dotted = [](const std::string& text) { return absl::StrReplaceAll(text, {{"%2e", "."}}); };
    CURLU* const url = curl_url();
    ASSERT_EQ(curl_url_set(url, CURLUPART_URL, "http://a.test/b/c?d", 0), CURLUE_OK);
    CURLUcode taken = curl_url_set(url, CURLUPART_URL, dotted(location).c_str(), 0);
    // A space in a fragment it refuses behind a bare host, and nowhere else; no fragment is sent, so that the rest is
    // to lead where it does without.
    if (taken == CURLUE_BAD_FRAGMENT)
      taken = curl_url_set(url, CURLUPART_URL, dotted(location.substr(0, location.find('#'))).c_str(), 0);
    ASSERT_EQ(taken, CURLUE_OK) << location;
    const auto part = [&](CURLUPart what, unsigned flags = 0) {
      char* text = nullptr;
      const std::string value = curl_url_get(url, what, &text, flags) == CURLUE_OK ? text : "";
      curl_free(text);
      return value;
    };
    EXPECT_EQ(part(CURLUPART_SCHEME), "http") << location;
    EXPECT_TRUE(IsSameHost(part(CURLUPART_HOST), "a.test")) << location;
    EXPECT_EQ(part(CURLUPART_PORT, CURLU_DEFAULT_PORT), "80") << location;
    // libcurl 7.88 drops the query before a fragment that stands alone, the segment before an empty one, and the last
    // '/' of "./?", which RFC 3986 section 5.2 does not: the host is the same all the same.
    if (location[0] != '#' && !absl::StrContains(location, "//") && !absl::StrContains(location, "./?")) {
      ++compared;
      const std::size_t end = std::min(direction.path.find('?'), direction.path.size());
      EXPECT_EQ(dotted(direction.path.substr(0, end)), part(CURLUPART_PATH)) << location;
      EXPECT_EQ(dotted(direction.path.substr(std::min(end + 1, direction.path.size()))), part(CURLUPART_QUERY))
          << location;
    }
    curl_url_cleanup(url);
  }
  EXPECT_GT(followed, 1'000);
  EXPECT_GT(compared, 1'000);
}

}  // namespace
}  // namespace tidemark
