#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/plan/defaults.h"
#include "common/plan/dialled.h"
#include "common/plan/durations.h"
#include "common/plan/redact.h"
#include "common/plan/status_set.h"
#include "common/plan/sweep.h"
#include "common/plan/target.h"
#include "common/plan/validate.h"
#include "protos/plan.pb.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

proto::Plan Valid() {
  proto::Plan plan;
  plan.set_target("http://127.0.0.1:8080/x?y=z");
  ApplyDefaults(&plan);
  return plan;
}

TEST(PlanTest, DefaultsAreASweepToWhichALawCanBeFitted) {
  const proto::Plan plan = Valid();
  EXPECT_OK(ValidatePlan(plan));
  EXPECT_EQ(std::vector<std::int64_t>(plan.sweep().connections().begin(), plan.sweep().connections().end()),
            (std::vector<std::int64_t>{10, 20, 50, 100, 200, 500, 1000}));
  EXPECT_EQ(FromProto(plan.sweep().duration()), 10 * kSecond);
  EXPECT_EQ(FromProto(plan.sweep().warmup()), kSecond);
  EXPECT_EQ(FromProto(plan.timeout()), 30 * kSecond);
  EXPECT_EQ(plan.requests(0).method(), "GET");
}

TEST(PlanTest, UrlsBecomeTargets) {
  const Target target = *ParseTarget("https://api.example.test/api/v3/ticker/price?symbol=BTCUSDT");
  EXPECT_TRUE(target.is_tls);
  EXPECT_EQ(target.host, "api.example.test");
  EXPECT_EQ(target.port, 443);
  EXPECT_EQ(target.path, "/api/v3/ticker/price?symbol=BTCUSDT");
  EXPECT_EQ(target.host_header, "api.example.test");
  EXPECT_EQ(ParseTarget("http://[::1]:8080")->host, "::1");
  EXPECT_EQ(ParseTarget("http://[::1]:8080")->host_header, "[::1]:8080");
  EXPECT_EQ(ParseTarget("http://h:1")->path, "/");
  EXPECT_EQ(ParseTarget("http://h?q=1")->path, "/?q=1");
  EXPECT_EQ(ParseTarget("unix:/run/a.sock")->unix_path, "/run/a.sock");
  EXPECT_EQ(ParseTarget("unix:/run/a.sock:/p?q")->path, "/p?q");
  EXPECT_EQ(ParseTarget("WSS://h/?id={slot}&ids[]=1")->path, "/?id={slot}&ids[]=1");
}

// What precedes the first / ? # is one authority, and all of it is read.
TEST(PlanTest, AnAuthorityEndsWhereThePathBegins) {
  const Target name = *ParseTarget("http://127.0.0.9.nip.test:8080/");
  EXPECT_EQ(name.host, "127.0.0.9.nip.test");
  EXPECT_EQ(name.port, 8080);
  EXPECT_EQ(name.path, "/");
  for (const char* scheme : {"http", "https", "ws", "wss"}) {
    for (const char* end : {"", "/", "?", "/x?y"}) {
      for (const char* authority : {"127.0.0.1:abc", "127.0.0.1:-1", "127.0.0.1;80", "[::1]abc", "[::1]:80:90",
                                    "127.0.0.1.:80:80", "h:80:90", "h:+80", "127.1", "h:"}) {
        const std::string url = std::string(scheme) + "://" + authority + end;
        EXPECT_THAT(ParseTarget(url), FailsWith("target: '" + url + "' has ")) << url;
      }
    }
  }
}

TEST(PlanTest, TheHostHeaderIsTheAuthorityAsItIsWritten) {
  EXPECT_EQ(ParseTarget("http://API.test.:80/x")->host_header, "API.test.:80");
  EXPECT_EQ(ParseTarget("http://API.test.:80/x")->host, "API.test.");
}

TEST(PlanTest, APasswordIsInNoMessage) {
  for (const char* url : {"http://user:sesame@h/", "http://a@sesame@h:1/", "ftp://user:sesame@h", "http://sesame@/"}) {
    const absl::Status status = ParseTarget(url).status();
    EXPECT_FALSE(status.ok()) << url;
    EXPECT_EQ(status.message().find("sesame"), absl::string_view::npos) << status;
  }
}

// A path is judged alike wherever it is written.
TEST(PlanTest, APathIsJudgedAlikeEverywhere) {
  const std::pair<const char*, const char*> kCases[] = {
      {"/a#f", "has '#'"},           {"/\xc3\xbc", "write %C3%BC"}, {"/a|b", "has '|', which no path holds; write %7C"},
      {"/?s=[\"A\"]", "has '\"'"},   {"/a b", "has a space"},       {"/%zz", "has '%' without"},
      {"/{solt", "has '{'"},         {"/a\\b", "has '\\'"},         {"/a\r\nX: y", "has a carriage return"},
      {"/?ids[]=1&b=~!$'()*,;", ""}, {"/{slot}/%7C", ""},           {"/?k={env:KEY}&f={file:/run/k}", ""}};
  for (const auto& [path, reason] : kCases) {
    std::vector<std::pair<std::string, absl::Status>> judged;
    for (const char* base : {"http://h", "https://h:1", "ws://[::1]", "wss://h", "unix:/run/a.sock:"})
      judged.emplace_back(base, ParseTarget(base + std::string(path)).status());
    for (const char* scheme : {"http", "ws"}) {
      proto::Plan plan;
      plan.set_target(std::string(scheme) + "://h/");
      plan.add_requests()->set_path(path);
      ApplyDefaults(&plan);
      const bool is_refused_slot = scheme == std::string("ws") && std::string(path).find("{slot}") != std::string::npos;
      if (!is_refused_slot) judged.emplace_back(scheme, ValidatePlan(plan));
      if (scheme == std::string("ws")) continue;  // only the first message has a path
      plan.mutable_requests(0)->clear_path();
      plan.mutable_requests(0)->set_weight(1);
      plan.mutable_requests(0)->set_name("first");
      *plan.add_requests() = plan.requests(0);
      plan.mutable_requests(1)->set_name("second");
      plan.mutable_requests(1)->set_path(path);
      judged.emplace_back("a mix", ValidatePlan(plan));
    }
    for (const auto& [where, status] : judged) {
      EXPECT_EQ(status.ok(), *reason == '\0') << where << " " << path << ": " << status;
      EXPECT_NE(std::string(status.message()).find(reason), std::string::npos) << where << ": " << status;
      EXPECT_EQ(status.message().find_first_of("\r\n"), absl::string_view::npos) << "a message of two lines";
    }
  }
}

TEST(PlanTest, RequestsOfAMixWithoutNamesHaveOneEach) {
  proto::Plan plan;
  plan.set_target("http://h/");
  for (const char* path : {"/a", "/a", "/b", "/a"}) plan.add_requests()->set_path(path);
  const std::string far = "/" + std::string(100, 'x');
  for (int i = 0; i < 2; ++i) plan.add_requests()->set_path(far + std::to_string(i));
  plan.mutable_requests(0)->set_name("GET /a (2)");
  ApplyDefaults(&plan);
  EXPECT_OK(ValidatePlan(plan));
  EXPECT_EQ(plan.requests(1).name(), "GET /a");
  EXPECT_EQ(plan.requests(2).name(), "GET /b");
  EXPECT_EQ(plan.requests(3).name(), "GET /a (3)");
  EXPECT_EQ(plan.requests(5).name(), plan.requests(4).name() + " (2)");
}

TEST(PlanTest, AWebSocketsUpgradeHasNoSlot) {
  const auto with = [](const char* url, const char* path, const char* header) {
    proto::Plan plan;
    plan.set_target(url);
    plan.add_requests()->set_path(path);
    if (*header != '\0') plan.mutable_requests(0)->add_headers(header);
    ApplyDefaults(&plan);
    return ValidatePlan(plan);
  };
  EXPECT_THAT(with("ws://h/{slot}", "", ""), FailsWith("many slots"));
  EXPECT_THAT(with("ws://h/", "/{slot}", ""), FailsWith("many slots"));
  EXPECT_THAT(with("ws://h/", "", "X-Id: {slot}"), FailsWith("'X-Id' has {slot}"));
  EXPECT_OK(with("ws://h/{slot}", "/own", ""));
  EXPECT_OK(with("http://h/{slot}", "", "X-Id: {slot}"));
}

TEST(PlanTest, BadUrlsNameTheRemedy) {
  const std::pair<const char*, const char*> kCases[] = {{"", "missing"},
                                                        {"ftp://h/", "scheme"},
                                                        {"http://u:p@h/", "user name"},
                                                        {"http://h/#f", "fragment"},
                                                        {"http://h:0/", "1 to 65535"},
                                                        {"http://h:99999/", "1 to 65535"},
                                                        {"http:///x", "no host"},
                                                        {"http://a b/", "has a space in its host"},
                                                        {"http://h\r\nX: y/", "has a carriage return in its host"},
                                                        {"http://h/\r\nX: y", "has a carriage return"},
                                                        {" http://h/", "has a space before '://'; write http://"},
                                                        {"http:/h/", "no URL"},
                                                        {"http:h", "no URL"},
                                                        {"h:80", "no URL"},
                                                        {"h:80/?u=http://x/", "has ':' before '://'"},
                                                        {"unix:", "no Unix socket"}};
  for (const auto& [url, reason] : kCases) EXPECT_THAT(ParseTarget(url), FailsWith(reason)) << url;
}

struct BadPlan {
  const char* name;
  void (*spoil)(proto::Plan*);
  const char* reason;
};

TEST(PlanTest, NoShareOfAConnectRateIsWithoutALimit) {
  EXPECT_EQ(SplitConnectRate(0, {5, 5}), (std::vector<std::int64_t>{0, 0}));
  EXPECT_EQ(SplitConnectRate(1, {5, 5}), (std::vector<std::int64_t>{kOnePerSecond / 2, kOnePerSecond / 2}));
  // Of 1/h, which is 1,000 units, the second has a hundredth of one.
  EXPECT_EQ(SplitConnectRate(1.0 / 3600, {99'999, 1}), (std::vector<std::int64_t>{1'000, 1}));
}

TEST(PlanTest, StagesAreRampsAndHolds) {
  proto::Plan plan;
  plan.set_target("http://h/");
  const auto add = [&plan](double to, Nanos over, Nanos hold) {
    proto::Stage* stage = plan.mutable_sweep()->add_stages();
    stage->set_to(to);
    if (over > 0) *stage->mutable_over() = ToDurationProto(over);
    if (hold > 0) *stage->mutable_hold() = ToDurationProto(hold);
  };
  add(5'000, 30 * kSecond, 0);
  add(0, 0, 120 * kSecond);
  ApplyDefaults(&plan);
  ASSERT_OK(ValidatePlan(plan));
  const SweepPoint point = PointAt(plan.sweep(), 0);
  ASSERT_EQ(point.stages.size(), 2u);
  EXPECT_EQ(point.stages[0].from, 0);
  EXPECT_EQ(point.stages[0].to, 5'000 * kOnePerSecond);
  EXPECT_EQ(point.stages[1].from, 5'000 * kOnePerSecond);
  EXPECT_EQ(point.stages[1].to, 5'000 * kOnePerSecond);
  EXPECT_EQ(point.stages[1].duration, 120 * kSecond);

  add(10, kSecond, kSecond);
  EXPECT_THAT(ValidatePlan(plan), FailsWith("each stage is either"));
  plan.mutable_sweep()->mutable_stages()->RemoveLast();
  plan.mutable_sweep()->add_rates(5);
  EXPECT_THAT(ValidatePlan(plan), FailsWith("both rates and stages"));
}

TEST(PlanTest, ImpossibleValuesAreNamed) {
  const BadPlan kCases[] = {
      {"zero requests", [](proto::Plan* p) { p->mutable_sweep()->set_requests(0); },
       "sweep.requests: is 0; give at least 1, or leave it out"},
      {"zero requests per connection", [](proto::Plan* p) { p->mutable_sweep()->set_requests_per_connection(0); },
       "sweep.requests_per_connection: is 0"},
      {"zero weight", [](proto::Plan* p) { p->mutable_requests(0)->set_weight(0); }, "requests.weight: is 0"},
      {"zero response", [](proto::Plan* p) { p->set_max_response_bytes(0); }, "max_response_bytes: is 0"},
      {"zero pipeline", [](proto::Plan* p) { p->mutable_web_socket()->set_pipeline(0); }, "web_socket.pipeline: is 0"},
      {"zero depth",
       [](proto::Plan* p) { p->mutable_web_socket()->mutable_listen()->mutable_sequence()->set_depth(0); },
       "web_socket.listen.sequence.depth: is 0"},
      {"zero connections", [](proto::Plan* p) { p->mutable_sweep()->set_connections(0, 0); },
       "sweep.connections: 0 is outside"},
      {"absurd connections", [](proto::Plan* p) { p->mutable_sweep()->set_connections(0, 1LL << 40); },
       "sweep.connections: "},
      {"absurd requests",
       [](proto::Plan* p) {
         p->mutable_sweep()->clear_duration();
         p->mutable_sweep()->set_requests_per_connection(1LL << 50);
       },
       "sweep.requests_per_connection"},
      {"two ends", [](proto::Plan* p) { p->mutable_sweep()->set_requests(5); }, "more than one of"},
      {"zero duration", [](proto::Plan* p) { *p->mutable_sweep()->mutable_duration() = ToDurationProto(0); },
       "sweep.duration: 0s is outside"},
      {"until without a cap",
       [](proto::Plan* p) {
         p->mutable_sweep()->clear_duration();
         p->mutable_sweep()->set_requests_per_connection(5);
         p->mutable_sweep()->set_until("p99:5%");
       },
       "needs a duration"},
      {"until and no end",
       [](proto::Plan* p) {
         p->mutable_sweep()->clear_duration();
         p->mutable_sweep()->set_until("p99:5%");
       },
       "needs a duration"},
      {"until nonsense", [](proto::Plan* p) { p->mutable_sweep()->set_until("soon"); }, "sweep.until: 'soon'"},
      {"two warm-ups", [](proto::Plan* p) { p->mutable_sweep()->set_warmup_requests_per_connection(1); },
       "sweep.warmup: stands"},
      {"expectation", [](proto::Plan* p) { p->add_expect("fast"); }, "expect: 'fast'"},
      {"zero time-out", [](proto::Plan* p) { *p->mutable_timeout() = ToDurationProto(0); }, "timeout: "},
      {"bad method", [](proto::Plan* p) { p->mutable_requests(0)->set_method("GE T"); }, "no HTTP method"},
      {"tunnel", [](proto::Plan* p) { p->mutable_requests(0)->set_method("CONNECT"); }, "tunnel"},
      {"header injection", [](proto::Plan* p) { p->mutable_requests(0)->add_headers("A: b\r\nC: d"); }, "no header"},
      {"framing header", [](proto::Plan* p) { p->mutable_requests(0)->add_headers("Content-Length: 5"); },
       "follows from the body"},
      {"two hosts",
       [](proto::Plan* p) {
         p->mutable_requests(0)->add_headers("Host: a.test");
         p->mutable_requests(0)->add_headers("HOST: b.test");
       },
       "'Host' is there twice"},
      {"path with space", [](proto::Plan* p) { p->mutable_requests(0)->set_path("/a b"); }, "has a space"},
      {"path without /", [](proto::Plan* p) { p->mutable_requests(0)->set_path("a"); }, "'a' must start with /"},
      {"TLS on plain", [](proto::Plan* p) { p->mutable_tls()->set_insecure(true); }, "has no effect"},
      {"threads", [](proto::Plan* p) { p->set_threads(100'000); }, "threads: "},
      {"status", [](proto::Plan* p) { p->add_expect_status("2xx"); }, "expect_status"},
      {"resolve", [](proto::Plan* p) { p->add_resolve("host:1"); }, "HOST:PORT:ADDRESS"},
      {"resolve of no use", [](proto::Plan* p) { p->add_resolve("127.0.0.1:80:127.0.0.2"); },
       "'127.0.0.1:80:127.0.0.2' has no effect: the target is 127.0.0.1:8080"},
      {"not UTF-8", [](proto::Plan* p) { p->mutable_requests(0)->add_headers("X: \xbb"); },
       "requests.headers: is not UTF-8"},
      {"overlong", [](proto::Plan* p) { p->mutable_tls()->set_ca_file("\xc0\xaf"); }, "tls.ca_file: is not UTF-8"},
      {"a mix", [](proto::Plan* p) { p->add_requests()->set_method("GET"); }, "needs a name and a weight"},
      {"one name for two",
       [](proto::Plan* p) {
         p->clear_requests();
         for (int i = 0; i < 2; ++i) {
           proto::Request* const request = p->add_requests();
           request->set_method("GET");
           request->set_name("same");
           request->set_weight(1);
         }
       },
       "requests.name: 'same' is given twice"},
      {"a name that turns the writing", [](proto::Plan* p) { p->mutable_requests(0)->set_name("a\xe2\x80\xae"); },
       "control or invisible characters"},
  };
  for (const BadPlan& bad : kCases) {
    proto::Plan plan = Valid();
    bad.spoil(&plan);
    EXPECT_THAT(ValidatePlan(plan), FailsWith(bad.reason)) << bad.name;
  }
}

TEST(PlanTest, WhatBelongsTogetherIsInTheSameEvents) {
  const auto with = [](void (*spoil)(proto::Listen*)) {
    proto::Plan plan;
    plan.set_target("ws://127.0.0.1:1/");
    plan.mutable_sweep()->add_connections(1);
    *plan.mutable_sweep()->mutable_duration() = ToDurationProto(kSecond);
    proto::Listen* const listen = plan.mutable_web_socket()->mutable_listen();
    listen->set_events("/events/*/trades");
    listen->set_stream("/events/*/trades/*/product_id");
    listen->mutable_sequence()->set_rule("consecutive");
    listen->mutable_sequence()->set_number("/sequence_num");
    listen->mutable_sequence()->set_scope("connection");
    spoil(listen);
    ApplyDefaults(&plan);
    return ValidatePlan(plan);
  };
  EXPECT_OK(with([](proto::Listen*) {}));
  EXPECT_OK(with([](proto::Listen* l) {
    l->set_events("/*");
    l->set_stream("/*/s");
  }));
  EXPECT_THAT(with([](proto::Listen* l) { l->set_events("data"); }), FailsWith("web_socket.listen.events: 'data'"));
  EXPECT_THAT(with([](proto::Listen* l) { l->set_events("/a*"); }), FailsWith("'/a*' is no array"));
  EXPECT_THAT(with([](proto::Listen* l) { l->set_events("/a/*/*"); }), FailsWith("is no array"));
  EXPECT_THAT(with([](proto::Listen* l) { l->set_time("/data/*/ts"); }),
              FailsWith("web_socket.listen.time: '/data/*/ts' has a * that is not of web_socket.listen.events"));
  EXPECT_THAT(with([](proto::Listen* l) { l->clear_events(); }), FailsWith("web_socket.listen.stream"));
  EXPECT_THAT(with([](proto::Listen* l) { l->mutable_sequence()->clear_scope(); }),
              FailsWith("write scope: connection"));
  EXPECT_THAT(with([](proto::Listen* l) { l->mutable_sequence()->set_scope("all"); }),
              FailsWith("sequence.scope: 'all'"));
  EXPECT_THAT(with([](proto::Listen* l) {
                l->mutable_sequence()->set_rule("link");
                l->mutable_sequence()->set_previous("/events/*/trades/*/p");
              }),
              FailsWith("both are of the message, or both of the event"));
}

TEST(PlanTest, CredentialsAreNotPrinted) {
  proto::Plan plan = Valid();
  for (const char* header :
       {"Authorization: Bearer s3cret", "X-MBX-APIKEY:s3cret", "cookie: s3cret", "X-Request-Id: 7"}) {
    plan.mutable_requests(0)->add_headers(header);
  }
  plan.mutable_requests(0)->set_body("s3cret");
  const proto::Plan printed = PlanForPrinting(plan);
  EXPECT_EQ(printed.requests(0).body(), "(6 bytes)");
  EXPECT_EQ(printed.requests(0).headers(0), "Authorization: ***");
  EXPECT_EQ(printed.requests(0).headers(1), "X-MBX-APIKEY: ***");
  EXPECT_EQ(printed.requests(0).headers(2), "cookie: ***");
  EXPECT_EQ(printed.requests(0).headers(3), "X-Request-Id: 7");
}

TEST(PlanTest, StatusSetsTakeRanges) {
  google::protobuf::RepeatedPtrField<std::string> entries;
  EXPECT_TRUE((*ParseStatusSet(entries))[304]);
  EXPECT_FALSE((*ParseStatusSet(entries))[404]);
  entries.Add("404");
  entries.Add("200-204");
  EXPECT_TRUE((*ParseStatusSet(entries))[404]);
  EXPECT_TRUE((*ParseStatusSet(entries))[204]);
  EXPECT_FALSE((*ParseStatusSet(entries))[304]);
}

TEST(PlanTest, ResolveOverridesTakeBracketedAddresses) {
  const ResolveOverride override = *ParseResolveOverride("api.test:443:[::1]");
  EXPECT_EQ(override.host, "api.test");
  EXPECT_EQ(override.port, 443);
  EXPECT_EQ(override.address, "::1");
  EXPECT_EQ(ParseResolveOverride("[::1]:80:127.0.0.2")->host, "::1");
  EXPECT_EQ(ParseResolveOverride("[::1]:80:::2")->address, "::2");
  EXPECT_EQ(ParseResolveOverride("h:80:[fe80::1%eth0]")->address, "fe80::1%eth0");
  for (const char* text : {"",
                           "h",
                           "h:80",
                           "h:80:",
                           ":80:::1",
                           "h::::1",
                           "h:0:::1",
                           "h:080:::1",
                           "h:+80:::1",
                           "[::1:80",
                           "h:80:127.1",
                           "h:80:0x7f.1",
                           "h:80:h2",
                           "h:80:127.0.0.1%lo",
                           "h:80:1.2.3.4,5.6.7.8",
                           "h:80:[::1",
                           "*:80:::1",
                           "u@h:80:::1",
                           "127.1:80:::1",
                           "h:80:::1\n"}) {
    const absl::Status status = ParseResolveOverride(text).status();
    EXPECT_THAT(status, FailsWith("resolve: '")) << text;
    EXPECT_EQ(status.message().find('\n'), absl::string_view::npos) << status;
  }
}

TEST(PlanTest, AnOverrideIsForTheTargetOrItsClock) {
  const auto with = [](const char* target, const char* resolve) {
    proto::Plan plan;
    plan.set_target(target);
    plan.add_resolve(resolve);
    ApplyDefaults(&plan);
    return ValidatePlan(plan);
  };
  EXPECT_OK(with("https://api.test./", "API.test:443:127.0.0.1"));
  EXPECT_OK(with("http://[0::1]:80/", "[::1]:80:127.0.0.1"));
  EXPECT_THAT(with("https://api.test/", "api.test:80:127.0.0.1"), FailsWith("the target is api.test:443"));
  EXPECT_THAT(with("https://api.test/", "apt.test:443:127.0.0.1"), FailsWith("has no effect"));
  proto::Plan plan;
  plan.set_target("ws://api.test/");
  proto::Listen* const listen = plan.mutable_web_socket()->mutable_listen();
  listen->set_time("/E");
  listen->mutable_clock()->set_url("https://clock.test/time");
  listen->mutable_clock()->set_time("/serverTime");
  plan.mutable_sweep()->add_connections(1);
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(kSecond);
  plan.add_resolve("clock.test:443:127.0.0.1");
  ApplyDefaults(&plan);
  EXPECT_OK(ValidatePlan(plan));
  for (const auto& [url, reason] : {std::pair("http://clock.test:abc/", "has port 'abc'"),
                                    {"http://127.1/", "127.0.0.1"},
                                    {"http://clock.test/{slot}", "nothing is filled in"},
                                    {"unix:/run/api.sock:/time", "http"},
                                    {"http://h/#f", "has '#'"}}) {
    listen->mutable_clock()->set_url(url);
    EXPECT_THAT(ValidatePlan(plan), FailsWith("web_socket.listen.clock.url: ")) << url;
    EXPECT_THAT(ValidatePlan(plan), FailsWith(reason)) << url;
  }
}

TEST(PlanTest, ConnectToHasFourParts) {
  const auto parsed = ParseConnectTo("[::1]:80:[fe80::1%eth0]:8080");
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->host, "::1");
  EXPECT_EQ(parsed->port, 80);
  EXPECT_EQ(parsed->other_host, "fe80::1%eth0");
  EXPECT_EQ(parsed->other_port, 8080);
  const auto any = ParseConnectTo("::back.test:");
  ASSERT_OK(any);
  EXPECT_EQ(any->host, "");
  EXPECT_EQ(any->other_host, "back.test");
  EXPECT_EQ(any->other_port, 0);
  for (const char* text : {"", "h", "h:1", "h:1:o", ":::", "h:1::", "h:1:o:0", "h:1:o:abc", "h:1:o:1:2", "h:x:o:1",
                           "h:1:u@o:1", "h:1:127.1:1", "127.1:1:o:1", "h:1:[fe80::1%]:1", "h:1:[fe80::1%a/b]:1",
                           "[fe80::1%eth0]:1:o:1", "h:1:[::1:1", "h:1:o\n:1"}) {
    const absl::Status status = ParseConnectTo(text).status();
    EXPECT_THAT(status, FailsWith("connect_to: '")) << text;
    EXPECT_EQ(status.message().find('\n'), absl::string_view::npos) << status;
  }
}

TEST(PlanTest, WhatChoosesAddressesIsForTheTargetOrItsClock) {
  const auto with = [](const std::function<void(proto::Plan*)>& change, const char* target = "http://api.test/") {
    proto::Plan plan;
    plan.set_target(target);
    change(&plan);
    ApplyDefaults(&plan);
    return ValidatePlan(plan);
  };
  EXPECT_OK(with([](proto::Plan* p) { p->add_connect_to("API.test.:80:back.test:8080"); }));
  EXPECT_THAT(with([](proto::Plan* p) { p->add_connect_to("api.test:443:back.test:8080"); }),
              FailsWith("'api.test:443:back.test:8080' has no effect: the target is api.test:80; write that at its "
                        "beginning"));
  EXPECT_OK(with([](proto::Plan* p) {
    p->add_connect_to("api.test:80:back.test:8080");
    p->add_resolve("back.test:8080:127.0.0.1");
  }));
  EXPECT_THAT(with([](proto::Plan* p) {
                p->add_connect_to("api.test:80:back.test:8080");
                p->add_resolve("api.test:80:127.0.0.1");
              }),
              FailsWith("has no effect: connect_to leads to back.test:8080"));
  EXPECT_OK(with([](proto::Plan* p) { p->set_ip_family("6"); }));
  EXPECT_THAT(with([](proto::Plan* p) { p->set_ip_family("5"); }), FailsWith("ip_family: '5'; write 4 or 6"));
  EXPECT_OK(with([](proto::Plan* p) { *p->mutable_resolve_every() = ToDurationProto(kSecond); }));
  EXPECT_THAT(with([](proto::Plan* p) { *p->mutable_resolve_every() = ToDurationProto(kMillisecond); }),
              FailsWith("resolve_every: 1ms is outside"));
  EXPECT_THAT(with([](proto::Plan* p) { *p->mutable_resolve_every() = ToDurationProto(kSecond); }, "http://127.0.0.1/"),
              FailsWith("resolve_every: has no effect: 127.0.0.1:80 has its address from the plan"));
  for (const auto& change : std::vector<std::function<void(proto::Plan*)>>{
           [](proto::Plan* p) { p->add_connect_to("::h:1"); }, [](proto::Plan* p) { p->set_ip_family("4"); },
           [](proto::Plan* p) { p->set_proxy("http://h:1"); },
           [](proto::Plan* p) { *p->mutable_resolve_every() = ToDurationProto(kSecond); }})
    EXPECT_THAT(with(change, "unix:/run/a.sock"), FailsWith("a Unix socket takes neither"));
}

TEST(PlanTest, AnAbstractUnixSocketHasAName) {
  EXPECT_EQ(ParseTarget("unix:@api:/p")->unix_path, "@api");
  EXPECT_EQ(ParseTarget("unix:@api:/p")->path, "/p");
  EXPECT_OK(ParseTarget("unix:@" + std::string(107, 'a')));
  EXPECT_OK(ParseTarget("unix:/" + std::string(106, 'a')));
  for (const std::string& url : {std::string("unix:@"), std::string("unix:@:/p"), "unix:@" + std::string(108, 'a'),
                                 "unix:/" + std::string(107, 'a')})
    EXPECT_THAT(ParseTarget(url), FailsWith("is no Unix socket; write unix:/run/api.sock:/path, or unix:@NAME:/path"));
}

TEST(PlanTest, AProxyIsAHostAndAPortAndPerhapsCredentials) {
  EXPECT_EQ(ParseProxy("http://proxy.test:3128")->host, "proxy.test");
  EXPECT_EQ(ParseProxy("HTTP://[::1]:3128/")->port, 3128);
  EXPECT_EQ(ParseProxy("http://u%3a:p%40ss@h:1").status().message(),
            "proxy: 'http://***@h:1' has ':' in its user, which no user name holds");
  EXPECT_EQ(ParseProxy("http://u:p%40s:s@h:1")->credentials, "u:p@s:s");
  EXPECT_EQ(ParseProxy("http://u:{file:/run/p}@h:1")->credentials, "u:{file:/run/p}");
  EXPECT_EQ(ParseProxy("http://{env:BOTH}@h:1")->credentials, "{env:BOTH}");
  const std::pair<const char*, const char*> kCases[] = {{"https://h:1", "write http://HOST:PORT"},
                                                        {"h:1", "write http://HOST:PORT"},
                                                        {"unix:/run/proxy.sock", "write http://HOST:PORT"},
                                                        {"http://h", "has no port"},
                                                        {"http://h:1/x", "has port '1/x'"},
                                                        {"http://h:0", "has port '0'"},
                                                        {"http://127.1:1", "127.0.0.1"},
                                                        {"http://u:sesame/x@h:1", "has '/' in its user or password"},
                                                        {"http://u:sesame@x@h:1", "has '@' in its user or password"},
                                                        {"http://u:sesame%0d@h:1", "control characters"},
                                                        {"http://u:sesame%4@h:1", "has '%' without"},
                                                        {"u:sesame@h:1", "write http://HOST:PORT"}};
  for (const auto& [url, reason] : kCases) {
    const absl::Status status = ParseProxy(url).status();
    EXPECT_THAT(status, FailsWith("proxy: '")) << url;
    EXPECT_THAT(status, FailsWith(reason)) << url;
    EXPECT_EQ(status.message().find("sesame"), absl::string_view::npos) << status;
  }
  proto::Plan plan;
  plan.set_proxy("http://u:sesame@h:1");
  EXPECT_EQ(PlanForPrinting(plan).proxy(), "http://***@h:1");
}

}  // namespace
}  // namespace tidemark
