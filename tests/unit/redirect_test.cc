#include "agent/compose/redirect.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

using Lead = Direction::Lead;

std::string RequestTo(const std::string& url, const std::vector<std::string>& headers = {},
                      const std::string& method = "GET", const std::string& body = "") {
  proto::Request request;
  request.set_method(method);
  for (const std::string& header : headers) request.add_headers(header);
  if (!body.empty()) request.set_body(body);
  return *SerializeRequest(request, *ParseTarget(url)).bytes;
}

Direction From(const std::string& url, const std::string& location, const std::vector<std::string>& headers = {}) {
  const std::string request = RequestTo(url, headers);
  return WhereTo(location, ParseTarget(url)->is_tls, request, PathOf(request));
}

// RFC 3986 section 5.4, but that a fragment is not sent.
TEST(RedirectTest, ReferencesAreResolvedAsTheStandardDoes) {
  const std::pair<const char*, const char*> kRows[] = {
      {"g", "/b/c/g"},
      {"./g", "/b/c/g"},
      {"g/", "/b/c/g/"},
      {"/g", "/g"},
      {"?y", "/b/c/d;p?y"},
      {"g?y", "/b/c/g?y"},
      {"#s", "/b/c/d;p?q"},
      {"g#s", "/b/c/g"},
      {"g?y#s", "/b/c/g?y"},
      {";x", "/b/c/;x"},
      {"g;x", "/b/c/g;x"},
      {".", "/b/c/"},
      {"./", "/b/c/"},
      {"..", "/b/"},
      {"../", "/b/"},
      {"../g", "/b/g"},
      {"../..", "/"},
      {"../../", "/"},
      {"../../g", "/g"},
      {"%2e%2E/g", "/b/g"},
      {"%2e/g", "/b/c/g"},
      {"../../../g", "/g"},
      {"../../../../g", "/g"},
      {"/./g", "/g"},
      {"/../g", "/g"},
      {"g.", "/b/c/g."},
      {".g", "/b/c/.g"},
      {"g..", "/b/c/g.."},
      {"..g", "/b/c/..g"},
      {"./../g", "/b/g"},
      {"./g/.", "/b/c/g/"},
      {"g/./h", "/b/c/g/h"},
      {"g/../h", "/b/c/h"},
      {"g;x=1/./y", "/b/c/g;x=1/y"},
      {"g?y/./x", "/b/c/g?y/./x"},
      {"g?y/../x", "/b/c/g?y/../x"},
      {"g#s/../x", "/b/c/g"},
      {"//a.test/g", "/g"},
      {"http://a.test/x/../g", "/g"},
      {"http://a.test", "/"},
      {"http://a.test?y", "/?y"},
      {"HTTP://A.TEST:80/g", "/g"},
      {"http://a.test/g#s", "/g"},
  };
  for (const auto& [location, path] : kRows) {
    const Direction direction = From("http://a.test/b/c/d;p?q", location);
    EXPECT_EQ(direction.lead, Lead::kHere) << location;
    EXPECT_EQ(direction.path, path) << location;
  }
}

TEST(RedirectTest, AnotherSchemeHostOrPortIsElsewhere) {
  for (const char* location :
       {"http://b.test/", "//b.test/", "http://a.test:81/", "https://a.test/", "https://a.test:80/", "http://x.a.test/",
        "http://127.0.0.1/", "ftp://a.test/", "unix:/run/docker.sock:/x", "ws://a.test/", "file:///etc/passwd",
        "javascript:alert(1)", "mailto:a@a.test", "data:,x"})
    EXPECT_EQ(From("http://a.test/", location).lead, Lead::kElsewhere) << location;
  EXPECT_EQ(From("https://a.test/", "http://a.test/").lead, Lead::kElsewhere);
  EXPECT_EQ(From("https://a.test/", "https://a.test:443/").lead, Lead::kHere);
  EXPECT_EQ(From("http://a.test/", "http://a.test./").lead, Lead::kHere);  // the same name, written to its end
  EXPECT_EQ(From("http://[::1]:8080/", "http://[0::1]:8080/").lead, Lead::kHere);
}

TEST(RedirectTest, WhatTheParsersOfUrlsRefuseLeadsNowhere) {
  for (const std::string& location : {std::string(),
                                      std::string("http:/x"),
                                      std::string("http:x"),
                                      std::string("http://"),
                                      std::string("///a.test/"),
                                      std::string("http://u:p@a.test/"),
                                      std::string("http://a.test:abc/"),
                                      std::string("http://a.test:0/"),
                                      std::string("http://127.1/"),
                                      std::string("/a b"),
                                      std::string("/\x80"),
                                      std::string("\\\\b.test\\x"),
                                      std::string("/x|y"),
                                      std::string("/%2"),
                                      std::string("/{slot}"),
                                      std::string("/{env:HOME}"),
                                      std::string("http://a.test/{slot}"),
                                      std::string("/x\r\nHost: b"),
                                      std::string(1, '\0'),
                                      "/" + std::string(kMaxLocation, 'x')})
    EXPECT_EQ(From("http://a.test/", location).lead, Lead::kNowhere) << location;
}

// A relative one has a ':' in it only behind something else.
TEST(RedirectTest, AColonMakesASchemeOnlyWhereItStandsFirst) {
  EXPECT_EQ(From("http://a.test/", "x/y:z").path, "/x/y:z");
  EXPECT_EQ(From("http://a.test/", "?u=http://b.test/").path, "/?u=http://b.test/");
  EXPECT_EQ(From("http://a.test/", "x:y").lead, Lead::kElsewhere);
}

TEST(RedirectTest, TheHostIsTheOneThatWasAskedFor) {
  EXPECT_EQ(From("http://127.0.0.1:8080/", "http://api.test/g", {"Host: api.test"}).lead, Lead::kHere);
  EXPECT_EQ(From("http://127.0.0.1:8080/", "http://127.0.0.1:8080/g", {"Host: api.test"}).lead, Lead::kElsewhere);
  EXPECT_EQ(From("unix:/run/x.sock:/a/b", "http://localhost/g").path, "/g");
  EXPECT_EQ(From("unix:/run/x.sock:/a/b", "c").path, "/a/c");
  EXPECT_EQ(From("unix:/run/x.sock:/a/b", "http://other/g").lead, Lead::kElsewhere);
}

TEST(RedirectTest, AfterSomeStatusesAGetFollows) {
  struct Row {
    int status;
    const char* method;
    bool is_get;
  };
  for (const Row& row :
       {Row{301, "POST", true}, Row{302, "POST", true}, Row{303, "POST", true}, Row{307, "POST", false},
        Row{308, "POST", false}, Row{301, "PUT", false}, Row{302, "DELETE", false}, Row{303, "PUT", true},
        Row{303, "HEAD", false}, Row{301, "HEAD", false}})
    EXPECT_EQ(BecomesGet(row.status, row.method), row.is_get) << row.status << row.method;
  for (const int status : {200, 201, 300, 304, 305, 306, 309, 404}) EXPECT_FALSE(IsRedirect(status)) << status;
  for (const int status : {301, 302, 303, 307, 308}) EXPECT_TRUE(IsRedirect(status)) << status;
}

TEST(RedirectTest, TheNextRequestIsTheFirstButForWhatChanges) {
  const std::string post = RequestTo(
      "http://a.test/x", {"Cookie: a=b", "Content-Type: text/plain", "Expect: 100-continue"}, "POST", "hello");
  const std::string head = "Host: a.test\r\nUser-Agent: tidemark/" TIDEMARK_VERSION "\r\nCookie: a=b\r\n";
  EXPECT_EQ(*MakeHop(post, "/y?z", false).bytes,
            absl::StrCat("POST /y?z HTTP/1.1\r\n", head, "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"));
  EXPECT_EQ(*MakeHop(post, "/y?z", true).bytes, absl::StrCat("GET /y?z HTTP/1.1\r\n", head, "\r\n"));
  EXPECT_EQ(MakeHop(post, "/", false).head_bytes, 0u);
  EXPECT_TRUE(MakeHop(RequestTo("http://a.test/", {}, "HEAD"), "/y", false).is_head);
  EXPECT_FALSE(MakeHop(RequestTo("http://a.test/", {}, "HEAD"), "/y", true).is_head);
}

TEST(RedirectTest, AProxyIsAskedInAbsoluteFormAgain) {
  Target target = *ParseTarget("http://a.test:8080/x");
  target.absolute_prefix = "http://a.test:8080";
  proto::Request request;
  request.set_method("GET");
  const std::string bytes = *SerializeRequest(request, target).bytes;
  EXPECT_EQ(PathOf(bytes), "/x");
  EXPECT_EQ(WhereTo("http://a.test:8080/y", false, bytes, "/x").path, "/y");
  EXPECT_EQ(WhereTo("http://a.test/y", false, bytes, "/x").lead, Lead::kElsewhere);
  EXPECT_EQ(MakeHop(bytes, "/y", false).bytes->find("GET http://a.test:8080/y HTTP/1.1\r\n"), 0u);
}

}  // namespace
}  // namespace tidemark
