#include "coordinator/cli/plan_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "common/plan/defaults.h"
#include "common/plan/durations.h"
#include "protos/plan.pb.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(PlanFileTest, ReadsEveryKindOfField) {
  const proto::Plan plan = *ParsePlan(R"(
target: https://api.example.test/
sweep: { connections: [10, 1k], duration: 1.5s, warmup_requests_per_connection: 3, connect_rate: 5k }
timeout: 250ms
requests:
  - { method: POST, path: "/api/v3/order", headers: ["X-A: b"], body: "x=1" }
tls: { insecure: true }
expect_status: [200-204, 429]
max_response_bytes: 10MiB
)",
                                      "plan.yaml");
  EXPECT_EQ(plan.sweep().connections(1), 1000);
  EXPECT_EQ(FromProto(plan.sweep().duration()), 1'500 * kMillisecond);
  EXPECT_EQ(FromProto(plan.timeout()), 250 * kMillisecond);
  EXPECT_EQ(plan.requests(0).headers(0), "X-A: b");
  EXPECT_TRUE(plan.tls().insecure());
  EXPECT_EQ(plan.expect_status(0), "200-204");
  EXPECT_EQ(plan.max_response_bytes(), 10 << 20);
}

TEST(PlanFileTest, ErrorsNameFileLineFieldValueAndRemedy) {
  const std::pair<const char*, const char*> kCases[] = {
      {"target: http://h/\nsweeep: {}", "p.yaml:2: sweeep: unknown field; did you mean 'sweep'?"},
      {"sweep: { conections: [1] }", "p.yaml:1: sweep.conections: unknown field; did you mean 'connections'?"},
      {"zzzzzzzzzzz: 1", "unknown field; known here: target, sweep"},
      {"timeout: 30", "p.yaml:1: timeout: '30' has no unit; write a duration as"},
      {"timeout: [1s]", "timeout: must be a duration"},
      {"sweep:\n  connections: [10, 5x]", "p.yaml:2: sweep.connections: '5x' has an unknown unit"},
      {"sweep: 5", "sweep: must be a map"},
      {"sweep: { connections: { a: 1 } }", "must be a list"},
      {"tls: { insecure: yes }", "'yes' is neither true nor false"},
      {"target: a\ntarget: b", "p.yaml:2: target: is given twice"},
      {"target: a\nsweep: {connections: []}",
       "p.yaml:2: sweep.connections: is an empty list; give it an entry, or leave the field out"},
      {"sweep:\n  rates: []", "p.yaml:2: sweep.rates: is an empty list"},
      {"sweep: {stages: []}", "sweep.stages: is an empty list"},
      {"requests: []", "requests: is an empty list"},
      {"requests:\n- headers: []", "p.yaml:2: requests.headers: is an empty list"},
      {"expect: []", "expect: is an empty list"},
      {"expect_status: []", "expect_status: is an empty list"},
      {"resolve: [ ]", "resolve: is an empty list"},
      {"web_socket: {subscribe: []}", "web_socket.subscribe: is an empty list"},
      {"web_socket: {listen: {ignore: []}}", "web_socket.listen.ignore: is an empty list"},
      {"max_response_bytes: 5 lots", "unknown unit"},
      {"threads: 5G", "threads: '5G' is too large"},
      {"duration: 5s", "p.yaml:1: duration: unknown field; it belongs at sweep.duration"},
      {"sweep: {timeout: 5s}", "sweep.timeout: unknown field; it belongs at timeout"},
      {"vus: 10", "p.yaml:1: vus: unknown field; it is sweep.connections here"},
      {"sweep: {stages: [{target: 100}]}", "unknown field; it is sweep.stages.to here, the rate that is reached then"},
      {"sweep: {stages: [{duration: 30s}]}", "unknown field; it is sweep.stages.over here"},
      {"sweep: {target: 100}", "sweep.target: unknown field; it belongs at target"},
      {"max_redirects: 3", "max_redirects: unknown field; it is follow here"},
      {"sweep: {rps: 10}", "sweep.rps: unknown field; it is sweep.rates here"},
      {"url: http://h/", "url: unknown field; it is target here"},
      {"sweep: {rates: [30/min]}", "sweep.rates: '30/min' has an unknown unit; write a rate as"},
      {"", "is empty"},
      {"a: [", "not YAML"},
      {"[1, 2]", "must be a map"},
  };
  for (const auto& [text, message] : kCases) EXPECT_THAT(ParsePlan(text, "p.yaml"), FailsWith(message)) << text;
}

TEST(PlanFileTest, AQuoteThatIsMissingIsNamedWithItsPlace) {
  const std::pair<const char*, const char*> kCases[] = {
      {"requests:\n- headers:\n  - Authorization: Bearer x",
       "p.yaml:3:5: requests.headers: has ': ' in it, which is a map in YAML; write the whole value in single quotes, "
       "as "
       "'Authorization: ...'"},
      {"requests:\n- headers: {X-A: b}",
       "p.yaml:2:12: requests.headers: begins with '{', which is a map in YAML; write "
       "a list, each text in single quotes, as ['NAME: VALUE']"},
      {"requests:\n- headers: [X-Id: {slot}]",
       "p.yaml:2:13: requests.headers: has ': ' in it, which is a map in YAML; write the whole value in single quotes, "
       "as 'X-Id: ...'"},
      {"sweep: {connections:5}", "p.yaml:1:9: connections:5: unknown field; a space behind the ':' is missing"},
      {"target: http://h/\n---\nsweep: {connections: 5}",
       "p.yaml: has 2 documents, and one is read; take the '---' between them out"},
      {"sweep: {connect_rate: 0}", "p.yaml:1: sweep.connect_rate: 0 would be as if it were left out"},
      {"sweep: {reconnect_after: 0}", "sweep.reconnect_after: 0 would be"},
      {"threads: 0", "threads: 0 would be"},
      {"requests:\n- headers:\n    X-A: b", "p.yaml:3:5: requests.headers: has ': ' in it"},
      {"requests:\n- body: {slot}",
       "p.yaml:2:9: requests.body: begins with '{', which is a map in YAML; write the whole "
       "value in single quotes, as '{slot}'"},
      {"requests:\n- body: {\"id\":\"{slot}\"}", "p.yaml:2:9: requests.body: begins with '{'"},
      {"requests:\n- body: [1, 2]", "p.yaml:2:9: requests.body: begins with '[', which is a list in YAML"},
      {"requests:\n- path: {slot}/x", "p.yaml:2:9: not YAML: end of map not found; a text that begins with '{' stands"},
      {"requests:\n- body: @file", "p.yaml:2:9: not YAML: unknown token; a text that begins with '@' stands in"},
      {"requests:\n- body: %41", "p.yaml:2:9: not YAML: unknown token; a text that begins with '%' stands in"},
      {"requests:\n- headers: X-A: b",
       "p.yaml:2:12: not YAML: illegal map value; a text that has ': ' in it stands in"},
      {"requests:\n- headers: [@a]", "p.yaml:2:13: not YAML: unknown token; a text that begins with '@' stands in"},
      {"requests:\n- headers: ['X: y', %b]", "p.yaml:2:21: not YAML: unknown token; a text that begins with '%'"},
      {"requests:\n- headers: [*x]", "p.yaml:2:13: not YAML: the referenced anchor is not defined"},
      {"requests:\n- headers: ['A: 'b'']",
       "p.yaml:2:13: not YAML: end of sequence flow not found; a text in quotes "
       "ends at the next ', and one within is written ''"},
      {"requests:\n- {path: /a?x={slot}}", "p.yaml:2:10: not YAML: unknown token; a text that has '{' in it stands"},
      {"requests:\n- {path: /a[1]}", "p.yaml:2:10: not YAML: end of map flow not found; a text that has '[' in it"},
      {"requests:\n- {path: /x, body: a: b}", "p.yaml:2:20: not YAML: end of map flow not found; a text that has ': '"},
      {"requests:\n- {path: /x #frag}", "p.yaml:2:10: not YAML: end of map flow not found; a text that has ' #' in it"},
      {"requests:\n- {path: @x}", "p.yaml:2:10: not YAML: unknown token; a text that begins with '@' stands in"},
      {"requests:\n- {body: \"a\"b\"}",
       "p.yaml:2:10: not YAML: end of map flow not found; a text in quotes ends at "
       "the next \", and one within is written \\\""},
      {"requests:\n- {path: /a,b}",
       "p.yaml:2:13: requests.b: unknown field; if it is meant to be a part of the text "
       "before it, that one has ',' in it and stands in single quotes"},
      {"requests:\n- body: #5", "p.yaml:2: requests.body: has no value: a '#', '&', '~' or null"},
      {"target: &a", "p.yaml:1: target: has no value"},
      {"target: ~", "p.yaml:1: target: has no value"},
      {"target: !http://h/", "p.yaml:1:9: target: begins with '!', which YAML takes for a type"},
  };
  for (const auto& [text, message] : kCases) EXPECT_THAT(ParsePlan(text, "p.yaml"), FailsWith(message)) << text;
  // A secret is not repeated.
  EXPECT_EQ(
      ParsePlan("requests:\n- headers:\n  - Authorization: Bearer hunter2", "p").status().message().find("hunter2"),
      std::string::npos);
}

TEST(PlanFileTest, RatesMayHaveAFractionOrBeOfAMinuteOrAnHour) {
  const proto::Plan plan = *ParsePlan(
      "target: http://h/\nsweep: {rates: [0.5, 30/m, 5k], stages: [{to: 0.5, over: 1m}], connect_rate: 10/h}", "p");
  EXPECT_EQ(plan.sweep().rates(0), 0.5);
  EXPECT_EQ(plan.sweep().rates(1), 0.5);
  EXPECT_EQ(plan.sweep().rates(2), 5'000);
  EXPECT_EQ(plan.sweep().stages(0).to(), 0.5);
  EXPECT_NE(PrintYaml(plan).find("connect_rate: 10/h"), std::string::npos) << PrintYaml(plan);
  EXPECT_EQ(ParsePlan(PrintYaml(plan), "printed")->SerializeAsString(), plan.SerializeAsString());
}

TEST(PlanFileTest, AnEmptyBodyIsABody) {
  EXPECT_TRUE(ParsePlan("requests: [{body: ''}]", "p")->requests(0).has_body());
  EXPECT_FALSE(ParsePlan("requests: [{path: /}]", "p")->requests(0).has_body());
  const std::string path = ::testing::TempDir() + "plan_file_test." + std::to_string(getpid()) + ".yaml";
  std::ofstream(path) << "target: http://h/\nrequests: [{body_file: /dev/null}]\n";
  auto plan = ReadPlanFile(path);
  std::remove(path.c_str());
  ASSERT_OK(plan);
  ApplyDefaults(&*plan);
  EXPECT_TRUE(plan->requests(0).has_body());
  EXPECT_EQ(plan->requests(0).method(), "POST");
}

TEST(PlanFileTest, DeepNestingIsRefusedBeforeItIsParsed) {
  EXPECT_THAT(ParsePlan(std::string(100'000, '['), "p.yaml"), FailsWith("nested too deep"));
}

TEST(PlanFileTest, APrintedPlanReadsBackTheSame) {
  proto::Plan plan;
  plan.set_target("http://127.0.0.1/");
  ApplyDefaults(&plan);
  plan.mutable_requests(0)->add_headers("X: \"quoted\", and: colon");
  plan.add_source_addresses("127.0.0.2");
  *plan.mutable_timeout() = ToDurationProto(1'500 * kMillisecond);
  const auto back = ParsePlan(PrintYaml(plan), "printed");
  ASSERT_OK(back);
  EXPECT_EQ(back->SerializeAsString(), plan.SerializeAsString()) << PrintYaml(plan);
}

TEST(PlanFileTest, MissingFilesAreNamed) {
  EXPECT_THAT(ReadPlanFile("/nonexistent/p.yaml"), FailsWith("'/nonexistent/p.yaml' cannot be read"));
}

}  // namespace
}  // namespace tidemark
