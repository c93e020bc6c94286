// What a report says of a target that fails, against the record of a relay that outlives it; and of odd ones that do
// not fail.
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <cmath>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <random>

#include "coordinator/store/journal.h"
#include "tests/e2e/programs.h"
#include "tests/support/random.h"
#include "tests/support/raw_server.h"
#include "tests/support/relay.h"
#include "tests/support/server_frames.h"
#include "tests/support/side_by_side.h"

namespace tidemark {
namespace {

using Kind = RelayFault::Kind;

constexpr Nanos kEver = INT64_MAX;

std::string AddressOf(const Mock& mock) { return mock.Url("").substr(7); }

void SleepFor(Nanos time) { std::this_thread::sleep_for(std::chrono::nanoseconds(time)); }

// A number of the report; what is left out is 0.
double Figure(const boost::json::value& report, const std::string& path) {
  const boost::json::value* here = &report;
  std::istringstream parts(path);
  for (std::string part; std::getline(parts, part, '.');) {
    if (here->is_array() && here->as_array().size() > std::stoul(part)) {
      here = &here->as_array()[std::stoul(part)];
    } else if (here->is_object() && here->as_object().contains(part)) {
      here = &here->as_object().at(part);
    } else {
      return 0;
    }
  }
  return here->is_number() ? here->to_number<double>() : 0;
}

// Complete responses and replies.
std::int64_t Completed(const boost::json::value& point) {
  std::int64_t sum = 0;
  for (const char* outcome :
       {"status_2xx", "status_3xx", "status_4xx", "status_429", "status_5xx", "status_other", "reply"})
    sum += std::llround(Figure(point, std::string("accounting.outcomes.") + outcome));
  return sum;
}

// ---- Seeded runs ----

// One run, drawn from its seed.
struct Scenario {
  enum class Load { kClosed, kOpen, kWebSocket, kListen };
  std::uint64_t seed = 0;
  Load load = Load::kClosed;
  int agents = 1;
  int connections = 1;
  int seconds = 5;
  bool is_nginx = false;  // which is not killed
  Nanos timeout = kSecond;
  Nanos reborn_after = 0;  // after a kill; 0: never
  std::vector<std::string> flags;
  std::string path;
  std::vector<TimedFault> faults;

  bool IsWebSocket() const { return load == Load::kWebSocket || load == Load::kListen; }
  std::string ToString() const {
    std::string text = "seed " + std::to_string(seed) + ": " + std::to_string(agents) + " agents,";
    for (const std::string& flag : flags) text += " " + flag;
    return text + " " + (is_nginx ? "nginx" : path);
  }
};

Scenario Draw(std::uint64_t seed, int shortest, int longest) {
  std::mt19937_64 rng(seed);
  const auto whole = [&rng](int least, int most) { return std::uniform_int_distribution<int>(least, most)(rng); };
  Scenario s;
  s.seed = seed;
  s.load = static_cast<Scenario::Load>(seed % 4);
  s.agents = seed / 4 % 2 == 0 ? 1 : 3;
  s.connections = whole(3, 16);
  s.seconds = whole(shortest, longest);
  s.timeout = whole(300, 2'000) * kMillisecond;
  const int delay_ms = whole(10, 50);
  const std::string timeout = std::to_string(s.timeout / kMillisecond) + "ms";
  s.flags = {"-d",   std::to_string(s.seconds) + "s", "-c", std::to_string(s.connections), "--warmup", "0", "--timeout",
             timeout};
  s.path = "/mock/delay=" + std::to_string(delay_ms) + "ms";
  int per_s = s.connections * 1'000 / delay_ms;
  if (s.load == Scenario::Load::kOpen || (s.load == Scenario::Load::kWebSocket && whole(0, 1) == 0)) {
    per_s = std::max(20, whole(20, std::max(20, per_s / 2)));
    s.flags.insert(s.flags.end(),
                   {"-R", std::to_string(per_s), "--arrivals", whole(0, 1) == 0 ? "constant" : "poisson"});
  }
  if (s.load == Scenario::Load::kWebSocket) {
    s.flags.insert(s.flags.end(), {"--data", "{\"id\":\"{slot}\"}", "--reply-id", "/id"});
  }
  if (s.load == Scenario::Load::kListen) {
    s.path = "/mock/stream=" + std::to_string(delay_ms) + "ms";
    s.flags.push_back("--listen");
  }
  s.is_nginx = !s.IsWebSocket() && whole(0, 4) == 0 && s.load == Scenario::Load::kOpen;
  std::vector<Kind> kinds = {Kind::kRefuse, Kind::kMute, Kind::kCut, Kind::kHalfClose, Kind::kStall};
  if (!s.is_nginx)
    kinds.insert(kinds.end(), {Kind::kStopTarget, Kind::kStopTarget, Kind::kKillTarget, Kind::kKillTarget});
  s.faults = DrawFaults(rng, s.seconds * kSecond, whole(1, 2), kinds);
  if (whole(0, 2) != 0) s.reborn_after = whole(100, 3'000) * kMillisecond;
  const bool is_listening = s.load == Scenario::Load::kListen;
  std::vector<std::string> expectations = {
      std::string(is_listening ? "messages_per_s>" : "requests_per_s>") + std::to_string(per_s * whole(50, 95) / 100),
      "error_rate<" + std::to_string(whole(1, 20)) + "%", "availability>" + std::to_string(whole(80, 99)) + "%",
      "dead_seconds<" + std::to_string(whole(1, 3))};
  if (!is_listening) expectations.push_back("p99<" + std::to_string(2 * delay_ms + whole(0, 400)) + "ms");
  for (const std::string& expectation : expectations) s.flags.insert(s.flags.end(), {"--expect", expectation});
  return s;
}

// What is known of a run afterwards.
struct Outcome {
  int code = 0;
  std::string err;
  boost::json::value point;  // of the report
  Nanos start = 0;           // T0 on the wall clock
  RelayRecord record;
};

// The target behind the relay, and its lives.
class MortalTarget {
 public:
  explicit MortalTarget(bool is_nginx) {
    if (is_nginx) {
      nginx_ = std::make_unique<Nginx>("access_log off; location / { return 200 hello; }");
      address_ = "127.0.0.1:" + std::to_string(nginx_->port());
    } else {
      mock_ = std::make_unique<Mock>();
      address_ = AddressOf(*mock_);
    }
    relay_ = std::make_unique<Relay>(address_);
    if (mock_ != nullptr) relay_->WatchTarget(mock_->process().pid());
  }
  Relay& relay() { return *relay_; }
  // Whether it was killed, and nobody has let it be born again.
  bool IsDead() { return mock_ != nullptr && !mock_->process().IsRunning(); }
  void BeBorn() {
    mock_ = nullptr;
    mock_ = std::make_unique<Mock>(std::vector<std::string>{}, std::vector<std::string>{"--listen", address_});
    relay_->WatchTarget(mock_->process().pid());
  }

 private:
  std::unique_ptr<Mock> mock_;
  std::unique_ptr<Nginx> nginx_;
  std::string address_;
  std::unique_ptr<Relay> relay_;
};

Outcome Execute(const Scenario& s) {
  TempDir dir;
  MortalTarget target(s.is_nginx);
  const auto agents = StartAgents(s.agents == 1 ? 0 : s.agents);
  std::vector<std::string> arguments = {TIDEMARK_BINARY, "run",      "-q", "-o", "json=" + (dir / "run.json"),
                                        "--journal",     dir / "run"};
  if (!agents.empty()) {
    const auto flag = AgentsFlag(agents);
    arguments.insert(arguments.end(), flag.begin(), flag.end());
  }
  arguments.insert(arguments.end(), s.flags.begin(), s.flags.end());
  arguments.push_back((s.IsWebSocket() ? "ws://" : "http://") + target.relay().address() + s.path);
  Process process(arguments);
  while (process.IsRunning() && target.relay().Record().connections.size() < static_cast<std::size_t>(s.connections))
    SleepFor(10 * kMillisecond);
  target.relay().Schedule(s.faults);
  Nanos dead_since = 0;
  while (process.IsRunning()) {
    SleepFor(10 * kMillisecond);
    if (!target.IsDead()) continue;
    if (dead_since == 0) dead_since = MonotonicNow();
    if (s.reborn_after == 0 || MonotonicNow() < dead_since + s.reborn_after) continue;
    target.BeBorn();
    dead_since = 0;
  }
  Outcome outcome;
  outcome.code = process.Wait();
  outcome.err = process.Err();
  outcome.record = target.relay().Record();
  const auto journal = ReadJournal(dir / "run");
  if (!journal.ok() || journal->result.points.size() != 1) {
    ADD_FAILURE() << s.ToString() << ": " << journal.status() << outcome.err;
    return outcome;
  }
  outcome.start = static_cast<Nanos>(journal->result.started_wall_s * 1e9) + journal->result.points[0].start_offset;
  outcome.point = At(boost::json::parse(Slurp(dir / "run.json")), "points.0");
  return outcome;
}

// The record as the client's rules read it: a WebSocket's message and its reply are an exchange, an upgrade is none;
// what took longer than the time-out is no answer.
RelayRecord AsRequests(const RelayRecord& record, bool is_web_socket, Nanos timeout) {
  RelayRecord out = record;
  if (is_web_socket) {
    out.exchanges.clear();
    std::map<std::uint32_t, std::deque<std::size_t>> unanswered;
    for (const RelayedMessage& message : record.messages) {
      if (!message.IsData()) continue;
      std::deque<std::size_t>& queue = unanswered[message.connection];
      if (message.from == Side::kClient) {
        queue.push_back(out.exchanges.size());
        out.exchanges.push_back({.connection = message.connection,
                                 .first = message.received,
                                 .last = message.received,
                                 .forwarded = message.passed});
      } else if (!queue.empty()) {
        Exchange& exchange = out.exchanges[queue.front()];
        queue.pop_front();
        exchange.status = 200;
        exchange.received = message.received;
        exchange.passed = message.passed;
      }
    }
  }
  for (Exchange& exchange : out.exchanges) {
    if (exchange.passed - exchange.first > timeout) exchange.passed = 0;
  }
  return out;
}

// The least number of dead seconds over starts that lie a little apart: what happened at a second's edge may be on
// either side of it.
int CertainlyDead(const std::function<std::vector<int>(Nanos)>& dead_from, Nanos start) {
  int least = INT32_MAX;
  for (const Nanos shift : {-50, -20, 0, 20, 50})
    least = std::min(least, static_cast<int>(dead_from(start + shift * kMillisecond).size()));
  return least;
}

// Worst deviations over runs.
struct Tally {
  std::mutex mutex;
  int runs = 0;
  std::int64_t completions = 0;
  double rate_share = 0;
  double availability = 0;
  int dead = 0;
  int met = 0;
  int missed = 0;
};

void JudgeRun(const Scenario& s, Tally* tally) {
  const Outcome run = Execute(s);
  if (!run.point.is_object()) return;
  const Nanos from = run.start;
  const Nanos to = from + s.seconds * kSecond;
  const bool is_listening = s.load == Scenario::Load::kListen;
  const RelayRecord& wire = run.record;
  const RelayRecord record = AsRequests(wire, s.IsWebSocket(), s.timeout);
  std::string story = s.ToString() + "\n";
  std::vector<Nanos> instants = {to};
  for (const RelayEvent& event : wire.events) {
    char line[128];
    std::snprintf(line, sizeof line, "  %.3f s %s\n", static_cast<double>(event.at - from) / 1e9, event.what.c_str());
    story += line;
    instants.push_back(event.at);
  }

  // One for each connection that was in flight at a fault, and at the end.
  std::int64_t in_flight = 0;
  for (const Nanos at : instants) in_flight += static_cast<std::int64_t>(record.UnderWayAt(at).size());
  const double D = s.seconds;
  constexpr Nanos kEdge = 20 * kMillisecond;
  const auto count = [&](Nanos begin, Nanos end) {
    return is_listening ? wire.Messages(Side::kTarget, begin, end) : record.Responses(begin, end);
  };
  std::int64_t reported = Completed(run.point);
  std::int64_t seen = record.Responses(0, kEver);
  if (is_listening) {
    reported = std::llround(Figure(run.point, "accounting.web_socket.messages"));
    // Those before T0 are in the warm-up, or early.
    reported += std::llround(Figure(run.point, "warmup.web_socket.messages"));
    seen = wire.Messages(Side::kTarget, 0, kEver);
    in_flight += s.connections;  // closed at the end, with what was on its way
  }
  const std::int64_t completions_off = reported - seen;
  const double rate = Figure(run.point, is_listening ? "messages_per_s" : "requests_per_s");
  const double rate_seen = static_cast<double>(count(from, to)) / D;
  const double rate_low = static_cast<double>(count(from + kEdge, to - kEdge) - in_flight) / D;
  const double rate_high = static_cast<double>(count(from - kEdge, to + kEdge) + in_flight) / D;
  const double up =
      wire.ConnectionSeconds(from, to, s.IsWebSocket() ? RelayRecord::Up::kUpgraded : RelayRecord::Up::kOpened);
  const double availability_seen = 100 * up / D / s.connections;
  const double availability = Figure(run.point, "availability_percent");
  const double availability_bar = 0.2 + 100 * 0.1 / D;
  const auto dead_from = [&](Nanos start) {
    return is_listening ? wire.SilentSeconds(start, s.seconds) : record.DeadSeconds(start, s.seconds);
  };
  const auto dead = static_cast<int>(Figure(run.point, "dead_seconds"));
  const auto dead_seen = static_cast<int>(dead_from(from).size());

  char line[512];
  std::snprintf(
      line, sizeof line,
      "  completed %lld, seen %lld (in flight %lld); %.1f/s, seen %.1f; available %.2f %%, seen %.2f; dead %d, "
      "seen %d; ours %d; exit %d\n",
      static_cast<long long>(reported), static_cast<long long>(seen), static_cast<long long>(in_flight), rate,
      rate_seen, availability, availability_seen, dead, dead_seen,
      static_cast<int>(Figure(run.point, "generator_seconds")), run.code);
  story += line;
  EXPECT_LE(std::abs(completions_off), in_flight) << story;
  EXPECT_GE(rate, rate_low) << story;
  EXPECT_LE(rate, rate_high) << story;
  EXPECT_NEAR(availability, availability_seen, availability_bar) << story;
  EXPECT_NEAR(dead, dead_seen, 1) << story;

  // No expectation is met that the record misses, beyond what its edges may hide.
  std::int64_t failed = 0;
  std::vector<Nanos> times;
  for (const Exchange& e : record.exchanges) {
    const Nanos end = record.EndOf(e);
    if (e.first >= to || end == 0 || (e.passed == 0 && end >= to)) continue;
    if (!e.IsSuccess()) ++failed;
    if (e.IsSuccess()) {
      times.push_back(e.passed - e.first);
    } else if (end - e.first >= s.timeout) {
      times.push_back(kEver);
    }
  }
  std::sort(times.begin(), times.end());
  const Nanos p99 = times.empty() ? kEver : times[(times.size() * 99 + 99) / 100 - 1];
  const double error_rate =
      is_listening ? 100 - availability_seen - availability_bar
                   : 100.0 * static_cast<double>(failed - in_flight) / static_cast<double>(record.exchanges.size() + 1);
  bool are_all_met = true;
  for (const boost::json::value& entry : At(run.point, "expected").as_array()) {
    const std::string text(At(entry, "text").as_string());
    const bool is_met = At(entry, "is_met").as_bool();
    are_all_met = are_all_met && is_met;
    {
      const std::lock_guard lock(tally->mutex);
      ++(is_met ? tally->met : tally->missed);
    }
    if (!is_met) continue;
    const double limit = std::stod(text.substr(text.find_first_of("<>") + 1));
    const std::string figure = text.substr(0, text.find_first_of("<>"));
    const bool is_possible = figure == "error_rate"     ? error_rate <= limit
                             : figure == "availability" ? availability_seen + availability_bar >= limit
                             : figure == "dead_seconds" ? CertainlyDead(dead_from, from) < limit
                             : figure == "p99"          ? static_cast<double>(p99) <= limit * 1e6
                                                        : rate_high >= limit;
    EXPECT_TRUE(is_possible) << text << " is met\n" << story;
  }
  EXPECT_EQ(run.code == 0, are_all_met) << story;
  EXPECT_TRUE(run.code == 0 || run.code == 99 || run.code == 5) << story << run.err;

  const std::lock_guard lock(tally->mutex);
  std::printf("%s", story.c_str());
  std::fflush(stdout);
  ++tally->runs;
  tally->completions = std::max(tally->completions, std::abs(completions_off));
  tally->rate_share = std::max(tally->rate_share, std::abs(rate - rate_seen) / std::max(1.0, rate_seen));
  tally->availability = std::max(tally->availability, std::abs(availability - availability_seen));
  tally->dead = std::max(tally->dead, std::abs(dead - dead_seen));
}

TEST(FailingTargetTest, FiguresAreThoseOfTheRelaysRecord) {
  const bool is_full = std::getenv("TIDEMARK_FULL") != nullptr;
  const std::uint64_t seed = TestSeed();
  std::printf("TIDEMARK_SEED=%llu\n", static_cast<unsigned long long>(seed));
  const char* const asked = std::getenv("TIDEMARK_RUNS");
  const int runs = asked != nullptr ? std::atoi(asked) : is_full ? 100 : 8;
  Tally tally;
  SideBySide(runs, 8,
             [&](int i) { JudgeRun(Draw(seed + static_cast<std::uint64_t>(i), 5, is_full ? 10 : 6), &tally); });
  std::printf(
      "%d runs from seed %llu; worst: %lld completions, %.2f %% of the rate, %.2f points of availability, %d dead "
      "seconds; %d expectations met, %d missed\n",
      tally.runs, static_cast<unsigned long long>(seed), static_cast<long long>(tally.completions),
      100 * tally.rate_share, tally.availability, tally.dead, tally.met, tally.missed);
  EXPECT_EQ(tally.runs, runs);
}

// ---- Odd targets that are well ----

// RFC 6455, section 4.2.2.
std::string AcceptOf(const std::string& key) {
  const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  unsigned char encoded[64];
  return std::string(reinterpret_cast<char*>(encoded),
                     static_cast<std::size_t>(EVP_EncodeBlock(encoded, digest, sizeof digest)));
}

// Sends the upgrade's answer; then `serve` has the connection.
Script WebSocketScript(std::function<void(int fd)> serve) {
  return [serve](int fd) {
    std::string request;
    char byte;
    while (request.find("\r\n\r\n") == std::string::npos) {
      if (recv(fd, &byte, 1, 0) != 1) return;
      request.push_back(byte);
    }
    const std::string name = "Sec-WebSocket-Key: ";
    const std::size_t begin = request.find(name);
    if (begin == std::string::npos) return;
    const std::string key = request.substr(begin + name.size(), request.find("\r\n", begin) - begin - name.size());
    SendAll(fd,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: " +
                AcceptOf(key) + "\r\n\r\n");
    serve(fd);
  };
}

// Until the peer closes, or `limit` is over. False if it has closed.
bool IsOpenFor(int fd, Nanos limit) {
  const Nanos end = MonotonicNow() + limit;
  for (Nanos now = MonotonicNow(); now < end; now = MonotonicNow()) {
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, static_cast<int>((end - now) / kMillisecond) + 1) != 1) continue;
    char bytes[4096];
    if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0) return false;
  }
  return true;
}

// A hundred messages at once, again and again.
Script Bursts(Nanos period) {
  return WebSocketScript([period](int fd) {
    std::string burst;
    for (int i = 0; i < 100; ++i) burst += ServerFrame(1, "x");
    do {
      SendAll(fd, burst);
    } while (IsOpenFor(fd, period));
  });
}

struct Healthy {
  std::string path;  // of the mock
  std::vector<std::string> flags;
  Nanos burst_every = 0;          // instead of the mock: a stream that comes in bursts
  bool is_agent_stopped = false;  // for 1.5 s
};

TEST(FailingTargetTest, OddTargetsThatAreWellHaveNoDeadSecond) {
  std::vector<Healthy> cases = {
      {"delay=1ms", {"-c", "1", "-d", "5s"}},
      {"delay=100ms", {"-c", "3", "-d", "5s"}},
      {"delay=1s", {"-c", "2", "-d", "6s"}},
      {"delay=2500ms", {"-c", "2", "-d", "8s"}},
      {"delay=3s", {"-c", "40", "-d", "10s"}},
      {"delay=10s", {"-c", "2", "-d", "12s"}},
      {"delay=10s", {"-c", "10", "-R", "1", "-d", "6s"}},
      {"delay=bimodal:2ms:2s:1/50", {"-c", "2", "-d", "10s"}},
      {"delay=1ms", {"-c", "1", "-R", "1", "-d", "6s"}},
      {"delay=200ms", {"-c", "4", "-R", "2", "-d", "8s"}},
      {"delay=5ms", {"-c", "10", "-R", "10", "-d", "6s"}},
      {"delay=5ms", {"-c", "20", "-R", "1k", "-d", "4s"}},
      {"delay=5ms", {"-c", "1", "--think-time", "2s", "-d", "7s"}},
      {"delay=5ms", {"-c", "2", "--think-time", "3s", "-d", "7s"}},
      {"stream=1ms", {"--listen", "-c", "1", "-d", "5s"}},
      {"stream=20ms", {"--listen", "-c", "5", "-d", "5s"}},
      {"stream=1s", {"--listen", "-c", "3", "-d", "8s"}},
      {"stream=2s", {"--listen", "-c", "1", "-d", "8s"}},
      {"stream=2s", {"--listen", "-c", "20", "-d", "10s"}},
      {"", {"--listen", "-c", "1", "-d", "12s"}, 1'050 * kMillisecond},
      {"", {"--listen", "-c", "2", "-d", "11s"}, 2 * kSecond},
      {"", {"--listen", "-c", "1", "-d", "12s"}, 3'500 * kMillisecond},
      {"", {"--listen", "-c", "1", "-d", "12s"}, 5 * kSecond},
      {"delay=20ms", {"-c", "4", "-d", "6s"}, 0, true},
      {"delay=20ms", {"-c", "4", "-R", "100", "-d", "6s"}, 0, true},
      {"stream=20ms", {"--listen", "-c", "4", "-d", "6s"}, 0, true},
  };
  SideBySide(static_cast<int>(cases.size()), static_cast<int>(cases.size()), [&](int i) {
    const Healthy& odd = cases[static_cast<std::size_t>(i)];
    const bool is_listening = odd.flags[0] == "--listen";
    std::string story =
        odd.path +
        (odd.burst_every == 0 ? "" : "bursts each " + std::to_string(odd.burst_every / kMillisecond) + " ms");
    for (const std::string& flag : odd.flags) story += " " + flag;
    if (odd.is_agent_stopped) story += ", the agent stopped";
    TempDir dir;
    Mock mock;
    RawServer bursts(odd.burst_every == 0 ? Script([](int) {}) : Bursts(odd.burst_every));
    std::unique_ptr<Agent> agent;
    std::vector<std::string> arguments = {TIDEMARK_BINARY,
                                          "run",
                                          "-q",
                                          "--warmup",
                                          "0",
                                          "-o",
                                          "json=" + (dir / "run.json"),
                                          "--expect",
                                          "dead_seconds<1",
                                          "--expect",
                                          "availability>=100%"};
    if (odd.is_agent_stopped) {
      agent = std::make_unique<Agent>();
      arguments.insert(arguments.end(), {"--agents", agent->address()});
    }
    arguments.insert(arguments.end(), odd.flags.begin(), odd.flags.end());
    const std::string address = odd.burst_every == 0 ? AddressOf(mock) : "127.0.0.1:" + std::to_string(bursts.port());
    arguments.push_back((is_listening ? "ws://" : "http://") + address + "/mock/" + odd.path);
    Process process(arguments);
    if (odd.is_agent_stopped) {
      SleepFor(2 * kSecond);
      agent->process().Signal(SIGSTOP);
      SleepFor(1'500 * kMillisecond);
      agent->process().Signal(SIGCONT);
    }
    EXPECT_EQ(process.Wait(), 0) << story << process.Err() << process.Out();
    const std::string json = Slurp(dir / "run.json");
    ASSERT_FALSE(json.empty()) << story;
    const boost::json::value point = At(boost::json::parse(json), "points.0");
    std::string seconds;
    for (const boost::json::value& second : At(point, "series").as_array()) {
      const auto* const success = second.as_object().if_contains("success");  // not of listening
      if (success != nullptr) seconds += " " + std::to_string(success->to_number<std::int64_t>());
      seconds += At(second, "is_dead").as_bool() ? "+" : "-";
    }
    EXPECT_EQ(Figure(point, "dead_seconds"), 0) << story << seconds;
    EXPECT_EQ(Figure(point, "availability_percent"), 100) << story;
  });
}

// ---- What each kind of failure once made of the figures ----

// A run of `arguments` against a server in this process; -q, no warm-up.
RunOutcome Against(int port, std::vector<std::string> arguments, const std::string& scheme = "http") {
  arguments.insert(arguments.begin(), {"--warmup", "0"});
  arguments.push_back(scheme + "://127.0.0.1:" + std::to_string(port) + "/");
  return TidemarkRun(arguments);
}

constexpr char kAnswer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

void ExpectNoNonsense(const RunOutcome& run) {
  const std::string json = boost::json::serialize(run.report);
  for (const std::string& text : {run.out, json}) {
    for (const char* word : {"inf ", "inf%", "nan ", "nan%", "Infinity", "NaN"})
      EXPECT_EQ(text.find(word), std::string::npos) << word << text;
  }
}

// What our own rate of new connections keeps back is ours: the target has answered all that it was asked.
TEST(FailingTargetTest, WhatTheRateOfConnectionsKeepsBackIsNotTheTargets) {
  Mock mock;
  const RunOutcome run = TidemarkRun({"--warmup", "0", "-R", "100", "-c", "6", "-d", "3s", "--new-connection",
                                      "--connect-rate", "20", "--drain", "500ms", mock.Url("/mock/delay=10ms")});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(At(run.report, "points.0.generator").as_string(), "LIMITED") << run.out;
  EXPECT_NE(At(run.report, "points.0.target").as_string(), "FAILING") << run.out;
  EXPECT_GT(Int(run.report, "points.0.accounting.never_sent_by_reason.held"), 100) << run.out;
  EXPECT_EQ(Int(run.report, "points.0.accounting.never_sent_by_reason.cap"), 0) << run.out;
}

// Of three addresses one takes connections and says nothing.
TEST(FailingTargetTest, AnAddressThatSaysNothingIsNamedHoweverItsRequestsEnd) {
  const ThreeAddresses addresses(true);
  for (const std::vector<std::string>& loop : {std::vector<std::string>{}, {"-R", "50"}}) {
    std::vector<std::string> arguments = addresses.Flags();
    arguments.insert(arguments.end(), loop.begin(), loop.end());
    arguments.insert(arguments.end(), {"--warmup", "0", "-c", "9", "-d", "3s", "--drain", "500ms",
                                       "http://three.test:" + addresses.port + "/mock/delay=5ms"});
    const RunOutcome run = TidemarkRun(arguments);
    EXPECT_EQ(At(run.report, "points.0.verdict").as_string(), "TARGET_FAILING") << run.out;
    EXPECT_NE(run.out.find("Addresses: 127.0.1.3:" + addresses.port), std::string::npos) << run.out;
  }
}

// Of three addresses one takes WebSockets and says nothing, where the others say much.
// ... and one that served somebody, and then nobody: it is stopped, and says nothing more, or killed, and refuses.
TEST(FailingTargetTest, AnAddressThatServesNobodyAnyMoreIsNamed) {
  struct Way {
    int signal;
    const char* scheme;
    std::vector<std::string> arguments;
  };
  const Way kWays[] = {{SIGSTOP, "http", {}}, {SIGKILL, "http", {}}, {SIGSTOP, "http", {"-R", "300"}},
                       {SIGSTOP, "ws", {}},   {SIGKILL, "ws", {}},   {SIGSTOP, "ws", {"--listen"}}};
  SideBySide(std::size(kWays), 6, [&](int i) {
    const Way& way = kWays[i];
    const ThreeAddresses addresses(true);
    const Process& third = addresses.third->process();
    third.Signal(SIGCONT);
    const bool is_listening = !way.arguments.empty() && way.arguments[0] == "--listen";
    std::vector<std::string> arguments = addresses.Flags();
    arguments.insert(arguments.end(), way.arguments.begin(), way.arguments.end());
    if (!is_listening) arguments.insert(arguments.end(), {"--drain", "1s"});
    arguments.insert(arguments.end(), {"-c", "9", "-d", "7s",
                                       std::string(way.scheme) + "://three.test:" + addresses.port +
                                           (is_listening ? "/mock/stream=20ms" : "/mock/delay=5ms")});
    const RunOutcome run = TidemarkRun(arguments, {}, [&](pid_t) {
      std::this_thread::sleep_for(std::chrono::seconds(3));
      third.Signal(way.signal);
    });
    EXPECT_EQ(At(run.report, "points.0.verdict").as_string(), "TARGET_FAILING") << run.out << run.err;
    EXPECT_NE(run.out.find("127.0.1.3:" + addresses.port + ", one of 3 addresses, served nobody from "),
              std::string::npos)
        << run.out;
    EXPECT_NE(run.out.find(" successes, none from second "), std::string::npos) << run.out;
  });
}

TEST(FailingTargetTest, AnAddressWhoseStreamsAreMuteIsNamed) {
  RawServer mute(WebSocketScript([](int fd) { IsOpenFor(fd, 60 * kSecond); }));
  const std::string port = std::to_string(mute.port());
  const Mock first({}, {"--listen", "127.0.1.1:" + port});
  const Mock second({}, {"--listen", "127.0.1.2:" + port});
  std::vector<std::string> arguments = {"--listen", "-c", "9",
                                        "-d",       "3s", "ws://three.test:" + port + "/mock/stream=50ms"};
  for (const char* address : {"127.0.1.1", "127.0.1.2", "127.0.0.1"})
    arguments.insert(arguments.end(), {"--resolve", "three.test:" + port + ":" + address});
  const RunOutcome run = TidemarkRun(arguments);
  EXPECT_EQ(At(run.report, "points.0.verdict").as_string(), "TARGET_FAILING") << run.out << run.err;
  EXPECT_NE(run.out.find("Addresses: 127.0.0.1:" + port), std::string::npos) << run.out;
}

// Half of the connections have no answer, and the other half hundreds: by count that is one in a hundred.
TEST(FailingTargetTest, ConnectionsThatHangAreSeenByTheirTime) {
  std::atomic<int> accepted{0};
  RawServer server([&](int fd) {
    const bool hangs = accepted++ % 2 == 1;
    while (ReadRequest(fd)) {
      if (hangs) {
        IsOpenFor(fd, 60 * kSecond);
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      SendAll(fd, kAnswer);
    }
  });
  for (const std::vector<std::string>& load :
       {std::vector<std::string>{"--timeout", "10s", "--drain", "1s"}, {"--timeout", "2500ms"}}) {
    std::vector<std::string> arguments = {"-c", "8", "-d", "4s"};
    arguments.insert(arguments.end(), load.begin(), load.end());
    const RunOutcome run = Against(server.port(), arguments);
    EXPECT_EQ(At(run.report, "points.0.verdict").as_string(), "TARGET_FAILING") << run.out << run.err;
    EXPECT_NE(run.out.find(" requests hung: no answer within "), std::string::npos) << run.out;
  }
}

TEST(FailingTargetTest, StreamsThatAreMuteBesideOthersAreSeen) {
  std::atomic<int> accepted{0};
  RawServer server(WebSocketScript([&](int fd) {
    const bool is_mute = accepted++ % 2 == 1;
    if (is_mute) {
      IsOpenFor(fd, 60 * kSecond);
      return;
    }
    while (IsOpenFor(fd, 30 * kMillisecond)) SendAll(fd, std::string("\x81\x02hi", 4));
  }));
  const RunOutcome run = Against(server.port(), {"--listen", "-c", "8", "-d", "3s"}, "ws");
  EXPECT_EQ(At(run.report, "points.0.verdict").as_string(), "TARGET_FAILING") << run.out << run.err;
  EXPECT_NE(run.out.find("4 of 8 connections heard nothing, where each of the others had "), std::string::npos)
      << run.out;
}

// It is silent from the last second on, which is no whole one.
TEST(FailingTargetTest, ATargetThatFallsSilentAtTheEndIsSeenInTheDrain) {
  for (const std::vector<std::string>& load : {std::vector<std::string>{}, {"-R", "100"}}) {
    Mock mock;
    std::vector<std::string> arguments = {
        "-c", "10", "-d", "3s", "--drain", "2s", "--warmup", "0", mock.Url("/mock/delay=20ms")};
    arguments.insert(arguments.begin(), load.begin(), load.end());
    const RunOutcome run = TidemarkRun(arguments, {}, [&](pid_t) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2'300));
      mock.process().Signal(SIGSTOP);
    });
    EXPECT_EQ(At(run.report, "points.0.verdict").as_string(), "TARGET_FAILING") << run.out << run.err;
    mock.process().Signal(SIGCONT);
  }
}

// A hundred answers, and then never again. The time of the last one made 34,359/s of it once.
TEST(FailingTargetTest, ARateIsThatOfTheWholeDuration) {
  std::atomic<int> left{100};
  RawServer server([&](int fd) {
    while (ReadRequest(fd)) {
      if (left-- <= 0) {
        IsOpenFor(fd, 60 * kSecond);
        return;
      }
      SendAll(fd, kAnswer);
    }
  });
  const RunOutcome run =
      Against(server.port(), {"-c", "2", "-d", "4s", "--timeout", "2s", "--expect", "requests_per_s>5k"});
  EXPECT_EQ(run.code, 99) << run.out;
  EXPECT_EQ(Figure(run.report, "points.0.requests_per_s"), 25);
  EXPECT_EQ(Figure(run.report, "points.0.duration_s"), 4);
  EXPECT_NEAR(Figure(run.report, "points.0.dead_seconds"), 3, 1);
  EXPECT_LE(Figure(run.report, "points.0.utilisation_percent"), 100);
  ExpectNoNonsense(run);
}

TEST(FailingTargetTest, OneRequestASecondIsOneASecond) {
  Mock mock;
  const RunOutcome run =
      TidemarkRun({"-c", "1", "-R", "1", "-d", "5s", "--arrivals", "constant", "--warmup", "0", mock.Url()});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Figure(run.report, "points.0.requests_per_s"), 1);
  EXPECT_EQ(Figure(run.report, "points.0.duration_s"), 5);
}

TEST(FailingTargetTest, NothingAnsweredIsNoRate) {
  Mock mock;
  const std::vector<std::vector<std::string>> cases = {{"-d", "1s", "--timeout", "300ms"},
                                                       {"-d", "1s", "--timeout", "2s"},  // all of it drains
                                                       {"-n", "4", "--timeout", "300ms"},
                                                       {"-R", "20", "-d", "1s", "--timeout", "300ms"},
                                                       {"-R", "20", "-n", "10", "--timeout", "300ms"}};
  SideBySide(static_cast<int>(cases.size()), 5, [&](int i) {
    std::vector<std::string> arguments = cases[static_cast<std::size_t>(i)];
    arguments.insert(arguments.begin(), {"-c", "2", "--warmup", "0"});
    arguments.push_back(mock.Url("/mock/fault=hang"));
    const RunOutcome run = TidemarkRun(arguments);
    const boost::json::value& point = At(run.report, "points.0");
    EXPECT_EQ(Figure(point, "requests_per_s"), 0) << run.out;
    EXPECT_EQ(Figure(point, "success_per_s"), 0);
    if (arguments[4] == "-d") {
      EXPECT_EQ(Figure(point, "duration_s"), 1) << run.out;
    }
    if (arguments[4] != "-d") {
      EXPECT_GE(Figure(point, "duration_s"), 0.3) << run.out;
    }
    EXPECT_LE(Figure(point, "utilisation_percent"), 100) << run.out;
    EXPECT_LE(Figure(point, "generator_cpu_percent"), 100 * std::max(1U, std::thread::hardware_concurrency()));
    ExpectNoNonsense(run);
  });
}

TEST(FailingTargetTest, AStreamThatStopsHasTheRateOfTheWholeDuration) {
  Mock mock;
  const RunOutcome run =
      TidemarkRun({"--listen", "-c", "3", "-d", "6s", "ws" + mock.Url("/mock/stream=10ms,count=100").substr(4)});
  EXPECT_EQ(run.code, 0) << run.err;
  const boost::json::value& point = At(run.report, "points.0");
  const double came =
      Figure(point, "accounting.web_socket.messages") - Figure(point, "accounting.web_socket.early_messages");
  EXPECT_GT(came, 100);
  EXPECT_LE(came, 300);
  EXPECT_DOUBLE_EQ(Figure(point, "messages_per_s"), came / 6);
  EXPECT_NEAR(Figure(point, "dead_seconds"), 5, 1);
  EXPECT_EQ(Figure(point, "availability_percent"), 100);
  EXPECT_EQ(Figure(point, "duration_s"), 6);
}

TEST(FailingTargetTest, ATargetThatIsKilledMeetsNoExpectationOnItsRate) {
  Mock mock;
  TempDir dir;
  Process process({TIDEMARK_BINARY,
                   "run",
                   "-q",
                   "-c",
                   "8",
                   "-d",
                   "4s",
                   "--warmup",
                   "0",
                   "-o",
                   "json=" + (dir / "run.json"),
                   "--expect",
                   "p99<100ms",
                   "--expect",
                   "error_rate<5%",
                   "--expect",
                   "requests_per_s>500",
                   "--expect",
                   "availability>90%",
                   "--expect",
                   "dead_seconds<1",
                   mock.Url("/mock/delay=10ms")});
  WaitForAnswers(mock, 400, &process);
  mock.process().Signal(SIGKILL);
  EXPECT_EQ(process.Wait(), 99) << process.Err();
  const boost::json::value point = At(boost::json::parse(Slurp(dir / "run.json")), "points.0");
  EXPECT_EQ(Figure(point, "duration_s"), 4);
  EXPECT_DOUBLE_EQ(Figure(point, "requests_per_s"), static_cast<double>(Completed(point)) / 4);
  EXPECT_LT(Figure(point, "requests_per_s"), 500);
  EXPECT_GE(Figure(point, "dead_seconds"), 2);
  EXPECT_LT(Figure(point, "availability_percent"), 60);
  const auto& expected = At(point, "expected").as_array();
  for (const std::size_t i : {2u, 3u, 4u}) EXPECT_FALSE(At(expected[i], "is_met").as_bool()) << expected[i];
}

// Five WebSockets are closed after a second, and refused from then on.
TEST(FailingTargetTest, WebSocketsThatAreGoneAreNotAvailable) {
  SideBySide(3, 3, [](int i) {
    Mock mock;
    Relay relay(AddressOf(mock));
    TempDir dir;
    std::vector<std::string> arguments = {TIDEMARK_BINARY,
                                          "run",
                                          "-q",
                                          "-c",
                                          "5",
                                          "-d",
                                          "4s",
                                          "--warmup",
                                          "0",
                                          "-o",
                                          "json=" + (dir / "run.json"),
                                          "--timeout",
                                          "1s",
                                          "--expect",
                                          "error_rate<50%"};
    const bool is_listening = i == 0;
    if (is_listening) arguments.push_back("--listen");
    if (i == 2) arguments.insert(arguments.end(), {"-R", "100"});
    if (!is_listening) arguments.insert(arguments.end(), {"--data", "x"});
    arguments.push_back("ws://" + relay.address() + (is_listening ? "/mock/stream=20ms" : "/mock/delay=10ms"));
    Process process(arguments);
    while (process.IsRunning() && relay.Record().messages.size() < 100) SleepFor(5 * kMillisecond);
    relay.Refuse(true);
    relay.Cut();
    const int code = process.Wait();
    const boost::json::value point = At(boost::json::parse(Slurp(dir / "run.json")), "points.0");
    EXPECT_LT(Figure(point, "availability_percent"), 50) << i;
    EXPECT_GE(Figure(point, "dead_seconds"), 2) << i;
    EXPECT_GT(Figure(point, "error_rate_percent"), i == 1 ? 10 : 50) << i;
    if (i != 1) {
      EXPECT_EQ(code, 99) << process.Err();
    }
  });
}

// A server that is there for a moment only.
TEST(FailingTargetTest, ASearchDoesNotHoldOnConnectionsThatAreGone) {
  std::atomic<Nanos> first{0};
  RawServer server([&](int fd) {
    Nanos none = 0;
    const Nanos now = MonotonicNow();
    if (!first.compare_exchange_strong(none, now) && now > none + kSecond) return ResetOnClose(fd);
    WebSocketScript([&](int open) {
      while (MonotonicNow() < first + kSecond && IsOpenFor(open, 10 * kMillisecond)) SendAll(open, ServerFrame(1, "x"));
    })(fd);
  });
  Process search({TIDEMARK_BINARY, "search", "--connections", "--listen", "--from", "20", "-d", "2s", "--expect",
                  "error_rate<1%", "ws://127.0.0.1:" + std::to_string(server.port()) + "/"});
  EXPECT_NE(search.Wait(), 0) << search.Out() << search.Err();
  EXPECT_EQ(search.Out().find("Holds "), std::string::npos) << search.Out();
}

// Ours to pause is not the target's latency.
TEST(FailingTargetTest, AServerThatClosesAfterEachAnswerIsNotSlow) {
  RawServer resets([](int fd) {
    if (!ReadRequest(fd)) return;
    SendAll(fd, kAnswer);
    ResetOnClose(fd);
  });
  const RunOutcome open = Against(resets.port(), {"-c", "1", "-R", "100", "-d", "2s"});
  EXPECT_EQ(open.code, 0) << open.err;
  EXPECT_LT(Figure(open.report, "points.0.response.p50_us"), 5'000) << open.out;
  const RunOutcome counted = Against(resets.port(), {"-c", "1", "-n", "50"});
  EXPECT_EQ(counted.code, 0) << counted.err;
  EXPECT_GT(Figure(counted.report, "points.0.requests_per_s"), 300) << counted.out;
  // A request may go out before the reset has come, and meets it.
  EXPECT_GE(Figure(counted.report, "points.0.successful_requests"), 25) << counted.out;
}

TEST(FailingTargetTest, ASilentCloseEveryTenRequestsAddsNoPause) {
  RawServer closes([](int fd) {
    for (int i = 0; i < 10 && ReadRequest(fd); ++i) SendAll(fd, kAnswer);
  });
  const RunOutcome run = Against(closes.port(), {"-c", "1", "-R", "200", "-d", "2s", "--arrivals", "constant"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_LT(Figure(run.report, "points.0.response.p99_us"), 9'000) << run.out;
  EXPECT_GT(Figure(run.report, "points.0.accounting.counters.unannounced_closes"), 30) << run.out;
  EXPECT_NE(run.out.find("without announcing it"), std::string::npos) << run.out;
}

TEST(FailingTargetTest, ATimeOutIsByTheClock) {
  Mock mock;
  const RunOutcome run =
      TidemarkRun({"-c", "1", "-n", "20", "--warmup", "0", "--timeout", "5ms", mock.Url("/mock/delay=30ms")});
  EXPECT_EQ(Figure(run.report, "points.0.successful_requests"), 0) << run.out;
  EXPECT_EQ(Figure(run.report, "points.0.accounting.outcomes.request_timeout"), 20) << run.out;
  // One connection, unless the worker was awake for another reason when a time ran out.
  EXPECT_LE(Int(mock.Truth(), "accepted"), 1 + 1 + 2);
}

TEST(FailingTargetTest, FirstRequestsAreSpreadOverTheThinkTimeOfAllConnections) {
  for (const int count : {0, 2}) {
    Mock mock;
    const auto agents = StartAgents(count);
    std::vector<std::string> arguments = {"-c",  "2",        "-d", "1s", "--think-time",
                                          "10s", "--warmup", "0",  "-t", count == 0 ? "2" : "1"};
    if (count > 0) {
      const auto flag = AgentsFlag(agents);
      arguments.insert(arguments.end(), flag.begin(), flag.end());
    }
    arguments.push_back(mock.Url());
    const RunOutcome run = TidemarkRun(arguments);
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(Figure(run.report, "points.0.accounting.sent"), 1) << count << run.out;
  }
}

}  // namespace
}  // namespace tidemark
