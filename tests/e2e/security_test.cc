// What an operator relies on: targets that are not allowed are not loaded, by whatever name; secrets stay where they
// are.
#include <sys/resource.h>

#include "tests/e2e/memory.h"
#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

// Forms of a public address, 8.8.8.8, that a check of the text alone would let through.
TEST(SecurityTest, NoSpellingOfAPublicAddressGetsThrough) {
  Agent agent;
  for (const char* url :
       {"http://8.8.8.8/", "http://8.8.8.8./", "http://134744072/", "http://0x08080808/", "http://010.010.010.010/",
        "http://8.526344/", "http://[::ffff:8.8.8.8]/", "http://[::ffff:808:808]/", "http://[::8.8.8.8]/",
        "http://0.0.0.0/", "http://[::]/", "http://169.254.169.254/"}) {
    const RunOutcome run = TidemarkRun({"--agents", agent.address(), "-c", "1", "-n", "1", url});
    EXPECT_TRUE(run.code == 1 || run.code == 5) << url << run.err;
    EXPECT_TRUE(run.err.find("target refused") != std::string::npos ||
                run.err.find("cannot be resolved") != std::string::npos ||
                run.err.find("which some programs read as 8.8.8.8") != std::string::npos)
        << url << ": " << run.err;
  }
  // Userinfo, with which a name can pose as another, is not accepted at all.
  for (const char* url : {"http://127.0.0.1@8.8.8.8/", "http://user:pass@127.0.0.1/"})
    EXPECT_EQ(TidemarkRun({"--agents", agent.address(), url}).code, 1) << url;
  // Loopback in IPv6's clothes is loopback; a number that is read in two ways is refused, whatever it may mean.
  Mock mock;
  const std::string port = mock.Url("").substr(mock.Url("").rfind(':'));
  const auto code_of = [&](const std::string& host) {
    return TidemarkRun({"--agents", agent.address(), "-c", "1", "-n", "10", "http://" + host + port + "/"}).code;
  };
  EXPECT_EQ(code_of("[::ffff:127.0.0.1]"), 0);
  for (const char* host : {"127.1", "2130706433", "0x7f000001"}) EXPECT_EQ(code_of(host), 1) << host;
}

TEST(SecurityTest, TheCoordinatorCannotGiveANameAnotherAddress) {
  TempDir dir;
  Spill(dir / "allow.yaml", "targets:\n- { host: api.example.test, ports: [443] }\n");
  Agent agent({"--allow-list", dir / "allow.yaml"});
  const RunOutcome run = TidemarkRun({"--agents", agent.address(), "-c", "1", "-n", "1", "--resolve",
                                      "api.example.test:443:8.8.8.8", "https://api.example.test/"});
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("api.example.test is 8.8.8.8:443, outside loopback"), std::string::npos) << run.err;
}

TEST(SecurityTest, RedirectsAreCountedAndNotFollowed) {
  Nginx nginx("location / { return 302 http://8.8.8.8/; }");
  const RunOutcome run =
      TidemarkRun({"-c", "2", "-n", "50", "--warmup", "0", "http://127.0.0.1:" + std::to_string(nginx.port()) + "/"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.accounting.outcomes.status_3xx"), 50);
  EXPECT_EQ(WithWarmup(run.report, "connections.established"), 2);
  // Who asks for it gets them followed to the target alone.
  const RunOutcome asked = TidemarkRun({"-c", "2", "-n", "50", "--warmup", "0", "--follow", "5",
                                        "http://127.0.0.1:" + std::to_string(nginx.port()) + "/"});
  EXPECT_EQ(Int(asked.report, "total.accounting.counters.redirects_elsewhere"), 50);
  EXPECT_EQ(Int(asked.report, "total.accounting.counters.redirects_followed"), 0);
  EXPECT_EQ(WithWarmup(asked.report, "connections.established"), 2);
}

TEST(SecurityTest, TheAllowListsCeilingsHold) {
  Mock mock;
  TempDir dir;
  Spill(dir / "allow.yaml", "targets:\n- { cidr: 127.0.0.0/8, max_rate: 100, max_connections: 10 }\n");
  Agent agent({"--allow-list", dir / "allow.yaml"});
  const auto refusal = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--agents", agent.address(), mock.Url()});
    const RunOutcome run = TidemarkRun(arguments);
    EXPECT_EQ(run.code, 1) << run.err;
    return run.err;
  };
  EXPECT_NE(refusal({"-R", "101", "-d", "1s", "-c", "5"}).find("caps it at 100"), std::string::npos);
  EXPECT_NE(refusal({"-R", "50", "-d", "1s", "-c", "11"}).find("caps it at 10"), std::string::npos);
  EXPECT_EQ(Int(mock.Truth(), "parsed"), 0);
  EXPECT_EQ(TidemarkRun({"--agents", agent.address(), "-R", "100", "--arrivals", "constant", "-d", "1s", "-c", "10",
                         mock.Url()})
                .code,
            0);
  // A closed loop is paced.
  const RunOutcome paced = TidemarkRun({"--agents", agent.address(), "-c", "5", "-n", "50", mock.Url()});
  EXPECT_EQ(paced.code, 0) << paced.err;
  EXPECT_GT(WithWarmup(paced.report, "counters.held"), 0);
  Spill(dir / "bad.yaml", "targets:\n- { hots: x }\n");
  Process bad({TIDEMARK_AGENT_BINARY, "--allow-list", dir / "bad.yaml"});
  EXPECT_EQ(bad.Wait(), 1);
  EXPECT_NE(bad.Err().find("bad.yaml:2: targets.hots: unknown field; did you mean 'host'?"), std::string::npos)
      << bad.Err();
}

TEST(SecurityTest, ASecretIsAtTheAgentAndNowhereElse) {
  // Put together here, so that the value stands in no file of ours.
  const std::string secret = std::string("sesame") + "-7f3a91c4d2";
  Nginx nginx("if ($http_x_mbx_apikey != \"" + secret + "\") { return 403; }\nlocation / { return 200 ok; }");
  const std::string url = "http://127.0.0.1:" + std::to_string(nginx.port()) + "/";
  TempDir dir;
  Spill(dir / "allow.yaml", "secrets: ['file:" + (dir / "key") + "']\n");
  Spill(dir / "key", secret + "\n");
  Agent agent({"--allow-list", dir / "allow.yaml"});
  const std::vector<std::string> arguments = {"-c", "2",  "-d",
                                              "2s", "-H", "X-MBX-APIKEY: {file:" + (dir / "key") + "}"};
  std::vector<std::string> command = {TIDEMARK_BINARY, "run",           "--agents", agent.address(),
                                      "--journal",     dir / "journal", "-o",       "json=" + (dir / "run.json")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.push_back(url);
  Process run(command);
  std::this_thread::sleep_for(std::chrono::milliseconds(1'000));
  EXPECT_FALSE(HasInMemory(run.pid(), secret));
  // The search can find it; the agent's own memory is closed to all but root by now.
  if (geteuid() == 0) {
    EXPECT_TRUE(HasInMemory(agent.process().pid(), secret));
  }
  ASSERT_EQ(run.Wait(), 0) << run.Err();
  const auto report = ReadReport(dir / "run.json");
  EXPECT_EQ(Int(report, "total.failed_requests"), 0);
  EXPECT_GT(Int(report, "total.successful_requests"), 0);
  command.push_back("--dry-run");
  Process dry_run(command);
  dry_run.Wait();
  for (const std::string& text : {run.Out(), run.Err(), dry_run.Out(), dry_run.Err(), agent.process().Out(),
                                  agent.process().Err(), Slurp(dir / "run.json"), Slurp(dir / "journal")})
    EXPECT_EQ(text.find(secret), std::string::npos);
  // It dies without leaving its memory behind.
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  prlimit(agent.process().pid(), RLIMIT_CORE, &unlimited, nullptr);
  agent.process().Signal(SIGABRT);
  EXPECT_FALSE(agent.process().DumpedCore());
}

TEST(SecurityTest, ASecretThatTheAgentDoesNotOfferIsRefused) {
  Mock mock;
  Agent agent;
  const RunOutcome run =
      TidemarkRun({"--agents", agent.address(), "-c", "1", "-n", "1", "-H", "X-Key: {file:/etc/passwd}", mock.Url()});
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("secret refused: {file:/etc/passwd}"), std::string::npos) << run.err;
  EXPECT_EQ(Int(mock.Truth(), "parsed"), 0);
}

TEST(SecurityTest, AgentsAreListedAndTheirRunStopped) {
  Mock mock;
  const auto agents = StartAgents(2);
  const std::vector<std::string> flag = AgentsFlag(agents);
  TempDir dir;
  Process run({TIDEMARK_BINARY, "run", flag[0], flag[1], "-c", "4", "-d", "60s", "-o", "json=" + (dir / "run.json"),
               mock.Url("/mock/delay=1ms")});
  while (Int(mock.Truth(), "parsed") < 100 && run.IsRunning())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  Process list({TIDEMARK_BINARY, "agents", flag[0], flag[1] + ",127.0.0.1:1"});
  EXPECT_EQ(list.Wait(), 2);
  const std::string text = list.Out();
  EXPECT_NE(text.find("silent"), std::string::npos) << text;
  const std::size_t at = text.find("  run ");
  ASSERT_NE(at, std::string::npos) << text;
  const std::string id = text.substr(at + 6, text.find(' ', at + 6) - at - 6);
  Process other({TIDEMARK_BINARY, "stop", "20200101T000000Z-000000", flag[0], flag[1]});
  EXPECT_EQ(other.Wait(), 1);
  Process stop({TIDEMARK_BINARY, "stop", id, flag[0], flag[1]});
  EXPECT_EQ(stop.Wait(), 0) << stop.Err();
  EXPECT_EQ(run.Wait(), 3) << run.Err();
  EXPECT_NE(run.Err().find("the run was stopped by"), std::string::npos) << run.Err();
  // Of all that was sent is told, by both.
  const boost::json::value report = ReadReport(dir / "run.json");
  EXPECT_EQ(WithWarmup(report, "sent"), Int(mock.Truth(), "parsed"));
  EXPECT_EQ(Int(report, "points.0.unaccounted_requests_max"), 0);
  EXPECT_EQ(At(report, "points.0.status").as_string(), "PARTIAL");
  EXPECT_EQ(TidemarkRun({flag[0], flag[1], "-c", "4", "-n", "100", mock.Url()}).code, 0);
}

}  // namespace
}  // namespace tidemark
