// What reaches a target from an agent, by the kernel's receive stamps, keeps within the allow-list's ceilings, whatever
// makes it.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "agent/pace/budget.h"
#include "common/plan/validate.h"
#include "tests/e2e/programs.h"
#include "tests/support/random.h"
#include "tests/support/relay.h"
#include "tests/support/session_run.h"
#include "tests/support/side_by_side.h"
#include "tests/support/web_socket_server.h"
#include "tests/support/windows.h"

namespace tidemark {
namespace {

bool IsFull() { return std::getenv("TIDEMARK_FULL") != nullptr; }

// A worker that has leave to send may lose its core before it does, and the relay before it accepts; what is late that
// way comes later than it was allowed to. By how much, at most.
constexpr Nanos kHeldUp = 20 * kMillisecond;

TargetGuard Capped(double max_rate, double max_connect_rate = 0) {
  proto::AllowList list;
  proto::AllowedTarget* const target = list.add_targets();
  target->set_cidr("127.0.0.0/8");
  if (max_rate != 0) target->set_max_rate(max_rate);
  if (max_connect_rate != 0) target->set_max_connect_rate(max_connect_rate);
  return *TargetGuard::Make({}, list);
}

// Requests, upgrades, messages and pings that came, and when.
std::vector<Nanos> Sent(const RelayRecord& record) {
  std::vector<Nanos> instants;
  for (const Exchange& exchange : record.exchanges) instants.push_back(exchange.first);
  for (const RelayedMessage& message : record.messages) {
    const bool is_ping = message.opcode == 9;
    if (message.from == Side::kClient && (message.IsData() || is_ping)) instants.push_back(message.received);
  }
  return instants;
}

std::vector<Nanos> Opened(const RelayRecord& record) {
  std::vector<Nanos> instants;
  for (const RelayedConnection& connection : record.connections) instants.push_back(connection.opened);
  return instants;
}

void ExpectWithin(const RelayRecord& record, double max_rate, double max_connect_rate) {
  const double held_up = static_cast<double>(kHeldUp) / 1e9;
  if (max_rate != 0) {
    EXPECT_LE(MostBeyond(Sent(record), max_rate), Budget::Burst(max_rate) + max_rate * held_up) << "sent";
  }
  if (max_connect_rate != 0) {
    EXPECT_LE(MostBeyond(Opened(record), max_connect_rate),
              Budget::Burst(max_connect_rate) + max_connect_rate * held_up)
        << "opened";
  }
}

// A mock behind a relay that keeps the record.
struct Target {
  Mock mock;
  Relay relay{mock.Url("").substr(7)};
  // Leads each request to where it is answered.
  RawServer leading{[](int fd) {
    for (std::string request; ReadRequest(fd, &request); request.clear()) {
      const bool is_hop = absl::StrContains(request, "GET /a ");
      SendAll(fd, is_hop ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                         : "HTTP/1.1 302 Go\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n");
    }
  }};
  Relay to_leading{absl::StrCat("127.0.0.1:", leading.port())};
  std::string Url(const std::string& path) const { return "http://" + relay.address() + path; }
  std::string Leading() const { return "http://" + to_leading.address() + "/"; }
  std::string Ws(const std::string& path) const { return "ws://" + relay.address() + path; }
};

void For(proto::Plan* plan, Nanos duration) {
  ApplyDefaults(plan);
  plan->mutable_sweep()->clear_requests_per_connection();
  *plan->mutable_sweep()->mutable_duration() = ToDurationProto(duration);
}

// Prepares, arms and ends the plan's point again and again for `length`, four times at least, in one run or in a new
// one each time.
void Restart(const proto::Plan& plan, const TargetGuard& guard, Nanos length, bool has_new_session) {
  const Nanos end = MonotonicNow() + length;
  int rounds = 0;
  const auto is_going = [&] { return rounds < 4 || MonotonicNow() < end; };
  while (is_going()) {
    EventLog log;
    proto::Open open;
    *open.mutable_plan() = plan;
    auto session = Session::Open(open, guard, 1, [&log](const proto::Event& event) { log.Add(event); });
    ASSERT_OK(session);
    std::int64_t points = 0;
    do {
      ++points;
      ASSERT_OK((*session)->Prepare(WholePoint(plan.sweep().connections(0))));
      const auto wait_for = [&](auto matches) {
        const Nanos limit = MonotonicNow() + 60 * kSecond;
        for (std::vector<proto::Event> events; MonotonicNow() < limit; events = log.Events()) {
          if (std::count_if(events.begin(), events.end(), matches) >= points) return;
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        ADD_FAILURE() << "no answer";
      };
      wait_for([](const proto::Event& event) { return event.has_ready(); });
      proto::Arm arm;
      arm.set_start_ns(MonotonicNow() + 10 * kMillisecond);
      ASSERT_OK((*session)->Arm(arm));
      std::this_thread::sleep_for(std::chrono::milliseconds(15));
      (*session)->Finish();
      (*session)->Stop();
      wait_for([](const proto::Event& event) { return event.has_shard() && event.shard().is_final(); });
      ++rounds;
    } while (!has_new_session && is_going());
  }
}

struct Draw {
  proto::Plan plan;
  std::string name;
  double max_rate = 0;
  double max_connect_rate = 0;
  enum class Loop { kOnce, kSamePoint, kNewRun } loop = Loop::kOnce;
  bool is_led = false;    // the target redirects
  bool is_paced = false;  // wants more than it gets, for `busy`
  Nanos busy = 0;
};

constexpr int kModes = 17;

// A plan of one second or so, of mode `mode`, against the ceilings that go with it.
Draw DrawPlan(int mode, const Target& target, std::mt19937_64& rng) {
  const auto between = [&rng](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
  };
  Draw draw;
  draw.max_rate = std::round(std::exp(std::uniform_real_distribution<double>(std::log(8), std::log(3'000))(rng)));
  if (rng() % 2 == 0) draw.max_connect_rate = static_cast<double>(between(5, 300));
  const std::int64_t connections = between(1, 20);
  const auto http = [&](const std::string& path) { return PlanFor(target.Url(path), connections, 10); };
  const auto web_socket = [&](const std::string& path) {
    proto::Plan plan = PlanFor(target.Ws(path), connections, 10);
    *plan.mutable_connect_timeout() = ToDurationProto(10 * kSecond);
    return plan;
  };
  const Nanos length = 800 * kMillisecond;
  proto::Plan& plan = draw.plan;
  switch (mode) {
    case 0:
      draw.name = "closed";
      plan = http("/api/v3/ping");
      For(&plan, length);
      draw.max_rate = std::min(draw.max_rate, 300.0);
      draw.is_paced = connections > 3;
      draw.busy = length;
      break;
    case 1:
      draw.name = "closed, counted";
      plan = PlanFor(target.Url("/api/v3/ping"), connections,
                     1 + static_cast<std::int64_t>(draw.max_rate * 0.8 / static_cast<double>(connections)));
      break;
    case 2:
      draw.name = "open, constant";
      plan = http("/api/v3/ping");
      Pace(&plan, draw.max_rate, length);
      break;
    case 3:
      draw.name = "open, Poisson";
      plan = http("/api/v3/ping");
      draw.max_rate = std::max(draw.max_rate, 40.0);
      Pace(&plan, std::floor(std::pow(std::sqrt(4 + draw.max_rate) - 2, 2)), length);
      plan.mutable_sweep()->set_arrivals("poisson");
      plan.mutable_sweep()->set_seed(static_cast<std::int64_t>(rng() % 1'000));
      break;
    case 4:
      draw.name = "warm-up by count";
      plan = http("/api/v3/ping");
      plan.mutable_sweep()->set_warmup_requests_per_connection(
          1 + static_cast<std::int64_t>(draw.max_rate * 0.4 / static_cast<double>(connections)));
      For(&plan, length / 2);
      break;
    case 5:
      draw.name = "warm-up by time";
      plan = http("/api/v3/ping");
      rng() % 2 == 0 ? For(&plan, length / 2) : Pace(&plan, draw.max_rate, length / 2);
      *plan.mutable_sweep()->mutable_warmup() = ToDurationProto(length / 2);
      break;
    case 6:
      draw.name = "think time";
      plan = http("/api/v3/ping");
      For(&plan, length);
      *plan.mutable_sweep()->mutable_think_time() = ToDurationProto(between(1, 50) * kMillisecond);
      *plan.mutable_sweep()->mutable_warmup() = ToDurationProto(length / 4);
      break;
    case 7:
      draw.name = "a connection for each request";
      plan = http("/api/v3/ping");
      plan.mutable_sweep()->set_new_connection(true);
      For(&plan, length);
      break;
    case 8:
      draw.name = "reconnect_after";
      plan = http("/api/v3/ping");
      plan.mutable_sweep()->set_reconnect_after(between(1, 5));
      For(&plan, length);
      break;
    case 9:
      draw.name = "pings and subscriptions";
      plan = web_socket("/mock/stream=100ms");
      for (std::int64_t i = between(0, 5); i > 0; --i) plan.mutable_web_socket()->add_subscribe("{\"id\":1}");
      plan.mutable_web_socket()->mutable_listen();
      if (rng() % 2 == 0) {
        proto::TargetClock* const clock = plan.mutable_web_socket()->mutable_listen()->mutable_clock();
        plan.mutable_web_socket()->mutable_listen()->set_time("/E");  // what a clock is for
        clock->set_url(target.Url("/api/v3/time"));
        clock->set_time("/serverTime");
        *clock->mutable_every() = ToDurationProto(100 * kMillisecond);
      }
      *plan.mutable_web_socket()->mutable_ping()->mutable_every() = ToDurationProto(kMillisecond);
      if (rng() % 2 == 0) plan.mutable_web_socket()->mutable_ping()->set_text("{\"op\":\"ping\"}");
      For(&plan, length);
      break;
    case 10:
      draw.name = "churn";
      plan = web_socket("/mock/stream=100ms");
      for (std::int64_t i = between(1, 10); i > 0; --i) plan.mutable_web_socket()->add_subscribe("{\"id\":1}");
      *plan.mutable_web_socket()->mutable_listen()->mutable_hold() = ToDurationProto(10 * kMillisecond);
      For(&plan, length);
      break;
    case 11: {
      draw.name = "storm";
      plan = web_socket("/mock/stream=100ms");
      plan.mutable_web_socket()->add_subscribe("{\"id\":1}");
      proto::Storm* const storm = plan.mutable_web_socket()->mutable_listen()->mutable_storm();
      *storm->mutable_at() = ToDurationProto(length / 4);
      storm->set_percent(100);
      storm->set_jitter("none");
      For(&plan, length);
      break;
    }
    case 12:
      draw.name = "messages";
      plan = web_socket("/mock/size=10");
      plan.mutable_web_socket()->set_pipeline(between(1, 8));
      plan.mutable_requests(0)->set_body("hello");
      *plan.mutable_web_socket()->mutable_ping()->mutable_every() = ToDurationProto(20 * kMillisecond);
      For(&plan, length);
      break;
    case 13:
    case 14:
      draw.name = mode == 13 ? "a point that is restarted" : "run after run";
      plan = http("/api/v3/ping");
      plan.mutable_sweep()->set_warmup_requests_per_connection(1);
      For(&plan, length);
      draw.loop = mode == 13 ? Draw::Loop::kSamePoint : Draw::Loop::kNewRun;
      break;
    case 15:
      draw.name = "a target that resets";
      plan = http("/mock/fault=reset/3");
      For(&plan, length);
      break;
    case 16:
      draw.name = "redirects that are followed";
      plan = PlanFor(target.Leading(), connections, 10);
      plan.set_follow(3);
      // An open loop needs room for all the redirects that it may have.
      rng() % 2 == 0 ? For(&plan, length) : Pace(&plan, draw.max_rate / 4, length);
      if (rng() % 2 == 0) *plan.mutable_sweep()->mutable_warmup() = ToDurationProto(length / 4);
      draw.is_led = true;
      break;
  }
  plan.set_threads(static_cast<std::int32_t>(between(1, 3)));
  ApplyDefaults(&plan);
  draw.name += absl::StrCat(", ", connections, " connections, ", plan.threads(), " workers, ", draw.max_rate, "/s, ",
                            draw.max_connect_rate, " connects/s");
  return draw;
}

void Try(int mode, std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  Target target;
  const Draw draw = DrawPlan(mode, target, rng);
  SCOPED_TRACE(testing::Message() << draw.name << ", seed " << seed);
  const TargetGuard guard = Capped(draw.max_rate, draw.max_connect_rate);
  ASSERT_OK(ValidatePlan(draw.plan));
  PointRun run;
  if (draw.loop == Draw::Loop::kOnce) {
    run = RunOnePoint(draw.plan, guard);
  } else {
    Restart(draw.plan, guard, 800 * kMillisecond, draw.loop == Draw::Loop::kNewRun);
  }
  const RelayRecord record = draw.is_led ? target.to_leading.Record() : target.relay.Record();
  EXPECT_FALSE(Sent(record).empty());
  if (draw.is_led) {
    EXPECT_GT(run.counters.redirects_followed, 0u);
  }
  ExpectWithin(record, draw.max_rate, draw.max_connect_rate);
  if (!draw.is_paced) return;
  EXPECT_GT(run.counters.held, 0u);
  const double most = draw.max_rate * static_cast<double>(draw.busy) / 1e9;
  EXPECT_GE(static_cast<double>(run.counters.sent), 0.75 * most - 2) << "paced, not starved";
}

TEST(CeilingTest, WhatArrivesKeepsWithinIt) {
  const std::uint64_t seed = TestSeed();
  SCOPED_TRACE(testing::Message() << "TIDEMARK_SEED=" << seed);
  const int plans = IsFull() ? 100 : kModes;
  SideBySide(plans, 8, [seed](int plan) { Try(plan % kModes, seed + static_cast<std::uint64_t>(plan)); });
}

TEST(CeilingTest, AClosedLoopIsPacedAndTheWaitIsCounted) {
  Target target;
  proto::Plan plan = PlanFor(target.Url("/api/v3/ping"), 10, 0);
  For(&plan, kSecond);
  const PointRun run = RunOnePoint(plan, Capped(50));
  EXPECT_GE(run.counters.sent, 45u);
  EXPECT_LE(run.counters.sent, 55u + 1);
  EXPECT_GE(run.counters.held, 40u);
  EXPECT_EQ(run.counters.planned, run.counters.sent) << "what was held back at the end was asked for by nobody";
  ExpectWithin(target.relay.Record(), 50, 0);
}

TEST(CeilingTest, ACountedRunIsPacedToItsEnd) {
  Target target;
  const PointRun run = RunOnePoint(PlanFor(target.Url("/api/v3/ping"), 4, 10), Capped(100));
  EXPECT_EQ(run.counters.success, 40u);
  ExpectWithin(target.relay.Record(), 100, 0);
}

TEST(CeilingTest, AScheduleThatItCannotKeepIsRefusedAndSaysWhatItNeeds) {
  Target target;
  proto::Plan plan = PlanFor(target.Url("/api/v3/ping"), 1, 0);
  Pace(&plan, 100, 200 * kMillisecond);
  const auto prepare = [&](const TargetGuard& guard) {
    proto::Open open;
    *open.mutable_plan() = plan;
    auto session = Session::Open(open, guard, 1, [](const proto::Event&) {});
    EXPECT_OK(session);
    return (*session)->Prepare(WholePoint(1));
  };
  EXPECT_OK(prepare(Capped(100)));
  EXPECT_THAT(prepare(Capped(99)), FailsWith("a share of 100 requests per second, but the agent's --allow-list caps it "
                                             "at 99; add agents"));
  plan.mutable_sweep()->set_arrivals("poisson");
  EXPECT_OK(prepare(Capped(140)));
  EXPECT_THAT(prepare(Capped(139)),
              FailsWith("needs a ceiling of 140 (the rate and four times its root), but the agent's --allow-list caps "
                        "it at 139; that is enough for 99.1"));
  plan.mutable_sweep()->set_arrivals("constant");
  plan.mutable_sweep()->set_new_connection(true);
  EXPECT_THAT(prepare(Capped(0, 50)), FailsWith("a share of 100 new connections per second, but the agent's"));
  EXPECT_OK(prepare(Capped(0, 100)));
}

TEST(CeilingTest, AStartThatHasPassedIsNone) {
  Target target;
  proto::Plan plan = PlanFor(target.Url("/api/v3/ping"), 1, 0);
  Pace(&plan, 10, kSecond);
  EventLog log;
  proto::Open open;
  *open.mutable_plan() = plan;
  const TargetGuard guard = *TargetGuard::Make({});
  auto session = *Session::Open(open, guard, 1, [&log](const proto::Event& event) { log.Add(event); });
  ASSERT_OK(session->Prepare(WholePoint(1)));
  log.WaitFor([](const proto::Event& event) { return event.has_ready(); });
  for (const Nanos start :
       {MonotonicNow() - 500 * kSecond, MonotonicNow() - kMillisecond, Nanos{0}, std::numeric_limits<Nanos>::min()}) {
    proto::Arm arm;
    arm.set_start_ns(start);
    EXPECT_OK(session->Arm(arm));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  int armed = 0;
  for (const proto::Event& event : log.Events()) {
    if (!event.has_armed()) continue;
    ++armed;
    EXPECT_LT(event.armed().margin_ns(), 0);
  }
  EXPECT_EQ(armed, 4);
  EXPECT_TRUE(target.relay.Record().exchanges.empty());
}

TEST(CeilingTest, ATimedWarmupThinksAsThePointDoes) {
  for (const bool has_new_connections : {false, true}) {
    Target target;
    proto::Plan plan = PlanFor(target.Url("/api/v3/ping"), 20, 0);
    For(&plan, 500 * kMillisecond);
    *plan.mutable_sweep()->mutable_think_time() = ToDurationProto(100 * kMillisecond);
    *plan.mutable_sweep()->mutable_warmup() = ToDurationProto(500 * kMillisecond);
    plan.mutable_sweep()->set_new_connection(has_new_connections);
    PointRun run = RunOnePoint(plan);
    EXPECT_GE(run.warmup.sent, 50u);
    EXPECT_LE(run.warmup.sent, 20u * 5);
    EXPECT_LE(run.warmup[ConnectResult::kEstablished], 20u * 6);
  }
}

TEST(CeilingTest, ClientPingsCount) {
  Target target;
  proto::Plan plan = PlanFor(target.Ws("/mock/stream=100ms"), 5, 0);
  plan.mutable_web_socket()->mutable_listen();
  *plan.mutable_web_socket()->mutable_ping()->mutable_every() = ToDurationProto(kMillisecond);
  For(&plan, kSecond);
  const PointRun run = RunOnePoint(plan, Capped(20));
  EXPECT_GE(run.counters.client_pings, 15u);
  EXPECT_LE(run.counters.client_pings, 22u);
  ExpectWithin(target.relay.Record(), 20, 0);
}

TEST(CeilingTest, SubscriptionsOfConnectionsThatComeAndGoCount) {
  Target target;
  proto::Plan plan = PlanFor(target.Ws("/mock/stream=100ms"), 2, 0);
  for (int i = 0; i < 200; ++i) plan.mutable_web_socket()->add_subscribe("{\"id\":1}");
  *plan.mutable_web_socket()->mutable_listen()->mutable_hold() = ToDurationProto(10 * kMillisecond);
  For(&plan, kSecond);
  const PointRun run = RunOnePoint(plan, Capped(500));
  EXPECT_GT(run.counters.held, 100u);
  ExpectWithin(target.relay.Record(), 500, 0);
}

// A subscription that waits for its turn is not one that the target leaves unanswered.
TEST(CeilingTest, WhatTheCeilingTakesIsNoTimeOut) {
  Target target;
  proto::Plan plan = PlanFor(target.Ws("/mock/subscribe=1,stream=50ms"), 2, 0);
  for (int i = 0; i < 10; ++i) plan.mutable_web_socket()->add_subscribe(R"({"method":"SUBSCRIBE","id":1})");
  plan.mutable_web_socket()->set_ack("/result=null");
  plan.mutable_web_socket()->mutable_listen();
  *plan.mutable_connect_timeout() = ToDurationProto(300 * kMillisecond);
  *plan.mutable_timeout() = ToDurationProto(300 * kMillisecond);
  For(&plan, 300 * kMillisecond);
  PointRun run = RunOnePoint(plan, Capped(20));  // 22 messages, 1.1 s
  EXPECT_EQ(run.ready.connections_up(), 2);
  EXPECT_EQ(run.warmup[ConnectResult::kEstablished], 2u);
  EXPECT_EQ(run.warmup[ConnectResult::kUpgradeFailed], 0u);
}

// Ten connections that the target closes before the start come back one by one, as the rate allows: they are held
// closed by us, and none of them is missing.
TEST(CeilingTest, AConnectionThatAwaitsItsTurnAtTheStartIsNotAskedFor) {
  for (const bool is_plans : {true, false}) {
    std::atomic<bool> must_close{false};
    std::atomic<int> served{0};
    RawServer server([&](int fd) {
      if (++served > 10) {
        while (ReadRequest(fd)) SendAll(fd, "HTTP/1.1 204 Fine\r\n\r\n");
        return;
      }
      while (!must_close) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
    proto::Plan plan = PlanFor(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 10, 0);
    plan.set_threads(1);
    *plan.mutable_sweep()->mutable_think_time() = ToDurationProto(20 * kMillisecond);
    For(&plan, 500 * kMillisecond);
    EventLog log;
    proto::Open open;
    *open.mutable_plan() = plan;
    const TargetGuard guard = is_plans ? *TargetGuard::Make({}) : Capped(0, 20);
    auto session = *Session::Open(open, guard, 1, [&log](const proto::Event& event) { log.Add(event); });
    proto::Prepare prepare = WholePoint(10);
    if (is_plans) prepare.set_connect_rate(ScheduleRate(20));
    ASSERT_OK(session->Prepare(prepare));
    log.WaitFor([](const proto::Event& event) { return event.has_ready(); });
    must_close = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    proto::Arm arm;
    arm.set_start_ns(MonotonicNow() + 50 * kMillisecond);
    ASSERT_OK(session->Arm(arm));
    const proto::Shard last =
        log.WaitFor([](const proto::Event& event) { return event.has_shard() && event.shard().is_final(); }).shard();
    Counters counters;
    Pending pending;
    ASSERT_TRUE(FromProto(last.counters(), &counters, &pending));
    EXPECT_GT(counters.up_ns, 0u);
    EXPECT_GE(static_cast<double>(counters.up_ns), 0.9 * static_cast<double>(counters.asked_ns)) << is_plans;
  }
}

}  // namespace
}  // namespace tidemark
