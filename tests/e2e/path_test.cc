// Where the time of a latency went, over a path that takes its time: the network's share is not the target's.
#include "tests/e2e/hosts.h"
#include "tests/e2e/programs.h"
#include "tests/e2e/slow_line.h"

namespace tidemark {
namespace {

constexpr auto kOneWay = std::chrono::milliseconds(10);

const boost::json::value& SplitOf(const RunOutcome& run, std::string_view name) {
  for (const boost::json::value& split : At(run.report, "points.0.splits").as_array()) {
    if (split.at("name").as_string() == name) return split;
  }
  ADD_FAILURE() << "no split of " << name << run.out;
  static const boost::json::value kNone;
  return kNone;
}

// Of a figure, what of it passed on the wire beyond the target's own record is the network's, within a tenth.
void ExpectNetworks(const RunOutcome& run, const boost::json::value& truth, const std::string& name) {
  const double theirs = Number(truth, "residence." + name);
  const double beyond = Number(run.report, "points.0.wire." + name) - theirs;
  const boost::json::value& split = SplitOf(run, name);
  EXPECT_NEAR(Number(split, "network_us"), beyond, 0.1 * beyond) << name << " " << theirs << run.out;
  EXPECT_NEAR(Number(split, "ours_us") + Number(split, "network_us") + Number(split, "target_us"),
              Number(split, "whole_us"), 1)
      << name;
}

TEST(PathTest, ALongWayIsTheNetworksPart) {
  TestNet net;
  if (!net.Make(1)) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  const SlowLine line(TestNet::Name(1), kOneWay, 0);
  if (!line.IsThere()) GTEST_SKIP() << "needs /dev/net/tun";
  Mock mock(TestNet::On(1), {"--listen", std::string(SlowLine::kFarAddress) + ":0"});
  const RunOutcome run = TidemarkRun({"-c", "10", "-d", "4s", "-t", "1", mock.Url("/mock/delay=5ms")});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto truth = mock.Truth();
  for (const char* name : {"mean_us", "p50_us", "p90_us"}) ExpectNetworks(run, truth, name);
  EXPECT_NE(run.out.find("is the network's and not the target's"), std::string::npos) << run.out;
  EXPECT_EQ(run.out.find("the network lost"), std::string::npos) << run.out;
}

TEST(PathTest, WhatALossCostsIsTheNetworksPart) {
  TestNet net;
  if (!net.Make(1)) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  const SlowLine line(TestNet::Name(1), kOneWay, 100);
  if (!line.IsThere()) GTEST_SKIP() << "needs /dev/net/tun";
  Mock mock(TestNet::On(1), {"--listen", std::string(SlowLine::kFarAddress) + ":0"});
  const RunOutcome run = TidemarkRun({"-c", "20", "-d", "6s", "-t", "1", mock.Url("/mock/delay=5ms")});
  ASSERT_EQ(run.code, 0) << run.err;
  ASSERT_GT(line.lost(), 20);
  const auto truth = mock.Truth();
  for (const char* name : {"mean_us", "p50_us", "p99_us"}) ExpectNetworks(run, truth, name);
  EXPECT_NE(run.out.find("the network lost or reordered what was sent"), std::string::npos) << run.out;
  EXPECT_NE(At(run.report, "points.0.target").as_string(), "FAILING") << run.out;
}

}  // namespace
}  // namespace tidemark
