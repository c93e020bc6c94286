#include "agent/guard/secrets.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/compose/request_source.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

struct SecretsTest : testing::Test {
  SecretsTest() {
    setenv("TIDEMARK_TEST_KEY", "sesame", 1);
    guard.AllowWhatTheUserMay();
  }
  proto::Request Resolve(const std::string& header, const std::string& body = "") {
    proto::Plan plan;
    plan.add_requests()->add_headers(header);
    plan.mutable_requests(0)->set_body(body);
    status = ResolveSecrets(guard, &plan);
    EXPECT_FALSE(plan.has_web_socket());
    return plan.requests(0);
  }
  TargetGuard guard = *TargetGuard::Make({});
  absl::Status status;
};

TEST_F(SecretsTest, ReferencesBecomeTheirValues) {
  const std::string path = testing::TempDir() + "/tidemark_secret";
  std::ofstream(path) << "from a file\n";
  const proto::Request request =
      Resolve("X-Key: {env:TIDEMARK_TEST_KEY}", "a={file:" + path + "}&b={env:TIDEMARK_TEST_KEY}");
  ASSERT_OK(status);
  EXPECT_EQ(request.headers(0), "X-Key: sesame");
  EXPECT_EQ(request.body(), "a=from a file&b=sesame");
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 0);  // no core dump from now on
  prctl(PR_SET_DUMPABLE, 1);
  std::filesystem::remove(path);
}

TEST_F(SecretsTest, SubscriptionsHoldThemToo) {
  proto::Plan plan;
  plan.mutable_web_socket()->add_subscribe(R"({"op":"login","args":["{env:TIDEMARK_TEST_KEY}"]})");
  ASSERT_OK(ResolveSecrets(guard, &plan));
  EXPECT_EQ(plan.web_socket().subscribe(0), R"({"op":"login","args":["sesame"]})");
  prctl(PR_SET_DUMPABLE, 1);
}

TEST_F(SecretsTest, AValueThatNoPathHoldsIsRefused) {
  proto::Plan plan;
  plan.add_requests()->set_path("/p?key={env:TIDEMARK_TEST_KEY}");
  ASSERT_OK(ResolveSecrets(guard, &plan));
  EXPECT_EQ(plan.requests(0).path(), "/p?key=sesame");
  prctl(PR_SET_DUMPABLE, 1);
  setenv("TIDEMARK_TEST_KEY", "two words", 1);
  plan.mutable_requests(0)->set_path("/p?key={env:TIDEMARK_TEST_KEY}");
  status = ResolveSecrets(guard, &plan);
  EXPECT_THAT(status, FailsWith("keep it percent-encoded"));
  EXPECT_EQ(std::string(status.message()).find("words"), std::string::npos);
}

TEST_F(SecretsTest, WhatIsNoReferenceStays) {
  const proto::Request request = Resolve("X: {slot} {env} {env:", R"({"env":"{file}"})");
  ASSERT_OK(status);
  EXPECT_EQ(request.headers(0), "X: {slot} {env} {env:");
  EXPECT_EQ(request.body(), R"({"env":"{file}"})");
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
}

TEST_F(SecretsTest, ErrorsNameTheReferenceAndNeverTheValue) {
  Resolve("X: {env:TIDEMARK_NOT_SET}");
  EXPECT_THAT(status, FailsWith("not set"));
  Resolve("X: {file:/no/such/file}");
  EXPECT_THAT(status, FailsWith("cannot be read"));
  setenv("TIDEMARK_TEST_KEY", "two\r\nlines", 1);
  Resolve("X: {env:TIDEMARK_TEST_KEY}");
  EXPECT_THAT(status, FailsWith("control characters"));
  EXPECT_EQ(std::string(status.message()).find("lines"), std::string::npos);
  guard = *TargetGuard::Make({});
  Resolve("X: {env:TIDEMARK_TEST_KEY}");
  EXPECT_THAT(status, FailsWith("secret refused"));
}

TEST_F(SecretsTest, ABodyFullOfReferencesTakesTimeInProportion) {
  const auto seconds_of = [&](const std::string& unit, std::size_t size) {
    std::string body;
    while (body.size() < size) body += unit;
    const auto start = std::chrono::steady_clock::now();
    Resolve("X: y", body);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  // 15 MiB took 40 s and more when each reference moved what follows it.
  for (const char* unit : {"{env:TIDEMARK_TEST_KEY}", "{", "{env:", "{file:/"}) {
    EXPECT_LT(seconds_of(unit, 15 << 20), 8) << unit;
  }
  // What comes of it is bounded as a body is.
  setenv("TIDEMARK_TEST_KEY", std::string(60'000, 'x').c_str(), 1);
  seconds_of("{env:TIDEMARK_TEST_KEY}", 1 << 20);
  EXPECT_THAT(status, FailsWith("beyond 16 MiB"));
  prctl(PR_SET_DUMPABLE, 1);
}

// A value that looks like a reference is not followed.
TEST_F(SecretsTest, ASecretIsNoReference) {
  for (const char* value : {"{file:/etc/passwd}", "{slot}", "{{slot}}", "{now:x}", "{unknown}"}) {
    setenv("TIDEMARK_TEST_KEY", value, 1);
    proto::Request request = Resolve("X: {env:TIDEMARK_TEST_KEY}");
    request.set_method("GET");
    RequestBytes made = SerializeRequest(request, *ParseTarget("http://h/"));
    EXPECT_NE(made.Of({}).find(absl::StrCat("X: ", value, "\r\n")), std::string::npos) << made.Of({});
  }
  prctl(PR_SET_DUMPABLE, 1);
}

TEST_F(SecretsTest, ValuesAreGivenToBeMasked) {
  proto::Plan plan;
  plan.add_requests()->add_headers("X-Key: {env:TIDEMARK_TEST_KEY}");
  std::vector<std::string> values;
  ASSERT_OK(ResolveSecrets(guard, &plan, &values));
  EXPECT_EQ(values, std::vector<std::string>{"sesame"});
  prctl(PR_SET_DUMPABLE, 1);
}

TEST(MasksTest, SecretsAreTakenOutInWhateverFormTheyComeBack) {
  proto::Plan plan;
  proto::Request& request = *plan.add_requests();
  request.add_headers("Authorization: Bearer tok-en_123");
  request.add_headers("Cookie: session=abcdef; theme=on");
  request.add_headers("X-Api-Key: k y+1");
  request.add_headers("Accept: text/html");
  proto::Request& other = *plan.add_requests();
  other.add_headers("Proxy-Authorization: Basic dXNlcjpwYSJzcw==");  // user:pa"ss
  const Masks masks({"sesame", "sesame open"}, plan);
  struct Row {
    const char* text;
    const char* masked;
  };
  for (const Row& row :
       {Row{"open sesame!", "open ***!"}, Row{"sesame open", "***"}, Row{"sesamesesame", "***"},
        Row{R"({"headers":{"Authorization":"Bearer tok-en_123"}})", R"({"headers":{"Authorization":"***"}})"},
        Row{"bad token tok-en_123", "bad token ***"}, Row{"session abcdef is over", "session *** is over"},
        Row{"the key k%20y%2B1 or k+y%2B1 or k y+1", "the key *** or *** or ***"},
        Row{R"(no user with "pa\"ss")", R"(no user with "***")"}, Row{"pa\"ss", "***"}, Row{"dXNlcjpwYSJzcw==", "***"},
        Row{"on text/html", "on text/html"}}) {
    EXPECT_EQ(masks.Apply(row.text, false), row.masked) << row.text;
  }
}

TEST(MasksTest, NoEncodingBringsASecretBack) {
  const Masks masks({"sEcr3tKey/With+odd=chars\"42'"}, proto::Plan());
  for (const char* text : {"sEcr3tKey/With%2Bodd%3Dchars%2242%27", "sEcr3tKey%2fWith%2bodd%3dchars%2242%27",
                           "sEcr3tKey\\/With+odd=chars\\\"42'", "sEcr3tKey/With+odd=chars&quot;42&#39;",
                           "sEcr3tKey/With+odd=chars&quot;42&#x27;", "c0VjcjN0S2V5L1dpdGgrb2RkPWNoYXJzIjQyJw",
                           "7345637233744b65792f576974682b6f64643d636861727322343227", "SECR3TKEY/WITH+ODD=CHARS\"42'",
                           "sEcr3tKey/Wit", "y/With+odd=ch"}) {
    EXPECT_EQ(masks.Apply(text, false), "***") << text;
  }
  std::string unicode;
  for (const char c : std::string("sEcr3tKey/With+odd=chars\"42'"))
    absl::StrAppendFormat(&unicode, "\\u%04X", static_cast<unsigned char>(c));
  EXPECT_EQ(masks.Apply("a " + unicode + " b", false), "a *** b");
  std::string percent, decimal, hexadecimal;
  for (const char c : std::string("sEcr3tKey/With+odd=chars\"42'")) {
    absl::StrAppendFormat(&percent, "%%%02X", static_cast<unsigned char>(c));
    absl::StrAppendFormat(&decimal, "&#%d;", static_cast<unsigned char>(c));
    absl::StrAppendFormat(&hexadecimal, "&#x%X;", static_cast<unsigned char>(c));
  }
  for (const std::string& text : {percent, decimal, hexadecimal})
    EXPECT_EQ(masks.Apply("a " + text + " b", false), "a *** b");
  // Within a longer text nothing of it comes back but what its neighbours share digits with.
  for (const char* before : {"", "u", "us", "use", "user:"}) {
    std::string text;
    absl::Base64Escape(absl::StrCat(before, "sEcr3tKey/With+odd=chars\"42'", " and more"), &text);
    std::string left;
    for (const char c : masks.Apply(text, false)) left += c == '*' ? '=' : c;
    EXPECT_LE(left.size(), text.size() - 33) << before << ": " << left;
  }
}

TEST(MasksTest, ABodyIsMaskedWhole) {
  proto::Plan plan;
  plan.add_requests()->set_body(R"({"pw":"hunter2"})");
  const Masks masks({}, plan);
  EXPECT_EQ(masks.Apply(R"(body {"pw":"hunter2"})", false), "body ***");
  EXPECT_EQ(masks.Apply(R"({"echo":"{\"pw\":\"hunter2\"}"})", false), R"({"echo":"***"})");
  EXPECT_EQ(masks.Apply(R"({"pw":"is wrong"})", false), R"({"pw":"is wrong"})");
}

TEST(MasksTest, WhereATextIsCutTheBeginningOfASecretGoesToo) {
  const Masks masks({"sesame"}, proto::Plan());
  EXPECT_EQ(masks.Apply("open sesa", true), "open ***");
  EXPECT_EQ(masks.Apply("open sesame", true), "open ***");
  EXPECT_EQ(masks.Apply("open sesa", false), "open sesa");
  EXPECT_EQ(masks.Apply("open", true), "open");
  EXPECT_EQ(Masks().Apply("open", true), "open");
}

}  // namespace
}  // namespace tidemark
