// What happens when somebody leaves: the user, an agent, the coordinator.
#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

TEST(SignalsTest, ASecondCtrlCLeavesAtOnce) {
  Mock mock;
  Process process({TIDEMARK_BINARY, "run", "-c", "4", "-d", "60s", "--timeout", "30s", mock.Url("/mock/fault=hang")});
  while (Int(mock.Truth(), "parsed") < 4 && process.IsRunning())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  process.Signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(std::chrono::seconds(5)), 130);
}

TEST(SignalsTest, AnAgentKilledMidRunLeavesAPartialPointThatStillAddsUp) {
  Mock mock;
  auto agents = StartAgents(3);
  const std::vector<std::string> flag = AgentsFlag(agents);
  TempDir dir;
  Process process({TIDEMARK_BINARY, "run", flag[0], flag[1], "--on-agent-loss", "fail", "-c", "9",
                   "--requests-per-connection", "5k", "-o", "json=" + (dir / "run.json"), mock.Url("/mock/delay=1ms")});
  WaitForAnswers(mock, 8'000, &process);
  agents[1]->process().Signal(SIGKILL);
  EXPECT_EQ(process.Wait(), 3);
  const boost::json::value report = ReadReport(dir / "run.json");
  EXPECT_EQ(At(report, "status").as_string(), "PARTIAL");
  EXPECT_TRUE(At(report, "total.accounting.identity_holds").as_bool());
  EXPECT_NE(At(report, "agents.1.lost").as_string(), "");
  // What the mock parsed lies between what was counted and that plus what is unaccounted for.
  const std::int64_t sent = Int(report, "total.accounting.sent");
  const std::int64_t unaccounted = Int(report, "total.unaccounted_requests_max");
  const std::int64_t parsed = Int(mock.Truth(), "parsed");
  EXPECT_LE(sent - Int(report, "total.accounting.in_flight"), parsed);
  EXPECT_GE(sent + unaccounted, parsed);
  EXPECT_GT(unaccounted, 0);
  // The survivors are free for the next run.
  EXPECT_EQ(
      TidemarkRun({"--agents", agents[0]->address() + "," + agents[2]->address(), "-c", "4", "-n", "100", mock.Url()})
          .code,
      0);
}

// A run by an agent of its own, under way.
struct RunUnderWay {
  explicit RunUnderWay(const std::string& duration)
      : process({TIDEMARK_BINARY, "run", "--agents", agent.address(), "-c", "4", "-d", duration,
                 mock.Url("/mock/delay=1ms")}) {
    WaitForAnswers(mock, 200, &process);
  }
  // What a run that begins now ends with.
  int ExitCodeOfTheNext() const {
    return TidemarkRun({"--agents", agent.address(), "-c", "4", "-n", "100", mock.Url()}).code;
  }

  Mock mock;
  Agent agent;
  Process process;
};

TEST(SignalsTest, ACoordinatorThatDiesStopsItsAgents) {
  RunUnderWay run("60s");
  run.process.Signal(SIGKILL);
  run.process.Wait();
  // Within the lease; here the kernel closes the connection at once.
  std::int64_t before = -1;
  for (int i = 0; i < 60; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const std::int64_t now = Int(run.mock.Truth(), "parsed");
    if (now == before) break;
    before = now;
  }
  EXPECT_EQ(Int(run.mock.Truth(), "parsed"), before);
  EXPECT_EQ(run.ExitCodeOfTheNext(), 0);
}

// A coordinator that hangs keeps its connections open: the lease of 3 s ends what it started.
TEST(SignalsTest, ACoordinatorThatHangsLosesItsAgents) {
  RunUnderWay run("60s");
  run.process.Signal(SIGSTOP);
  std::this_thread::sleep_for(std::chrono::milliseconds(4'000));
  const std::int64_t before = Int(run.mock.Truth(), "parsed");
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(Int(run.mock.Truth(), "parsed"), before);
  EXPECT_NE(run.agent.process().Err().find("the coordinator was silent for 3 s"), std::string::npos);
  EXPECT_EQ(run.ExitCodeOfTheNext(), 0);
  run.process.Signal(SIGCONT);
  EXPECT_EQ(run.process.Wait(std::chrono::seconds(15)), 3) << run.process.Err();
  EXPECT_NE(run.process.Err().find("this coordinator stood still itself, for "), std::string::npos)
      << run.process.Err();
  EXPECT_NE(run.process.Out().find(" PARTIAL"), std::string::npos) << run.process.Out();
}

// When it wakes the point would be over, and its agents have ended it long before.
TEST(SignalsTest, ACoordinatorThatHangsOverAPointsEndKnowsThatItsAgentsEndedIt) {
  for (const std::vector<std::string>& load :
       {std::vector<std::string>{"-d", "6s"}, {"-d", "6s", "-R", "200"}, {"-R", "200", "-n", "1200"}}) {
    Mock mock;
    const auto agents = StartAgents(2);
    TempDir dir;
    std::vector<std::string> command = AgentsFlag(agents);
    command.insert(command.begin(), {TIDEMARK_BINARY, "run", "--strict", "--warmup", "0", "-c", "8", "-o",
                                     "json=" + (dir / "run.json"), mock.Url("/mock/delay=5ms")});
    command.insert(command.end(), load.begin(), load.end());
    Process run(command);
    WaitForAnswers(mock, 100, &run);
    run.Signal(SIGSTOP);
    std::this_thread::sleep_for(std::chrono::milliseconds(8'000));
    run.Signal(SIGCONT);
    EXPECT_EQ(run.Wait(std::chrono::seconds(30)), 3) << run.Err() << run.Out();
    const boost::json::value report = ReadReport(dir / "run.json");
    EXPECT_EQ(At(report, "points.0.verdict").as_string(), "PARTIAL") << run.Out();
    EXPECT_LT(Number(report, "points.0.coverage_percent"), 80);
    EXPECT_EQ(run.Err().find("is made again"), std::string::npos) << run.Err();
  }
}

// What came while it was stopped lay unread: no agent is late for that.
TEST(SignalsTest, ACoordinatorThatHangsForLessThanALeaseLosesNobody) {
  RunUnderWay run("6s");
  for (int i = 0; i < 2; ++i) {
    run.process.Signal(SIGSTOP);
    std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
    run.process.Signal(SIGCONT);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  EXPECT_EQ(run.process.Wait(std::chrono::seconds(15)), 0) << run.process.Err();
  EXPECT_EQ(run.process.Out().find(" PARTIAL"), std::string::npos) << run.process.Out();
}

TEST(SignalsTest, AnAgentThatHangsIsLostInTimeAndStopsWhenItWakes) {
  Mock mock;
  const auto agents = StartAgents(2);
  std::vector<std::string> arguments = AgentsFlag(agents);
  arguments.insert(arguments.begin(), {TIDEMARK_BINARY, "run"});
  arguments.insert(arguments.end(), {"--on-agent-loss", "fail", "-c", "4", "-d", "60s", mock.Url("/mock/delay=1ms")});
  Process process(arguments);
  WaitForAnswers(mock, 200, &process);
  agents[1]->process().Signal(SIGSTOP);
  EXPECT_EQ(process.Wait(std::chrono::seconds(20)), 3) << process.Err();
  agents[1]->process().Signal(SIGCONT);
  std::this_thread::sleep_for(std::chrono::milliseconds(1'000));
  const std::int64_t before = Int(mock.Truth(), "parsed");
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(Int(mock.Truth(), "parsed"), before);
  EXPECT_EQ(TidemarkRun({"--agents", agents[1]->address(), "-c", "4", "-n", "100", mock.Url()}).code, 0);
}

// An agent that was frozen for longer than its lease looks at it before it sends: all that may still go out is what the
// worker was in the middle of sending.
TEST(SignalsTest, AnAgentThatWasFrozenBeyondItsLeaseSendsNothingWhenItWakes) {
  constexpr std::int64_t kAmidst = 8;  // as worker.cc
  const std::pair<const char*, std::vector<std::string>> kLoads[] = {
      {"closed loop", {"-c", "50"}},
      {"think time", {"-c", "50", "--think-time", "100ms"}},
      {"open loop", {"-c", "50", "-R", "2k"}},
      {"new connections", {"-c", "50", "-R", "500", "--new-connection"}},
  };
  for (const auto& [name, load] : kLoads) {
    Mock mock;
    Agent agent;
    std::vector<std::string> command = {
        TIDEMARK_BINARY, "run", "--agents", agent.address(), "-t", "1", "-d", "60s", mock.Url("/mock/delay=5ms")};
    command.insert(command.end(), load.begin(), load.end());
    Process run(command);
    WaitForAnswers(mock, 500, &run);
    agent.process().Signal(SIGSTOP);
    EXPECT_NE(run.Wait(std::chrono::seconds(20)), 0) << name;
    const boost::json::value before = mock.Truth();
    agent.process().Signal(SIGCONT);
    std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
    const boost::json::value after = mock.Truth();
    EXPECT_LE(Int(after, "parsed") - Int(before, "parsed"), kAmidst) << name;
    EXPECT_LE(Int(after, "accepted") - Int(before, "accepted"), kAmidst) << name;
  }
}

TEST(SignalsTest, AgentsEndOnSigtermAndAfterOneRunWithOnce) {
  Agent agent;
  agent.process().Signal(SIGTERM);
  EXPECT_EQ(agent.process().Wait(), 0);

  Mock mock;
  Agent once({"--once"});
  EXPECT_EQ(TidemarkRun({"--agents", once.address(), "-c", "2", "-n", "10", mock.Url()}).code, 0);
  EXPECT_EQ(once.process().Wait(), 0);

  Agent idle({"--once", "--idle-timeout", "200ms"});
  EXPECT_EQ(idle.process().Wait(), 0);
  EXPECT_NE(idle.process().Err().find("no coordinator within 200ms"), std::string::npos);
}

TEST(SignalsTest, AnInsecureControlChannelIsSaidAtTheStartAndInTheReport) {
  Mock mock;
  Agent agent({"--insecure-control"}, "0.0.0.0:0");
  EXPECT_NE(agent.process().Err().find("--insecure-control: anyone who reaches"), std::string::npos);
  const std::string port = agent.address().substr(agent.address().find(':'));
  const RunOutcome run = TidemarkRun({"--agents", "127.0.0.1" + port, "-c", "2", "-n", "10", mock.Url()});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.out.find("INSECURE CONTROL CHANNEL"), std::string::npos) << run.out;
}

}  // namespace
}  // namespace tidemark
