#include "coordinator/plan_file.h"

#include <gtest/gtest.h>

#include "common/plan.h"
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
      {"max_response_bytes: 5 lots", "unknown unit"},
      {"threads: 5G", "threads: '5G' is too large"},
      {"", "is empty"},
      {"a: [", "not YAML"},
      {"[1, 2]", "must be a map"},
  };
  for (const auto& [text, message] : kCases) EXPECT_THAT(ParsePlan(text, "p.yaml"), FailsWith(message)) << text;
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
