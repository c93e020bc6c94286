// Streams that are listened to: what the mock put wrong is found, and nothing else.
#include "tests/e2e/listen.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "agent/audit/order_book.h"
#include "common/clock.h"
#include "tests/support/raw_server.h"
#include "tests/support/web_socket_server.h"

namespace tidemark {
namespace {

// What the mock put wrong is what was found.
void ExpectFaultsFound(const boost::json::value& report, const boost::json::value& truth) {
  EXPECT_EQ(WebSockets(report, "messages"), Int(truth, "pushed") + Int(truth, "parsed"));  // and the acks
  EXPECT_EQ(Streams(report, "gaps"), Fault(truth, "gap"));
  EXPECT_EQ(Streams(report, "lost"), 3 * Fault(truth, "gap"));
  EXPECT_EQ(Streams(report, "duplicates"), Fault(truth, "dup"));
  EXPECT_EQ(Streams(report, "reordered"), Fault(truth, "swap"));
  EXPECT_EQ(Streams(report, "resets"), Fault(truth, "reset"));
  EXPECT_EQ(Streams(report, "unread"), 0);
  EXPECT_TRUE(At(report, "merge.is_exact").as_bool());
}

// In full: 1,000 connections for 60 s.
TEST(ListenTest, WhatTheTargetPutWrongIsFoundExactlyAndNothingElse) {
  const bool is_full = std::getenv("TIDEMARK_FULL") != nullptr;
  Mock mock;
  const auto agents = StartAgents(2);
  const boost::json::value report =
      Listen(mock,
             is_full ? "stream=100ms,count=590,gap=50,dup=30,swap=45,reset=71"
                     : "stream=20ms,count=149,gap=50,dup=30,swap=45,reset=71",
             is_full ? "1000" : "100", is_full ? "62s" : "4s", kDepthRange, AgentsFlag(agents));
  const boost::json::value truth = mock.Truth();
  ExpectFaultsFound(report, truth);
  EXPECT_GT(Fault(truth, "gap"), 0);
}

TEST(ListenTest, ABurstOnOneConnectionIsCountedWhole) {
  Mock mock;
  const boost::json::value report = Listen(mock, "stream=1ms,count=3000", "1", "4s");
  EXPECT_EQ(WebSockets(report, "messages"), 3'001);
  std::int64_t in_seconds = 0;
  for (const auto& second : At(report, "points.0.series").as_array()) in_seconds += Int(second, "messages");
  const boost::json::value& point = At(report, "points.0.accounting.web_socket");
  EXPECT_EQ(in_seconds, Int(point, "messages") - Int(point, "early_messages"));
  for (const char* name : {"gaps", "duplicates", "reordered", "resets", "unread"})
    EXPECT_EQ(Streams(report, name), 0) << name;
}

TEST(ListenTest, ABurstsFaultsAreFoundExactly) {
  Mock mock;
  const boost::json::value report = Listen(mock, "stream=1ms,count=2999,gap=50,dup=30,swap=45,reset=710", "1", "4s");
  const boost::json::value truth = mock.Truth();
  ExpectFaultsFound(report, truth);
  EXPECT_GE(Fault(truth, "gap"), 50);
  EXPECT_EQ(Fault(truth, "reset"), 4);
}

// To two mocks, since a process may have fewer than 20,000 descriptors. In full: 20,000 connections for 40 s.
TEST(ListenTest, ManyConnectionsWithAnUpdateASecondMissNothing) {
  const bool is_full = std::getenv("TIDEMARK_FULL") != nullptr;
  const std::int64_t connections = is_full ? 20'000 : 2'000;
  const std::int64_t updates = is_full ? 30 : 4;
  const std::string path = "/mock/stream=1s,count=" + std::to_string(updates);
  const Mock first({}, {"--listen", "127.0.1.1:0"});
  const std::string url = first.Url(path);
  const std::string port = url.substr(17, url.find('/', 17) - 17);
  const Mock second({}, {"--listen", "127.0.1.2:" + port});
  TempDir dir;
  Spill(dir / "plan.yaml",
        "target: ws://held.test:" + port + path + "\nsweep: {connections: [" + std::to_string(connections) +
            "], duration: " + (is_full ? "40s" : "6s") +
            "}\nweb_socket: {listen: {time: /T, time_unit: us, sequence: {rule: range, first: /U, number: /u}}}\n");
  const auto agents = StartAgents(2);
  std::vector<std::string> arguments = AgentsFlag(agents);
  for (const char* address : {"127.0.1.1", "127.0.1.2"})
    arguments.insert(arguments.end(), {"--resolve", "held.test:" + port + ":" + address});
  arguments.push_back(dir / "plan.yaml");
  const RunOutcome run = TidemarkRun(arguments);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(WebSockets(run.report, "messages"), connections * updates);
  EXPECT_EQ(Int(first.Truth(), "pushed") + Int(second.Truth(), "pushed"), connections * updates);
  EXPECT_EQ(WithWarmup(run.report, "connections.established"), connections);
  for (const char* name : {"gaps", "duplicates", "reordered", "resets", "unread", "reconnects"})
    EXPECT_EQ(Streams(run.report, name), 0) << name;
}

TEST(ListenTest, LinksAndConsecutiveNumbersAreRulesToo) {
  Mock mock;
  const std::string faults = "stream=5ms,count=149,gap=50,dup=30,swap=45";
  for (const char* rule : {"{rule: link, previous: /pu, number: /u}", "{rule: consecutive, number: /k}"}) {
    mock.Get("/__reset");
    const boost::json::value report = Listen(
        mock, faults, "10", "2s", std::string("web_socket: {subscribe: [x], listen: {sequence: ") + rule + "}}\n");
    const boost::json::value truth = mock.Truth();
    EXPECT_EQ(Streams(report, "gaps"), Fault(truth, "gap")) << rule;
    EXPECT_EQ(Streams(report, "duplicates"), Fault(truth, "dup")) << rule;
    EXPECT_EQ(Streams(report, "reordered"), Fault(truth, "swap")) << rule;
    EXPECT_EQ(Streams(report, "unread"), 10);  // the acks, which nobody said to await
  }
}

struct FamilyCase {
  const char* family;
  const char* ack;
  const char* subscribe;
  const char* listen;
};

// Acks, event times and numbers as each family has them; what was put wrong is found, and nothing else.
TEST(ListenTest, EachFamilysMessagesAreReadByItsOwnRules) {
  Mock mock;
  constexpr char kFaults[] = ",stream=10ms,count=149,gap=50,dup=30,swap=45";
  for (const FamilyCase& test : {
           FamilyCase{"family=binance,feed=trade", "/result=null",
                      R"({"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":7})",
                      "{time: /E, sequence: {rule: consecutive, number: /t}}"},
           FamilyCase{"family=binance", "/result=null", R"({"method":"SUBSCRIBE","params":["btcusdt@depth"],"id":1})",
                      "{time: /E, stream: /s, sequence: {rule: link, previous: /pu, number: /u}}"},
           FamilyCase{"family=okx", "/event=subscribe",
                      R"({"id":"1","op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]})",
                      "{time: /data/0/ts, stream: /arg/channel, sequence: {rule: link, previous: /data/0/prevSeqId, "
                      "number: /data/0/seqId}}"},
           FamilyCase{"family=okx,feed=trade", "/event=subscribe",
                      R"({"id":"1","op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]})",
                      "{events: /data, time: /data/*/ts, stream: /arg/instId, sequence: {rule: consecutive, number: "
                      "/data/*/tradeId}}"},
           FamilyCase{"family=okx,feed=trade", "/event=subscribe",
                      R"({"id":"1","op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]})",
                      "{time: /data/0/ts, sequence: {rule: consecutive, number: /data/0/tradeId}}"},
       }) {
    mock.Get("/__reset");
    const boost::json::value report = Listen(mock, test.family + std::string(kFaults), "10", "3s",
                                             absl::StrCat("web_socket: {subscribe: ['", test.subscribe,
                                                          "'], ack: ", test.ack, ", listen: ", test.listen, "}\n"));
    const boost::json::value truth = mock.Truth();
    EXPECT_EQ(WebSockets(report, "messages"), Int(truth, "pushed") + Int(truth, "replied")) << test.family;
    EXPECT_EQ(Streams(report, "gaps"), Fault(truth, "gap")) << test.family;
    EXPECT_EQ(Streams(report, "duplicates"), Fault(truth, "dup")) << test.family;
    EXPECT_EQ(Streams(report, "reordered"), Fault(truth, "swap")) << test.family;
    EXPECT_EQ(Streams(report, "resets"), 0) << test.family;
    EXPECT_EQ(Streams(report, "unread"), 0) << test.family;
    EXPECT_GT(Int(report, "points.0.staleness.count"), 0) << test.family;
  }
}

// Bybit promises no step of one between its deltas, so that what is missing is suspect and no gap.
TEST(ListenTest, SnapshotsBeginAnewAndJumpsAreSuspect) {
  Mock mock;
  const boost::json::value report =
      Listen(mock, "family=bybit,stream=10ms,count=149,gap=50,dup=30,snapshot=40", "10", "3s",
             R"(web_socket: {subscribe: ['{"op":"subscribe","args":["orderbook.50.BTCUSDT"]}'], ack: /success=true,
                listen: {time: /cts, stream: /topic,
                         sequence: {rule: snapshot, snapshot: /type=snapshot, number: /data/u}}})"
             "\n");
  const boost::json::value truth = mock.Truth();
  EXPECT_EQ(Streams(report, "suspect"), Fault(truth, "gap"));
  // One that is sent twice is a duplicate, or a snapshot that says the same.
  EXPECT_EQ(Streams(report, "snapshots") + Streams(report, "duplicates"), 10 * 4 + Fault(truth, "dup"));
  EXPECT_EQ(Streams(report, "unsynced") + Streams(report, "unread"), 0);
  EXPECT_FALSE(At(report, "total.accounting.web_socket.streams").as_object().contains("gaps"));
  EXPECT_EQ(Fault(truth, "gap"), 20);
}

// Three symbols over one connection: each has its own rates, gaps and numbers.
TEST(ListenTest, EachStreamIsCountedByItsName) {
  Mock mock;
  const auto agents = StartAgents(2);
  const boost::json::value report = Listen(mock, "stream=10ms,symbols=3,count=290,gap=50", "10", "3500ms",
                                           "web_socket: {subscribe: [x], ack: /result=null, listen: {stream: /s, "
                                           "sequence: {rule: consecutive, number: /k}}}\n",
                                           AgentsFlag(agents));
  const boost::json::value truth = mock.Truth();
  const auto& streams = At(report, "points.0.streams").as_array();
  ASSERT_EQ(streams.size(), 3u);
  std::int64_t messages = 0;
  std::int64_t gaps = 0;
  for (const boost::json::value& stream : streams) {
    const std::string name(stream.at("name").as_string());
    const std::int64_t pushed = Int(truth, "pushed_by_base." + name.substr(0, name.find("USDT")));
    // What came before the start is in no figure.
    EXPECT_LE(Int(stream, "messages"), pushed) << name;
    EXPECT_GE(Int(stream, "messages"), pushed - 10 * 20) << name;
    EXPECT_NEAR(Number(stream, "messages_per_s"),
                static_cast<double>(Int(stream, "messages")) / Number(report, "points.0.duration_s"), 0.1);
    EXPECT_GT(Number(stream, "bytes_per_s"), 100 * Number(stream, "messages_per_s"));
    EXPECT_EQ(Int(stream, "lost"), Int(stream, "gaps"));
    messages += Int(stream, "messages");
    gaps += Int(stream, "gaps");
  }
  EXPECT_EQ(messages, SinceStart(report, "messages"));
  EXPECT_EQ(gaps, Fault(truth, "gap"));
  EXPECT_EQ(Streams(report, "gaps"), Fault(truth, "gap"));
  EXPECT_EQ(Int(report, "points.0.streams_left_out"), 0);
}

// Heartbeats are no events, and do not hide that nothing else comes. Pongs in messages are known by a value in them.
TEST(ListenTest, MessagesThatAreNoEventsAreLeftOut) {
  Mock mock;
  const boost::json::value report =
      Listen(mock, "family=bybit,stream=20ms,count=50,heartbeat=50ms", "5", "3s",
             "web_socket: {ping: {every: 200ms, text: '{\"op\":\"ping\"}', reply: /ret_msg=pong}, "
             "listen: {ignore: [/channel=heartbeat], stream: /topic, time: /cts, silence: 500ms}}\n");
  const boost::json::value truth = mock.Truth();
  EXPECT_EQ(Streams(report, "unread"), 0);
  // The last of each connection may come when it is being closed.
  EXPECT_NEAR(static_cast<double>(WebSockets(report, "pongs") + Streams(report, "ignored")),
              static_cast<double>(Int(truth, "replied")), 5);
  EXPECT_GE(WebSockets(report, "pongs"), 5 * 12);
  EXPECT_GE(WebSockets(report, "client_pings"), WebSockets(report, "pongs"));
  EXPECT_LE(WebSockets(report, "client_pings"), WebSockets(report, "pongs") + 5);
  EXPECT_GE(Streams(report, "ignored"), 5 * 50);
  EXPECT_EQ(Streams(report, "silences"), 5);
}

TEST(ListenTest, ExpectationsMayBeOfFindings) {
  Mock mock;
  TempDir dir;
  const auto run = [&](const std::string& directives, const std::string& expect) {
    Spill(dir / "plan.yaml", "target: ws" + mock.Url("/mock/" + directives).substr(4) +
                                 "\nsweep: {connections: [2], duration: 2s}\nexpect: ['" + expect + "']\n" +
                                 "web_socket: {listen: {time: /E, sequence: {rule: consecutive, number: /k}}}\n");
    return TidemarkRun({dir / "plan.yaml"});
  };
  EXPECT_EQ(run("stream=10ms", "gaps<1").code, 0);
  EXPECT_EQ(run("stream=10ms", "messages_per_s>150").code, 0);
  const RunOutcome missed = run("stream=10ms,gap=50,count=150", "gaps<1");
  EXPECT_EQ(missed.code, 99) << missed.err;
  EXPECT_NE(missed.out.find("gaps<1: MISSED"), std::string::npos) << missed.out;
  EXPECT_EQ(run("stream=10ms,stale=50ms", "p50<20ms").code, 99);  // of the staleness
}

constexpr char kKraken[] = R"(
web_socket:
  subscribe: ['{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10},"req_id":1}']
  ack: /success=true
  listen:
    stream: /data/0/symbol
    time: /data/0/timestamp
    time_unit: rfc3339
    sequence: {rule: checksum, snapshot: /type=snapshot, number: /data/0/checksum, bids: /data/0/bids,
               asks: /data/0/asks, depth: 10}
)";

TEST(ListenTest, ABooksChecksumIsRightUntilSomethingIsMissing) {
  Mock mock;
  const boost::json::value good = Listen(mock, "family=kraken,stream=10ms,count=150,snapshot=50", "10", "3s", kKraken);
  EXPECT_EQ(Streams(good, "checked"), 1'500);
  EXPECT_EQ(Int(good, "points.0.staleness.count"), Int(good, "points.0.accounting.web_socket.messages"));
  EXPECT_LT(Number(good, "points.0.staleness.p50_us"), 100'000);
  EXPECT_EQ(Streams(good, "snapshots"), 40);
  EXPECT_EQ(Streams(good, "checksum_wrong") + Streams(good, "unsynced") + Streams(good, "unread"), 0);
  mock.Get("/__reset");
  // The 30th, 60th and 90th are lost, so that the 31st is wrong, and nothing is known until the 100th.
  const boost::json::value gap =
      Listen(mock, "family=kraken,stream=10ms,count=119,snapshot=100,gap=30", "10", "3s", kKraken);
  EXPECT_EQ(Fault(mock.Truth(), "gap"), 30);
  EXPECT_EQ(Streams(gap, "checksum_wrong"), 10);
  EXPECT_EQ(Streams(gap, "checked"), 10 * (29 + 20));
  EXPECT_EQ(Streams(gap, "unsynced"), 10 * (119 - 3 - 1 - 49));
  mock.Get("/__reset");
  const boost::json::value wrong =
      Listen(mock, "family=kraken,stream=10ms,count=100,snapshot=20,checksum=50", "10", "2s", kKraken);
  EXPECT_EQ(Streams(wrong, "checksum_wrong"), Fault(mock.Truth(), "checksum"));
}

TEST(ListenTest, AClockThatCannotBeReadIsSaidInALine) {
  Mock mock;
  TempDir dir;
  const auto fails = [&](const std::string& url, const std::string& pointer, const std::string& text) {
    Spill(dir / "plan.yaml", absl::StrCat("target: ws", mock.Url("/mock/stream=10ms").substr(4),
                                          "\nsweep: {connections: [1], duration: 1s}\nweb_socket: {listen: {time: /E, ",
                                          "clock: {url: '", url, "', time: ", pointer, "}}}\n"));
    const RunOutcome run = TidemarkRun({dir / "plan.yaml"});
    EXPECT_EQ(run.code, 5) << run.err;
    EXPECT_NE(run.err.find(text), std::string::npos) << run.err;
  };
  fails(mock.Url("/api/v3/time"), "/none", "no time at '/none'");
  fails(mock.Url("/none"), "/serverTime", "status 404");
  fails("http://127.0.0.1:1/time", "/serverTime", "Connection refused");
}

// The rules of a family as it documents them, some times as fast.
TEST(ListenTest, AFamilysOwnRulesAreKept) {
  Mock mock;
  // Binance: 20 s between pings, a life of 24 h; here 100 ms and 432 s.
  const boost::json::value binance = Listen(mock, "stream=50ms,scale=200", "5", "2s", "web_socket: {listen: {}}\n");
  EXPECT_GE(Int(binance, "total.accounting.web_socket.pings"), 5 * 15);
  EXPECT_EQ(Streams(binance, "reconnects"), 0);
  // The end of a life is announced.
  const boost::json::value life = Listen(mock, "stream=50ms,life=500ms", "5", "2s", "web_socket: {listen: {}}\n");
  EXPECT_GE(Streams(life, "reconnects"), 5 * 2);
  EXPECT_EQ(WebSockets(life, "closings.going_away"), Fault(mock.Truth(), "life"));
  // OKX: a client that says nothing for 30 s is closed with 4004; here 300 ms. A bare "ping" keeps it alive.
  mock.Get("/__reset");
  const boost::json::value silent =
      Listen(mock, "family=okx,stream=50ms,scale=100", "5", "2s", "web_socket: {listen: {}}\n");
  EXPECT_GE(WebSockets(silent, "closings.application"), 5);
  EXPECT_EQ(Int(silent, "points.0.close_reasons.0.code"), 4004);
  EXPECT_EQ(At(silent, "points.0.close_reasons.0.reason").as_string(), "No data received in 30s.");
  EXPECT_EQ(Int(silent, "points.0.close_reasons.0.count"),
            Int(silent, "points.0.accounting.web_socket.closings.application"));
  mock.Get("/__reset");
  const boost::json::value kept =
      Listen(mock, "family=okx,stream=50ms,scale=100", "5", "2s",
             "web_socket: {ping: {every: 100ms, text: ping, reply: pong}, listen: {time: /data/0/ts}}\n");
  EXPECT_EQ(Fault(mock.Truth(), "starved"), 0);
  EXPECT_GE(Int(kept, "total.accounting.web_socket.pongs"), 5 * 15);
  EXPECT_EQ(Streams(kept, "unread"), 0);
}

// Listens with an agent that is stopped for 1.5 s in the midst of it. `plan`: all of it but the target.
boost::json::value ListenWithAStandstill(const Mock& mock, const std::string& directives, const std::string& plan) {
  Agent agent;
  TempDir dir;
  Spill(dir / "plan.yaml", "target: ws" + mock.Url("/mock/" + directives).substr(4) + "\n" + plan);
  Process process(
      {TIDEMARK_BINARY, "run", dir / "plan.yaml", "--agents", agent.address(), "-o", "json=" + (dir / "run.json")});
  while (Int(mock.Truth(), "pushed") < 500 && process.IsRunning())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  agent.process().Signal(SIGSTOP);
  std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
  agent.process().Signal(SIGCONT);
  EXPECT_EQ(process.Wait(), 0) << process.Err();
  return ReadReport(dir / "run.json");
}

TEST(ListenTest, AReaderThatIsTooSlowIsClosedByTheTargetAndSaidSo) {
  Mock mock;
  const boost::json::value report = ListenWithAStandstill(
      mock, "stream=2ms,size=50000,slow=500ms", "sweep: {connections: [2], duration: 5s}\nweb_socket: {listen: {}}\n");
  EXPECT_EQ(WebSockets(report, "closings.application"), Fault(mock.Truth(), "slow"));
  EXPECT_EQ(Fault(mock.Truth(), "slow"), 2);
}

TEST(ListenTest, AGapThatOurOwnStandstillMadeIsOurs) {
  Mock mock;
  const boost::json::value report =
      ListenWithAStandstill(mock, "subscribe=1,stream=2ms,size=50000,conflate=1",
                            std::string("sweep: {connections: [2], duration: 6s}\n") + kDepthRange);
  EXPECT_GT(Fault(mock.Truth(), "conflated"), 100);
  EXPECT_GT(Streams(report, "gaps"), 0);
  EXPECT_EQ(Streams(report, "gaps_behind"), Streams(report, "gaps"));
}

TEST(ListenTest, ChurnConnectsHoldsAndCloses) {
  Mock mock;
  const boost::json::value report = Listen(mock, "stream=20ms", "10", "3s",
                                           "web_socket: {subscribe: [x], ack: /result=null, listen: {hold: 200ms}}\n");
  const std::int64_t held = Streams(report, "held");
  EXPECT_GE(held, 10 * 10);  // of 15 each: connecting and the wheel's ticks take their time
  EXPECT_LE(held, 10 * 15);
  const boost::json::value truth = mock.Truth();
  EXPECT_EQ(Int(truth, "upgraded"), WithWarmup(report, "connections.established"));
  EXPECT_EQ(Fault(truth, "closed by the client: 1000"), Int(truth, "upgraded"));
  EXPECT_EQ(Int(report, "total.upgrade.count"), Int(truth, "upgraded"));
  EXPECT_EQ(Int(report, "total.subscribe.count"), Int(truth, "upgraded"));
  EXPECT_EQ(Streams(report, "reconnects"), 0);
}

TEST(ListenTest, PingsAreAnsweredInAFloodAndStarvationIsCounted) {
  Mock mock;
  const boost::json::value flood = Listen(mock, "stream=1ms,ping=50ms", "20", "3s");
  EXPECT_EQ(Fault(mock.Truth(), "starved"), 0);
  EXPECT_GE(WebSockets(flood, "pings"), 20 * 50);
  // A target that wants to hear of its client: without a ping it closes with 1008, and the connection comes back.
  const std::string quiet = "web_socket: {listen: {}}\n";
  const boost::json::value starved = Listen(mock, "stream=10ms,need=500ms", "4", "3s", quiet);
  const std::int64_t closed = Fault(mock.Truth(), "starved");
  EXPECT_GE(closed, 8);
  EXPECT_EQ(WebSockets(starved, "closings.policy"), closed);
  EXPECT_EQ(Streams(starved, "reconnects"), closed);
  for (const char* ping : {"{every: 200ms}", "{every: 200ms, text: ping}"}) {
    const boost::json::value kept = Listen(mock, "stream=10ms,need=500ms", "4", "3s",
                                           std::string("web_socket: {ping: ") + ping + ", listen: {}}\n");
    EXPECT_EQ(Fault(mock.Truth(), "starved"), closed) << ping;
    EXPECT_EQ(Streams(kept, "reconnects"), 0) << ping;
  }
}

TEST(ListenTest, SilenceAndWhatCannotBeReadAreSaid) {
  Mock mock;
  const boost::json::value report =
      Listen(mock, "stream=10ms,count=20", "3", "2s",
             "web_socket: {subscribe: [x], ack: /result=null, listen: {silence: 500ms, time: /nowhere}}\n");
  EXPECT_EQ(Streams(report, "silences"), 3);
  EXPECT_EQ(Streams(report, "unread"), 60);
}

// What each family says to a subscription that it does not like is no ack of the examples, and is shown.
TEST(ListenTest, NoExampleTakesARefusalForAnAck) {
  Mock mock;
  TempDir dir;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TIDEMARK_SOURCE_DIR "/examples")) {
    std::string plan = Slurp(entry.path().string());
    if (plan.find("  ack:") == std::string::npos) continue;
    const std::size_t at = plan.find("target: ");
    const std::string target = plan.substr(at, plan.find('\n', at) - at);
    const std::size_t family = target.find("family=");
    plan.replace(
        at, target.size(),
        "target: ws" + mock.Url("/mock/refuse=1,stream=1s").substr(4) +
            (family == std::string::npos ? "" : "," + target.substr(family, target.find(',', family) - family)));
    for (std::size_t clock = plan.find("    clock:"); clock != std::string::npos; clock = plan.find("    clock:"))
      plan.erase(clock, plan.find('\n', clock) + 1 - clock);
    Spill(dir / "plan.yaml", plan);
    const RunOutcome run = TidemarkRun({dir / "plan.yaml", "-c", "2", "--connect-timeout", "300ms"});
    EXPECT_EQ(run.code, 5) << entry.path() << run.err;
    EXPECT_NE(run.err.find("subscribe: no ack in time; the last message was '{"), std::string::npos)
        << entry.path() << run.err;
    EXPECT_NE(run.err.find("error"), std::string::npos) << entry.path() << run.err;
    ++count;
  }
  EXPECT_GE(count, 4);
}

// Long before the time is up it is said what came, if it is no ack.
TEST(ListenTest, AnAckThatNeverMatchesIsToldSoon) {
  Mock mock;
  Process run({TIDEMARK_BINARY, "run", "--subscribe", R"({"id":7})", "--ack", "/op=subscribe", "--listen", "-d", "1s",
               "-c", "2", "--connect-timeout", "60s", "ws" + mock.Url("/mock/subscribe=1,stream=1h").substr(4)});
  const std::string remark = R"(no ack /op=subscribe for 5 s; the last message was '{"result":null,"id":7}')";
  for (int i = 0; i < 400 && run.IsRunning() && run.Err().find(remark) == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_NE(run.Err().find(remark), std::string::npos) << run.Err();
  EXPECT_TRUE(run.IsRunning());
}

// What a raw server says to each connection that has come up.
struct Scripted {
  std::vector<std::string> frames;
  Nanos between = 0;
  int connections = 1;  // that say it; later ones say nothing

  boost::json::value Listen(const std::string& listen, RunOutcome* outcome = nullptr, int code = 0) const {
    std::atomic<int> served{0};
    RawServer server([&](int fd) {
      if (!GrantUpgrade(fd)) return;
      if (++served <= connections) {
        std::this_thread::sleep_for(std::chrono::milliseconds(700));  // the point has begun, or will soon
        for (const std::string& frame : frames) {
          SendAll(fd, frame);
          std::this_thread::sleep_for(std::chrono::nanoseconds(between));
        }
      }
      while (ReadFrame(fd).opcode != -1) {
      }
    });
    TempDir dir;
    Spill(dir / "plan.yaml", absl::StrCat("target: ws://127.0.0.1:", server.port(),
                                          "/\nsweep: {connections: [1], duration: 3s}\nmax_response_bytes: 10KiB\n",
                                          "web_socket: {listen: ", listen, "}\n"));
    const RunOutcome run = TidemarkRun({dir / "plan.yaml"});
    EXPECT_EQ(run.code, code) << run.err;
    if (outcome != nullptr) *outcome = run;
    return run.report;
  }
};

TEST(ListenTest, WhatCameWhenItWasGivenUpIsLate) {
  Scripted server;
  for (int i = 1; i < 40; ++i) {
    if (i != 5 && i != 6) server.frames.push_back(ServerFrame(1, absl::StrCat(R"({"s":"A","n":)", i, "}")));
  }
  server.frames.push_back(ServerFrame(1, R"({"s":"A","n":6})"));
  RunOutcome run;
  const auto report = server.Listen("{stream: /s, sequence: {rule: consecutive, number: /n}}", &run);
  EXPECT_EQ(Streams(report, "gaps"), 1);
  EXPECT_EQ(Streams(report, "lost"), 2);
  EXPECT_EQ(Streams(report, "lost_late"), 1);
  EXPECT_EQ(Streams(report, "reordered"), 1);
  EXPECT_EQ(Streams(report, "duplicates"), 0);
  EXPECT_EQ(Int(report, "points.0.streams.0.lost_late"), 1);
  EXPECT_NE(run.out.find("1 gaps, 2 numbers lost, 1 of them came late"), std::string::npos) << run.out;
}

TEST(ListenTest, ABookMayChangeWithoutAChecksum) {
  OrderBook book(10);
  book.Begin();
  Scripted server;
  for (int i = 0; i < 30; ++i) {
    const std::string size = absl::StrCat(i + 1, ".5");
    book.Apply({{"100.1", size}}, {});
    const std::string sum = i % 3 == 1 ? "" : absl::StrCat(R"(,"checksum":)", book.Checksum());
    server.frames.push_back(
        ServerFrame(1, absl::StrCat(R"({"type":")", i == 0 ? "snapshot" : "update",
                                    R"(","data":[{"symbol":"BTC/USD","bids":[{"price":100.1,"qty":)", size,
                                    R"(}],"asks":[])", sum, "}]}")));
  }
  const auto report = server.Listen(
      "{stream: /data/0/symbol, sequence: {rule: checksum, snapshot: /type=snapshot, number: /data/0/checksum, "
      "bids: /data/0/bids, asks: /data/0/asks}}");
  EXPECT_EQ(Streams(report, "checked"), 20);
  EXPECT_EQ(Streams(report, "unchecked"), 10);
  EXPECT_EQ(Streams(report, "checksum_wrong") + Streams(report, "unsynced") + Streams(report, "unread"), 0);
}

// Coinbase's Advanced Trade: trades in arrays of arrays, and one sequence over all channels.
TEST(ListenTest, SeveralEventsInAMessageAndOneSequenceOverAllChannels) {
  Scripted server;
  for (int i = 0; i < 30; ++i) {
    if (i == 20) continue;
    server.frames.push_back(ServerFrame(
        1, absl::StrCat(i % 5 == 0 ? R"({"channel":"heartbeats","events":[{"heartbeat_counter":1}],"sequence_num":)"
                                   : R"({"channel":"market_trades","events":[{"type":"update","trades":[)"
                                     R"({"product_id":"BTC-USD","time":"2026-11-26T10:00:00Z"},)"
                                     R"({"product_id":"ETH-USD","time":"2026-11-26T10:00:00Z"}]}],"sequence_num":)",
                        i, "}")));
  }
  RunOutcome run;
  const auto report = server.Listen(
      "{events: /events/*/trades, stream: /events/*/trades/*/product_id, time: /events/*/trades/*/time, time_unit: "
      "rfc3339, ignore: [/channel=heartbeats], sequence: {rule: consecutive, number: /sequence_num, scope: "
      "connection}}",
      &run);
  EXPECT_EQ(Streams(report, "events"), 2 * 24);
  EXPECT_EQ(Streams(report, "ignored"), 5);
  EXPECT_EQ(Streams(report, "gaps"), 1);
  EXPECT_EQ(Streams(report, "lost"), 1);
  EXPECT_EQ(Streams(report, "unread"), 0);
  EXPECT_EQ(Int(report, "points.0.streams.0.messages"), 24);
  EXPECT_EQ(At(report, "points.0.streams").as_array().size(), 2u);
}

TEST(ListenTest, AStreamThatFallsSilentIsNamed) {
  Scripted server{.frames = {}, .between = 5 * kMillisecond};
  for (int i = 0; i < 150; ++i) {
    server.frames.push_back(
        ServerFrame(1, absl::StrCat(R"({"s":"S)", i < 50 ? i % 5 : i % 4, R"("})")));  // S4 ends after 250 ms
  }
  RunOutcome run;
  const auto report = server.Listen("{stream: /s, silence: 300ms}", &run);
  EXPECT_EQ(Streams(report, "stream_silences"), 1);
  EXPECT_NE(run.out.find("S4: 10 messages"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find(", fell silent 1x"), std::string::npos) << run.out;
  EXPECT_EQ(Int(report, "points.0.streams.4.silences"), 1);
  EXPECT_LE(Streams(report, "silences"), 2);  // of the connection, before the server begins and when it has said all
}

TEST(ListenTest, WhoClosedForWhatIsSaidThoughNothingWasReceived) {
  const Scripted server{.frames = {ServerFrame(0, "a piece of nothing")}};
  RunOutcome run;
  const auto report = server.Listen("{}", &run, 5);  // not one message came
  EXPECT_EQ(Streams(report, "violations"), 1);
  EXPECT_EQ(Streams(report, "reconnects"), 1);
  EXPECT_EQ(WebSockets(report, "messages"), 0);
  EXPECT_NE(run.out.find("  Closed   : by us: 1002 for protocol violations 1\n"), std::string::npos) << run.out;
}

TEST(ListenTest, WhatIsWrongInAPlanIsSaidInALine) {
  Mock mock;
  TempDir dir;
  const auto fails = [&](const std::string& plan, const std::string& text) {
    Spill(dir / "plan.yaml", "target: ws://127.0.0.1:1/\n" + plan);
    const RunOutcome run = TidemarkRun({dir / "plan.yaml"});
    EXPECT_EQ(run.code, 1) << run.err;
    EXPECT_NE(run.err.find(text), std::string::npos) << run.err;
  };
  const std::string sweep = "sweep: {connections: [1], duration: 1s}\n";
  fails(sweep + "web_socket: {listen: {time: T}}\n", "'T' is no JSON pointer");
  fails(sweep + "web_socket: {listen: {time_unit: d}}\n", "write s, ms, us, ns or rfc3339");
  fails(sweep + "web_socket: {listen: {sequence: {rule: range, number: /u}}}\n", "write {rule: consecutive");
  fails(sweep + "web_socket: {ack: ok, subscribe: [x]}\n", "is not POINTER=VALUE");
  fails(sweep + "web_socket: {ack: /op=x}\n", "acks nothing");
  fails(sweep + "requests: [{body: x}]\nweb_socket: {listen: {}}\n", "sends no requests");
  fails(sweep + "web_socket: {listen: {}}\nexpect: [requests_per_s>5]\n", "write messages_per_s");
  fails("expect: [gaps<1]\n", "is of streams");
  fails("expect: [gasp<1]\n", "checksum_wrong");
  // Nobody acks.
  const RunOutcome run = TidemarkRun({"--subscribe", "x", "--ack", "/never=1", "--listen", "-d", "1s", "-c", "1",
                                      "--connect-timeout", "300ms", "ws" + mock.Url("/mock/stream=10ms").substr(4)});
  EXPECT_EQ(run.code, 5);
  EXPECT_NE(run.err.find("subscribe: no ack in time"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace tidemark
