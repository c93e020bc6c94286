// Streams that are listened to: what the mock put wrong is found, and nothing else.
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
  fails(sweep + "web_socket: {listen: {time_unit: d}}\n", "write s, ms, us or ns");
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
