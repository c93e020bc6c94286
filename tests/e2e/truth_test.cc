// The mock knows what it was asked and what it answered: the report must say the same.
#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

std::int64_t Outcome(const RunOutcome& run, const std::string& name) {
  return Int(run.report, "total.accounting.outcomes." + name);
}

struct FaultCase {
  const char* fault;
  const char* outcome;
};

class FaultTruth : public testing::TestWithParam<FaultCase> {};

TEST_P(FaultTruth, OneInAThousandIsCountedAsWhatItIsAndAllBytesAgree) {
  Mock mock;
  const auto agents = StartAgents(2);
  std::vector<std::string> arguments = AgentsFlag(agents);
  arguments.insert(arguments.end(), {"-c", "50", "--requests-per-connection", "400", "--warmup", "0", "--timeout", "5s",
                                     mock.Url(std::string("/mock/fault=") + GetParam().fault + "/1000")});
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  const auto truth = mock.Truth();
  EXPECT_EQ(Outcome(run, GetParam().outcome), 20);
  EXPECT_EQ(Outcome(run, "status_2xx"), 19'980);
  EXPECT_EQ(Int(truth, std::string("faults.") + GetParam().fault), 20);
  EXPECT_EQ(Int(run.report, "total.accounting.sent"), Int(truth, "parsed"));
  EXPECT_EQ(Outcome(run, "status_2xx"), Int(truth, "answered"));
  EXPECT_EQ(Int(run.report, "total.accounting.bytes_sent"), Int(truth, "bytes_received"));
  EXPECT_EQ(Int(run.report, "total.accounting.bytes_received"), Int(truth, "bytes_sent"));
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultTruth,
                         testing::Values(FaultCase{"reset", "reset"}, FaultCase{"hang", "request_timeout"},
                                         FaultCase{"garbage", "malformed"}, FaultCase{"truncate", "closed_early"},
                                         FaultCase{"close", "closed_early"}),
                         [](const auto& test) { return std::string(test.param.fault); });

TEST(TruthTest, EveryFramingIsCountedExactly) {
  for (const char* directives : {"body=chunked", "body=until-close", "interim=1", "size=300KiB", "status=204",
                                 "status=304/2", "status=503/3", "size=0"}) {
    Mock mock;
    const RunOutcome run =
        TidemarkRun({"-c", "10", "-n", "600", "--warmup", "1", mock.Url(std::string("/mock/") + directives)});
    ASSERT_EQ(run.code, 0) << directives << run.err;
    const auto truth = mock.Truth();
    EXPECT_EQ(WithWarmup(run.report, "sent"), Int(truth, "parsed")) << directives;
    EXPECT_EQ(WithWarmup(run.report, "sent"), Int(truth, "answered")) << directives;
    EXPECT_EQ(WithWarmup(run.report, "bytes_received"), Int(truth, "bytes_sent")) << directives;
    EXPECT_EQ(WithWarmup(run.report, "bytes_sent"), Int(truth, "bytes_received")) << directives;
  }
}

TEST(TruthTest, MethodsHeadersAndBodiesArriveAsAsked) {
  Mock mock;
  TempDir dir;
  Spill(dir / "body", std::string(100'000, 'b'));
  EXPECT_EQ(TidemarkRun({"-c", "2", "-n", "20", "-X", "HEAD", mock.Url("/mock/size=500")}).code, 0);
  const RunOutcome post =
      TidemarkRun({"-c", "2", "-n", "20", "-H", "X-Mock: status=201", "--data", "@" + (dir / "body"), mock.Url("/")});
  EXPECT_EQ(post.code, 0) << post.err;
  const auto truth = mock.Truth();
  EXPECT_EQ(Int(truth, "statuses.201"), 20);
  EXPECT_EQ(Int(truth, "parsed"), 40);
  EXPECT_GT(Int(truth, "bytes_received"), 20 * 100'000);
  const RunOutcome close = TidemarkRun({"-c", "2", "-n", "20", "-H", "Connection: close", mock.Url()});
  EXPECT_EQ(Int(close.report, "total.successful_requests"), 20);
  EXPECT_GE(WithWarmup(close.report, "connections.established"), 20);
}

// The two tests below hold the report against the mock's own record of the same requests, each program on a core of its
// own. What lies between the two records - both kernels' ends of loopback, and the time a request waits for the mock's
// thread - is 20 to 70 us on a quiet machine; on a busy one it is more, and the bound leaves room for that.
constexpr double kBetweenUs = 250;

void ExpectNear(const RunOutcome& run, const boost::json::value& truth, const char* name, double relative) {
  const double theirs = Number(truth, std::string("residence.") + name);
  const double ours = Number(run.report, std::string("total.latency.") + name);
  EXPECT_NEAR(ours, theirs, relative * theirs + kBetweenUs) << name;
}

// A3, in closed loop: 3 of 200 arrivals take 100 ms, the others 2 ms.
TEST(TruthTest, ABimodalTargetsQuantilesAreThoseOfItsOwnRecord) {
  Mock mock(OnCore(1));
  const RunOutcome run = TidemarkRun(
      {"-c", "64", "-n", "60k", "-t", "1", "--warmup", "0", mock.Url("/mock/delay=bimodal:2ms:100ms:3/200")},
      OnCore(0));
  ASSERT_EQ(run.code, 0) << run.err;
  const auto truth = mock.Truth();
  for (const char* name : {"p50_us", "p99_us", "p99_9_us"}) ExpectNear(run, truth, name, 0.001);
  ExpectNear(run, truth, "mean_us", 0.005);
  // The slow share is 1.5 %: p98 is fast, p99 is slow, whatever the machine does.
  EXPECT_LT(Number(run.report, "total.latency.p95_us"), 50'000);
  EXPECT_GE(Number(run.report, "total.latency.p99_us"), 100'000);
}

// A4, in closed loop: a log-normal grid in whole cycles.
TEST(TruthTest, ALogNormalTargetsQuantilesAreThoseOfItsOwnRecord) {
  Mock mock(OnCore(1));
  const RunOutcome run = TidemarkRun(
      {"-c", "64", "-n", "60k", "-t", "1", "--warmup", "0", mock.Url("/mock/delay=lognormal:2ms:0.8")}, OnCore(0));
  ASSERT_EQ(run.code, 0) << run.err;
  const auto truth = mock.Truth();
  const std::pair<const char*, double> kAnalytic[] = {
      {"p50_us", 1'999.8}, {"p90_us", 5'574.3}, {"p99_us", 12'842}, {"p99_9_us", 23'423}};
  for (const auto& [name, value] : kAnalytic) {
    ExpectNear(run, truth, name, 0.01);
    // A delay is a lower bound: no request can be faster.
    EXPECT_GE(Number(run.report, std::string("total.latency.") + name), value * 0.99) << name;
  }
}

// The slots' own numbers decide: 3 of 200 fail, whatever order they arrive in, over agents, workers and both loops.
TEST(TruthTest, EverySlotCarriesItsOwnNumber) {
  for (const std::vector<std::string>& load :
       {std::vector<std::string>{"-R", "4k", "-d", "500ms", "--arrivals", "constant", "-c", "20"},
        {"-n", "2000", "-c", "20"}}) {
    Mock mock;
    const auto agents = StartAgents(2);
    std::vector<std::string> arguments = AgentsFlag(agents);
    arguments.insert(arguments.end(), load.begin(), load.end());
    arguments.insert(arguments.end(),
                     {"-t", "2", "--warmup", "0", "-H", "X-Seq: {slot}", mock.Url("/mock/status=503/200")});
    const RunOutcome run = TidemarkRun(arguments);
    ASSERT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(Int(run.report, "total.accounting.sent"), 2'000);
    // Numbers 0 to 1,999 have ten that are 199 modulo 200. In a closed loop agents and workers go on at their own pace:
    // each worker's numbers have the same share.
    EXPECT_NEAR(static_cast<double>(Int(run.report, "total.accounting.outcomes.status_5xx")), 10,
                load[0] == "-R" ? 0 : 2);
    EXPECT_EQ(Int(run.report, "total.accounting.outcomes.status_5xx"), Int(mock.Truth(), "statuses.503"));
  }
}

// One request in eight, by chance, is stamped: its parts add up to what it took, and the target's delay is on the wire.
TEST(TruthTest, KernelTimeStampsSplitTheServiceTime) {
  Mock mock;
  const RunOutcome run = TidemarkRun(
      {"-n", "2000", "-c", "10", "-t", "1", "--warmup", "0", "--kernel-timestamps", "8", mock.Url("/mock/delay=3ms")});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.accounting.sent"), Int(mock.Truth(), "parsed"));
  const auto stamped = Int(run.report, "points.0.wire.count");
  EXPECT_GE(stamped, 200);
  EXPECT_LE(stamped, 300);
  EXPECT_GE(Number(run.report, "points.0.wire.p50_us"), 3'000);
  const double parts = Number(run.report, "points.0.app_to_wire.mean_us") +
                       Number(run.report, "points.0.wire.mean_us") + Number(run.report, "points.0.wire_to_app.mean_us");
  EXPECT_NEAR(parts, Number(run.report, "points.0.latency.mean_us"), 0.1 * parts);
  EXPECT_NE(run.out.find("  Stamps   : "), std::string::npos) << run.out;
}

// Of a slow point every request is stamped, over TLS too, unless the plan says otherwise.
TEST(TruthTest, ASlowPointIsStampedWhole) {
  TempDir dir;
  const Certificate certificate(dir, "localhost", "IP:127.0.0.1");
  for (const bool is_tls : {false, true}) {
    Nginx nginx((is_tls ? "ssl_certificate " + certificate.cert + "; ssl_certificate_key " + certificate.key + ";"
                        : std::string()) +
                    "location / { return 200 hello; }",
                is_tls ? " ssl" : "");
    const std::string url = (is_tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(nginx.port()) + "/";
    const std::vector<std::string> arguments = {"-R", "200", "-d", "1s", "-c", "10", "--arrivals", "constant"};
    const auto with = [&](std::vector<std::string> more) {
      more.insert(more.end(), arguments.begin(), arguments.end());
      if (is_tls) more.push_back("--insecure");
      more.push_back(url);
      return TidemarkRun(more);
    };
    const RunOutcome run = with({});
    ASSERT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(Int(run.report, "total.successful_requests"), 200);
    EXPECT_GE(Int(run.report, "points.0.wire.count"), 195) << run.out;
    const double mean = Number(run.report, "points.0.histograms.stamped.mean_us");
    EXPECT_NEAR(mean, Number(run.report, "points.0.latency.mean_us"), 0.1 * mean);
    EXPECT_NEAR(mean,
                Number(run.report, "points.0.app_to_wire.mean_us") + Number(run.report, "points.0.wire.mean_us") +
                    Number(run.report, "points.0.wire_to_app.mean_us"),
                0.001 * mean);
    EXPECT_NE(run.out.find("on wire"), std::string::npos) << run.out;
    const RunOutcome without = with({"--kernel-timestamps", "0"});
    ASSERT_EQ(without.code, 0) << without.err;
    EXPECT_EQ(without.out.find("on wire"), std::string::npos) << without.out;
  }
}

}  // namespace
}  // namespace tidemark
