// Seeded points of targets that fail, each in its way, and of others that are well, however slow: whether the report
// says so, and why. A line for each point goes to standard output, of which scripts/points makes a table.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <random>
#include <regex>

#include "tests/e2e/disturbed.h"
#include "tests/support/relay.h"
#include "tests/support/side_by_side.h"

namespace tidemark {
namespace {

using std::chrono::milliseconds;

bool IsFull() { return std::getenv("TIDEMARK_FULL") != nullptr; }

class Draw {
 public:
  explicit Draw(int seed) : rng_(static_cast<unsigned>(20'261'127 + seed)) {}

  int Below(int n) { return static_cast<int>(rng_() % static_cast<unsigned>(n)); }
  // Evenly between their logarithms.
  double Between(double least, double most) {
    return least * std::pow(most / least, static_cast<double>(rng_()) / static_cast<double>(std::mt19937::max()));
  }
  template <std::size_t N>
  std::string Of(const char* const (&names)[N]) {
    return names[Below(static_cast<int>(N))];
  }

 private:
  std::mt19937 rng_;
};

constexpr const char* kLoads[] = {"closed", "open", "WebSocket", "listening"};
constexpr const char* kRequestLoads[] = {"closed", "open"};

std::string Millis(double ms) { return std::to_string(static_cast<int>(std::ceil(ms))) + "ms"; }

// Whether an agent with a quota was so starved that it was given up: there is no point to judge.
bool WasGivenUp(const std::string& disturbance, const boost::json::value& report) {
  if (disturbance.substr(0, 5) != "quota" || At(report, "points.0.verdict").as_string() != "PARTIAL") return false;
  std::printf("drawn again, %s: %s\n", disturbance.c_str(), boost::json::serialize(At(report, "notes")).c_str());
  return true;
}

// One run by one agent or by three, the first of which is disturbed.
class Run {
 public:
  Run(const std::string& disturbance, int agents, std::vector<std::string> arguments) : disturbance_(disturbance) {
    std::vector<std::string> command;
    if (agents == 1) command = disturbance_.Prefix();
    for (const std::string& part : {std::string(TIDEMARK_BINARY), std::string("run"), std::string("-q"),
                                    std::string("-o"), "json=" + (dir_ / "run.json")})
      command.push_back(part);
    for (int i = 0; agents > 1 && i < agents; ++i)
      agents_.push_back(std::make_unique<Agent>(std::vector<std::string>{}, "127.0.0.1:0",
                                                i == 0 ? disturbance_.Prefix() : std::vector<std::string>{}));
    if (agents > 1) arguments.insert(arguments.begin(), {"--agents", AgentsFlag(agents_).back()});
    command.insert(command.end(), {"--warmup", "0", "-t", disturbance_.Threads()});
    command.insert(command.end(), arguments.begin(), arguments.end());
    process_ = std::make_unique<Process>(command);
    disturbance_.Begin(Disturbed());
  }

  bool IsRunning() { return process_->IsRunning(); }
  // The process that its disturbance disturbs.
  pid_t Disturbed() const { return agents_.empty() ? process_->pid() : agents_[0]->process().pid(); }
  // Its report; null if it could not begin in time, or was given up, and so says.
  boost::json::value Report() {
    const int code = process_->Wait();
    if (WasTooLate(code, process_->Err())) return nullptr;
    if (!std::filesystem::exists(dir_ / "run.json")) {
      ADD_FAILURE() << "exit " << code << ": " << process_->Err() << process_->Out();
      return nullptr;
    }
    boost::json::value report = ReadReport(dir_ / "run.json");
    return WasGivenUp(disturbance_.kind(), report) ? nullptr : report;
  }

 private:
  TempDir dir_;
  Disturbance disturbance_;
  std::vector<std::unique_ptr<Agent>> agents_;
  std::unique_ptr<Process> process_;
};

// Runs `count` points side by side; `run` gives a point's report, or null if its generator was too starved to begin, or
// to go on: it is drawn again, at most three times. `judge` says whether the point is right.
template <typename Point>
int CountWrong(int count, int at_once, const std::function<Point(int)>& draw,
               const std::function<boost::json::value(const Point&)>& run,
               const std::function<bool(const Point&, const std::string& verdict, const std::string& reason)>& judge) {
  std::mutex mutex;
  int wrong = 0;
  std::atomic<int> again{0};
  const char* const only = std::getenv("TIDEMARK_POINT");  // of the long form, to look at one
  SideBySide(count, at_once, [&](int seed) {
    if (only != nullptr && std::atoi(only) != seed) return;
    const Point point = draw(seed);
    boost::json::value report;
    for (int attempt = 1; attempt <= 4 && report.is_null(); ++attempt) {
      report = run(point);
      if (report.is_null()) ++again;
    }
    std::string verdict = "none";
    std::string reason;
    if (!report.is_null()) {
      verdict = At(report, "points.0.verdict").as_string();
      const boost::json::object& first = At(report, "points.0").as_object();
      if (first.contains("target_reason")) reason = first.at("target_reason").as_string();
    }
    const bool is_right = judge(point, verdict, reason);
    if (!is_right && report.is_object() && report.as_object().contains("notes"))
      reason += " " + boost::json::serialize(report.at("notes"));
    const std::lock_guard lock(mutex);
    wrong += is_right ? 0 : 1;
    std::printf("point %d | %s | %s%s; %s\n", seed, point.ToString().c_str(), verdict.c_str(), is_right ? "" : " WRONG",
                reason.c_str());
    std::fflush(stdout);
  });
  std::printf("points drawn again, since their generators could not begin or go on: %d\n", again.load());
  return wrong;
}

// ---- Targets that fail ----

constexpr const char* kFailures[] = {"killed", "stopped", "refusing", "half 503", "all 401", "one of three"};

struct FailingPoint {
  std::string failure;
  std::string load;
  std::string disturbance;
  int agents = 1;
  int connections = 0;
  int delay_ms = 0;
  int rate = 0;
  int fails_at_ms = 0;   // after the first answer, or message
  bool answers = false;  // one of three: the dead one takes connections, and says nothing

  std::string ToString() const {
    return failure + (failure == "one of three" ? answers ? " silent" : " refusing" : "") + ", " + load + " | " +
           disturbance + (agents == 1 ? "" : ", 3 agents");
  }
};

FailingPoint DrawFailing(int seed) {
  Draw draw(seed);
  FailingPoint point;
  point.failure = kFailures[static_cast<std::size_t>(seed) % std::size(kFailures)];
  // Streams have no statuses.
  const bool is_status = point.failure == "half 503" || point.failure == "all 401";
  point.load = is_status ? draw.Of(kRequestLoads) : draw.Of(kLoads);
  point.disturbance = draw.Of(kDisturbances);
  point.agents = draw.Below(2) == 0 ? 1 : 3;
  point.delay_ms = 2 + draw.Below(30);
  point.connections = 9 + draw.Below(8);
  point.rate = 20 + draw.Below(300);
  point.fails_at_ms = 600 + draw.Below(1'000);
  point.answers = draw.Below(2) == 0;
  return point;
}

boost::json::value RunFailing(const FailingPoint& point) {
  std::vector<std::string> arguments = {
      "-d", "5s", "-c", std::to_string(point.connections), "--timeout", "1s", "--connect-timeout", "1s"};
  if (point.load == "open") arguments.insert(arguments.end(), {"-R", std::to_string(point.rate)});
  if (point.load == "listening") arguments.push_back("--listen");
  const std::string scheme = point.load == "open" || point.load == "closed" ? "http://" : "ws://";
  const std::string delay = std::to_string(point.delay_ms) + "ms";
  const std::string path = "/mock/" + (point.failure == "half 503"  ? "status=503/2,delay=" + delay
                                       : point.failure == "all 401" ? "status=401,delay=" + delay
                                       : point.load == "listening"  ? "stream=" + delay
                                                                    : "delay=" + delay);
  if (point.failure == "one of three") {
    const ThreeAddresses addresses(point.answers);
    const auto flags = addresses.Flags();
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    arguments.push_back(scheme + "three.test:" + addresses.port + path);
    return Run(point.disturbance, point.agents, arguments).Report();
  }
  const Mock mock(OnCore(1));
  Relay relay(mock.Url("").substr(7));
  relay.WatchTarget(const_cast<Mock&>(mock).process().pid());
  arguments.push_back(scheme + relay.address() + path);
  Run run(point.disturbance, point.agents, arguments);
  if (point.failure == "half 503" || point.failure == "all 401") return run.Report();
  const auto has_answered = [&] {
    const RelayRecord record = relay.Record();
    return record.Responses(0, INT64_MAX) + record.Messages(Side::kTarget, 0, INT64_MAX) > 0;
  };
  while (run.IsRunning() && !has_answered()) std::this_thread::sleep_for(milliseconds(20));
  std::this_thread::sleep_for(milliseconds(point.fails_at_ms));
  if (point.failure == "killed") relay.Do({.kind = RelayFault::Kind::kKillTarget});
  if (point.failure == "stopped") relay.Do({.kind = RelayFault::Kind::kStopTarget});
  if (point.failure == "refusing") {
    relay.Refuse(true);
    relay.Cut();
  }
  return run.Report();
}

// Whether the reason is this failure's: the most frequent cause of a kind stands first.
bool IsCauseOf(const FailingPoint& point, const std::string& reason) {
  const auto says = [&reason](const char* pattern) { return std::regex_search(reason, std::regex(pattern)); };
  if (point.failure == "killed" || point.failure == "refusing") return says("refused [0-9]");
  if (point.failure == "stopped") return says("served nobody|time-out [0-9]|timed out [0-9]") && !says("refused|reset");
  if (point.failure == "half 503") return says("\\(503 [0-9]");
  if (point.failure == "all 401") return says("\\(401 [0-9]");
  return says("127\\.0\\.1\\.3:[0-9]+, one of 3 addresses") && !says("127\\.0\\.1\\.[12]:");
}

TEST(TargetPointsTest, ATargetThatFailsIsSaidToAndWhy) {
  if (!PartOfACore(5).IsThere()) GTEST_SKIP() << "needs control groups";
  const int count = IsFull() ? 200 : 6;
  const int wrong =
      CountWrong<FailingPoint>(count, IsFull() ? 4 : 6, DrawFailing, RunFailing,
                               [](const FailingPoint& point, const std::string& verdict, const std::string& reason) {
                                 return verdict == "TARGET_FAILING" && IsCauseOf(point, reason);
                               });
  std::printf("points of targets that fail: %d, %d wrong\n", count, wrong);
  EXPECT_LE(wrong, IsFull() ? 2 : 0);
}

// ---- Targets that are well ----

struct HealthyPoint {
  std::string load;
  int agents = 1;
  double delay_ms = 0;  // of an answer; listening: between two messages
  double rate = 0;
  int connections = 1;
  double timeout_ms = 30'000;
  double duration_ms = 0;
  int stops_at_ms = 0;  // when its generator is stopped for 1.5 s; 0: never

  double LongestMs() const { return duration_ms + delay_ms; }
  std::string ToString() const {
    char text[160];
    std::snprintf(text, sizeof text, "well, %s | %s%s; %.0f ms, %.1f/s, %d connections", load.c_str(),
                  stops_at_ms == 0 ? "none" : "stopped for 1.5 s", agents == 1 ? "" : ", 3 agents", delay_ms, rate,
                  connections);
    return text;
  }
};

HealthyPoint DrawHealthy(int seed) {
  Draw draw(10'000 + seed);
  HealthyPoint point;
  point.load = kLoads[static_cast<std::size_t>(seed) % std::size(kLoads)];
  point.agents = draw.Below(3) != 0 ? 1 : 3;
  point.delay_ms = draw.Between(1, 10'000);
  point.rate = draw.Between(0.5, 1'000);
  constexpr int kMost = 200;
  const double busy = point.rate * point.delay_ms / 1e3;  // connections, on average
  point.connections = static_cast<int>(std::min<double>(kMost, std::ceil(busy * (point.load == "open" ? 1.5 : 1)) + 1));
  point.rate = std::min(point.rate, kMost / 1.5 / point.delay_ms * 1e3);
  if (draw.Below(2) == 0) point.timeout_ms = point.delay_ms * 1.2 + 1'500;
  point.duration_ms = 4'000 + draw.Below(250) / 100.0 * point.delay_ms;
  if (draw.Below(2) == 0) point.stops_at_ms = 800 + draw.Below(2'000);
  return point;
}

boost::json::value RunHealthy(const HealthyPoint& point) {
  const Mock mock(OnCore(1));
  std::vector<std::string> arguments = {"-d",        Millis(point.duration_ms),
                                        "-c",        std::to_string(std::max(point.connections, point.agents)),
                                        "--timeout", Millis(point.timeout_ms)};
  if (point.load == "open") {
    char rate[32];
    std::snprintf(rate, sizeof rate, "%.3f", point.rate);
    arguments.insert(arguments.end(), {"-R", rate});
  }
  if (point.load == "listening") arguments.push_back("--listen");
  const std::string url =
      mock.Url((point.load == "listening" ? "/mock/stream=" : "/mock/delay=") + Millis(point.delay_ms));
  arguments.push_back(point.load == "WebSocket" || point.load == "listening" ? "ws" + url.substr(4) : url);
  Run run("none", point.agents, arguments);
  if (point.stops_at_ms != 0) {
    const Stop stop(run.Disturbed());
    std::this_thread::sleep_for(milliseconds(point.stops_at_ms));
    stop.For(milliseconds(1'500));
  }
  return run.Report();
}

TEST(TargetPointsTest, ATargetThatIsWellIsNotSaidToFail) {
  // In short, the first that do not take long.
  std::vector<HealthyPoint> points;
  for (int seed = 0; points.size() < (IsFull() ? 200u : 4u); ++seed) {
    const HealthyPoint point = DrawHealthy(seed);
    if (IsFull() || point.LongestMs() < 10'000) points.push_back(point);
  }
  const int wrong = CountWrong<HealthyPoint>(
      static_cast<int>(points.size()), IsFull() ? 6 : 4,
      [&points](int i) { return points[static_cast<std::size_t>(i)]; }, RunHealthy,
      [](const HealthyPoint&, const std::string& verdict, const std::string&) {
        return verdict != "TARGET_FAILING" && verdict != "none";
      });
  std::printf("points of targets that are well: %d, %d wrong\n", static_cast<int>(points.size()), wrong);
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tidemark
