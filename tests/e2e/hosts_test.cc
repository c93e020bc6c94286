// Five agents, a coordinator and a target, each on a host of its own.
#include "tests/e2e/hosts.h"

#include <algorithm>
#include <cmath>

#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

constexpr int kAgents = 5;
constexpr int kCoordinatorHost = 6;
constexpr int kTargetHost = 7;
constexpr int kClockShiftsS[kAgents] = {0, 50, -50, 20, -1};

// The hosts, with certificates for all of them.
struct HostsTest : testing::Test {
  void SetUp() override {
    if (!net.Make(7) || Process({"unshare", "--time", "--fork", "true"}).Wait() != 0)
      GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    const auto certs = [this](std::vector<std::string> arguments) {
      arguments.insert(arguments.begin(), {TIDEMARK_BINARY, "certs"});
      arguments.insert(arguments.end(), {"--ca", dir / "ca"});
      EXPECT_EQ(Process(arguments).Wait(), 0);
    };
    certs({"init"});
    certs({"coordinator", "--out", dir / "coordinator"});
    for (int i = 1; i <= kAgents; ++i) certs({"agent", TestNet::Address(i), "--out", dir / TestNet::Name(i)});
    target = std::make_unique<Mock>(TestNet::On(kTargetHost),
                                    std::vector<std::string>{"--listen", TestNet::Address(kTargetHost) + ":0"});
  }
  void StartAgents(bool has_shifted_clocks) {
    for (int i = 1; i <= kAgents; ++i) {
      agents.push_back(std::make_unique<Agent>(std::vector<std::string>{"--control-certs", dir / TestNet::Name(i)},
                                               TestNet::Address(i) + ":0",
                                               TestNet::On(i, has_shifted_clocks ? kClockShiftsS[i - 1] : 0)));
    }
  }
  RunOutcome Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(),
                     {"--control-certs", dir / "coordinator", AgentsFlag(agents)[0], AgentsFlag(agents)[1]});
    return TidemarkRun(arguments, TestNet::On(kCoordinatorHost));
  }

  TestNet net;
  TempDir dir;
  std::unique_ptr<Mock> target;
  std::vector<std::unique_ptr<Agent>> agents;
};

TEST_F(HostsTest, ASweepsTotalsAreTheTargets) {
  StartAgents(false);
  const RunOutcome run = Run({"-c", "10,50,100,500", "--requests-per-connection", "100", target->Url()});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(WithWarmup(run.report, "sent"), Int(target->Truth(), "parsed"));
  EXPECT_EQ(WithWarmup(run.report, "success"), Int(target->Truth(), "answered"));
  EXPECT_EQ(Int(run.report, "total.successful_requests"), 660 * 100);
}

// All namespaces share one clock, shifted by whole seconds, so that each offset is known exactly: the offsets must be
// right within the bound that the report gives, and the starts together within a millisecond.
TEST_F(HostsTest, AgentsWhoseClocksAreFarApartStartTogether) {
  StartAgents(true);
  std::string points = "5";
  for (int i = 1; i < 100; ++i) points += "," + std::to_string(5 + i % 20 * 5);
  const RunOutcome run = Run({"-c", points, "-n", "500", "--warmup", "0", target->Url("/mock/delay=1ms")});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.accounting.sent"), Int(target->Truth(), "parsed"));
  double offset_error_us[kAgents];
  for (int i = 0; i < kAgents; ++i) {
    const std::string agent = "agents." + std::to_string(i);
    offset_error_us[i] =
        (static_cast<double>(Int(run.report, agent + ".clock_offset_ns")) - kClockShiftsS[i] * 1e9) / 1e3;
    EXPECT_LE(std::abs(offset_error_us[i]), Number(run.report, agent + ".clock_error_us")) << agent;
  }
  std::vector<double> skews;
  for (const auto& point : At(run.report, "points").as_array()) {
    EXPECT_LE(point.at("start_skew_us").to_number<double>(), 50e3);
    skews.push_back(point.at("start_skew_us").to_number<double>() +
                    point.at("start_skew_bound_us").to_number<double>());
  }
  std::sort(skews.begin(), skews.end());
  ASSERT_EQ(skews.size(), 100u);
  // Of 100 points the last but one. The bound of the clocks' error is in it: the truth is better.
  EXPECT_LE(skews[98], std::getenv("TIDEMARK_FULL") != nullptr ? 1'000 : 5'000) << "median " << skews[49];
  std::printf("start skew with the clocks' error: p50 %.0f us, p99 %.0f us\n", skews[49], skews[98]);
}

}  // namespace
}  // namespace tidemark
