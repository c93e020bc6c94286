// Mixes of many requests: each has its share, its outcomes and its histograms, whoever sent it.
#include <numeric>

#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

constexpr int kRequests = 200;
constexpr int kAgents = 3;

std::int64_t WeightOf(int request) { return 1 + request % 3; }
// Some take 20 ms, and some are refused.
bool IsSlow(int request) { return request % 50 == 7; }
bool IsRefused(int request) { return request % 40 == 3; }
std::int64_t SizeOf(int request) { return 1 + request % 8; }  // in KiB

std::string MixPlan(const std::string& target, const std::string& sweep) {
  std::string plan = "target: " + target + "\nthreads: 1\nsweep: " + sweep + "\nrequests:\n";
  for (int i = 0; i < kRequests; ++i) {
    const std::string path = IsSlow(i)      ? "/mock/delay=20ms"
                             : IsRefused(i) ? "/mock/status=503/1"
                                            : "/mock/size=" + std::to_string(SizeOf(i)) + "KiB";
    plan += "  - {name: r" + std::to_string(i) + ", weight: " + std::to_string(WeightOf(i)) + ", path: " + path + "}\n";
  }
  return plan;
}

std::int64_t AllWeights() {
  std::int64_t sum = 0;
  for (int i = 0; i < kRequests; ++i) sum += WeightOf(i);
  return sum;
}

// Each request's row against its share of `total`; `quantiles` is the latency that is looked at.
void ExpectShares(const boost::json::value& report, std::int64_t total, const std::string& quantiles) {
  for (const char* where : {"points.0", "total"}) {
    const auto& rows = At(report, std::string(where) + ".requests").as_array();
    ASSERT_EQ(rows.size(), static_cast<std::size_t>(kRequests));
    std::int64_t bytes = 0;
    for (int i = 0; i < kRequests; ++i) {
      const boost::json::value& row = rows[static_cast<std::size_t>(i)];
      const std::string name = "r" + std::to_string(i);
      EXPECT_EQ(At(row, "name").as_string(), name);
      const std::int64_t share = total * WeightOf(i) / AllWeights();
      const std::int64_t success = IsRefused(i) ? 0 : share;
      EXPECT_EQ(Int(row, "sent"), share) << name;
      EXPECT_EQ(Int(row, "success"), success) << name;
      EXPECT_EQ(Int(row, "outcomes.status_2xx"), success) << name;
      EXPECT_EQ(Int(row, "outcomes.status_5xx"), share - success) << name;
      EXPECT_EQ(Int(row, "latency.count"), success) << name;
      EXPECT_EQ(Int(row, "first_byte.count"), share) << name;
      EXPECT_EQ(Int(row, quantiles + ".count"), success) << name;
      if (IsSlow(i)) {
        EXPECT_GE(Number(row, quantiles + ".min_us"), 20'000) << name;
      }
      if (!IsSlow(i) && !IsRefused(i)) {
        EXPECT_GE(Int(row, "received_bytes"), share * SizeOf(i) * 1'024) << name;
      }
      bytes += Int(row, "received_bytes");
    }
    EXPECT_EQ(bytes, Int(report, std::string(where) + ".accounting.bytes_received"));
  }
}

TEST(MixTest, TwoHundredRequestsOverThreeAgentsHaveTheirSharesAndHistograms) {
  Mock mock;
  const auto agents = StartAgents(kAgents);
  TempDir dir;
  const std::int64_t total = 5 * kAgents * AllWeights();
  Spill(dir / "plan.yaml", MixPlan(mock.Url("/"), "{connections: [30], requests: " + std::to_string(total) +
                                                      ", warmup_requests_per_connection: 0}"));
  std::vector<std::string> arguments = AgentsFlag(agents);
  arguments.push_back(dir / "plan.yaml");
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  ExpectShares(run.report, total, "latency");
  EXPECT_FALSE(At(run.report, "points.0.requests").as_array()[0].as_object().contains("response"));
  EXPECT_TRUE(At(run.report, "merge.is_exact").as_bool());
  EXPECT_EQ(Int(mock.Truth(), "parsed"), total);
  EXPECT_NE(run.out.find("of 200 the 30 with the most failures, then the highest p99"), std::string::npos) << run.out;
}

TEST(MixTest, InAnOpenLoopTheirLatenciesCountFromTheDueTime) {
  Mock mock;
  const auto agents = StartAgents(kAgents);
  TempDir dir;
  const std::int64_t total = kAgents * AllWeights();
  Spill(dir / "plan.yaml",
        MixPlan(mock.Url("/"),
                "{connections: [60], rates: [600], arrivals: constant, warmup_requests_per_connection: 0, requests: " +
                    std::to_string(total) + "}"));
  std::vector<std::string> arguments = AgentsFlag(agents);
  arguments.push_back(dir / "plan.yaml");
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  ExpectShares(run.report, total, "response");
  EXPECT_EQ(Int(mock.Truth(), "parsed"), total);
  EXPECT_NE(run.out.find("each of the mix, from the due time"), std::string::npos) << run.out;
}

// What is not answered bounds the quantiles of its own request alone.
TEST(MixTest, ARequestThatHangsBoundsItsOwnQuantiles) {
  Mock mock;
  TempDir dir;
  Spill(dir / "plan.yaml", "target: " + mock.Url("/") + R"(
sweep: {connections: [8], rates: [40], arrivals: constant, duration: 2s, warmup_requests_per_connection: 0}
timeout: 300ms
requests:
  - {name: well, path: /api/v3/time}
  - {name: hangs, path: /mock/delay=10s}
)");
  const RunOutcome run = TidemarkRun({dir / "plan.yaml"});
  const auto& rows = At(run.report, "points.0.requests").as_array();
  ASSERT_EQ(rows.size(), 2u) << run.err;
  EXPECT_EQ(Int(rows[0], "response.count"), Int(rows[0], "sent"));
  EXPECT_EQ(Int(rows[0], "response.censored"), 0);
  EXPECT_LT(Number(rows[0], "response.p99_us"), 300'000);
  EXPECT_EQ(Int(rows[1], "success"), 0);
  EXPECT_GE(Int(rows[1], "response.censored"), Int(rows[1], "sent"));
  EXPECT_GE(Number(rows[1], "response.p50_us"), 300'000);
  EXPECT_EQ(Int(rows[1], "outcomes.request_timeout"), Int(rows[1], "sent"));
}

}  // namespace
}  // namespace tidemark
