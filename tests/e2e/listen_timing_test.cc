// Streams that are listened to: times, beside the mock's own record of them.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/e2e/listen.h"

namespace tidemark {
namespace {

// In full: 1,000 connections for 60 s.
TEST(ListenTimingTest, StalenessIsThatOfTheMocksOwnRecord) {
  const bool is_full = std::getenv("TIDEMARK_FULL") != nullptr;
  Mock mock;
  const auto agents = StartAgents(is_full ? 2 : 1);
  const boost::json::value report =
      Listen(mock, is_full ? "stream=100ms,stale=50ms/10" : "stream=10ms,stale=50ms/10", is_full ? "1000" : "20",
             is_full ? "60s" : "3s", kDepthRange, AgentsFlag(agents));
  const boost::json::value truth = mock.Truth();
  for (const char* name : {"mean_us", "p50_us", "p99_us"}) {
    const double theirs = At(truth, std::string("staleness.") + name).to_number<double>();
    const double ours = At(report, std::string("points.0.staleness.") + name).to_number<double>();
    EXPECT_NEAR(ours, theirs, std::max(1'000.0, 0.02 * theirs)) << name;
  }
  EXPECT_GT(At(report, "points.0.staleness.p99_us").to_number<double>(), 50'000);
}

// The same events over all connections of two agents, beside the mock's own record of when it sent them.
TEST(ListenTimingTest, FanOutIsThatOfTheMocksOwnRecord) {
  Mock mock;
  const auto agents = StartAgents(2);
  const std::string listen =
      "web_socket: {subscribe: [x], ack: /result=null, listen: {time: /T, time_unit: us, fan_out: /k, "
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
TEST(ListenTimingTest, TheTargetsOwnClockCorrectsStaleness) {
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

// A stream of 20 ms that stops: it is silent after ten times its usual interval, long before the 10 s of the default.
TEST(ListenTimingTest, ASilenceIsJudgedByWhatIsUsual) {
  Mock mock;
  for (const auto& [factor, silences] : {std::pair("10", 5), std::pair("1000", 0)}) {
    const boost::json::value report = Listen(mock, "stream=20ms,count=50", "5", "2s",
                                             absl::StrCat("web_socket: {listen: {silence_factor: ", factor, "}}\n"));
    EXPECT_EQ(Streams(report, "silences"), silences) << factor;
  }
}

std::string Storm(const std::string& storm) {
  return "web_socket: {subscribe: [x], ack: /result=null, listen: {storm: {at: 1s, percent: 100, " + storm + "}}}\n";
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

TEST(ListenTimingTest, AStormsReturnIsThatOfTheMocksOwnRecord) {
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

// 300 connections, 100 a second allowed: a rate of 80 a second keeps the limit, with jitter and without; all at once
// does not.
TEST(ListenTimingTest, ARateOfConnectionsKeepsALimitWhenAllComeBack) {
  const std::string none = "jitter: none";
  for (const auto& [storm, has_rate] : std::initializer_list<std::pair<std::string, bool>>{
           {"jitter: full, delay: 6s", true}, {none, true}, {none, false}}) {
    Mock mock;
    const std::vector<std::string> rate = {"--connect-rate", "80"};
    const boost::json::value report = Listen(mock, "stream=100ms,connect_rate=100", "300", has_rate ? "9s" : "4s",
                                             Storm(storm), has_rate ? rate : std::vector<std::string>());
    const std::int64_t refused = Fault(mock.Truth(), "connect rate");
    EXPECT_EQ(WithWarmup(report, "connections.upgrade_failed"), refused);
    if (has_rate) {
      EXPECT_EQ(refused, 0) << storm;
      EXPECT_EQ(Int(report, "points.0.back.count"), 300) << storm;
    } else {
      EXPECT_GE(refused, 150);
    }
  }
}

// Binance closes when a client sends more than five messages in a second, pongs too.
TEST(ListenTimingTest, AControlRateKeepsWhatThePeerAllows) {
  Mock mock;
  const std::string many =
      "web_socket: {subscribe: [a, b, c, d, e, f, g, h], ack: /result=null, ping: {every: 100ms}, listen: {}";
  const boost::json::value kept =
      Listen(mock, "stream=50ms,messages=5", "5", "4s", many + ", control_rate: 4}\n", {"--connect-timeout", "10s"});
  EXPECT_EQ(Fault(mock.Truth(), "client messages"), 0);
  EXPECT_EQ(WithWarmup(kept, "connections.established"), 5);
  mock.Get("/__reset");
  Listen(mock, "stream=50ms,messages=5", "5", "1s", "web_socket: {ping: {every: 100ms}, listen: {}}\n");
  EXPECT_GT(Fault(mock.Truth(), "client messages"), 0);
}

}  // namespace
}  // namespace tidemark
