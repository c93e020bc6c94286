// What users write on a command line, as it arrives at a server.
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <regex>
#include <set>

#include "tests/e2e/programs.h"
#include "tests/support/raw_server.h"

namespace tidemark {
namespace {

// A server that keeps the requests that came, header and body.
class Recording {
 public:
  Recording()
      : server_([this](int fd) {
          std::string request;
          while (ReadRequest(fd, &request)) {
            const std::size_t length_at = request.find("Content-Length: ");
            std::size_t left = length_at == std::string::npos ? 0 : std::stoul(request.substr(length_at + 16));
            for (char byte = 0; left > 0 && recv(fd, &byte, 1, 0) == 1; --left) request.push_back(byte);
            {
              const std::lock_guard lock(mutex_);
              requests_.push_back(request);
            }
            SendAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            request.clear();
          }
        }) {}
  std::string Url(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(server_.port()) + path;
  }
  // Of one request of one connection.
  std::string Of(std::vector<std::string> flags, const std::string& standard_input = "") {
    {
      const std::lock_guard lock(mutex_);
      requests_.clear();
    }
    flags.insert(flags.end(), {"-c", "1", "-n", "1", Url()});
    std::vector<std::string> command = {TIDEMARK_BINARY, "run", "-q"};
    command.insert(command.end(), flags.begin(), flags.end());
    if (!standard_input.empty()) {
      TempDir dir;
      Spill(dir / "in", standard_input);
      std::string line = "exec 0<" + (dir / "in") + ";exec";
      for (const std::string& part : command) line += " '" + part + "'";
      EXPECT_EQ(Process({"sh", "-c", line}).Wait(), 0);
    } else {
      Process process(command);
      EXPECT_EQ(process.Wait(), 0) << process.Err();
    }
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(requests_.size(), 1u);
    return requests_.empty() ? "" : requests_[0];
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> requests_;
  RawServer server_;
};

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(CommandLineTest, BodiesArriveAsTheyWereWritten) {
  Recording server;
  TempDir dir;
  Spill(dir / "empty", "");
  EXPECT_EQ(server.Of({}).find("GET / HTTP/1.1\r\n"), 0u);
  for (const std::string& empty : {std::string(), "@" + (dir / "empty"), std::string("@-")}) {
    const std::string request = server.Of({"--data", empty});  // its standard input is /dev/null
    EXPECT_EQ(request.find("POST / HTTP/1.1\r\n"), 0u) << request;
    EXPECT_TRUE(Has(request, "\r\nContent-Length: 0\r\n")) << request;
  }
  const std::string read = server.Of({"--data", "@-"}, "from elsewhere");
  EXPECT_TRUE(Has(read, "\r\n\r\nfrom elsewhere")) << read;
  const std::string json = server.Of({"--json", R"({"id":"{slot}"})"});
  EXPECT_EQ(json.find("POST / HTTP/1.1\r\n"), 0u) << json;
  EXPECT_TRUE(Has(json, "\r\nContent-Type: application/json\r\n")) << json;
  EXPECT_TRUE(Has(json, "\r\nAccept: application/json\r\n")) << json;
  EXPECT_TRUE(Has(json, "\r\n\r\n{\"id\":\"000000000000\"}")) << json;
  const std::string form = server.Of({"-F", "full name=J. Doe", "-F", "id={slot}"});
  EXPECT_TRUE(Has(form, "\r\nContent-Type: application/x-www-form-urlencoded\r\n")) << form;
  EXPECT_TRUE(Has(form, "\r\n\r\nfull+name=J.+Doe&id=000000000000")) << form;
  EXPECT_TRUE(
      Has(server.Of({"-u", "Aladdin:open sesame"}), "\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
}

TEST(CommandLineTest, WhatIsFilledInArrivesFilledIn) {
  Recording server;
  const std::vector<std::string> flags = {
      "--var",
      "symbol=BTCUSDT",
      "--seed",
      "7",
      "-H",
      "X-Time: {now:ms}",
      "--json",
      R"({"s":"{symbol}","id":"{uuid}","n":{random:1..1000000},"side":"{pick:BUY,SELL}","lit":"{{symbol}}"})"};
  const auto before = static_cast<std::int64_t>(std::time(nullptr)) * 1'000;
  const std::string first = server.Of(flags);
  const auto after = static_cast<std::int64_t>(std::time(nullptr) + 1) * 1'000;
  static const std::regex kBody(
      "\\r\\nX-Time: ([0-9]{13})\\r\\n[^]*\\r\\n\\r\\n"
      R"r(\{"s":"BTCUSDT","id":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}","n":[0-9]+,)r"
      R"r("side":"(BUY|SELL)","lit":"\{symbol\}"\})r");
  std::smatch match;
  ASSERT_TRUE(std::regex_search(first, match, kBody)) << first;
  EXPECT_GE(std::stoll(match[1]), before);
  EXPECT_LE(std::stoll(match[1]), after);
  const auto body = [](const std::string& request) { return request.substr(request.find("\r\n\r\n")); };
  EXPECT_EQ(body(server.Of(flags)), body(first)) << "the same seed gives the same requests";
  std::vector<std::string> others = flags;
  others[3] = "8";
  EXPECT_NE(body(server.Of(others)), body(first));
}

TEST(CommandLineTest, ADryRunShowsTheVariablesPutIn) {
  TempDir dir;
  Spill(dir / "plan.yaml", R"(
target: http://127.0.0.1:1/
vars: {symbol: BTCUSDT, side: 'BUY'}
sweep: {connections: [1], requests: 1}
requests:
  - path: '/order?symbol={symbol}&side={side}&id={uuid}'
)");
  Process process({TIDEMARK_BINARY, "run", "--dry-run", "--var", "symbol=ETHUSDT", dir / "plan.yaml"});
  EXPECT_EQ(process.Wait(), 0) << process.Err();
  EXPECT_TRUE(Has(process.Out(), "path: \"/order?symbol=ETHUSDT&side=BUY&id={uuid}\"")) << process.Out();
  EXPECT_TRUE(Has(process.Out(), "seed: ")) << process.Out();
  EXPECT_FALSE(Has(process.Out(), "Cannot be run as printed")) << process.Out();
  Spill(dir / "again.yaml", process.Out());
  Process again({TIDEMARK_BINARY, "run", "--dry-run", dir / "again.yaml"});
  EXPECT_EQ(again.Wait(), 0) << again.Err();
  EXPECT_EQ(again.Out(), process.Out());
}

TEST(CommandLineTest, AStandardInputThatIsTooLongIsRefused) {
  TempDir dir;
  Process process(
      {"sh", "-c", "head -c 16777217 /dev/zero | " TIDEMARK_BINARY " run -n 1 --data @- http://127.0.0.1:1/"});
  EXPECT_EQ(process.Wait(), 1);
  EXPECT_EQ(process.Err(), "tidemark: --data: standard input is larger than 16 MiB\n");
}

// The password, in none of its forms, though the target sends it back.
TEST(CommandLineTest, APasswordStandsInNoReport) {
  Nginx nginx("location / { return 403 \"no entry with $http_authorization, $remote_user\"; }");
  TempDir dir;
  Process process({TIDEMARK_BINARY, "run", "-c", "1", "-n", "1", "-u", "me:hunter2secret", "-o", dir / "run.json", "-o",
                   dir / "run.csv", "http://127.0.0.1:" + std::to_string(nginx.port()) + "/"});
  EXPECT_EQ(process.Wait(), 5);
  const std::string all = process.Out() + process.Err() + Slurp(dir / "run.json") + Slurp(dir / "run.csv");
  EXPECT_TRUE(Has(all, "\"Authorization: ***\"")) << all;
  EXPECT_TRUE(Has(all, "no entry with ***")) << all;
  for (const char* form : {"hunter2secret", "bWU6aHVudGVyMnNlY3JldA"}) EXPECT_FALSE(Has(all, form)) << form;
}

TEST(CommandLineTest, ARateBelowOneASecondIsKeptAndPrinted) {
  Mock mock;
  const RunOutcome run = TidemarkRun({"-R", "0.5", "-c", "1", "-d", "4s", "--arrivals", "constant", mock.Url()});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.successful_requests"), 2);
  EXPECT_EQ(Int(mock.Truth(), "answered"), 2);
  EXPECT_EQ(Number(run.report, "points.0.rate_per_s"), 0.5);
  EXPECT_EQ(Number(run.report, "points.0.requests_per_s"), 0.5);
  EXPECT_TRUE(std::regex_search(run.out, std::regex("\n +0\\.5/s +2 +2 +0 +0\\.00 +0\\.5 "))) << run.out;
  EXPECT_TRUE(Has(run.err, "0.5/s, 1 connections")) << run.err;
}

TEST(CommandLineTest, AQuietRunStillSaysWhatWasMissedAndAQuietSearchItsAnswer) {
  Mock mock;
  const std::string slow = mock.Url("/mock/delay=50ms");
  Process run(
      {TIDEMARK_BINARY, "run", "-q", "-c", "1,2", "-n", "4", "--expect", "p50<20ms", "--expect", "p50<2s", slow});
  EXPECT_EQ(run.Wait(), 99);
  EXPECT_EQ(run.Out(), "");
  EXPECT_TRUE(std::regex_search(run.Err(), std::regex("1 connection: p50<20ms MISSED, it is 5[0-9]\\.[0-9]ms\n")))
      << run.Err();
  EXPECT_TRUE(Has(run.Err(), "2 connections: p50<20ms MISSED")) << run.Err();
  EXPECT_FALSE(Has(run.Err(), "p50<2s")) << run.Err();
  Process search({TIDEMARK_BINARY, "search", "-q", "--rate", "--from", "10", "--to", "10", "-d", "2s", "--expect",
                  "error_rate<1%", mock.Url()});
  EXPECT_EQ(search.Wait(), 0) << search.Err();
  EXPECT_EQ(search.Out().rfind("Holds 10/s with error_rate<1%", 0), 0U) << search.Out();
  EXPECT_EQ(search.Err(), "");
}

// Whoever waits for a result at a pipe gets all of it, and nothing before.
TEST(CommandLineTest, APipeIsAPlaceForAResult) {
  Mock mock;
  TempDir dir;
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  Process reader({"/bin/cat", dir / "pipe"});
  Process run({TIDEMARK_BINARY, "run", "-q", "-c", "1", "-n", "3", "-o", "json=" + (dir / "pipe"), mock.Url()});
  EXPECT_EQ(run.Wait(), 0) << run.Err();
  EXPECT_EQ(reader.Wait(), 0);
  EXPECT_EQ(Int(boost::json::parse(reader.Out()), "total.successful_requests"), 3);
}

TEST(CommandLineTest, ASearchMayBeginBelowOneASecond) {
  Mock mock;
  TempDir dir;
  Process process({TIDEMARK_BINARY, "search", "--rate", "--from", "0.5", "--to", "0.5", "-d", "2s", "--arrivals",
                   "constant", "--expect", "error_rate<1%", "-o", dir / "s.json", mock.Url()});
  EXPECT_EQ(process.Wait(), 0) << process.Err();
  EXPECT_TRUE(Has(process.Out(), "Holds 0.5/s with error_rate<1%")) << process.Out();
  EXPECT_EQ(Number(boost::json::parse(Slurp(dir / "s.json")), "met"), 0.5);
}

// Of a body of 64 KiB the bytes are known, and so is their rate.
TEST(CommandLineTest, TheTableHasTheReceivedBytesPerSecond) {
  Nginx nginx("location / { return 200 " + std::string(4'000, 'x') + "; }");
  const RunOutcome run = TidemarkRun({"-c", "2", "-R", "500", "-d", "2s", "--arrivals", "constant",
                                      "http://127.0.0.1:" + std::to_string(nginx.port()) + "/"});
  ASSERT_EQ(run.code, 0) << run.err;
  const double per_s = Number(run.report, "points.0.received_bytes_per_s");
  EXPECT_LE(per_s, Number(run.report, "total.accounting.bytes_received") / 2);
  EXPECT_GT(per_s, 0.9 * 4'000 * Number(run.report, "points.0.requests_per_s"));
  std::smatch match;
  ASSERT_TRUE(
      std::regex_search(run.out, match, std::regex("\n +500/s +1,000 +[0-9,]+ +[0-9]+ +[0-9.]+ +[0-9]+ +([0-9.]+) ")))
      << run.out;
  EXPECT_NEAR(std::stod(match[1]), per_s / (1 << 20), 0.005);
}

TEST(CommandLineTest, OutputsMayBeNamedByTheirEnding) {
  Mock mock;
  TempDir dir;
  Process process({TIDEMARK_BINARY, "run", "-q", "-c", "1", "-n", "3", "-o", dir / "a.json", "-o", dir / "a.csv", "-o",
                   dir / "a.hlog", "-o", dir / "a.hgrm", mock.Url()});
  EXPECT_EQ(process.Wait(), 0) << process.Err();
  EXPECT_EQ(Int(ReadReport(dir / "a.json"), "total.total_requests"), 3);
  EXPECT_EQ(Slurp(dir / "a.csv").find("connections,"), 0u);
  EXPECT_TRUE(Has(Slurp(dir / "a.hlog"), "#[Histogram log format version 1.3]"));
  EXPECT_TRUE(Has(Slurp(dir / "a.hgrm"), "Percentile"));
}

// A hang-up ends a run as Ctrl-C does, unless whoever started it had it ignored.
TEST(CommandLineTest, AHangUpDrainsAndReportsUnlessItIsIgnored) {
  for (const bool is_ignored : {false, true}) {
    Mock mock;
    TempDir dir;
    Process process({"sh", "-c",
                     (is_ignored ? "trap '' HUP; exec " : "exec ") + std::string(TIDEMARK_BINARY) +
                         " run -c 2 -d 1500ms -o " + (dir / "run.json") + " " + mock.Url("/mock/delay=5ms")});
    WaitForAnswers(mock, 20, &process);
    process.Signal(SIGHUP);
    EXPECT_EQ(process.Wait(), is_ignored ? 0 : 130);
    const boost::json::value report = ReadReport(dir / "run.json");
    EXPECT_EQ(At(report, "status").as_string(), is_ignored ? "COMPLETE" : "INTERRUPTED");
    EXPECT_EQ(Int(report, "total.accounting.sent"), Int(mock.Truth(), "parsed"));
  }
}

TEST(CommandLineTest, AHangUpEndsAnAgentAsSigtermDoes) {
  Agent agent;
  agent.process().Signal(SIGHUP);
  EXPECT_EQ(agent.process().Wait(), 0);
  // Under nohup it goes on, which shows as that it ends by the other signal alone.
  Process nohup({"sh", "-c", "trap '' HUP; exec " TIDEMARK_AGENT_BINARY " --listen 127.0.0.1:0"});
  const std::string address = nohup.WaitForLine("listening on ");
  nohup.Signal(SIGHUP);
  Mock mock;
  EXPECT_EQ(TidemarkRun({"--agents", address, "-c", "1", "-n", "5", mock.Url()}).code, 0);
  nohup.Signal(SIGTERM);
  EXPECT_EQ(nohup.Wait(), 0);
}

// Each flag is said once in the help, and at least once in docs/how-to.
TEST(CommandLineTest, EachFlagIsExplained) {
  Process help({TIDEMARK_BINARY, "run", "--help"});
  EXPECT_EQ(help.Wait(), 0);
  std::set<std::string> flags;
  std::istringstream lines(help.Out());
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (!std::regex_search(line, match, std::regex("^ {2,6}(-[0-9A-Za-z],)?(-[-0-9a-z]+)"))) continue;
    EXPECT_TRUE(flags.insert(match[2]).second) << match[2] << " twice";
  }
  EXPECT_GE(flags.size(), 50u);
  std::string pages;
  for (const auto& entry : std::filesystem::directory_iterator(TIDEMARK_SOURCE_DIR "/docs/how-to"))
    pages += Slurp(entry.path().string());
  const std::pair<const char*, const char*> kNew[] = {{"--data", "--data ''"},
                                                      {"--json", "--json @"},
                                                      {"--form", " -F "},
                                                      {"--user", " -u "},
                                                      {"--connect-to", "`--connect-to "},
                                                      {"-4", "`-4`"},
                                                      {"-6", "`-6`"},
                                                      {"--resolve-every", "`--resolve-every "},
                                                      {"--proxy", "`--proxy "},
                                                      {"--reconnect-after", "`--reconnect-after "},
                                                      {"--drain", "`--drain "},
                                                      {"--connect-rate", "`--connect-rate "}};
  for (const auto& [flag, in_pages] : kNew) {
    EXPECT_EQ(flags.count(flag), 1u) << flag;
    EXPECT_TRUE(Has(pages, in_pages)) << in_pages;
  }
}

}  // namespace
}  // namespace tidemark
