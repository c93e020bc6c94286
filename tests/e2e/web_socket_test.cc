// WebSockets against the mock and against servers that nobody here wrote.
#include <arpa/inet.h>
#include <sys/socket.h>

#include "tests/e2e/programs.h"
#include "tests/support/listener.h"

namespace tidemark {
namespace {

std::string Ws(const std::string& http_url) { return "ws" + http_url.substr(4); }

// Counted on both sides, over agents and over TLS, closed loop and open.
TEST(WebSocketE2eTest, ASweepIsCountedExactlyAndMergedOverAgents) {
  Mock mock;
  const auto agents = StartAgents(3);
  std::vector<std::string> arguments = AgentsFlag(agents);
  arguments.insert(arguments.end(), {"-c", "10,50,100", "--data", "{\"id\":\"{slot}\"}", "--reply-id", "/id",
                                     "--requests-per-connection", "100", "--warmup", "10", Ws(mock.Url("/ws"))});
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.successful_requests"), 16'000);
  EXPECT_EQ(WithWarmup(run.report, "outcomes.reply"), 17'600);
  EXPECT_EQ(Int(run.report, "total.accounting.web_socket.orphan_messages"), 0);
  EXPECT_EQ(WithWarmup(run.report, "connections.established"), 160);
  EXPECT_EQ(Int(run.report, "total.upgrade.count"), 160);
  EXPECT_TRUE(At(run.report, "merge.is_exact").as_bool());
  const boost::json::value truth = mock.Truth();
  EXPECT_EQ(Int(truth, "upgraded"), 160);
  EXPECT_EQ(Int(truth, "parsed"), 17'600);
  EXPECT_EQ(Int(truth, "answered"), 17'600);
  EXPECT_EQ(Int(truth, "faults.closed by the client: 1000"), 160);  // each with a close frame
  EXPECT_NE(run.out.find("  Messages : 16,000 received\n"), std::string::npos) << run.out;
}

TEST(WebSocketE2eTest, AnOpenLoopOverTls) {
  TempDir dir;
  const Certificate certificate(dir, "localhost", "IP:127.0.0.1");
  Mock mock({}, {"--tls-listen", "127.0.0.1:0", "--cert", certificate.cert, "--key", certificate.key});
  const std::string url = "wss://" + mock.process().WaitForLine("listening with TLS on ") + "/mock/delay=2ms";
  const RunOutcome run =
      TidemarkRun({"-R", "500", "-n", "1000", "-c", "20", "--cacert", certificate.cert, "--data", "x", url});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.response.count"), 1'000);
  EXPECT_GE(At(run.report, "total.response.min_us").to_number<double>(), 2'000);
  EXPECT_EQ(Int(mock.Truth(), "answered"), 1'000);
}

// Three methods with eight requests under way on each connection; every method has its share and a histogram.
TEST(WebSocketE2eTest, AMixOfMethodsIsCountedExactlyAndMergedOverAgents) {
  Mock mock;
  const auto agents = StartAgents(2);
  TempDir dir;
  Spill(dir / "plan.yaml", "target: " + Ws(mock.Url("/ws")) + R"(
sweep: {connections: [16], requests: 8000}
threads: 2
web_socket: {reply_id: /id, pipeline: 8}
requests:
  - {name: place, weight: 5, body: '{"id":"{slot}","method":"order.place"}'}
  - {name: cancel, weight: 2, body: '{"id":"{slot}","method":"order.cancel"}'}
  - {name: ping, body: '{"id":"{slot}","method":"ping"}'}
)");
  std::vector<std::string> arguments = AgentsFlag(agents);
  arguments.push_back(dir / "plan.yaml");
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  const auto& requests = At(run.report, "points.0.requests").as_array();
  ASSERT_EQ(requests.size(), 3u);
  std::int64_t sent = 0;
  for (const auto& [name, least] : {std::pair("place", 4'990), std::pair("cancel", 1'990), std::pair("ping", 990)}) {
    const boost::json::value& request = requests[name == std::string("place")  ? 0
                                                 : name == std::string("ping") ? 2
                                                                               : 1];
    EXPECT_EQ(request.at("name").as_string(), name);
    EXPECT_GE(Int(request, "sent"), least);
    EXPECT_LE(Int(request, "sent"), least + 20);
    EXPECT_EQ(Int(request, "success"), Int(request, "sent"));
    EXPECT_EQ(Int(request, "latency.count"), Int(request, "sent"));
    sent += Int(request, "sent");
  }
  EXPECT_EQ(sent, 8'000);
  EXPECT_EQ(Int(run.report, "total.accounting.web_socket.orphan_messages"), 0);
  EXPECT_EQ(Int(mock.Truth(), "answered"), 8'000);
  EXPECT_NE(run.out.find("  place\n"), std::string::npos) << run.out;
  EXPECT_TRUE(At(run.report, "merge.is_exact").as_bool());
}

TEST(WebSocketE2eTest, AMixOfHttpRequestsHasItsShares) {
  Mock mock;
  TempDir dir;
  Spill(dir / "plan.yaml", "target: " + mock.Url("/") + R"(
sweep: {connections: [4], requests: 1000}
requests:
  - {path: /api/v3/time, weight: 3}
  - {path: /none}
)");
  const RunOutcome run = TidemarkRun({dir / "plan.yaml"});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto& requests = At(run.report, "points.0.requests").as_array();
  EXPECT_EQ(requests[0].at("name").as_string(), "GET /api/v3/time");
  EXPECT_NEAR(static_cast<double>(Int(requests[0], "success")), 750, 4);
  EXPECT_NEAR(static_cast<double>(Int(requests[1], "sent")), 250, 4);
  EXPECT_EQ(Int(requests[1], "success"), 0);
  EXPECT_EQ(Int(mock.Truth(), "statuses.200"), Int(requests[0], "success"));
  EXPECT_EQ(Int(mock.Truth(), "statuses.404"), Int(requests[1], "sent"));
}

TEST(WebSocketE2eTest, BinaryMessagesSubprotocolsAndSingleUse) {
  Mock mock;
  const RunOutcome run =
      TidemarkRun({"-c", "4", "--requests-per-connection", "25", "--new-connection", "--binary", "--subprotocol",
                   "v2.feed", "--subprotocol", "v1.feed", "--data", std::string(100, '\xff'), Ws(mock.Url("/ws"))});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.successful_requests"), 100);
  EXPECT_EQ(Int(mock.Truth(), "upgraded"), 100);
}

TEST(WebSocketE2eTest, ARefusedUpgradeCountsByItsStatus) {
  Mock mock;
  const RunOutcome run = TidemarkRun({"-c", "2", "-n", "10", Ws(mock.Url("/mock/status=403"))});
  EXPECT_EQ(run.code, 5) << run.err;
  const boost::json::array& rows = At(run.report, "total.warmup.statuses").as_array();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(Int(rows[0], "status"), 403);
  EXPECT_TRUE(At(rows[0], "is_upgrade").as_bool());
  EXPECT_EQ(Int(rows[0], "count"), Int(run.report, "total.warmup.connections.upgrade_failed"));
  EXPECT_TRUE(rows[0].as_object().contains("body"));
  EXPECT_EQ(Int(run.report, "total.accounting.never_sent_by_reason.upgrade"), 10);
  EXPECT_EQ(Int(run.report, "total.accounting.never_sent_by_reason.stopped"), 0);
  EXPECT_NE(run.out.find("before the start, upgrade 403 "), std::string::npos) << run.out;
}

// The mock takes no compression. Connections that were up before the start are told of too.
TEST(WebSocketE2eTest, CompressionThatIsNotTakenIsSaid) {
  Mock mock;
  const RunOutcome asking = TidemarkRun({"-c", "2", "-n", "10", "--deflate", "--data", "x", Ws(mock.Url("/ws"))});
  const RunOutcome listening =
      TidemarkRun({"-c", "2", "-d", "1s", "--listen", "--deflate", Ws(mock.Url("/mock/stream=50ms"))});
  for (const RunOutcome& run : {asking, listening})
    EXPECT_NE(run.out.find("before the start: connections whose target did not take the compression 2"),
              std::string::npos)
        << run.out;
}

// What is opened anew on purpose goes to the next address each time.
TEST(WebSocketE2eTest, ChurnGoesToAllAddresses) {
  const ThreeAddresses addresses(true);
  addresses.third->process().Signal(SIGCONT);
  TempDir dir;
  Spill(dir / "plan.yaml", "target: ws://three.test:" + addresses.port +
                               "/mock/stream=50ms\nsweep: {connections: [1], duration: 2s}\n"
                               "web_socket: {listen: {hold: 200ms}}\n");
  std::vector<std::string> arguments = addresses.Flags();
  arguments.push_back(dir / "plan.yaml");
  const RunOutcome run = TidemarkRun(arguments);
  EXPECT_EQ(run.code, 0) << run.err;
  const Mock* const mocks[] = {&addresses.first, addresses.second.get(), addresses.third.get()};
  for (const Mock* mock : mocks) EXPECT_GE(Int(mock->Truth(), "upgraded"), 2);
}

TEST(WebSocketE2eTest, WhatIsWrongIsSaidInALine) {
  Mock mock;
  const auto fails = [](std::vector<std::string> arguments, int code, const std::string& text) {
    arguments.insert(arguments.end(), {"-c", "2", "-n", "10"});
    const RunOutcome run = TidemarkRun(arguments);
    EXPECT_EQ(run.code, code) << run.err;
    EXPECT_NE(run.err.find(text), std::string::npos) << run.err;
  };
  fails({Ws(mock.Url("/mock/status=403"))}, 5, "upgrade refused with status 403 Forbidden; does it serve WebSockets");
  std::string tls = mock.Url();
  tls.replace(0, 4, "wss");
  fails({tls}, 5, "does the target speak TLS at this port?");
  fails({"--reply-id", "id", "--data", "{slot}", Ws(mock.Url())}, 1, "'id' is no JSON pointer; write /id");
  fails({"--reply-id", "/id", "--data", "x", Ws(mock.Url())}, 1, "has no \"{slot}\"");
  fails({"-X", "POST", Ws(mock.Url())}, 1, "is asked for with GET");
  fails({"--data", "\xff", Ws(mock.Url())}, 1, "is no UTF-8");
  fails({"--binary", mock.Url()}, 1, "use a ws:// or wss:// target");
  fails({"-H", "Upgrade: x", Ws(mock.Url())}, 1, "is set by the upgrade");
  fails({"--subprotocol", "a b", Ws(mock.Url())}, 1, "is no token");
}

// Sends 500 messages to an echo server and expects each back.
void ExpectEcho(const std::string& url, const std::vector<std::string>& extra = {}) {
  std::vector<std::string> arguments = {"-c",         "5",      "--requests-per-connection",
                                        "100",        "--data", "{\"id\":\"{slot}\",\"text\":\"gr\xc3\xbc\xc3\x9f\"}",
                                        "--reply-id", "/id",    url};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.successful_requests"), 500);
  EXPECT_EQ(Int(run.report, "total.accounting.web_socket.messages"), 500);
  EXPECT_EQ(Int(run.report, "total.accounting.web_socket.orphan_messages"), 0);
}

TEST(WebSocketE2eTest, Websocketd) {
  // It takes a port, and no socket: one that is free now.
  const Listener free = ListenOn("127.0.0.1", 1);
  close(free.fd);
  Process server({"websocketd", "--address=127.0.0.1", "--port=" + std::to_string(free.port), "cat"});
  const auto listens = [&] {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(free.port));
    const bool is_there = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return is_there;
  };
  for (int i = 0; i < 6'000 && server.IsRunning() && !listens(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ExpectEcho("ws://127.0.0.1:" + std::to_string(free.port) + "/");
}

TEST(WebSocketE2eTest, NginxAsATlsProxy) {
  TempDir dir;
  const Certificate certificate(dir, "localhost", "IP:127.0.0.1");
  Mock mock;
  const std::string upstream = mock.Url("");
  Nginx nginx("ssl_certificate " + certificate.cert + "; ssl_certificate_key " + certificate.key +
                  "; location / { proxy_pass " + upstream +
                  "; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"
                  " proxy_set_header Connection \"upgrade\"; }",
              " ssl");
  ExpectEcho("wss://127.0.0.1:" + std::to_string(nginx.port()) + "/ws", {"--cacert", certificate.cert});
  EXPECT_EQ(Int(mock.Truth(), "answered"), 500);
  EXPECT_EQ(nginx.Quantities(), (std::map<std::string, std::int64_t>{{"101", 5}}));
}

// The `ws` package of Node, which pings, without permessage-deflate and with it.
TEST(WebSocketE2eTest, NodesWs) {
  TempDir dir;
  Spill(dir / "echo.js",
        "const { WebSocketServer } = require('/usr/share/nodejs/ws');\n"
        "const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true });\n"
        "server.on('listening', () => console.log('listening on ' + server.address().port));\n"
        "server.on('connection', (socket) => {\n"
        "  socket.on('message', (data, isBinary) => { socket.ping('p'); socket.send(data, { binary: isBinary }); });\n"
        "});\n");
  Process server({"node", dir / "echo.js"});
  const std::string url = "ws://127.0.0.1:" + server.WaitForLine("listening on ") + "/";
  ExpectEcho(url);
  // It compresses messages of 1 KiB and more.
  Spill(dir / "large", "{\"id\":\"{slot}\",\"text\":\"" + std::string(100'000, 'x') + "gr\xc3\xbc\xc3\x9f\"}");
  const RunOutcome run = TidemarkRun({"-c", "5", "--requests-per-connection", "100", "--data", "@" + (dir / "large"),
                                      "--reply-id", "/id", "--deflate", url});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Int(run.report, "total.successful_requests"), 500);
  EXPECT_EQ(Int(run.report, "total.accounting.web_socket.compressed_messages"), 500);
  EXPECT_GT(Int(run.report, "total.accounting.web_socket.message_bytes"), 500 * 100'000);
  EXPECT_LT(Int(run.report, "total.accounting.bytes_received"), 500 * 10'000);
  EXPECT_LT(Int(run.report, "total.accounting.bytes_sent"), 500 * 10'000);
}

}  // namespace
}  // namespace tidemark
