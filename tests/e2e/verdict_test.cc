// A16: whose fault it is when a point falls short, with a generator that is starved and a target that is slowed.
#include "common/clock.h"
#include "tests/e2e/part_of_a_core.h"
#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

// How often each side is tried: all of A16 with scripts/test --all.
int Rounds() { return std::getenv("TIDEMARK_FULL") != nullptr ? 100 : 3; }

std::string Verdict(const RunOutcome& run) { return std::string(At(run.report, "points.0.verdict").as_string()); }

TEST(VerdictTest, AStarvedGeneratorBlamesItself) {
  const PartOfACore group(20);
  if (!group.IsThere()) GTEST_SKIP() << "needs control groups";
  Mock mock(OnCore(1));
  int right = 0;
  for (int i = 0; i < Rounds(); ++i) {
    const RunOutcome run = StarvedRun(
        {"-R", "100k", "-d", "1s", "-c", "64", "-t", "1", "--timeout", "1s", "--strict", mock.Url()}, group.Prefix());
    right += Verdict(run) == "GENERATOR_LIMITED" && run.code == 4 ? 1 : 0;
  }
  EXPECT_GE(right, Rounds() * 99 / 100);
}

// Ours are too long, and those on the wire are the mock's own record's.
void ExpectTheTruthOnTheWire(const RunOutcome& run, const boost::json::value& truth) {
  // The mock may have to wait for its core too: then that is in its record as well.
  EXPECT_GT(Number(run.report, "points.0.latency.mean_us"), 1.05 * Number(truth, "residence.mean_us")) << run.out;
  for (const char* name : {"mean_us", "p50_us", "p90_us"}) {
    const double theirs = Number(truth, std::string("residence.") + name);
    EXPECT_NEAR(Number(run.report, std::string("points.0.wire.") + name), theirs, 0.02 * theirs + 100)
        << name << "\n"
        << boost::json::serialize(truth) << "\n"
        << run.out;
  }
}

// Its own figures are its own stalls; on the wire, by the kernel's stamps, stands what the target took, as its own
// record says by its own kernel's.
TEST(VerdictTest, AStarvedGeneratorStillTellsWhatTheTargetTook) {
  const PartOfACore group(5);
  if (!group.IsThere()) GTEST_SKIP() << "needs control groups";
  for (const char* load : {"", "-R"}) {
    Mock mock(OnCore(1));
    std::vector<std::string> arguments = {"-d", "4s", "-c", "50", "-t", "1", "--warmup", "0"};
    if (*load != '\0') arguments.insert(arguments.end(), {load, "4000", "--arrivals", "constant"});
    arguments.push_back(mock.Url("/mock/delay=5ms"));
    const RunOutcome run = StarvedRun(arguments, group.Prefix());
    EXPECT_EQ(Verdict(run), "GENERATOR_LIMITED") << run.out;
    EXPECT_EQ(At(run.report, "points.0.generator").as_string(), "LIMITED");
    EXPECT_NE(At(run.report, "points.0.target").as_string(), "FAILING") << run.out;
    ExpectTheTruthOnTheWire(run, mock.Truth());
  }
}

// ... of WebSockets too, plain and with TLS: of requests and their replies, and of events that are listened to.
TEST(VerdictTest, AStarvedGeneratorStillTellsWhatAWebSocketTook) {
  const PartOfACore group(5);
  if (!group.IsThere()) GTEST_SKIP() << "needs control groups";
  TempDir dir;
  const Certificate certificate(dir, "mock", "IP:127.0.0.1");
  for (const bool is_tls : {false, true}) {
    Mock mock(OnCore(1), {"--tls-listen", "127.0.0.1:0", "--cert", certificate.cert, "--key", certificate.key});
    const std::string url = "ws" + mock.Url("/mock/delay=5ms").substr(4);
    std::vector<std::string> arguments = {"-d", "4s", "-c", "50", "-t", "1", "--warmup", "0"};
    if (is_tls) {
      const std::string address = mock.process().WaitForLine("listening with TLS on ");
      arguments.insert(arguments.end(), {"--insecure", "wss://" + address + "/mock/delay=5ms"});
    } else {
      arguments.push_back(url);
    }
    const RunOutcome run = StarvedRun(arguments, group.Prefix());
    EXPECT_EQ(Verdict(run), "GENERATOR_LIMITED") << run.out << run.err;
    ExpectTheTruthOnTheWire(run, mock.Truth());
  }
}

TEST(VerdictTest, AStarvedListenerStillTellsHowStaleEventsCame) {
  const PartOfACore group(5);
  if (!group.IsThere()) GTEST_SKIP() << "needs control groups";
  Mock mock(OnCore(1));
  TempDir dir;
  // More than a twentieth of a core reads, of any machine.
  Spill(dir / "plan.yaml", "target: ws" + mock.Url("/mock/stream=20ms").substr(4) +
                               "\nthreads: 1\nsweep: {connections: [100], duration: 4s}\n"
                               "web_socket: {listen: {time: /T, time_unit: us}}\n");
  const RunOutcome run = StarvedRun({dir / "plan.yaml"}, group.Prefix());
  EXPECT_EQ(Verdict(run), "GENERATOR_LIMITED") << run.out << run.err;
  const auto truth = mock.Truth();
  EXPECT_GT(Number(run.report, "points.0.staleness.p90_us"), 10 * Number(truth, "staleness.p50_us")) << run.out;
  EXPECT_GT(Number(run.report, "points.0.staleness.mean_us"), 10 * Number(run.report, "points.0.wire.mean_us"));
  EXPECT_NEAR(Number(run.report, "points.0.wire.p50_us"), Number(truth, "staleness.p50_us"), 200)
      << boost::json::serialize(truth) << run.out;
}

// One of three agents is starved: it is named, and only it.
TEST(VerdictTest, TheStarvedAgentOfThreeIsNamed) {
  const PartOfACore group(2);
  if (!group.IsThere()) GTEST_SKIP() << "needs control groups";
  Mock mock(OnCore(1));
  const Agent first;
  const Agent second({}, "127.0.0.1:0", group.Prefix());
  const Agent third;
  const RunOutcome run = StarvedRun({"--agents", first.address() + "," + second.address() + "," + third.address(), "-R",
                                     "3000", "--arrivals", "constant", "-c", "60", "-t", "1", "-d", "4s", "--warmup",
                                     "0", mock.Url("/mock/delay=5ms")});
  ASSERT_NE(run.out.find("agent 1 itself took "), std::string::npos) << run.out << run.err;
  EXPECT_EQ(run.out.find("agent 0 itself took "), std::string::npos) << run.out;
  EXPECT_EQ(run.out.find("agent 2 itself took "), std::string::npos) << run.out;
  EXPECT_GT(Number(run.report, "points.0.agents.1.split.ours_us"),
            5 * Number(run.report, "points.0.agents.0.split.ours_us"));
}

TEST(VerdictTest, ASlowTargetIsBlamed) {
  Mock mock(OnCore(1));
  int right = 0;
  for (int i = 0; i < Rounds(); ++i) {
    const RunOutcome run = TidemarkRun(
        {"-R", "600", "-d", "1s", "-c", "20", "-t", "1", "--timeout", "5s", "--strict", mock.Url("/mock/queue=5ms")},
        OnCore(0));
    right += Verdict(run) == "TARGET_LIMITED" && run.code == 0 ? 1 : 0;
  }
  EXPECT_GE(right, Rounds() * 99 / 100);
}

TEST(VerdictTest, ATargetThatKeepsUpIsValid) {
  Mock mock(OnCore(1));
  const RunOutcome run = TidemarkRun(
      {"-R", "500", "-d", "2s", "-c", "100", "-t", "1", "--strict", mock.Url("/mock/delay=50ms")}, OnCore(0));
  EXPECT_EQ(run.code, 0) << run.out;
  EXPECT_EQ(Verdict(run), "VALID") << At(run.report, "points.0.verdict_reason");
}

void SleepFor(Nanos time) { std::this_thread::sleep_for(std::chrono::nanoseconds(time)); }

// `tidemark run ARGUMENTS...`, stopped for each of `stops` after 1.5 s, with as long between them.
RunOutcome StoppedRun(std::vector<std::string> arguments, const std::vector<Nanos>& stops) {
  TempDir dir;
  arguments.insert(arguments.begin(), {TIDEMARK_BINARY, "run", "-o", "json=" + (dir / "run.json"), "--warmup", "0"});
  Process process(arguments);
  SleepFor(1'500 * kMillisecond);
  for (const Nanos stop : stops) {
    process.Signal(SIGSTOP);
    SleepFor(stop);
    process.Signal(SIGCONT);
    SleepFor(stop);
  }
  RunOutcome outcome;
  outcome.code = process.Wait();
  outcome.out = process.Out();
  outcome.err = process.Err();
  if (std::filesystem::exists(dir / "run.json")) outcome.report = ReadReport(dir / "run.json");
  return outcome;
}

std::int64_t Counted(const boost::json::value& list, const std::string& name) {
  const auto* const found = list.as_object().if_contains(name);
  return found == nullptr ? 0 : found->to_number<std::int64_t>();
}

// A generator that stands still for longer than its own time-outs: the figures are not to be trusted, whatever the
// loop, and nothing of it is held against the target, which answers after 5 ms.
TEST(VerdictTest, AGeneratorThatStandsStillSaysSoAndBlamesNobodyElse) {
  Mock mock;
  const std::string web_socket = "ws" + mock.Url("/mock/delay=5ms").substr(4);
  TempDir dir;
  Spill(dir / "listen.yaml", "target: ws" + mock.Url("/mock/stream=10ms").substr(4) +
                                 "\nsweep: {connections: [300], duration: 4s}\n"
                                 "web_socket: {listen: {time: /T, time_unit: us, silence: 500ms}}\n");
  const std::vector<std::string> ways[] = {
      {"-d", "4s", "--timeout", "1s", "-c", "50", mock.Url("/mock/delay=5ms")},
      {"-d", "4s", "--timeout", "1s", "-c", "600", "-t", "1", mock.Url("/mock/delay=5ms")},
      {"-d", "4s", "--timeout", "1s", "-c", "50", "-R", "1000", mock.Url("/mock/delay=5ms")},
      {"-d", "4s", "--timeout", "1s", "-c", "50", "--pipeline", "8", "--data", R"({"id":"{slot}"})", "--reply-id",
       "/id", web_socket},
      {"-d", "4s", "--timeout", "1s", "-c", "50", "--pipeline", "8", "--kernel-timestamps", "0", "--data", "x",
       web_socket},
      {"--timeout", "1s", dir / "listen.yaml"}};
  for (const std::vector<std::string>& way : ways) {
    const RunOutcome run = StoppedRun(way, {1'700 * kMillisecond});
    const std::string text = Join(way) + "\n" + run.out + run.err;
    ASSERT_TRUE(run.report.is_object()) << text;
    const boost::json::value& point = At(run.report, "points.0");
    EXPECT_EQ(At(point, "verdict").as_string(), "GENERATOR_LIMITED") << text;
    EXPECT_NE(run.out.find("this generator stood still for "), std::string::npos) << text;
    EXPECT_NE(At(point, "target").as_string(), "FAILING") << text;
    EXPECT_EQ(Number(point, "dead_seconds"), 0) << text;
    const auto* const outcomes = At(point, "accounting").as_object().if_contains("outcomes");
    if (outcomes != nullptr) {
      EXPECT_EQ(Counted(*outcomes, "request_timeout"), 0) << text;
    }
    const auto* const web = At(point, "accounting").as_object().if_contains("web_socket");
    if (web != nullptr && web->as_object().contains("streams")) {
      EXPECT_EQ(Counted(At(*web, "streams"), "silences"), 0) << text;
    }
  }
}

// Events that came one by one while nobody read lie in one piece in the kernel, whose stamp is that of the last: what
// they waited is ours all the same.
TEST(VerdictTest, WhatLayUnreadWhileAListenerStoodStillIsItsOwn) {
  Mock mock(OnCore(1));
  TempDir dir;
  Spill(dir / "plan.yaml", "target: ws" + mock.Url("/mock/stream=10ms").substr(4) +
                               "\nthreads: 1\nsweep: {connections: [20], duration: 6s}\n"
                               "web_socket: {listen: {time: /T, time_unit: us}}\n");
  const RunOutcome run = StoppedRun({dir / "plan.yaml"}, std::vector<Nanos>(6, 300 * kMillisecond));
  ASSERT_TRUE(run.report.is_object()) << run.out << run.err;
  const boost::json::value& point = At(run.report, "points.0");
  EXPECT_GT(Number(point, "histograms.stamped.count"), 1'000) << run.out;
  EXPECT_GT(Number(point, "staleness.p90_us"), 50e3) << run.out;
  EXPECT_LT(Number(point, "wire.p90_us"), 5e3) << run.out;
  EXPECT_EQ(At(point, "verdict").as_string(), "GENERATOR_LIMITED") << run.out;
}

}  // namespace
}  // namespace tidemark
