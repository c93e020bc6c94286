// Acceptance tests that need whole programs and stand in no other file: see docs/acceptance.md for all of them.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

bool IsFull() { return std::getenv("TIDEMARK_FULL") != nullptr; }

// A1: what four agents counted is what the target counted.
TEST(AcceptanceTest, EveryRequestIsCountedOnBothSides) {
  const std::int64_t requests = IsFull() ? 1'000'000 : 40'000;
  Mock mock(OnCore(1));
  const auto agents = StartAgents(4);
  std::vector<std::string> arguments = AgentsFlag(agents);
  arguments.insert(arguments.end(),
                   {"-n", std::to_string(requests), "-c", "64", "-t", "1", "--warmup", "0", mock.Url()});
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  const auto truth = mock.Truth();
  EXPECT_EQ(Int(run.report, "total.accounting.planned"), requests);
  EXPECT_EQ(Int(run.report, "total.accounting.sent"), Int(truth, "parsed"));
  EXPECT_EQ(Int(run.report, "total.accounting.outcomes.status_2xx"), Int(truth, "answered"));
  EXPECT_EQ(Int(run.report, "total.accounting.bytes_sent"), Int(truth, "bytes_received"));
  EXPECT_EQ(Int(run.report, "total.accounting.bytes_received"), Int(truth, "bytes_sent"));
  EXPECT_TRUE(At(run.report, "merge.is_exact").as_bool());
}

// A14: one of ten agents dies half-way, and the others go on.
TEST(AcceptanceTest, ALostAgentCostsWhatItHadNotDelivered) {
  const int seconds = IsFull() ? 60 : 20;
  Mock mock;
  const auto agents = StartAgents(10);
  std::vector<std::string> arguments = AgentsFlag(agents);
  TempDir dir;
  arguments.insert(arguments.begin(), {TIDEMARK_BINARY, "run", "-o", "json=" + (dir / "run.json")});
  arguments.insert(arguments.end(), {"-R", "2k", "-d", std::to_string(seconds) + "s", "-c", "50", "-t", "1",
                                     "--arrivals", "constant", "--on-agent-loss", "continue", mock.Url()});
  Process process(arguments);
  // Half-way after the first request arrived.
  while (Int(mock.Truth(), "parsed") == 0 && process.IsRunning())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(seconds * 500 + 50));
  agents[3]->process().Signal(SIGKILL);
  EXPECT_EQ(process.Wait(), 3) << process.Err();
  const boost::json::value report = ReadReport(dir / "run.json");
  EXPECT_EQ(At(report, "points.0.verdict").as_string(), "PARTIAL");
  EXPECT_NEAR(Number(report, "points.0.coverage_percent"), 95, 0.5);
  const auto counted = Int(report, "total.accounting.outcomes.status_2xx");
  const auto answered = Int(mock.Truth(), "answered");
  EXPECT_LE(counted, answered);
  EXPECT_LE(answered - counted, 200 * 1.2);  // its rate for a window and the way here
  // The others went on to the end.
  EXPECT_EQ(Int(report, "points.0.agents.4.planned"), 200 * seconds);
}

TEST(AcceptanceTest, TheNextPointIsDividedAmongThoseWhoAreLeft) {
  Mock mock;
  const auto agents = StartAgents(3);
  std::vector<std::string> arguments = AgentsFlag(agents);
  TempDir dir;
  arguments.insert(arguments.begin(), {TIDEMARK_BINARY, "run", "-o", "json=" + (dir / "run.json")});
  arguments.insert(arguments.end(),
                   {"-c", "6,9", "-d", "2s", "-t", "1", "--on-agent-loss", "continue", mock.Url("/mock/delay=5ms")});
  Process process(arguments);
  while (Int(mock.Truth(), "parsed") == 0 && process.IsRunning())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  agents[1]->process().Signal(SIGKILL);
  EXPECT_EQ(process.Wait(), 3) << process.Err();
  const boost::json::value report = ReadReport(dir / "run.json");
  ASSERT_EQ(At(report, "points").as_array().size(), 2u);
  EXPECT_EQ(At(report, "points.0.status").as_string(), "PARTIAL");
  EXPECT_EQ(At(report, "points.1.status").as_string(), "COMPLETE");
  EXPECT_EQ(Int(report, "points.1.connections_up"), 9);
  EXPECT_EQ(Number(report, "points.1.coverage_percent"), 100);
}

// A17: a connection that never pauses is never idle, and the audit of the requests in flight passed.
TEST(AcceptanceTest, ClosedLoopConnectionsAreNeverIdle) {
  Mock mock(OnCore(1));
  const RunOutcome run = TidemarkRun({"-c", "20", "-d", "3s", "-t", "1", mock.Url("/mock/delay=5ms")}, OnCore(0));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(At(run.report, "merge.is_exact").as_bool());
  EXPECT_GE(Number(run.report, "points.0.utilisation_percent"), 98);
  EXPECT_LE(Number(run.report, "points.0.utilisation_percent"), 100.5);  // its end is the last response
}

// A24: what is established when a point starts, whatever the split.
TEST(AcceptanceTest, TheSharesAddUpAtTheTarget) {
  for (const int agent_count : {1, 3, 10}) {
    const auto agents = StartAgents(agent_count);
    for (const int connections : {1, 7, 1003}) {
      Mock mock;
      std::vector<std::string> arguments = AgentsFlag(agents);
      arguments.insert(arguments.end(),
                       {"-c", std::to_string(connections), "--requests-per-connection", "1", mock.Url()});
      const RunOutcome run = TidemarkRun(arguments);
      ASSERT_EQ(run.code, 0) << run.err;
      EXPECT_EQ(Int(run.report, "points.0.connections_up"), connections);
      EXPECT_EQ(Int(mock.Truth(), "accepted"), connections);
      std::int64_t least = connections;
      std::int64_t most = 0;
      for (const auto& row : At(run.report, "points.0.agents").as_array()) {
        least = std::min(least, row.at("connections").to_number<std::int64_t>());
        most = std::max(most, row.at("connections").to_number<std::int64_t>());
      }
      EXPECT_LE(most - least, 1);
    }
  }
}

}  // namespace
}  // namespace tidemark
