// Names with several addresses. Each test runs in a mount namespace of its own, with an /etc/hosts of its own.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

// Replaces /etc/hosts for this process and its children; false without the right to.
bool UseHosts(const TempDir& dir, const std::string& hosts) {
  Spill(dir / "hosts", hosts);
  Spill(dir / "nsswitch.conf", "hosts: files\n");
  if (unshare(CLONE_NEWNS) != 0) return false;
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  if (mount((dir / "hosts").c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) != 0) return false;
  // A resolver that asks the network would wait for it.
  return access("/etc/nsswitch.conf", F_OK) != 0 ||
         mount((dir / "nsswitch.conf").c_str(), "/etc/nsswitch.conf", nullptr, MS_BIND, nullptr) == 0;
}

// Nobody who reads the file meanwhile finds it empty.  REQUIRES: `text` is no shorter than what it holds.
void WriteOver(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  EXPECT_EQ(pwrite(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  close(fd);
}

TEST(NetTest, ConnectionsAreDealtInTurnOverAllAddressesOfATarget) {
  TempDir dir;
  if (!UseHosts(dir, "127.0.0.1 localhost\n127.0.0.5 multi.test\n127.0.0.6 multi.test\n127.0.0.7 multi.test\n")) {
    GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  }
  Nginx nginx("location / { return 200 hello; }", "", "0.0.0.0");
  const auto agents = StartAgents(2);
  std::vector<std::string> arguments = AgentsFlag(agents);
  arguments.insert(arguments.end(), {"-c", "12", "--requests-per-connection", "10",
                                     "http://multi.test:" + std::to_string(nginx.port()) + "/"});
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(At(run.report, "agents.0.target_addresses").as_array().size(), 3u);
  nginx.Quit();
  std::map<std::string, int> per_address;
  std::ifstream log(nginx.dir() / "access.log");
  for (std::string line; std::getline(log, line);) {
    std::istringstream words(line);
    std::string status;
    std::string address;
    if (words >> status >> address) ++per_address[address];
  }
  EXPECT_EQ(per_address, (std::map<std::string, int>{{"127.0.0.5", 40}, {"127.0.0.6", 40}, {"127.0.0.7", 40}}));
  EXPECT_NE(run.out.find("127.0.0.6:"), std::string::npos);  // the list is printed
}

TEST(NetTest, ADnsNameStandsForAnAgentAtEachOfItsAddresses) {
  TempDir dir;
  if (!UseHosts(dir, "127.0.0.1 localhost\n127.0.0.11 agents.test\n127.0.0.12 agents.test\n::1 agents.test\n")) {
    GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  }
  Mock mock;
  Agent first({}, "127.0.0.11:0");
  const std::string port = first.address().substr(first.address().rfind(':'));
  Agent second({}, "127.0.0.12" + port);
  Agent third({}, "[::1]" + port);
  const RunOutcome run =
      TidemarkRun({"--agents", "dns:agents.test" + port, "--wait-agents", "3", "-c", "10", "-n", "1k", mock.Url()});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(At(run.report, "agents").as_array().size(), 3u);
  EXPECT_EQ(Int(run.report, "total.successful_requests"), 1'000);
  EXPECT_EQ(Int(mock.Truth(), "parsed"), 1'000);
}

TEST(NetTest, MoreConnectionsThanLocalPortsAreRefused) {
  if (unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  Spill("/proc/sys/net/ipv4/ip_local_port_range", "40000 40099");  // of this network namespace alone
  const RunOutcome refused = TidemarkRun({"-c", "50,101", "http://127.0.0.1:1/"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("101 connections, but it has 100 local ports to this target; add --source"),
            std::string::npos)
      << refused.err;
  // Two source addresses make two hundred; then it is the target that does not answer in this empty namespace.
  EXPECT_EQ(
      TidemarkRun({"-c", "101", "--connect-timeout", "1s", "--source", "127.0.0.2,127.0.0.3", "http://127.0.0.1:1/"})
          .code,
      5);
}

TEST(NetTest, AnAllowListNamesTheHostThatResolvesToAPublicAddress) {
  TempDir dir;
  if (!UseHosts(dir, "127.0.0.1 localhost\n203.0.113.7 public.test\n")) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  const RunOutcome refused = TidemarkRun({"-c", "1", "-n", "1", "http://public.test:81/"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("public.test is 203.0.113.7:81, outside loopback and private ranges"), std::string::npos)
      << refused.err;
}

// A name that is given another address after the check: the address that was checked stays the target.
TEST(NetTest, ANameThatMovesToAPublicAddressIsNotFollowed) {
  TempDir dir;
  if (!UseHosts(dir, "127.0.0.1 localhost\n127.0.0.5 moving.test\n")) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  Mock mock({}, {"--listen", "127.0.0.5:0"});
  Agent agent;
  const std::string url = "http://moving.test" + mock.Url("").substr(mock.Url("").rfind(':')) + "/mock/delay=1ms";
  TempDir out;
  Process run({TIDEMARK_BINARY, "run", "--agents", agent.address(), "-c", "4", "-d", "2s", "--new-connection",
               "--warmup", "0", "-o", "json=" + (out / "run.json"), url});
  while (Int(mock.Truth(), "parsed") < 50 && run.IsRunning()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  WriteOver(dir / "hosts", "127.0.0.1 localhost\n203.0.113.7 moving.test\n");
  ASSERT_EQ(run.Wait(), 0) << run.Err();
  const auto report = ReadReport(out / "run.json");
  EXPECT_EQ(Int(report, "total.failed_requests"), 0);
  EXPECT_EQ(Int(report, "total.accounting.sent"), Int(mock.Truth(), "parsed"));
  // The next run resolves it anew, and is refused.
  EXPECT_EQ(TidemarkRun({"--agents", agent.address(), "-c", "1", "-n", "1", url}).code, 1);
}

// A name that is looked up again: new connections go to its new address, and not to one that is not allowed.
TEST(NetTest, ANameThatIsLookedUpAgainIsFollowedWhereItMayGo) {
  TempDir dir;
  if (!UseHosts(dir, "127.0.0.1 localhost\n127.0.0.5 moving.test\n")) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  Nginx nginx("location / { return 200 hello; }", "", "0.0.0.0");
  Agent agent;
  TempDir out;
  Process run({TIDEMARK_BINARY, "run", "--explain", "--agents", agent.address(), "-c", "2", "-d", "4s",
               "--new-connection", "--warmup", "0", "--think-time", "20ms", "--resolve-every", "100ms", "-o",
               "json=" + (out / "run.json"), "http://moving.test:" + std::to_string(nginx.port()) + "/"});
  const auto move_to = [&](const char* address) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1'200));
    WriteOver(dir / "hosts", "127.0.0.1 localhost\n" + std::string(address) + " moving.test\n");
  };
  move_to("127.0.0.6");
  move_to("203.0.113.7");
  ASSERT_EQ(run.Wait(), 0) << run.Err();
  const auto report = ReadReport(out / "run.json");
  EXPECT_EQ(Int(report, "total.failed_requests"), 0);
  EXPECT_EQ(Int(report, "total.accounting.counters.names_changed"), 1);
  EXPECT_GE(Int(report, "total.accounting.counters.names_kept"), 2);
  EXPECT_NE(run.Out().find("times without an address that may be used: the old ones were kept"), std::string::npos)
      << run.Out();
  EXPECT_NE(run.Err().find("its old addresses are kept: target refused: moving.test is 203.0.113.7"), std::string::npos)
      << run.Err();
  nginx.Quit();
  const std::string log = Slurp(nginx.dir() / "access.log");
  EXPECT_NE(log.find("200 127.0.0.5"), std::string::npos);
  EXPECT_NE(log.find("200 127.0.0.6"), std::string::npos);
  EXPECT_LT(log.rfind("200 127.0.0.5"), log.rfind("200 127.0.0.6"));  // once it has moved, it stays there
}

// A15: agents whose monotonic clocks are 50 s ahead and 50 s behind start with the others and measure the same.
TEST(NetTest, ShiftedClocksChangeNothing) {
  if (Process({"unshare", "--time", "--fork", "true"}).Wait() != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  Mock mock;
  std::vector<std::string> addresses;
  std::vector<std::unique_ptr<Process>> agents;
  for (const char* shift : {"0", "50", "-50"}) {
    // A machine that has not been up for so long has no such past.
    std::ifstream uptime("/proc/uptime");
    double up = 0;
    uptime >> up;
    if (shift[0] == '-' && up < 120) continue;
    agents.push_back(std::make_unique<Process>(std::vector<std::string>{"unshare", "--time", "--monotonic", shift,
                                                                        "--fork", "--kill-child", TIDEMARK_AGENT_BINARY,
                                                                        "--listen", "127.0.0.1:0"}));
    addresses.push_back(agents.back()->WaitForLine("listening on "));
  }
  const RunOutcome run = TidemarkRun({"--agents", Join(addresses), "-R", "600", "-d", "3s", "--arrivals", "constant",
                                      "-c", "60", "-t", "1", mock.Url("/mock/delay=20ms")});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.accounting.sent"), 1'800);
  EXPECT_EQ(Int(mock.Truth(), "parsed"), 1'800);
  EXPECT_LE(Number(run.report, "points.0.start_skew_bound_us"), 20'000);
  for (const auto& row : At(run.report, "points.0.agents").as_array()) {
    EXPECT_EQ(row.at("sent").to_number<std::int64_t>(), 1'800 / static_cast<std::int64_t>(agents.size()));
    EXPECT_NEAR(row.at("p50_us").to_number<double>(), 20'000, 2'000);
  }
  // Seen from the target: the schedule of 600 a second, dealt among clocks that are a minute apart.
  std::vector<double> arrivals;
  std::istringstream lines(mock.Get("/__arrivals"));
  for (double instant = 0; lines >> instant;) arrivals.push_back(instant);
  ASSERT_EQ(arrivals.size(), 1'800u);
  EXPECT_NEAR((arrivals.back() - arrivals.front()) / 1e9, 3, 0.1);
}

}  // namespace
}  // namespace tidemark
