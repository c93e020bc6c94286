// Three short runs that every preset can afford: in process, distributed over TLS to nginx, and stopped half-way.
#include <filesystem>

#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

TEST(ShortE2e, OneProcessAgainstTheMockCountsWhatItCounts) {
  Mock mock;
  const RunOutcome run =
      TidemarkRun({"-c", "3,7", "--requests-per-connection", "20", "--warmup", "2", mock.Url("/mock/fault=reset/50")});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto truth = mock.Truth();
  EXPECT_EQ(WithWarmup(run.report, "sent"), Int(truth, "parsed"));
  EXPECT_EQ(WithWarmup(run.report, "outcomes.status_2xx"), Int(truth, "answered"));
  EXPECT_EQ(WithWarmup(run.report, "outcomes.reset"), Int(truth, "faults.reset"));
  EXPECT_EQ(WithWarmup(run.report, "bytes_received"), Int(truth, "bytes_sent"));
  EXPECT_NE(run.out.find("Account  : planned 200 = sent 200"), std::string::npos) << run.out;
}

// The text and the JSON tell the same of connections: those before the start apart from those since.
TEST(ShortE2e, ConnectionsBeforeTheStartAndSinceAreToldApart) {
  Mock mock;
  const RunOutcome kept = TidemarkRun({"-c", "4", "-n", "20", "--warmup", "0", mock.Url()});
  EXPECT_EQ(Int(kept.report, "total.warmup.connections.established"), 4);
  EXPECT_EQ(Int(kept.report, "total.accounting.connections.established"), 0);
  EXPECT_NE(kept.out.find("  Connect  : established 4 before the start\n"), std::string::npos) << kept.out;
  const RunOutcome made = TidemarkRun({"-c", "1", "-n", "20", "--warmup", "0", "--new-connection", mock.Url()});
  const std::int64_t before = Int(made.report, "total.warmup.connections.established");
  const std::int64_t since = Int(made.report, "total.accounting.connections.established");
  EXPECT_EQ(since + before, 20);
  EXPECT_NE(made.out.find("  Connect  : established " + std::to_string(before) + " before the start; established " +
                          std::to_string(since) + " since\n"),
            std::string::npos)
      << made.out;
}

TEST(ShortE2e, TwoAgentsOverTlsAgainstNginxCountItsLog) {
  TempDir dir;
  const Certificate certificate(dir, "localhost", "DNS:localhost,IP:127.0.0.1");
  Nginx nginx("ssl_certificate " + certificate.cert + "; ssl_certificate_key " + certificate.key +
                  "; location / { return 200 hello; }",
              " ssl");
  const auto agents = StartAgents(2, AllowFilesOf(dir));
  std::vector<std::string> arguments = AgentsFlag(agents);
  arguments.insert(arguments.end(), {"-c", "4,10", "--requests-per-connection", "10", "--warmup", "1", "--cacert",
                                     certificate.cert, "https://localhost:" + std::to_string(nginx.port()) + "/"});
  // The name may resolve to ::1 too, where nginx does not listen.
  arguments.insert(arguments.end(), {"--resolve", "localhost:" + std::to_string(nginx.port()) + ":127.0.0.1"});
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(WithWarmup(run.report, "outcomes.status_2xx"), 14 * 11);
  EXPECT_EQ(nginx.Quantities()["200"], 14 * 11);
}

TEST(ShortE2e, CtrlCDrainsReportsAndLeavesTheAgentsFree) {
  Mock mock;
  const auto agents = StartAgents(2);
  TempDir dir;
  const std::vector<std::string> flag = AgentsFlag(agents);
  Process process({TIDEMARK_BINARY, "run", flag[0], flag[1], "-c", "4", "-d", "60s", "-o", "json=" + (dir / "run.json"),
                   mock.Url("/mock/delay=5ms")});
  while (Int(mock.Truth(), "answered") < 100 && process.IsRunning())
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(), 130);
  const boost::json::value report = ReadReport(dir / "run.json");
  EXPECT_EQ(At(report, "status").as_string(), "INTERRUPTED");
  EXPECT_TRUE(At(report, "total.accounting.identity_holds").as_bool());
  EXPECT_EQ(Int(report, "total.accounting.sent"), Int(mock.Truth(), "parsed"));
  EXPECT_EQ(TidemarkRun({flag[0], flag[1], "-c", "4", "-n", "10", mock.Url()}).code, 0);
}

TEST(ShortE2e, EachExampleIsAPlan) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TIDEMARK_SOURCE_DIR "/examples")) {
    const RunOutcome run = TidemarkRun({entry.path().string(), "--dry-run"});
    EXPECT_EQ(run.code, 0) << entry.path() << ": " << run.err;
    ++count;
  }
  EXPECT_GE(count, 9);
}

}  // namespace
}  // namespace tidemark
