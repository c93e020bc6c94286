// Streams that are listened to: what the mock put wrong is found, and nothing else.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

constexpr char kListen[] = R"(
web_socket:
  subscribe: ['{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}']
  ack: /id=1
  listen:
    time: /T
    time_unit: us
    sequence: {rule: range, first: /U, number: /u}
)";

// Runs the plan on the mock's stream of `directives` and expects success.
boost::json::value Listen(const Mock& mock, const std::string& directives, const std::string& connections,
                          const std::string& duration, const std::string& listen = kListen,
                          const std::vector<std::string>& extra = {}) {
  TempDir dir;
  const bool is_subscribing = listen.find("subscribe:") != std::string::npos;
  std::string url = mock.Url(std::string("/mock/") + (is_subscribing ? "subscribe=1," : "") + directives);
  Spill(dir / "plan.yaml", "target: ws" + url.substr(4) + "\nsweep: {connections: [" + connections +
                               "], duration: " + duration + "}\n" + listen);
  std::vector<std::string> arguments = {dir / "plan.yaml"};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  const RunOutcome run = TidemarkRun(arguments);
  EXPECT_EQ(run.code, 0) << run.err;
  return run.report;
}

// Of the point and before its start.
std::int64_t WebSockets(const boost::json::value& report, const std::string& name) {
  std::int64_t sum = 0;
  for (const char* part : {"total.accounting", "total.warmup"}) {
    if (At(report, part).as_object().contains("web_socket"))
      sum += Int(report, std::string(part) + ".web_socket." + name);
  }
  return sum;
}
std::int64_t Streams(const boost::json::value& report, const std::string& name) {
  return WebSockets(report, "streams." + name);
}

// Of one point, without what came between its warm-up and its start.
std::int64_t SinceStart(const boost::json::value& report, const std::string& name) {
  const std::string counts = "points.0.accounting.web_socket.";
  return Int(report, counts + name) - Int(report, counts + "early_" + name);
}

std::int64_t Fault(const boost::json::value& truth, const std::string& name) {
  const auto& faults = At(truth, "faults").as_object();
  return faults.contains(name) ? faults.at(name).to_number<std::int64_t>() : 0;
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
             is_full ? "1000" : "100", is_full ? "62s" : "4s", kListen, AgentsFlag(agents));
  const boost::json::value truth = mock.Truth();
  EXPECT_EQ(WebSockets(report, "messages"), Int(truth, "pushed") + Int(truth, "parsed"));  // and the acks
  EXPECT_EQ(Streams(report, "gaps"), Fault(truth, "gap"));
  EXPECT_EQ(Streams(report, "lost"), 3 * Fault(truth, "gap"));
  EXPECT_EQ(Streams(report, "duplicates"), Fault(truth, "dup"));
  EXPECT_EQ(Streams(report, "reordered"), Fault(truth, "swap"));
  EXPECT_EQ(Streams(report, "resets"), Fault(truth, "reset"));
  EXPECT_EQ(Streams(report, "unread"), 0);
  EXPECT_GT(Fault(truth, "gap"), 0);
  EXPECT_TRUE(At(report, "merge.is_exact").as_bool());
}

TEST(ListenTest, ABurstOnOneConnectionIsCountedWhole) {
  Mock mock;
  const boost::json::value report = Listen(mock, "stream=1ms,count=3000", "1", "4s");
  EXPECT_EQ(WebSockets(report, "messages"), 3'001);
  for (const char* name : {"gaps", "duplicates", "reordered", "resets", "unread", "silences"})
    EXPECT_EQ(Streams(report, name), 0) << name;
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

TEST(ListenTest, StalenessIsThatOfTheMocksOwnRecord) {
  Mock mock;
  const boost::json::value report = Listen(mock, "stream=10ms,stale=50ms/10", "20", "3s");
  const boost::json::value truth = mock.Truth();
  for (const char* name : {"mean_us", "p50_us", "p99_us"}) {
    const double theirs = At(truth, std::string("staleness.") + name).to_number<double>();
    const double ours = At(report, std::string("points.0.staleness.") + name).to_number<double>();
    EXPECT_NEAR(ours, theirs, std::max(1'000.0, 0.02 * theirs)) << name;
  }
  EXPECT_GT(At(report, "points.0.staleness.p99_us").to_number<double>(), 50'000);
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
           FamilyCase{"family=binance,feed=trade", "/id=7",
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
  EXPECT_EQ(Streams(report, "gaps") + Streams(report, "unsynced") + Streams(report, "unread"), 0);
  EXPECT_EQ(Fault(truth, "gap"), 20);
}

// Three symbols over one connection: each has its own rates, gaps and numbers.
TEST(ListenTest, EachStreamIsCountedByItsName) {
  Mock mock;
  const auto agents = StartAgents(2);
  const boost::json::value report = Listen(
      mock, "stream=10ms,symbols=3,count=290,gap=50", "10", "3500ms",
      "web_socket: {subscribe: [x], ack: /id=1, listen: {stream: /s, sequence: {rule: consecutive, number: /k}}}\n",
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

// A stream of 20 ms that stops: it is silent after ten times its usual interval, long before the 10 s of the default.
TEST(ListenTest, ASilenceIsJudgedByWhatIsUsual) {
  Mock mock;
  for (const auto& [factor, silences] : {std::pair("10", 5), std::pair("1000", 0), std::pair("0", 0)}) {
    const boost::json::value report = Listen(mock, "stream=20ms,count=50", "5", "2s",
                                             absl::StrCat("web_socket: {listen: {silence_factor: ", factor, "}}\n"));
    EXPECT_EQ(Streams(report, "silences"), silences) << factor;
  }
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
  EXPECT_GE(Streams(report, "ignored"), 5 * 50);
  EXPECT_EQ(Streams(report, "silences"), 5);
}

constexpr char kKraken[] = R"(
web_socket:
  subscribe: ['{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10},"req_id":1}']
  ack: /method=subscribe
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

// The same events over all connections of two agents, beside the mock's own record of when it sent them.
TEST(ListenTest, FanOutIsThatOfTheMocksOwnRecord) {
  Mock mock;
  const auto agents = StartAgents(2);
  const std::string listen =
      "web_socket: {subscribe: [x], ack: /id=1, listen: {time: /T, time_unit: us, fan_out: /k, "
      "sequence: {rule: consecutive, number: /k}}}\n";
  const boost::json::value report =
      Listen(mock, "stream=20ms,common=1,count=120,gap=17", "100", "4s", listen, AgentsFlag(agents));
  std::vector<double> spreads;
  std::int64_t sends = 0;
  std::int64_t lost = 0;
  for (const absl::string_view line : absl::StrSplit(mock.Get("/__events"), '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    ASSERT_EQ(fields.size(), 6u) << line;
    sends += std::stoll(fields[4]);
    lost += fields[5] == "gap" ? 1 : 0;
    if (fields[4] == "100") spreads.push_back(static_cast<double>(std::stoll(fields[3]) - std::stoll(fields[2])) / 1e3);
  }
  EXPECT_EQ(sends, Int(mock.Truth(), "pushed"));
  EXPECT_EQ(lost, 7);
  ASSERT_GT(spreads.size(), 50u);
  EXPECT_EQ(Int(report, "points.0.fan_out.receipts"), SinceStart(report, "messages"));
  EXPECT_EQ(Int(report, "points.0.fan_out.most_receipts"), 100);
  EXPECT_EQ(Int(report, "points.0.fan_out.untracked"), 0);
  EXPECT_GE(Int(report, "points.0.fan_out.events"), static_cast<std::int64_t>(spreads.size()) - 20);
  std::sort(spreads.begin(), spreads.end());
  const double theirs = spreads[spreads.size() / 2];
  const double error = At(report, "points.0.fan_out.error_us").to_number<double>();
  EXPECT_GT(error, 0);
  EXPECT_NEAR(At(report, "points.0.fan_out.spread.p50_us").to_number<double>(), theirs,
              std::max(1'000.0, 0.5 * theirs) + error);
}

// A target whose clock is 250 ms ahead, or behind: staleness is right all the same, and the report says how sure.
TEST(ListenTest, TheTargetsOwnClockCorrectsStaleness) {
  for (const bool is_behind : {false, true}) {
    std::vector<std::string> arguments = {"--clock-ahead", "250ms"};
    if (is_behind) arguments.push_back("--clock-behind");
    Mock mock({}, arguments);
    const std::string listen = absl::StrCat("web_socket: {listen: {time: /E, clock: {url: '", mock.Url("/api/v3/time"),
                                            "', time: /serverTime, every: 200ms}}}\n");
    const boost::json::value report = Listen(mock, "stream=10ms", "5", "3s", listen);
    const double ours = At(report, "points.0.staleness.mean_us").to_number<double>();
    const double theirs = At(mock.Truth(), "staleness.mean_us").to_number<double>();
    const double error = At(report, "points.0.staleness_error_us").to_number<double>();
    EXPECT_GT(error, 0);
    EXPECT_LT(error, 2'000);
    EXPECT_NEAR(At(report, "points.0.agents.0.target_clock_offset_us").to_number<double>(),
                is_behind ? -250'000 : 250'000, error);
    EXPECT_NEAR(ours, theirs + 500, error + 1'000);  // stamps in whole ms, on average half of one too old
    EXPECT_GT(Int(report, "points.0.agents.0.target_clock_readings"), 15);
    EXPECT_EQ(Int(report, "points.0.agents.0.target_clock_steps"), 0);
  }
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

// Binance closes when a client sends more than five messages in a second, pongs too.
TEST(ListenTest, AControlRateKeepsWhatThePeerAllows) {
  Mock mock;
  const std::string many =
      "web_socket: {subscribe: [a, b, c, d, e, f, g, h], ack: /id=1, ping: {every: 100ms}, listen: {}";
  const boost::json::value kept =
      Listen(mock, "stream=50ms,messages=5", "5", "4s", many + ", control_rate: 4}\n", {"--connect-timeout", "10s"});
  EXPECT_EQ(Fault(mock.Truth(), "client messages"), 0);
  EXPECT_EQ(WithWarmup(kept, "connections.established"), 5);
  mock.Get("/__reset");
  Listen(mock, "stream=50ms,messages=5", "5", "1s", "web_socket: {ping: {every: 100ms}, listen: {}}\n");
  EXPECT_GT(Fault(mock.Truth(), "client messages"), 0);
}

TEST(ListenTest, AReaderThatIsTooSlowIsClosedByTheTargetAndSaidSo) {
  Mock mock;
  Agent agent;
  TempDir dir;
  const std::string url = mock.Url("/mock/stream=2ms,size=50000,slow=500ms");
  Spill(dir / "plan.yaml",
        "target: ws" + url.substr(4) + "\nsweep: {connections: [2], duration: 5s}\nweb_socket: {listen: {}}\n");
  Process process(
      {TIDEMARK_BINARY, "run", dir / "plan.yaml", "--agents", agent.address(), "-o", "json=" + (dir / "run.json")});
  while (Int(mock.Truth(), "pushed") < 500 && process.IsRunning())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  agent.process().Signal(SIGSTOP);
  std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
  agent.process().Signal(SIGCONT);
  ASSERT_EQ(process.Wait(std::chrono::seconds(60)), 0) << process.Err();
  const boost::json::value report = boost::json::parse(Slurp(dir / "run.json"));
  EXPECT_EQ(WebSockets(report, "closings.application"), Fault(mock.Truth(), "slow"));
  EXPECT_EQ(Fault(mock.Truth(), "slow"), 2);
}

TEST(ListenTest, AGapThatOurOwnStandstillMadeIsOurs) {
  Mock mock;
  Agent agent;
  TempDir dir;
  const std::string url = mock.Url("/mock/subscribe=1,stream=2ms,size=50000,conflate=1");
  Spill(dir / "plan.yaml", "target: ws" + url.substr(4) + "\nsweep: {connections: [2], duration: 6s}\n" + kListen);
  Process process(
      {TIDEMARK_BINARY, "run", dir / "plan.yaml", "--agents", agent.address(), "-o", "json=" + (dir / "run.json")});
  while (Int(mock.Truth(), "pushed") < 500 && process.IsRunning())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  agent.process().Signal(SIGSTOP);
  std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
  agent.process().Signal(SIGCONT);
  ASSERT_EQ(process.Wait(std::chrono::seconds(60)), 0) << process.Err();
  const boost::json::value report = boost::json::parse(Slurp(dir / "run.json"));
  EXPECT_GT(Fault(mock.Truth(), "conflated"), 100);
  EXPECT_GT(Streams(report, "gaps"), 0);
  EXPECT_EQ(Streams(report, "gaps_behind"), Streams(report, "gaps"));
}

std::string Storm(const std::string& storm) {
  return "web_socket: {subscribe: [x], ack: /id=1, listen: {storm: {at: 1s, percent: 100, " + storm + "}}}\n";
}

// When the last `count` subscriptions came, after the first client had closed, ascending.
std::vector<double> MicrosSinceTheStorm(const Mock& mock) {
  const std::int64_t storm = Int(mock.Truth(), "first_close_ns");
  std::istringstream lines(mock.Get("/__arrivals"));
  std::vector<double> micros;
  for (std::int64_t instant = 0; lines >> instant;) {
    if (instant > storm) micros.push_back(static_cast<double>(instant - storm) / 1e3);
  }
  std::sort(micros.begin(), micros.end());
  return micros;
}

TEST(ListenTest, AStormsReturnIsThatOfTheMocksOwnRecord) {
  for (const char* storm : {"jitter: none", "jitter: fixed, delay: 500ms", "jitter: full, delay: 2s"}) {
    Mock mock;
    const boost::json::value report = Listen(mock, "stream=100ms", "300", "5s", Storm(storm));
    EXPECT_EQ(Int(report, "total.accounting.web_socket.streams.storm"), 300) << storm;
    EXPECT_EQ(Int(report, "points.0.back.count"), 300);
    EXPECT_EQ(Streams(report, "reconnects"), 0);
    const std::vector<double> theirs = MicrosSinceTheStorm(mock);
    ASSERT_EQ(theirs.size(), 300u);
    for (const auto& [name, rank] :
         std::initializer_list<std::pair<std::string, std::size_t>>{{"p50_us", 149}, {"p95_us", 284}, {"max_us", 299}})
      EXPECT_NEAR(At(report, "points.0.back." + name).to_number<double>(), theirs[rank], 30e3 + 0.02 * theirs[rank])
          << storm << " " << name;
  }
}

// 300 connections, 100 a second allowed: full jitter over 6 s keeps the limit, all at once does not.
TEST(ListenTest, FullJitterKeepsAConnectRateLimit) {
  for (const bool is_full : {true, false}) {
    Mock mock;
    const boost::json::value report =
        Listen(mock, "stream=100ms,connect_rate=100", "300", is_full ? "9s" : "4s",
               Storm(is_full ? "jitter: full, delay: 6s" : "jitter: none"), {"--connect-rate", "80"});
    const std::int64_t refused = Fault(mock.Truth(), "connect rate");
    EXPECT_EQ(WithWarmup(report, "connections.upgrade_failed"), refused);
    if (is_full) {
      EXPECT_EQ(refused, 0);
      EXPECT_EQ(Int(report, "points.0.back.count"), 300);
    } else {
      EXPECT_GE(refused, 150);
    }
  }
}

TEST(ListenTest, ChurnConnectsHoldsAndCloses) {
  Mock mock;
  const boost::json::value report =
      Listen(mock, "stream=20ms", "10", "3s", "web_socket: {subscribe: [x], ack: /id=1, listen: {hold: 200ms}}\n");
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
             "web_socket: {subscribe: [x], ack: /id=1, listen: {silence: 500ms, time: /nowhere}}\n");
  EXPECT_EQ(Streams(report, "silences"), 3);
  EXPECT_EQ(Streams(report, "unread"), 60);
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
  fails("web_socket: {listen: {}}\n", "give a duration");
  const std::string sweep = "sweep: {connections: [1], duration: 1s}\n";
  fails(sweep + "web_socket: {listen: {time: T}}\n", "'T' is no JSON pointer");
  fails(sweep + "web_socket: {listen: {time_unit: d}}\n", "write s, ms, us, ns or rfc3339");
  fails(sweep + "web_socket: {listen: {sequence: {rule: range, number: /u}}}\n", "write {rule: consecutive");
  fails(sweep + "web_socket: {ack: ok, subscribe: [x]}\n", "is not POINTER=VALUE");
  fails(sweep + "web_socket: {ack: /op=x}\n", "acks nothing");
  fails(sweep + "requests: [{body: x}]\nweb_socket: {listen: {}}\n", "sends no requests");
  // Nobody acks.
  const RunOutcome run = TidemarkRun({"--subscribe", "x", "--ack", "/never=1", "--listen", "-d", "1s", "-c", "1",
                                      "--connect-timeout", "300ms", "ws" + mock.Url("/mock/stream=10ms").substr(4)});
  EXPECT_EQ(run.code, 5);
  EXPECT_NE(run.err.find("subscribe: no ack in time"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace tidemark
