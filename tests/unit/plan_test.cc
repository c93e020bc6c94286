#include "common/plan.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

proto::Plan Valid() {
  proto::Plan plan;
  plan.set_target("http://127.0.0.1:8080/x?y=z");
  ApplyDefaults(&plan);
  return plan;
}

TEST(PlanTest, DefaultsAreTheTutorialsSweep) {
  const proto::Plan plan = Valid();
  EXPECT_OK(ValidatePlan(plan));
  EXPECT_EQ(std::vector<std::int64_t>(plan.sweep().connections().begin(), plan.sweep().connections().end()),
            (std::vector<std::int64_t>{10, 50, 100, 500, 1000}));
  EXPECT_EQ(plan.sweep().requests_per_connection(), 100);
  EXPECT_EQ(plan.sweep().warmup_requests_per_connection(), 10);
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
}

TEST(PlanTest, BadUrlsNameTheRemedy) {
  const std::pair<const char*, const char*> kCases[] = {{"", "missing"},
                                                        {"ftp://h/", "scheme"},
                                                        {"http://u:p@h/", "user name"},
                                                        {"http://h/#f", "fragment"},
                                                        {"http://h:0/", "1 to 65535"},
                                                        {"http://h:99999/", "1 to 65535"},
                                                        {"http:///x", "no host"},
                                                        {"http://a b/", "no URL"},
                                                        {"http://h/\r\nX: y", "no URL"},
                                                        {"unix:", "no Unix socket"}};
  for (const auto& [url, reason] : kCases) EXPECT_THAT(ParseTarget(url), FailsWith(reason)) << url;
}

struct BadPlan {
  const char* name;
  void (*spoil)(proto::Plan*);
  const char* reason;
};

TEST(PlanTest, StagesAreRampsAndHolds) {
  proto::Plan plan;
  plan.set_target("http://h/");
  const auto add = [&plan](std::int64_t to, Nanos over, Nanos hold) {
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
  EXPECT_EQ(point.stages[0].from_millis, 0);
  EXPECT_EQ(point.stages[0].to_millis, 5'000'000);
  EXPECT_EQ(point.stages[1].from_millis, 5'000'000);
  EXPECT_EQ(point.stages[1].to_millis, 5'000'000);
  EXPECT_EQ(point.stages[1].duration, 120 * kSecond);

  add(10, kSecond, kSecond);
  EXPECT_THAT(ValidatePlan(plan), FailsWith("each stage is either"));
  plan.mutable_sweep()->mutable_stages()->RemoveLast();
  plan.mutable_sweep()->add_rates(5);
  EXPECT_THAT(ValidatePlan(plan), FailsWith("both rates and stages"));
}

TEST(PlanTest, ImpossibleValuesAreNamed) {
  const BadPlan kCases[] = {
      {"zero connections", [](proto::Plan* p) { p->mutable_sweep()->set_connections(0, 0); },
       "sweep.connections: 0 is outside"},
      {"absurd connections", [](proto::Plan* p) { p->mutable_sweep()->set_connections(0, 1LL << 40); },
       "sweep.connections: "},
      {"absurd requests", [](proto::Plan* p) { p->mutable_sweep()->set_requests_per_connection(1LL << 50); },
       "sweep.requests_per_connection"},
      {"two ends", [](proto::Plan* p) { p->mutable_sweep()->set_requests(5); }, "more than one of"},
      {"zero duration",
       [](proto::Plan* p) {
         p->mutable_sweep()->clear_requests_per_connection();
         *p->mutable_sweep()->mutable_duration() = ToDurationProto(0);
       },
       "sweep.duration: 0s is outside"},
      {"until without a cap", [](proto::Plan* p) { p->mutable_sweep()->set_until("p99:5%"); }, "needs a duration"},
      {"until nonsense", [](proto::Plan* p) { p->mutable_sweep()->set_until("soon"); }, "sweep.until: 'soon'"},
      {"two warm-ups", [](proto::Plan* p) { *p->mutable_sweep()->mutable_warmup() = ToDurationProto(kSecond); },
       "sweep.warmup: stands"},
      {"expectation", [](proto::Plan* p) { p->add_expect("fast"); }, "expect: 'fast'"},
      {"zero time-out", [](proto::Plan* p) { *p->mutable_timeout() = ToDurationProto(0); }, "timeout: "},
      {"bad method", [](proto::Plan* p) { p->mutable_requests(0)->set_method("GE T"); }, "no HTTP method"},
      {"tunnel", [](proto::Plan* p) { p->mutable_requests(0)->set_method("CONNECT"); }, "tunnel"},
      {"header injection", [](proto::Plan* p) { p->mutable_requests(0)->add_headers("A: b\r\nC: d"); }, "no header"},
      {"framing header", [](proto::Plan* p) { p->mutable_requests(0)->add_headers("Content-Length: 5"); },
       "follows from the body"},
      {"path with space", [](proto::Plan* p) { p->mutable_requests(0)->set_path("/a b"); }, "no spaces"},
      {"TLS on plain", [](proto::Plan* p) { p->mutable_tls()->set_insecure(true); }, "has no effect"},
      {"threads", [](proto::Plan* p) { p->set_threads(100'000); }, "threads: "},
      {"status", [](proto::Plan* p) { p->add_expect_status("2xx"); }, "expect_status"},
      {"resolve", [](proto::Plan* p) { p->add_resolve("host:1"); }, "HOST:PORT:ADDRESS"},
      {"not UTF-8", [](proto::Plan* p) { p->mutable_requests(0)->add_headers("X: \xbb"); },
       "requests.headers: is not UTF-8"},
      {"overlong", [](proto::Plan* p) { p->mutable_tls()->set_ca_file("\xc0\xaf"); }, "tls.ca_file: is not UTF-8"},
      {"a mix", [](proto::Plan* p) { p->add_requests()->set_method("GET"); }, "needs a name and a weight"},
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
}

}  // namespace
}  // namespace tidemark
