// Streams that break, agents that are lost, coordinators that die: nothing is counted twice, nothing is lost in
// silence.
#include <filesystem>

#include "common/control/protocol_version.h"
#include "tests/e2e/programs.h"
#include "tests/support/relay.h"

namespace tidemark {
namespace {

boost::json::value ReadJson(const std::string& path) { return ReadReport(path); }

TEST(ResilienceTest, ABrokenStreamIsTakenUpAgainAndNothingIsCountedTwice) {
  Mock mock;
  Agent first;
  Agent second;
  Relay relay(second.address());
  TempDir dir;
  Process process({TIDEMARK_BINARY, "run", "--agents", first.address() + "," + relay.address(), "-c", "8",
                   "--requests-per-connection", "1k", "-o", "json=" + (dir / "run.json"), mock.Url("/mock/delay=5ms")});
  for (int i = 0; i < 4; ++i) {
    WaitForAnswers(mock, 1'200 * (i + 1), &process);
    relay.Cut();
  }
  ASSERT_EQ(process.Wait(), 0) << process.Err();
  const auto report = ReadJson(dir / "run.json");
  EXPECT_EQ(At(report, "status").as_string(), "COMPLETE");
  EXPECT_GE(Int(report, "agents.1.resumed_streams"), 2);
  EXPECT_EQ(Int(report, "agents.0.resumed_streams"), 0);
  EXPECT_TRUE(At(report, "merge.is_exact").as_bool());
  EXPECT_EQ(WithWarmup(report, "sent"), Int(mock.Truth(), "parsed"));
  EXPECT_EQ(Int(report, "total.successful_requests"), 8'000);
}

// Cut at every stage of a run of several points: while opening, connecting, arming.
TEST(ResilienceTest, ABreakAtAnyStageIsTakenUpAgain) {
  Mock mock;
  Agent agent;
  Relay relay(agent.address());
  TempDir dir;
  Process process({TIDEMARK_BINARY, "run", "--agents", relay.address(), "-c", "1,2,3,4,5,6,7,8,9,10,11,12", "-n", "200",
                   "-o", "json=" + (dir / "run.json"), mock.Url("/mock/delay=10ms")});
  while (process.IsRunning()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(737));
    relay.Cut();
  }
  ASSERT_EQ(process.Wait(), 0) << process.Err();
  const auto report = ReadJson(dir / "run.json");
  EXPECT_GE(Int(report, "agents.0.resumed_streams"), 3);
  EXPECT_EQ(WithWarmup(report, "sent"), Int(mock.Truth(), "parsed"));
  EXPECT_EQ(Int(report, "total.successful_requests"), 2'400);
}

// A network that passes nothing for longer than the lease: the agent stops, the others make the point again.
TEST(ResilienceTest, APartitionLongerThanTheLeaseLosesTheAgent) {
  Mock mock;
  Agent first;
  Agent second;
  Relay relay(second.address());
  TempDir dir;
  Process process({TIDEMARK_BINARY, "run", "--agents", first.address() + "," + relay.address(), "-c", "8", "-d", "4s",
                   "-o", "json=" + (dir / "run.json"), mock.Url("/mock/delay=5ms")});
  WaitForAnswers(mock, 500, &process);
  relay.Stall(true);
  std::this_thread::sleep_for(std::chrono::milliseconds(4'000));
  EXPECT_NE(second.process().Err().find("the coordinator was silent for 3 s"), std::string::npos);
  ASSERT_EQ(process.Wait(), 0) << process.Err();
  const auto report = ReadJson(dir / "run.json");
  EXPECT_EQ(At(report, "abandoned_points").as_array().size(), 1u);
  EXPECT_EQ(At(report, "points.0.status").as_string(), "COMPLETE");
  EXPECT_NE(At(report, "agents.1.lost").as_string(), "");
  relay.Stall(false);
  EXPECT_EQ(TidemarkRun({"--agents", second.address(), "-c", "4", "-n", "100", mock.Url()}).code, 0);
}

// A run by time that loses the second of two agents, which is back before it ends.
void ExpectThatTheLostAgentTellsLater(const std::function<void(Process&, Relay&)>& lose,
                                      const std::function<void(Process&, Relay&)>& give_back) {
  Mock mock;
  const Agent first;
  Agent second;
  Relay relay(second.address());
  TempDir dir;
  Process process({TIDEMARK_BINARY, "run", "--agents", first.address() + "," + relay.address(), "-c", "8", "-d", "9s",
                   "--warmup", "0", "--on-agent-loss", "continue", "--journal", dir / "run.journal", "-o",
                   "json=" + (dir / "run.json"), mock.Url("/mock/delay=5ms")});
  WaitForAnswers(mock, 1'500, &process);
  lose(second.process(), relay);
  std::this_thread::sleep_for(std::chrono::milliseconds(6'000));
  give_back(second.process(), relay);
  EXPECT_EQ(process.Wait(), 3) << process.Err();
  EXPECT_NE(process.Err().find(", as it said when it was asked again"), std::string::npos) << process.Err();
  const auto report = ReadJson(dir / "run.json");
  EXPECT_FALSE(At(report, "points.0").as_object().contains("unaccounted_is_estimate"));
  const std::int64_t lost = Int(mock.Truth(), "parsed") - Int(report, "points.0.accounting.sent");
  const std::int64_t told = Int(report, "points.0.unaccounted_requests_max");
  EXPECT_GE(lost, 0);
  EXPECT_GE(told, lost);
  EXPECT_LE(told, lost + 4);  // of its connections: in flight when its last shard was made
  Process again(
      {TIDEMARK_BINARY, "report", "--from-journal", dir / "run.journal", "-o", "json=" + (dir / "again.json")});
  EXPECT_EQ(again.Wait(), 3) << again.Err();
  EXPECT_EQ(Slurp(dir / "again.json"), Slurp(dir / "run.json"));
}

TEST(ResilienceTest, AnAgentThatWasCutOffTellsLaterWhatItHadSent) {
  ExpectThatTheLostAgentTellsLater([](Process&, Relay& relay) { relay.Stall(true); },
                                   [](Process&, Relay& relay) { relay.Stall(false); });
}

TEST(ResilienceTest, AnAgentThatWasFrozenTellsLaterWhatItHadSent) {
  ExpectThatTheLostAgentTellsLater([](Process& agent, Relay&) { agent.Signal(SIGSTOP); },
                                   [](Process& agent, Relay&) { agent.Signal(SIGCONT); });
}

TEST(ResilienceTest, ALostAgentsPointIsMadeAgainByTheOthers) {
  Mock mock;
  const auto agents = StartAgents(3);
  const std::vector<std::string> flag = AgentsFlag(agents);
  TempDir dir;
  Process process({TIDEMARK_BINARY, "run", flag[0], flag[1], "-c", "9,10", "--requests-per-connection", "500", "-o",
                   "json=" + (dir / "run.json"), mock.Url("/mock/delay=2ms")});
  WaitForAnswers(mock, 1'000, &process);
  agents[1]->process().Signal(SIGKILL);
  ASSERT_EQ(process.Wait(), 0) << process.Err();
  const auto report = ReadJson(dir / "run.json");
  EXPECT_EQ(At(report, "status").as_string(), "COMPLETE");
  EXPECT_EQ(Int(report, "total.accounting.sent"), 9 * 500 + 10 * 500);
  EXPECT_EQ(Int(report, "points.0.agents.1.sent"), 0);
  EXPECT_EQ(At(report, "abandoned_points.0.status").as_string(), "PARTIAL");
  EXPECT_NE(process.Err().find("is made again, split over 2 agents"), std::string::npos) << process.Err();
  // All that the target saw: both attempts, and what the lost agent took with it.
  const std::int64_t parsed = Int(mock.Truth(), "parsed");
  const std::int64_t counted = WithWarmup(report, "sent") + Int(report, "abandoned_points.0.accounting.sent") +
                               Int(report, "abandoned_points.0.warmup.sent");
  EXPECT_LE(counted - Int(report, "abandoned_points.0.accounting.in_flight"), parsed);
  EXPECT_GE(counted + Int(report, "abandoned_points.0.unaccounted_requests_max"), parsed);
}

TEST(ResilienceTest, AJournalGivesTheSameReportAsTheRun) {
  Mock mock;
  const auto agents = StartAgents(2);
  const std::vector<std::string> flag = AgentsFlag(agents);
  TempDir dir;
  Process run({TIDEMARK_BINARY, "run", flag[0], flag[1], "-c", "4,8", "-d", "2s", "--journal", dir / "run.journal",
               "-o", "json=" + (dir / "run.json"), mock.Url("/mock/delay=1ms")});
  ASSERT_EQ(run.Wait(), 0) << run.Err();
  Process again(
      {TIDEMARK_BINARY, "report", "--from-journal", dir / "run.journal", "-o", "json=" + (dir / "again.json")});
  ASSERT_EQ(again.Wait(), 0) << again.Err();
  EXPECT_EQ(Slurp(dir / "again.json"), Slurp(dir / "run.json"));
  EXPECT_EQ(again.Out(), run.Out());
}

TEST(ResilienceTest, ACoordinatorThatDiesLeavesAJournalOfAllThatHadArrived) {
  Mock mock;
  const auto agents = StartAgents(2);
  const std::vector<std::string> flag = AgentsFlag(agents);
  TempDir dir;
  Process run({"env", "XDG_STATE_HOME=" + (dir / "state"), TIDEMARK_BINARY, "run", flag[0], flag[1], "-c", "4,8", "-d",
               "3s", mock.Url("/mock/delay=1ms")});
  WaitForAnswers(mock, 13'000, &run);  // in the second point
  run.Signal(SIGKILL);
  run.Wait();
  std::vector<std::string> journals;
  for (const auto& entry : std::filesystem::directory_iterator(dir / "state/tidemark/journal"))
    journals.push_back(entry.path().filename());
  ASSERT_EQ(journals.size(), 1u);
  Process report({"env", "XDG_STATE_HOME=" + (dir / "state"), TIDEMARK_BINARY, "report", "--from-journal", journals[0],
                  "-o", "json=" + (dir / "report.json")});
  EXPECT_EQ(report.Wait(), 3) << report.Err();
  EXPECT_NE(report.Err().find("the journal ends before the run"), std::string::npos) << report.Err();
  const auto json = ReadJson(dir / "report.json");
  EXPECT_EQ(At(json, "points.0.status").as_string(), "COMPLETE");
  EXPECT_EQ(At(json, "points.1.status").as_string(), "PARTIAL");
  EXPECT_TRUE(At(json, "total.accounting.identity_holds").as_bool());
  EXPECT_GT(Int(json, "points.0.accounting.sent"), 5'000);
  EXPECT_LE(Int(json, "total.accounting.sent"), Int(mock.Truth(), "parsed"));
}

TEST(ResilienceTest, AJournalThatWasDeliveredIsRemoved) {
  Mock mock;
  Agent agent;
  TempDir dir;
  Process run({"env", "XDG_STATE_HOME=" + (dir / "state"), TIDEMARK_BINARY, "run", "--agents", agent.address(), "-c",
               "2", "-n", "10", mock.Url()});
  EXPECT_EQ(run.Wait(), 0) << run.Err();
  EXPECT_TRUE(std::filesystem::is_empty(dir / "state/tidemark/journal"));
}

TEST(ResilienceTest, BadJournalsAreOneLine) {
  TempDir dir;
  Spill(dir / "no", "something else");
  const std::string header = "tidemark-journal " + ProtocolName(kProtocolVersion) + "\n";
  Spill(dir / "empty", header);
  Spill(dir / "garbage", header + "\x05hello");
  Spill(dir / "old", "tidemark-journal 2\n\x05hello");
  for (const auto& [file, part] : std::vector<std::pair<std::string, std::string>>{{dir / "missing", "No such file"},
                                                                                   {dir / "no", "no tidemark journal"},
                                                                                   {dir / "old", "no tidemark journal"},
                                                                                   {dir / "empty", "holds no run"},
                                                                                   {dir / "garbage", "holds no run"}}) {
    Process report({TIDEMARK_BINARY, "report", "--from-journal", file});
    EXPECT_EQ(report.Wait(), 1);
    const std::string err = report.Err();
    EXPECT_NE(err.find(part), std::string::npos) << err;
    EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << err;
  }
}

}  // namespace
}  // namespace tidemark
