// A plan takes of an agent's memory what is reckoned, and is refused if that is too much, before any of it is taken.
#include <sched.h>
#include <unistd.h>

#include "common/plan/plan_memory.h"
#include "coordinator/cli/plan_file.h"
#include "tests/e2e/programs.h"
#include "tests/support/web_socket_server.h"

namespace tidemark {
namespace {

constexpr double kMiB = 1 << 20;

// "VmRSS:", "VmHWM:" in MiB.
double MemoryOf(Agent* agent, const std::string& name) {
  std::ifstream status("/proc/" + std::to_string(agent->process().pid()) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(name, 0) == 0) return std::stod(line.substr(name.size())) / 1024;
  }
  ADD_FAILURE() << name;
  return 0;
}

int Cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  return CPU_COUNT(&set);
}

TEST(MemoryTest, ThreadsAreBoundedByTheCores) {
  Mock mock;
  Agent agent;
  const std::string threads = std::to_string(4 * Cores() + 1);
  const RunOutcome run = TidemarkRun({"--agents", agent.address(), "-t", threads, "-c", "1", "-n", "1", mock.Url()});
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("threads: " + threads + ", but this agent may use"), std::string::npos) << run.err;
  EXPECT_EQ(Int(mock.Truth(), "parsed"), 0);
  // In the coordinator's own process too.
  EXPECT_EQ(TidemarkRun({"-t", threads, "-c", "1", "-n", "1", mock.Url()}).code, 1);
}

TEST(MemoryTest, TooMuchIsRefusedBeforeItIsTakenAndTheDryRunSaysHowMuch) {
  Mock mock;
  TempDir dir;
  constexpr std::int64_t kMessage = 65'000;
  constexpr std::int64_t kMessages = 40;
  constexpr std::int64_t kBytes = kMessage * kMessages;
  std::string messages;
  for (std::int64_t i = 0; i < kMessages; ++i) messages += (i == 0 ? "'" : ", '") + std::string(kMessage, 'x') + "'";
  const auto whole = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  const std::int64_t connections = whole / 2 / (2 * kBytes) + 1;
  Spill(dir / "plan.yaml", "target: ws" + mock.Url("/ws/feed").substr(4) + "\nsweep: { connections: [" +
                               std::to_string(connections) + "], duration: 1s }\nweb_socket:\n  subscribe: [" +
                               messages + "]\n  listen: {}\n");
  Agent agent;
  const double before = MemoryOf(&agent, "VmHWM:");
  const RunOutcome run = TidemarkRun({dir / "plan.yaml", "--agents", agent.address(), "-t", "1"});
  EXPECT_EQ(run.code, 1) << run.err;
  EXPECT_NE(run.err.find("half of what it has; send less, or add agents"), std::string::npos) << run.err;
  // The message itself, and the copies that are made of it to look at it.
  EXPECT_LT(MemoryOf(&agent, "VmHWM:") - before, 12.0 * kBytes / kMiB) << before;
  Process dry({TIDEMARK_BINARY, "run", dir / "plan.yaml", "--agents", agent.address(), "-t", "1", "--dry-run"});
  EXPECT_EQ(dry.Wait(), 0) << dry.Err();
  EXPECT_NE(dry.Out().find("# memory: about "), std::string::npos) << dry.Out();
  EXPECT_NE(dry.Out().find("GiB at each agent, which gives half of what it has"), std::string::npos) << dry.Out();
}

// Bytes of "12.5MiB", in MiB.
double Mebibytes(const std::string& text) {
  std::size_t end = 0;
  const double value = std::stod(text, &end);
  const std::string unit = text.substr(end, 3);
  return unit == "GiB" ? value * 1'024 : unit == "MiB" ? value : value / 1'024;
}

TEST(MemoryTest, WhatTheDryRunSaysIsWhatAnAgentTakes) {
  TempDir dir;
  Mock mock;
  const Certificate certificate(dir, "server", "IP:127.0.0.1");
  Nginx nginx("ssl_certificate " + certificate.cert + "; ssl_certificate_key " + certificate.key +
                  "; location / { return 200 ok; }",
              " ssl");
  Spill(dir / "body", std::string(6 << 20, 'x'));
  const std::string web_socket = "ws" + mock.Url("/mock/stream=100ms").substr(4);
  struct Case {
    const char* name;
    std::vector<std::string> arguments;
  };
  const Case kCases[] = {
      {"little", {"-t", "1", "-c", "10", "-d", "2s", mock.Url()}},
      {"connections", {"-t", "1", "-c", "5000", "-d", "3s", mock.Url()}},
      {"threads", {"-t", std::to_string(4 * Cores()), "-c", "80", "-d", "3s", mock.Url()}},
      {"a body, once for all workers", {"-t", "4", "-c", "4", "-n", "20", "--data", "@" + (dir / "body"), mock.Url()}},
      {"WebSockets", {"-t", "1", "-c", "2000", "-d", "3s", "--listen", web_socket}},
      {"TLS", {"-t", "1", "-c", "800", "-d", "3s", "-k", "https://127.0.0.1:" + std::to_string(nginx.port()) + "/"}},
  };
  for (const Case& plan : kCases) {
    Agent agent;
    const double before = MemoryOf(&agent, "VmRSS:");
    std::vector<std::string> arguments = plan.arguments;
    arguments.insert(arguments.begin(), {"--agents", agent.address()});
    std::vector<std::string> dry_run = arguments;
    dry_run.insert(dry_run.begin(), {TIDEMARK_BINARY, "run", "--dry-run"});
    Process dry(dry_run);
    EXPECT_EQ(dry.Wait(), 0) << plan.name << dry.Err();
    const std::string line = "# memory: about ";
    const std::size_t at = dry.Out().find(line);
    ASSERT_NE(at, std::string::npos) << dry.Out();
    const double reckoned = Mebibytes(dry.Out().substr(at + line.size(), 20));
    const RunOutcome run = TidemarkRun(arguments);
    EXPECT_EQ(run.code, 0) << plan.name << run.err;
    const double taken = MemoryOf(&agent, "VmHWM:") - before;
    std::printf("%s: reckoned %.1f MiB, taken %.1f MiB\n", plan.name, reckoned, taken);
    EXPECT_GT(taken, reckoned / 1.5) << plan.name;
    EXPECT_LT(taken, reckoned * 1.5) << plan.name;
  }
}

// A target that begins the longest message on every connection takes what the dry run has said, and no more.
TEST(MemoryTest, WhatAnswersMayTakeIsSaidAndNotExceeded) {
  constexpr std::size_t kMessage = 4 << 20;
  constexpr int kConnections = 30;
  const std::string frame = ServerFrame(1, std::string(kMessage, 'x'));
  RawServer server([&frame](int fd) {
    if (!GrantUpgrade(fd)) return;
    SendAll(fd, frame.substr(0, frame.size() - 10));
    while (ReadFrame(fd).opcode >= 0) {
    }
  });
  TempDir dir;
  Spill(dir / "plan.yaml", "target: ws://127.0.0.1:" + std::to_string(server.port()) + "/\nsweep: { connections: [" +
                               std::to_string(kConnections) +
                               "], duration: 3s }\nmax_response_bytes: 4MiB\nweb_socket: { listen: { time: /E } }\n");
  Agent agent;
  const double before = MemoryOf(&agent, "VmRSS:");
  Process dry({TIDEMARK_BINARY, "run", dir / "plan.yaml", "--agents", agent.address(), "-t", "1", "--dry-run"});
  EXPECT_EQ(dry.Wait(), 0) << dry.Err();
  const std::string line = "; up to ";
  const std::size_t at = dry.Out().find(line);
  ASSERT_NE(at, std::string::npos) << dry.Out();
  EXPECT_NE(dry.Out().find("messages of 4.0MiB among it (max_response_bytes)"), std::string::npos) << dry.Out();
  const double most = Mebibytes(dry.Out().substr(at + line.size(), 20));
  TidemarkRun({dir / "plan.yaml", "--agents", agent.address(), "-t", "1"});
  const double taken = MemoryOf(&agent, "VmHWM:") - before;
  std::printf("at most %.1f MiB, taken %.1f MiB\n", most, taken);
  EXPECT_GT(taken, 0.9 * kConnections * static_cast<double>(kMessage) / kMiB);
  EXPECT_LT(taken, most);
}

}  // namespace
}  // namespace tidemark
