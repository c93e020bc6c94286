// The tutorial's sweep against Debian's nginx: the count of 2xx equals the lines of its access log, exactly.
#include <fstream>

#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

constexpr std::int64_t kMeasured = 166'000;
constexpr std::int64_t kWithWarmup = kMeasured + 16'600;

// How many agents, and whether over TLS. One agent is the one in the coordinator's process.
struct SweepCase {
  int agents;
  bool is_tls;
};

class NginxSweep : public testing::TestWithParam<SweepCase> {};

TEST_P(NginxSweep, TheTutorialsSweepIsCountedExactly) {
  TempDir dir;
  const Certificate certificate(dir, "localhost", "IP:127.0.0.1");
  const bool is_tls = GetParam().is_tls;
  Nginx nginx((is_tls ? "ssl_certificate " + certificate.cert + "; ssl_certificate_key " + certificate.key + ";"
                      : std::string()) +
                  "location / { return 200 hello; }",
              is_tls ? " ssl" : "");
  std::vector<std::unique_ptr<Agent>> agents;
  std::vector<std::string> arguments;
  if (GetParam().agents > 1) {
    agents = StartAgents(GetParam().agents, AllowFilesOf(dir));
    arguments = AgentsFlag(agents);
  }
  if (is_tls) arguments.insert(arguments.end(), {"--cacert", certificate.cert});
  for (const char* part : {"-c", "10,50,100,500,1000", "--requests-per-connection", "100", "--warmup", "10"})
    arguments.emplace_back(part);
  arguments.push_back((is_tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(nginx.port()) + "/");
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.successful_requests"), kMeasured);
  EXPECT_EQ(WithWarmup(run.report, "outcomes.status_2xx"), kWithWarmup);
  EXPECT_EQ(At(run.report, "agents").as_array().size(), static_cast<std::size_t>(GetParam().agents));
  EXPECT_TRUE(At(run.report, "merge.is_exact").as_bool());
  const auto log = nginx.Quantities();
  EXPECT_EQ(log, (std::map<std::string, std::int64_t>{{"200", kWithWarmup}}));
}

INSTANTIATE_TEST_SUITE_P(Agents, NginxSweep,
                         testing::Values(SweepCase{1, false}, SweepCase{2, false}, SweepCase{7, false},
                                         SweepCase{1, true}, SweepCase{2, true}, SweepCase{7, true}),
                         [](const auto& test) {
                           return std::string(test.param.is_tls ? "Https" : "Http") + std::to_string(test.param.agents);
                         });

// By its trace and its port a slow request is found in the target's own log.
TEST(NginxTest, TheSlowestAreFoundInTheTargetsLog) {
  Nginx nginx("location / { return 200 hello; } location /big { limit_rate 64k; root " +
              std::string(TIDEMARK_SOURCE_DIR) + "; try_files /DESIGN.md =404; }");
  TempDir dir;
  const std::string url = "http://127.0.0.1:" + std::to_string(nginx.port());
  Spill(dir / "plan.yaml", "target: " + url + "/\ntraceparent: true\ntrace_sample: 1/1\n" +
                               "sweep: {connections: [2], requests: 200, warmup_requests_per_connection: 3}\n" +
                               "requests: [{name: small, weight: 19}, {name: big, weight: 1, path: /big}]\n");
  const RunOutcome run = TidemarkRun({dir / "plan.yaml", "-o", "trace=" + (dir / "trace.csv")});
  ASSERT_EQ(run.code, 0) << run.err;
  nginx.Quit();
  std::map<std::string, std::string> port_of;  // by trace
  std::map<std::string, double> time_of;
  std::ifstream log(nginx.dir() / "access.log");
  std::string status, address, port, time, trace;
  while (log >> status >> address >> port >> time >> trace) {
    ASSERT_EQ(trace.size(), 55U) << trace;
    EXPECT_TRUE(port_of.emplace(trace.substr(3, 32), port).second) << "twice: " << trace;
    time_of[trace.substr(3, 32)] = std::stod(time);
  }
  EXPECT_EQ(port_of.size(), 206U);  // the warm-up's too, whose traces are others
  const boost::json::array& slowest = At(run.report, "points.0.slowest").as_array();
  ASSERT_EQ(slowest.size(), 100U);
  for (std::size_t i = 0; i < slowest.size(); ++i) {
    const std::string id(slowest[i].at("trace_id").as_string());
    ASSERT_TRUE(port_of.contains(id)) << id;
    EXPECT_EQ(port_of[id], std::to_string(slowest[i].at("port").to_number<int>()));
    EXPECT_EQ(slowest[i].at("request").as_string() == "big", i < 10) << i;
    if (i < 10) {
      EXPECT_NEAR(slowest[i].at("took_us").to_number<double>() / 1e6, time_of[id], 0.25);
    }
  }
  const std::string rows = Slurp(dir / "trace.csv");
  EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), 201);  // a sample of all, and the titles
}

TEST(NginxTest, AServerThatClosesAfterAFewRequestsIsReconnectedWithoutLoss) {
  Nginx nginx("location / { return 200 hello; } keepalive_requests 7;");
  const RunOutcome run =
      TidemarkRun({"-c", "20", "-n", "2000", "http://127.0.0.1:" + std::to_string(nginx.port()) + "/"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.successful_requests"), 2'000);
  EXPECT_EQ(nginx.Quantities()["200"], 2'000);
}

TEST(NginxTest, EveryStatusHasItsCountAndTheFailingOnesTheirFirstAnswer) {
  Nginx nginx(
      "default_type application/json; location /ok { return 200 hello; } location /auth { return 401 "
      "'{\"code\":-2015}'; } "
      "location /gone { return 404 'no such\tthing'; } location /type { return 415; }");
  TempDir dir;
  const std::string plan = dir / "mix.yaml";
  std::ofstream(plan) << "target: http://127.0.0.1:" << nginx.port() << "/\n"
                      << "sweep: {connections: [4, 6], requests: 1000}\n"
                      << "requests:\n"
                      << "  - {name: ok, path: /ok, weight: 5}\n  - {name: auth, path: /auth, weight: 2}\n"
                      << "  - {name: gone, path: /gone}\n  - {name: type, path: /type}\n";
  const auto agents = StartAgents(2);
  std::vector<std::string> arguments = AgentsFlag(agents);
  arguments.push_back(plan);
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  std::map<std::string, std::int64_t> statuses;
  std::map<std::string, std::string> bodies;
  std::int64_t sum = 0;
  for (const boost::json::value& row : At(run.report, "total.accounting.statuses").as_array()) {
    const std::string status = std::to_string(Int(row, "status"));
    EXPECT_FALSE(At(row, "is_upgrade").as_bool());
    statuses[status] = Int(row, "count");
    sum += Int(row, "count");
    if (row.as_object().contains("body")) bodies[status] = At(row, "body").as_string().c_str();
  }
  const boost::json::object& warmup = At(run.report, "total.warmup").as_object();
  if (warmup.contains("statuses")) {
    for (const boost::json::value& row : warmup.at("statuses").as_array())
      statuses[std::to_string(Int(row, "status"))] += Int(row, "count");
  }
  EXPECT_EQ(statuses, nginx.Quantities());
  EXPECT_EQ(statuses.size(), 4u);
  EXPECT_EQ(sum, 2'000);
  EXPECT_EQ(bodies.count("200"), 0u);
  EXPECT_EQ(bodies["401"], "{\"code\":-2015}");
  EXPECT_EQ(bodies["404"], "no such thing");
  EXPECT_NE(bodies["415"].find("415 Unsupported Media Type"), std::string::npos);
  EXPECT_NE(run.out.find("  Statuses : 200 "), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("  Answer   : 401 (application/json): {\"code\":-2015}\n"), std::string::npos) << run.out;
  EXPECT_EQ(run.out.find("Answer   : 200"), std::string::npos);
}

TEST(NginxTest, RedirectsAreReportedNotFollowed) {
  Nginx nginx("location / { return 302 http://127.0.0.1:1/elsewhere; }");
  const RunOutcome run =
      TidemarkRun({"-c", "2", "-n", "100", "http://127.0.0.1:" + std::to_string(nginx.port()) + "/"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.accounting.outcomes.status_3xx"), 100);
  EXPECT_EQ(Int(run.report, "total.successful_requests"), 100);
}

// nginx makes absolute URLs of them, from the Host that it was asked for.
TEST(NginxTest, RedirectsAreFollowedWhereThatIsAskedFor) {
  TempDir dir;
  Nginx nginx(
      "location / { return 302 /a; } location /a { return 307 /b?c=d; } location /b { return 200 hello; } "
      "location /away { return 302 http://127.0.0.1:1/elsewhere; } location /loop { return 301 /loop; }\n"
      "listen unix:" +
      (dir / "web.sock") + ";");
  const std::string url = "http://127.0.0.1:" + std::to_string(nginx.port());
  const auto agents = StartAgents(2, AllowFilesOf(dir));
  std::vector<std::string> arguments = AgentsFlag(agents);
  arguments.insert(arguments.end(), {"--follow", "3", "-c", "10", "-n", "1k", "--warmup", "0", url + "/"});
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.accounting.sent"), 1'000);
  EXPECT_EQ(Int(run.report, "total.accounting.outcomes.status_2xx"), 1'000);
  EXPECT_EQ(Int(run.report, "total.accounting.counters.redirects_followed"), 2'000);
  EXPECT_EQ(WithWarmup(run.report, "connections.established"), 10);
  EXPECT_TRUE(At(run.report, "merge.is_exact").as_bool());
  EXPECT_NE(run.out.find("redirects followed, each by a request besides 2,000"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find(", up to 3 redirects followed"), std::string::npos) << run.out;

  const RunOutcome loop = TidemarkRun({"--follow", "3", "-c", "2", "-n", "10", "--warmup", "0", url + "/loop"});
  EXPECT_EQ(Int(loop.report, "total.accounting.outcomes.status_3xx"), 10);
  EXPECT_EQ(Int(loop.report, "total.accounting.counters.redirects_followed"), 30);
  EXPECT_EQ(Int(loop.report, "total.accounting.counters.redirects_cut"), 10);
  const RunOutcome away = TidemarkRun({"--follow", "3", "-c", "2", "-n", "10", "--warmup", "0", url + "/away"});
  EXPECT_EQ(Int(away.report, "total.accounting.outcomes.status_3xx"), 10);
  EXPECT_EQ(Int(away.report, "total.accounting.counters.redirects_elsewhere"), 10);
  const RunOutcome open = TidemarkRun({"--follow", "3", "-c", "5", "-R", "100", "-n", "50", "--warmup", "200ms", url});
  EXPECT_EQ(Int(open.report, "total.accounting.outcomes.status_2xx"), 50);
  EXPECT_EQ(Int(open.report, "total.accounting.counters.redirects_followed"), 100);
  EXPECT_GT(Int(open.report, "total.warmup.counters.redirects_followed"), 0);
  const RunOutcome socket = TidemarkRun({"--follow", "2", "-c", "1", "-n", "5", "unix:" + (dir / "web.sock") + ":/"});
  EXPECT_EQ(Int(socket.report, "total.accounting.outcomes.status_2xx"), 5) << socket.out << socket.err;
  // As many as the reports say, warm-ups included; nginx's log is read at its end.
  std::map<std::string, std::int64_t> log = nginx.Quantities();
  const std::int64_t warmups =
      WithWarmup(open.report, "outcomes.status_2xx") + WithWarmup(socket.report, "outcomes.status_2xx");
  EXPECT_EQ(log["200"], 1'000 + warmups);
  EXPECT_EQ(log["307"], log["200"]);
  EXPECT_EQ(log["302"], log["200"] + 10);
  EXPECT_EQ(log["301"], 40);
}

TEST(NginxTest, AUnixSocketIsATarget) {
  TempDir dir;
  Nginx nginx("location / { return 200 hello; } listen unix:" + (dir / "web.sock") + ";");
  const RunOutcome run = TidemarkRun({"-c", "5", "-n", "1k", "unix:" + (dir / "web.sock") + ":/x"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.successful_requests"), 1'000);
  EXPECT_EQ(nginx.Quantities()["200"], 1'000);
}

TEST(NginxTest, AClientCertificateIsShown) {
  TempDir dir;
  const Certificate server(dir, "server", "IP:127.0.0.1");
  const Certificate client(dir, "client", "DNS:client");
  Nginx nginx("ssl_certificate " + server.cert + "; ssl_certificate_key " + server.key + "; ssl_client_certificate " +
                  client.cert + "; ssl_verify_client on; location / { return 200 hello; }",
              " ssl");
  const std::string url = "https://127.0.0.1:" + std::to_string(nginx.port()) + "/";
  const RunOutcome with =
      TidemarkRun({"-c", "2", "-n", "10", "--cacert", server.cert, "--cert", client.cert, "--key", client.key, url});
  ASSERT_EQ(with.code, 0) << with.err;
  EXPECT_EQ(Int(with.report, "total.accounting.outcomes.status_2xx"), 10);
  const RunOutcome without = TidemarkRun({"-c", "2", "-n", "10", "--cacert", server.cert, url});
  EXPECT_EQ(Int(without.report, "total.accounting.outcomes.status_4xx"), 10);
}

TEST(NginxTest, EachRequestOnANewConnectionResumesItsSessionUnlessToldNotTo) {
  TempDir dir;
  const Certificate certificate(dir, "localhost", "IP:127.0.0.1");
  for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
    Nginx nginx("ssl_certificate " + certificate.cert + "; ssl_certificate_key " + certificate.key +
                    "; ssl_protocols " + version + "; location / { return 200 hello; }",
                " ssl");
    const std::vector<std::string> arguments = {"-c",
                                                "4",
                                                "-n",
                                                "200",
                                                "-t",
                                                "1",
                                                "--new-connection",
                                                "--cacert",
                                                certificate.cert,
                                                "https://127.0.0.1:" + std::to_string(nginx.port()) + "/"};
    const RunOutcome run = TidemarkRun(arguments);
    ASSERT_EQ(run.code, 0) << version << run.err;
    EXPECT_EQ(Int(run.report, "total.successful_requests"), 200) << version;
    // Four are opened before the start; each request after the first of a connection opens one more.
    EXPECT_EQ(WithWarmup(run.report, "connections.established"), 200) << version;
    // The first handshake of each of the four is full.
    EXPECT_EQ(WithWarmup(run.report, "tls_resumed"), 196) << version;
    std::vector<std::string> full = arguments;
    full.push_back("--no-resume");
    EXPECT_EQ(WithWarmup(TidemarkRun(full).report, "tls_resumed"), 0) << version;
    EXPECT_EQ(nginx.Quantities()["200"], 400) << version;
  }
}

TEST(NginxTest, BothTlsVersionsAreSpoken) {
  for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
    TempDir dir;
    const Certificate certificate(dir, "localhost", "IP:127.0.0.1");
    Nginx nginx("ssl_certificate " + certificate.cert + "; ssl_certificate_key " + certificate.key +
                    "; ssl_protocols " + version + "; location / { return 200 $ssl_protocol; }",
                " ssl");
    const RunOutcome run = TidemarkRun({"-c", "3", "-n", "300", "--cacert", certificate.cert,
                                        "https://127.0.0.1:" + std::to_string(nginx.port()) + "/"});
    EXPECT_EQ(run.code, 0) << version << run.err;
    EXPECT_EQ(nginx.Quantities()["200"], 300) << version;
  }
}

// A name with a trailing dot is asked for and verified without it (RFC 6066 section 3), and sent as it is written as
// Host (RFC 9110 section 7.2), which is what curl does.
TEST(NginxTest, ATrailingDotIsInTheHostHeaderAndInNoServerName) {
  TempDir dir;
  const Certificate certificate(dir, "api.test", "DNS:api.test");
  Nginx nginx("ssl_certificate " + certificate.cert + "; ssl_certificate_key " + certificate.key +
                  "; location / { if ($ssl_server_name != api.test) { return 421; }\n"
                  "if ($http_host !~ ^api\\.test\\.:) { return 400; }\nreturn 200 hello; }",
              " ssl");
  const std::string port = std::to_string(nginx.port());
  const RunOutcome run = TidemarkRun({"-c", "2", "-n", "10", "--cacert", certificate.cert, "--resolve",
                                      "api.test.:" + port + ":127.0.0.1", "https://api.test.:" + port + "/"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.successful_requests"), 10) << run.err;
}

}  // namespace
}  // namespace tidemark
