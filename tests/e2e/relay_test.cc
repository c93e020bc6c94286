// The relay that tests put before a target: its record equals the target's own, and its faults are what they say.
#include "tests/support/relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "tests/e2e/programs.h"
#include "tests/support/listener.h"

namespace tidemark {
namespace {

constexpr Nanos kEver = INT64_MAX;

std::string AddressOf(const Mock& mock) { return mock.Url("").substr(7); }
std::string Through(const Relay& relay, const std::string& path) { return "http://" + relay.address() + path; }

// Until `condition` holds, for 30 s at most.
template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 6'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

void SleepFor(Nanos time) { std::this_thread::sleep_for(std::chrono::nanoseconds(time)); }

// A client that does nothing by itself.
class RawClient {
 public:
  explicit RawClient(const std::string& to) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    const std::size_t colon = to.find(':');
    inet_pton(AF_INET, to.substr(0, colon).c_str(), &address.sin_addr);
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(to.substr(colon + 1))));
    const timeval limit{.tv_sec = 5, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    error_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  }
  ~RawClient() { close(fd_); }
  int error() const { return error_; }  // of connect
  void Ask(const std::string& path) {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
    EXPECT_EQ(send(fd_, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
  }
  // What comes within `limit`, at most one read; "FIN" and "RST" at the end, "" if nothing came.
  std::string Hear(Nanos limit = 5 * kSecond) {
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, static_cast<int>(limit / kMillisecond)) != 1) return "";
    char bytes[4096];
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    if (n < 0) return errno == ECONNRESET ? "RST" : std::strerror(errno);
    return n == 0 ? "FIN" : std::string(bytes, static_cast<std::size_t>(n));
  }

 private:
  int fd_;
  int error_ = 0;
};

std::map<int, std::int64_t> Statuses(const RelayRecord& record) {
  std::map<int, std::int64_t> statuses;
  for (const Exchange& e : record.exchanges) {
    if (e.passed != 0) ++statuses[e.status];
  }
  return statuses;
}

TEST(RelayTest, ItsRecordEqualsTheMocksInEachFraming) {
  for (const char* directives :
       {"size=100", "body=chunked,size=5000", "interim=1", "size=300000", "status=503/4", "status=204/3",
        "fault=close/9", "fault=truncate/7", "body=until-close", "delay=2ms"}) {
    SCOPED_TRACE(directives);
    Mock mock;
    Relay relay(AddressOf(mock));
    const RunOutcome run =
        TidemarkRun({"-c", "8", "-n", "800", "--warmup", "0", Through(relay, "/mock/") + directives});
    const boost::json::value truth = mock.Truth();
    const RelayRecord record = relay.Record();
    EXPECT_EQ(record.exchanges.size(), At(truth, "parsed").to_number<std::size_t>());
    EXPECT_EQ(record.Responses(0, kEver), Int(truth, "answered"));
    EXPECT_EQ(record.connections.size(), At(truth, "accepted").to_number<std::size_t>());
    boost::json::object statuses;
    for (const auto& [status, count] : Statuses(record)) statuses[std::to_string(status)] = count;
    EXPECT_EQ(boost::json::value(statuses), At(truth, "statuses"));
    std::uint64_t from_client = 0;
    std::uint64_t to_client = 0;
    for (const RelayedConnection& c : record.connections) {
      from_client += c.from_client;
      to_client += c.to_client;
      EXPECT_NE(c.reached, 0);
      EXPECT_NE(c.ended, 0);
      EXPECT_FALSE(c.is_opaque);
    }
    EXPECT_EQ(from_client, At(truth, "bytes_received").to_number<std::uint64_t>());
    EXPECT_EQ(to_client, At(truth, "bytes_sent").to_number<std::uint64_t>());
    EXPECT_EQ(record.unstamped, 0u);
    EXPECT_EQ(record.Successes(0, kEver), Int(run.report, "total.successful_requests")) << run.err;
    EXPECT_EQ(record.Unanswered().size(), record.exchanges.size() - static_cast<std::size_t>(Int(truth, "answered")));
    for (const Exchange& e : record.exchanges) {
      EXPECT_LE(e.first, e.last);
      EXPECT_LE(e.last, e.forwarded);
      if (e.passed == 0) continue;
      EXPECT_LE(e.forwarded, e.received);
      EXPECT_LE(e.received, e.passed);
    }
  }
}

TEST(RelayTest, ItsRecordEqualsNginxsLog) {
  Nginx nginx("location / { return 200 hello; } location /no { return 404; } keepalive_requests 50;");
  Relay relay("127.0.0.1:" + std::to_string(nginx.port()));
  EXPECT_EQ(TidemarkRun({"-c", "8", "-n", "5k", "--warmup", "0", Through(relay, "/")}).code, 0);
  TidemarkRun({"-c", "3", "-n", "30", "--warmup", "0", Through(relay, "/no")});
  const RelayRecord record = relay.Record();
  EXPECT_EQ(Statuses(record), (std::map<int, std::int64_t>{{200, 5'000}, {404, 30}}));
  std::map<std::string, std::int64_t> log;
  for (const auto& [status, count] : Statuses(record)) log[std::to_string(status)] = count;
  EXPECT_EQ(nginx.Quantities(), log);
  // nginx closes after fifty requests, or the client that was told so is quicker.
  std::map<std::pair<Side, Ending>, int> ends;
  for (const RelayedConnection& c : record.connections) ++ends[{c.ended_by, c.ending}];
  EXPECT_GE(record.connections.size(), 5'000u / 50 + 3);
  EXPECT_EQ(static_cast<std::size_t>(ends[{Side::kTarget, Ending::kFin}] + ends[{Side::kClient, Ending::kFin}]),
            record.connections.size());
  EXPECT_GT((ends[{Side::kTarget, Ending::kFin}]), 0);
}

TEST(RelayTest, WebSocketsAreReadToTheirLastFrame) {
  Mock mock;
  Relay relay(AddressOf(mock));
  const RunOutcome run = TidemarkRun(
      {"-c", "5", "-n", "1k", "--warmup", "0", "--data", std::string(200, 'x'), "ws://" + relay.address() + "/ws"});
  ASSERT_EQ(run.code, 0) << run.err;
  const boost::json::value truth = mock.Truth();
  const RelayRecord record = relay.Record();
  EXPECT_EQ(record.Messages(Side::kClient, 0, kEver), Int(truth, "parsed"));
  EXPECT_EQ(record.Messages(Side::kTarget, 0, kEver), Int(truth, "answered"));
  EXPECT_EQ(Int(truth, "answered"), 1'000);
  std::map<std::pair<Side, int>, int> closes;
  for (const RelayedMessage& m : record.messages) {
    if (m.opcode == 8) ++closes[{m.from, m.close_code}];
  }
  EXPECT_EQ((closes[{Side::kClient, 1000}]), 5);
  ASSERT_EQ(record.connections.size(), 5u);
  for (const RelayedConnection& c : record.connections) EXPECT_GT(c.upgraded, c.opened);
  EXPECT_EQ(Statuses(record), (std::map<int, std::int64_t>{{101, 5}}));
}

TEST(RelayTest, WhatItCannotReadIsPassedAndCounted) {
  TempDir dir;
  const Certificate certificate(dir, "localhost", "IP:127.0.0.1");
  Mock mock({}, {"--tls-listen", "127.0.0.1:0", "--cert", certificate.cert, "--key", certificate.key});
  Relay relay(mock.process().WaitForLine("listening with TLS on "));
  const RunOutcome run = TidemarkRun(
      {"-c", "2", "-n", "100", "--cacert", certificate.cert, "https://" + relay.address() + "/api/v3/ping"});
  ASSERT_EQ(run.code, 0) << run.err;
  const RelayRecord record = relay.Record();
  EXPECT_EQ(record.exchanges.size(), 0u);
  ASSERT_EQ(record.connections.size(), 2u);
  for (const RelayedConnection& c : record.connections) {
    EXPECT_TRUE(c.is_opaque);
    EXPECT_EQ(c.from_client, c.to_target);
    EXPECT_EQ(c.from_target, c.to_client);
    EXPECT_GT(c.to_client, 5'000u);
  }
}

// Killed with 16 connections at work, born again on its port a while later, while the client goes on.
TEST(RelayTest, TheRecordOutlivesTheTarget) {
  auto mock = std::make_unique<Mock>();
  const std::string target = AddressOf(*mock);
  Relay relay(target);
  relay.WatchTarget(mock->process().pid());
  TempDir dir;
  Process process({TIDEMARK_BINARY, "run", "-c", "16", "-d", "4s", "--warmup", "0", "-o", "json=" + (dir / "run.json"),
                   Through(relay, "/mock/delay=2ms")});
  ASSERT_TRUE(Eventually([&] { return relay.Record().exchanges.size() > 100; }));
  relay.Do({.kind = RelayFault::Kind::kKillTarget});
  mock->process().Wait();
  ASSERT_TRUE(Eventually([&] { return !relay.Record().InstantsOf("target died").empty(); }));
  EXPECT_EQ(RawClient(relay.address()).error(), ECONNREFUSED);
  SleepFor(300 * kMillisecond);
  const std::size_t before = relay.Record().exchanges.size();
  SleepFor(300 * kMillisecond);
  EXPECT_EQ(relay.Record().exchanges.size(), before);
  mock = std::make_unique<Mock>(std::vector<std::string>{}, std::vector<std::string>{"--listen", target});
  relay.WatchTarget(mock->process().pid());
  process.Wait();
  const boost::json::value report = boost::json::parse(Slurp(dir / "run.json"));
  const RelayRecord record = relay.Record();
  EXPECT_EQ(record.InstantsOf("target is back").size(), 1u);
  EXPECT_EQ(record.Successes(0, kEver), Int(report, "total.successful_requests"));
  EXPECT_GT(static_cast<std::int64_t>(record.exchanges.size()), static_cast<std::int64_t>(before) + 16);
  // What was under way when it died has no answer.
  const Nanos died = record.InstantsOf("kill").at(0);
  std::set<std::uint32_t> unanswered;
  for (const Exchange& e : record.Unanswered()) EXPECT_TRUE(unanswered.insert(e.connection).second) << "two of one";
  EXPECT_GE(record.Unanswered().size(), 1u);
  EXPECT_EQ(record.UnderWayAt(died + kSecond / 4).size(), 0u);
  const Nanos back = record.InstantsOf("target is back").at(0);
  EXPECT_NEAR(record.ConnectionSeconds(died + kSecond / 4, back), 0, 0.01);
  EXPECT_EQ(Int(mock->Truth(), "answered") + record.Responses(0, back), record.Responses(0, kEver));
  EXPECT_EQ(Int(mock->Truth(), "accepted") - static_cast<std::int64_t>(record.probes),
            std::count_if(record.connections.begin(), record.connections.end(),
                          [&](const RelayedConnection& c) { return c.reached > back; }));
}

TEST(RelayTest, RefusingIsADeadTargetsRefusalOrAReset) {
  for (const Refusal refusal : {Refusal::kRefuse, Refusal::kReset}) {
    Mock mock;
    Relay relay(AddressOf(mock), {.refusal = refusal});
    RawClient old(relay.address());
    for (int i = 0; i < 3; ++i) {
      relay.Refuse(true);
      RawClient client(relay.address());
      if (refusal == Refusal::kRefuse) {
        EXPECT_EQ(client.error(), ECONNREFUSED);
      } else {
        EXPECT_EQ(client.error(), 0);
        EXPECT_EQ(client.Hear(), "RST");
      }
      old.Ask("/");
      EXPECT_NE(old.Hear().find("HTTP/1.1"), std::string::npos);
      relay.Refuse(false);
      RawClient again(relay.address());
      ASSERT_EQ(again.error(), 0);
      again.Ask("/");
      EXPECT_NE(again.Hear().find("HTTP/1.1"), std::string::npos);
    }
    EXPECT_EQ(relay.Record().refused, refusal == Refusal::kReset ? 3u : 0u);
  }
}

// Without the process's number: the first connection finds out, and a probe that it is back.
TEST(RelayTest, ATargetThatIsNotThereYetIsFoundByProbes) {
  int port = 0;
  {
    const Listener free = ListenOn("127.0.0.1", 1);
    port = free.port;
    close(free.fd);
  }
  const std::string target = "127.0.0.1:" + std::to_string(port);
  Relay relay(target);
  RawClient first(relay.address());
  EXPECT_EQ(first.Hear(), "RST");
  EXPECT_EQ(RawClient(relay.address()).error(), ECONNREFUSED);
  Mock mock({}, {"--listen", target});
  ASSERT_TRUE(Eventually([&] { return RawClient(relay.address()).error() == 0; }));
  const RelayRecord record = relay.Record();
  EXPECT_EQ(record.connections[0].reached, 0);
  EXPECT_EQ(record.connections[0].ended_by, Side::kTarget);
  EXPECT_EQ(record.probes, 1u);
}

// The kernel stamps what came while the relay did not read: a stall moves no instant.
TEST(RelayTest, AStallHoldsBytesAndNotTheirStamps) {
  Mock mock;
  Relay relay(AddressOf(mock));
  RawClient client(relay.address());
  client.Ask("/");
  EXPECT_NE(client.Hear().find("200 OK"), std::string::npos);
  relay.Stall(true);
  const Nanos before = WallNow();
  client.Ask("/");
  const Nanos after = WallNow();
  RawClient later(relay.address());
  EXPECT_EQ(later.error(), 0);
  EXPECT_EQ(client.Hear(300 * kMillisecond), "");
  EXPECT_EQ(relay.Record().exchanges.size(), 1u);
  const Nanos released = WallNow();
  relay.Stall(false);
  EXPECT_NE(client.Hear().find("200 OK"), std::string::npos);
  later.Ask("/");
  EXPECT_NE(later.Hear().find("200 OK"), std::string::npos);
  const RelayRecord record = relay.Record();
  ASSERT_EQ(record.exchanges.size(), 3u);
  EXPECT_GE(record.exchanges[1].last, before);
  EXPECT_LE(record.exchanges[1].last, after);
  EXPECT_GE(record.exchanges[1].forwarded, released);
  EXPECT_EQ(record.UnderWayAt(released).size(), 1u);
  EXPECT_LE(record.connections[1].opened, released);
}

TEST(RelayTest, AClientsEndIsSeenDuringAStall) {
  Mock mock;
  Relay relay(AddressOf(mock));
  auto client = std::make_unique<RawClient>(relay.address());
  client->Ask("/");
  client->Hear();
  relay.Stall(true);
  client->Ask("/");
  client.reset();
  ASSERT_TRUE(Eventually([&] { return relay.Record().connections[0].ended != 0; }));
  EXPECT_EQ(relay.Record().connections[0].ended_by, Side::kClient);
  EXPECT_EQ(Int(mock.Truth(), "parsed"), 1);
  relay.Stall(false);
  ASSERT_TRUE(Eventually([&] { return Int(mock.Truth(), "parsed") == 2; }));  // it had been sent
}

TEST(RelayTest, CutsAndHalfClosesAreWhatTheClientMeets) {
  Mock mock;
  Relay relay(AddressOf(mock));
  RawClient cut(relay.address());
  cut.Ask("/mock/delay=10s");
  ASSERT_TRUE(Eventually([&] { return Int(mock.Truth(), "parsed") == 1; }));
  relay.Cut();
  EXPECT_EQ(cut.Hear(), "RST");
  RawClient halved(relay.address());
  halved.Ask("/");
  EXPECT_NE(halved.Hear().find("200 OK"), std::string::npos);
  relay.Do({.kind = RelayFault::Kind::kHalfClose});
  EXPECT_EQ(halved.Hear(), "FIN");
  halved.Ask("/");  // reaches the target, its answer nobody
  ASSERT_TRUE(Eventually([&] { return Int(mock.Truth(), "answered") == 2; }));
  const RelayRecord record = relay.Record();
  EXPECT_EQ(record.connections[0].ended_by, Side::kRelay);
  EXPECT_EQ(record.connections[0].ending, Ending::kReset);
  EXPECT_EQ(record.connections[1].ending, Ending::kFin);
  EXPECT_EQ(record.Responses(0, kEver), 1);
  EXPECT_EQ(record.Unanswered().size(), 2u);
}

TEST(RelayTest, AMuteShareHearsNothing) {
  Mock mock;
  Relay relay(AddressOf(mock), {.seed = 7});
  relay.Mute(0.25);
  int mute = 0;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<RawClient>(relay.address()));
    clients.back()->Ask("/");
  }
  ASSERT_TRUE(Eventually([&] { return Int(mock.Truth(), "answered") == 100; }));
  SleepFor(100 * kMillisecond);
  for (const auto& client : clients) mute += client->Hear(0).empty();
  const RelayRecord record = relay.Record();
  EXPECT_EQ(record.Responses(0, kEver), 100 - mute);
  EXPECT_EQ(
      std::count_if(record.connections.begin(), record.connections.end(), [](const auto& c) { return c.is_mute; }),
      mute);
  EXPECT_GE(mute, 10);  // 25 +- 3.5 sigma
  EXPECT_LE(mute, 40);
  relay.Mute(0);
  RawClient last(relay.address());
  last.Ask("/");
  EXPECT_NE(last.Hear(), "");
}

TEST(RelayTest, ADelayIsEachWaysAndKeepsTheOrder) {
  Mock mock;
  Relay relay(AddressOf(mock));
  RawClient client(relay.address());
  relay.Delay(std::chrono::milliseconds(200));
  for (int i = 0; i < 3; ++i) {
    const Nanos asked = MonotonicNow();
    client.Ask("/");
    EXPECT_NE(client.Hear().find("200 OK"), std::string::npos);
    EXPECT_GE(MonotonicNow() - asked, 400 * kMillisecond);
  }
  client.Ask("/mock/size=2000000");
  std::size_t heard = 0;
  for (std::string piece; heard < 2'000'000; heard += piece.size()) {
    piece = client.Hear();
    ASSERT_NE(piece, "");
    ASSERT_NE(piece, "FIN");
  }
  relay.Delay(std::chrono::milliseconds(0));
  const Nanos asked = MonotonicNow();
  client.Ask("/");
  client.Hear();
  EXPECT_LT(MonotonicNow() - asked, 400 * kMillisecond);
  EXPECT_EQ(relay.Record().Responses(0, kEver), 5);
}

TEST(RelayTest, AStoppedTargetIsSilentAndGoesOn) {
  Mock mock;
  Relay relay(AddressOf(mock));
  relay.WatchTarget(mock.process().pid());
  RawClient client(relay.address());
  relay.Do({.kind = RelayFault::Kind::kStopTarget});
  client.Ask("/");
  EXPECT_EQ(client.Hear(200 * kMillisecond), "");
  relay.Do({.kind = RelayFault::Kind::kContinueTarget});
  EXPECT_NE(client.Hear().find("200 OK"), std::string::npos);
  const RelayRecord record = relay.Record();
  const Exchange& exchange = record.exchanges.at(0);
  EXPECT_LT(exchange.forwarded, record.InstantsOf("continue").at(0));
  EXPECT_GT(exchange.received, record.InstantsOf("continue").at(0));
}

TEST(RelayTest, ASeedMakesAScheduleAndTheRelayKeepsIt) {
  using Kind = RelayFault::Kind;
  const auto draw = [](std::uint64_t seed) {
    std::mt19937_64 rng(seed);
    return DrawFaults(rng, kSecond, 4, {Kind::kStall, Kind::kCut, Kind::kRefuse, Kind::kDelay});
  };
  const std::vector<TimedFault> faults = draw(3);
  const std::vector<TimedFault> again = draw(3);
  ASSERT_EQ(faults.size(), again.size());
  for (std::size_t i = 0; i < faults.size(); ++i) {
    EXPECT_EQ(faults[i].after, again[i].after);
    EXPECT_EQ(faults[i].fault.kind, again[i].fault.kind);
    EXPECT_GE(faults[i].after, faults[i == 0 ? 0 : i - 1].after);
  }
  Mock mock;
  Relay relay(AddressOf(mock));
  const Nanos begin = WallNow();
  relay.Schedule(faults);
  ASSERT_TRUE(Eventually([&] { return relay.Record().events.size() == faults.size(); }));
  const RelayRecord record = relay.Record();
  for (std::size_t i = 0; i < faults.size(); ++i) {
    EXPECT_GE(record.events[i].at, begin + faults[i].after);
    EXPECT_LT(record.events[i].at, begin + faults[i].after + kSecond);
  }
  RawClient client(relay.address());  // all of it has ended
  client.Ask("/");
  EXPECT_NE(client.Hear().find("200 OK"), std::string::npos);
}

// CPU time of the children that have been waited for.
double ChildrensSeconds() {
  rusage used{};
  getrusage(RUSAGE_CHILDREN, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// 20,000 requests a second on half a core are 25 us for each. How much that is depends on the machine and on who else
// is there; beside the client, that has half as much to send and to receive, it does not.
TEST(RelayTest, ARequestCostsItLittle) {
  Nginx nginx("access_log off; location / { return 200 hello; }");
  Relay relay("127.0.0.1:" + std::to_string(nginx.port()));
  const double before = ChildrensSeconds();
  const RunOutcome run = TidemarkRun({"-c", "64", "-t", "1", "-d", "2s", "--warmup", "0", Through(relay, "/")});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto relays = static_cast<double>(relay.CpuTime()) / 1e3;
  const double clients = (ChildrensSeconds() - before) * 1e6;
  const auto requests = static_cast<double>(relay.Record().exchanges.size());
  std::printf("%.0f requests/s; CPU for each: relay %.1f us, client %.1f us\n", requests / 2, relays / requests,
              clients / requests);
  EXPECT_LT(relays, 5 * clients);
}

}  // namespace
}  // namespace tidemark
