// What happened is counted by its own name: statuses with what was said first, connections that were given up, the
// reason of what was never sent, resets.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/plan/durations.h"
#include "tests/support/raw_server.h"
#include "tests/support/session_run.h"

namespace tidemark {
namespace {

std::string Url(const RawServer& server, const char* scheme = "http") {
  return absl::StrCat(scheme, "://127.0.0.1:", server.port(), "/");
}

std::string Response(int status, const std::string& body, const std::string& header = "") {
  return absl::StrCat("HTTP/1.1 ", status, " X\r\n", header, "Content-Length: ", body.size(), "\r\n\r\n", body);
}

// A port of loopback on which nothing listens, nor will: it stays bound while the test lasts.
class ClosedPort {
 public:
  ClosedPort() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t size = sizeof address;
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ClosedPort(const ClosedPort&) = delete;
  ClosedPort& operator=(const ClosedPort&) = delete;
  ~ClosedPort() { close(fd_); }
  int number() const { return port_; }

 private:
  const int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int port_ = 0;
};

proto::Plan Timed(const std::string& url, std::int64_t connections, Nanos duration) {
  proto::Plan plan = PlanFor(url, connections, 1);
  plan.mutable_sweep()->clear_requests_per_connection();
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(duration);
  return plan;
}

// A listener whose queue holds one connection: with that in it the kernel drops what else comes, and nobody answers.
class FullListener {
 public:
  FullListener() {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    EXPECT_EQ(listen(listener_, 0), 0);
    socklen_t length = sizeof address_;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &length);
  }
  ~FullListener() {
    close(filler_);
    close(listener_);
  }
  std::string Url() const { return absl::StrCat("http://127.0.0.1:", ntohs(address_.sin_port), "/"); }
  int Accept() const { return accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); }
  void Fill() const { EXPECT_EQ(connect(filler_, reinterpret_cast<const sockaddr*>(&address_), sizeof address_), 0); }

 private:
  const int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int filler_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address_{};
};

// A point that is prepared, and stopped before it starts.
struct StoppedRun {
  explicit StoppedRun(const proto::Plan& plan) {
    proto::Open open;
    open.set_run("test");
    *open.mutable_plan() = plan;
    session = *Session::Open(open, *TargetGuard::Make({}), 1, [this](const proto::Event& event) { log.Add(event); });
    EXPECT_OK(session->Prepare(WholePoint(plan.sweep().connections(0), plan.sweep().requests())));
  }
  // The counters of the preparation and of the point, together.
  Counters Stop() {
    session->Stop();
    const proto::Ready ready = log.WaitFor([](const proto::Event& event) { return event.has_ready(); }).ready();
    const proto::Shard last =
        log.WaitFor([](const proto::Event& event) { return event.has_shard() && event.shard().is_final(); }).shard();
    Counters before;
    Counters counters;
    Pending pending;
    EXPECT_TRUE(FromProto(ready.warmup(), &before, &pending));
    EXPECT_TRUE(FromProto(last.counters(), &counters, &pending));
    EXPECT_EQ(BrokenIdentity(counters, pending), "");
    counters.Add(before);
    return counters;
  }
  EventLog log;
  std::unique_ptr<Session> session;
};

TEST(StatusTest, EachHasItsCountAndTheFailingOnesTheirFirstBody) {
  RawServer server([](int fd) {
    for (const int status : {200, 401, 404, 401, 415, 200, 503, 299}) {
      if (!ReadRequest(fd)) return;
      SendAll(fd, status < 300 ? Response(status, "fine")
                               : Response(status, absl::StrCat("{\"no\":", status, "}"), "Content-Type: a/b\r\n"));
    }
  });
  proto::Plan plan = PlanFor(Url(server), 3, 8);
  PointRun run = RunOnePoint(plan);
  const std::map<StatusCounts::Key, std::uint64_t> expected = {{{false, 200}, 6}, {{false, 299}, 3}, {{false, 401}, 6},
                                                               {{false, 404}, 3}, {{false, 415}, 3}, {{false, 503}, 3}};
  EXPECT_EQ(run.statuses.Counts(), expected);
  EXPECT_EQ(run.counters.Complete(), 24u);
  ASSERT_EQ(run.statuses.answers().size(), 4u);
  for (const std::uint32_t status : {401u, 404u, 415u, 503u}) {
    const FirstAnswer& answer = run.statuses.answers().at({.status = status});
    EXPECT_EQ(answer.body, absl::StrCat("{\"no\":", status, "}"));
    EXPECT_EQ(answer.content_type, "a/b");
  }
}

TEST(StatusTest, WhatIsASuccessThePlanSays) {
  RawServer server([](int fd) {
    for (int i = 0; ReadRequest(fd); ++i) SendAll(fd, Response(i % 2 == 0 ? 200 : 404, "said"));
  });
  proto::Plan plan = PlanFor(Url(server), 1, 10);
  plan.add_expect_status("404");
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.success, 5u);
  ASSERT_EQ(run.statuses.answers().size(), 1u);
  EXPECT_EQ(run.statuses.answers().begin()->first.status, 200u);
}

TEST(StatusTest, TheWarmUpHasAnAccountOfItsOwnAndThePointABodyStill) {
  // The header is the same each time: in the point it is known already.
  RawServer server([](int fd) {
    for (int i = 0; ReadRequest(fd); ++i) SendAll(fd, Response(403, absl::StrCat("number ", i)));
  });
  proto::Plan plan = PlanFor(Url(server), 1, 4);
  plan.mutable_sweep()->set_warmup_requests_per_connection(3);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.warmup_statuses.Counts().at({.status = 403}), 3u);
  EXPECT_EQ(run.statuses.Counts().at({.status = 403}), 4u);
  EXPECT_EQ(run.warmup_statuses.answers().at({.status = 403}).body, "number 0");
  EXPECT_EQ(run.statuses.answers().at({.status = 403}).body, "number 3");
}

TEST(StatusTest, ABodyIsInertAndHoldsNoSecretThatTheTargetWasTold) {
  setenv("TIDEMARK_TEST_ECHO", "sesame", 1);
  RawServer server([](int fd) {
    std::string request;
    for (char byte; recv(fd, &byte, 1, 0) == 1;) {
      request += byte;
      if (!absl::EndsWith(request, "\r\n\r\n")) continue;
      SendAll(fd, Response(400, absl::StrCat("\x1b[2J\u202e", request), "Content-Type: text/sesame\r\n"));
      request.clear();
    }
  });
  proto::Plan plan = PlanFor(Url(server), 1, 2);
  plan.mutable_requests(0)->set_path("/?key={env:TIDEMARK_TEST_ECHO}");
  plan.mutable_requests(0)->add_headers("Authorization: Bearer swordfish");
  TargetGuard guard = *TargetGuard::Make({});
  guard.AllowWhatTheUserMay();
  PointRun run = RunOnePoint(plan, guard);
  const FirstAnswer& answer = run.statuses.answers().at({.status = 400});
  EXPECT_TRUE(absl::StrContains(answer.body, "GET /?key=*** HTTP/1.1")) << answer.body;
  EXPECT_TRUE(absl::StrContains(answer.body, "Authorization: ***")) << answer.body;
  EXPECT_FALSE(absl::StrContains(answer.body, "swordfish")) << answer.body;
  EXPECT_TRUE(absl::StartsWith(answer.body, "?[2J?")) << answer.body;
  EXPECT_EQ(answer.content_type, "text/***");
  prctl(PR_SET_DUMPABLE, 1);
}

TEST(StatusTest, RefusedUpgradesCountByStatusToo) {
  for (const int status : {401, 403, 429, 503}) {
    RawServer server([status](int fd) {
      if (!ReadRequest(fd)) return;
      // The body comes after the header.
      const std::string answer = Response(status, "go away", "Content-Type: text/plain\r\n");
      SendAll(fd, answer.substr(0, answer.size() - 4));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      SendAll(fd, answer.substr(answer.size() - 4));
      ReadRequest(fd);  // keeps the connection open
    });
    PointRun run = RunOnePoint(PlanFor(Url(server, "ws"), 1, 3));
    const StatusCounts::Key key{.is_upgrade = true, .status = static_cast<std::uint32_t>(status)};
    EXPECT_EQ(run.warmup_statuses.Counts().at(key), run.warmup[ConnectResult::kUpgradeFailed]) << status;
    EXPECT_GT(run.warmup[ConnectResult::kUpgradeFailed], 0u);
    EXPECT_EQ(run.warmup_statuses.answers().at(key).body, "go away");
    EXPECT_EQ(run.warmup_statuses.answers().at(key).content_type, "text/plain");
    EXPECT_EQ(run.counters.Complete(), 0u);
  }
}

TEST(StatusTest, ARefusalWhoseBodyNeverEndsIsARefusalStill) {
  RawServer server([](int fd) {
    if (!ReadRequest(fd)) return;
    SendAll(fd, "HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\nonly this");
    ReadRequest(fd);
  });
  proto::Plan plan = PlanFor(Url(server, "ws"), 1, 1);
  *plan.mutable_connect_timeout() = ToDurationProto(100 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  const StatusCounts::Key key{.is_upgrade = true, .status = 403};
  EXPECT_GT(run.warmup_statuses.Counts().at(key), 0u);
  EXPECT_EQ(run.warmup_statuses.answers().at(key).body, "only this");
  EXPECT_EQ(run.counters[NeverSent::kUpgrade], 1u);
}

TEST(AbandonedTest, AConnectionUnderWayAtTheEndIsCountedAndWhetherTheTargetHadAcceptedIt) {
  std::atomic<int> accepted{0};
  RawServer server([&accepted](int fd) {
    ++accepted;
    ReadRequest(fd);  // and never answers the upgrade
    ReadRequest(fd);
  });
  StoppedRun run(PlanFor(Url(server, "ws"), 4, 1));
  while (accepted < 4) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const Counters sum = run.Stop();
  EXPECT_EQ(sum.connects[static_cast<std::size_t>(ConnectResult::kAbandoned)], 4u);
  EXPECT_EQ(sum.abandoned_open, 4u);
}

TEST(NeverSentTest, TheReasonOfATargetThatWasNeverThereIsNoStop) {
  const ClosedPort port;
  // As the coordinator does when nothing could be opened: the point is stopped before it starts.
  proto::Plan plan = PlanFor(absl::StrCat("http://127.0.0.1:", port.number(), "/"), 3, 100);
  StoppedRun run(plan);
  run.log.WaitFor([](const proto::Event& event) { return event.has_ready(); });
  Counters counters = run.Stop();
  EXPECT_EQ(counters.planned, 300u);
  EXPECT_EQ(counters[NeverSent::kConnectRefused], 300u);
  EXPECT_EQ(counters[NeverSent::kStopped], 0u);
}

TEST(NeverSentTest, ASlotThatWaitedForARefusedConnectionAtTheEndWasRefused) {
  const ClosedPort port;
  proto::Plan plan = Timed(absl::StrCat("http://127.0.0.1:", port.number(), "/"), 4, 400 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_GT(run.counters[NeverSent::kConnectRefused], 4u);
  EXPECT_EQ(run.counters.NeverSentTotal(), run.counters[NeverSent::kConnectRefused]);
}

TEST(NeverSentTest, AnOpenLoopWithoutAConnectionHasNoCap) {
  const ClosedPort port;
  proto::Plan plan = PlanFor(absl::StrCat("http://127.0.0.1:", port.number(), "/"), 2, 1);
  Pace(&plan, 100, 300 * kMillisecond);
  *plan.mutable_timeout() = ToDurationProto(200 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.planned, 30u);
  EXPECT_EQ(run.counters[NeverSent::kConnectRefused], 30u);
}

TEST(NeverSentTest, ACapIsWhereConnectionsWereUpAndBusy) {
  RawServer server([](int fd) {
    ReadRequest(fd);
    ReadRequest(fd);  // never answers
  });
  proto::Plan plan = PlanFor(Url(server), 2, 1);
  Pace(&plan, 100, 300 * kMillisecond);
  *plan.mutable_timeout() = ToDurationProto(1500 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.planned, 30u);
  EXPECT_GT(run.counters[NeverSent::kCap], 0u);
  EXPECT_EQ(run.counters.NeverSentTotal(), run.counters[NeverSent::kCap]);
}

TEST(NeverSentTest, ASlotOfATargetThatNeverAnswersAConnectionWasNotStopped) {
  const FullListener listener;
  listener.Fill();
  proto::Plan plan = Timed(listener.Url(), 2, 300 * kMillisecond);
  *plan.mutable_connect_timeout() = ToDurationProto(800 * kMillisecond);
  // Which is how much later the preparation ends: more than a tick, so that an attempt has failed by then.
  *plan.mutable_timeout() = ToDurationProto(300 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.planned, 2u);
  EXPECT_EQ(run.counters[NeverSent::kConnectTimeout], 2u);
  EXPECT_EQ(run.counters.abandoned_open, 0u);
}

TEST(NeverSentTest, AnAttemptThatTheEndOvertakesIsASlotOnlyIfItHadASecond) {
  for (const bool is_young : {true, false}) {
    const FullListener listener;
    std::thread server([&listener] {
      const int fd = listener.Accept();
      ReadRequest(fd);
      listener.Fill();
      SendAll(fd, Response(200, "", "Connection: close\r\n"));
      ReadRequest(fd);
      close(fd);
    });
    proto::Plan plan = Timed(listener.Url(), 1, (is_young ? 300 : 1500) * kMillisecond);
    *plan.mutable_connect_timeout() = ToDurationProto(10 * kSecond);
    PointRun run = RunOnePoint(plan);
    server.join();
    EXPECT_EQ(run.counters.success, 1u);
    EXPECT_EQ(run.counters.planned, is_young ? 1u : 2u);
    EXPECT_EQ(run.counters[NeverSent::kConnecting], is_young ? 0u : 1u);
    EXPECT_EQ(run.counters.connects[static_cast<std::size_t>(ConnectResult::kAbandoned)], 1u);
  }
}

// Answers `answers` requests of the first connection and goes away; comes back after `away`, unless that is zero.
class Restarting {
 public:
  Restarting(int answers, std::chrono::milliseconds away) {
    const int first = Listen();
    thread_ = std::thread([this, answers, away, first] {
      Serve(first, answers);
      if (away.count() == 0) return;
      std::this_thread::sleep_for(away);
      Serve(Listen(), std::numeric_limits<int>::max());
    });
  }
  ~Restarting() { thread_.join(); }
  std::string Url() const { return absl::StrCat("http://127.0.0.1:", port_, "/"); }

 private:
  int Listen() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(fd, 16), 0);
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
    return fd;
  }
  // One connection.
  static void Serve(int listener, int answers) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    for (int i = 0; i < answers && ReadRequest(fd); ++i) SendAll(fd, Response(200, ""));
    close(listener);
    close(fd);
  }

  int port_ = 0;
  std::thread thread_;
};

TEST(NeverSentTest, ACountedRunWaitsForATargetThatRestarts) {
  const Restarting server(20, std::chrono::milliseconds(900));
  PointRun run = RunOnePoint(PlanFor(server.Url(), 1, 100));
  EXPECT_EQ(run.counters.planned, 100u);
  // Each attempt that was refused had a slot: 10 ms, 20 ms, ... 640 ms between them.
  EXPECT_LE(run.counters[NeverSent::kConnectRefused], 8u);
  EXPECT_EQ(run.counters.sent + run.counters[NeverSent::kConnectRefused], 100u);
  EXPECT_GE(run.counters.success + 1, run.counters.sent);  // one may have been under way
  EXPECT_EQ(run.counters.given_up, 0u);
}

TEST(NeverSentTest, ACountedRunGivesUpATargetThatIsGone) {
  const Restarting server(20, std::chrono::milliseconds(0));
  const Nanos begin = MonotonicNow();
  PointRun run = RunOnePoint(PlanFor(server.Url(), 1, 100));
  EXPECT_GT(MonotonicNow() - begin, 5 * kSecond);
  EXPECT_EQ(run.counters.planned, 100u);
  EXPECT_EQ(run.counters.success, 20u);
  EXPECT_GE(run.counters[NeverSent::kConnectRefused], 79u);
  EXPECT_EQ(run.counters.given_up, 1u);
}

TEST(ResetTest, AResetIsOneWhetherItMeetsAReadOrAWrite) {
  for (const std::size_t body : {std::size_t{10}, std::size_t{8} << 20}) {  // all written before it; not by far
    RawServer server([](int fd) {
      char some[100];
      if (recv(fd, some, sizeof some, 0) > 0) ResetOnClose(fd);
    });
    proto::Plan plan = PlanFor(Url(server), 2, 5);
    plan.mutable_requests(0)->set_method("POST");
    plan.mutable_requests(0)->set_body(std::string(body, 'x'));
    PointRun run = RunOnePoint(plan);
    EXPECT_EQ(run.counters.sent, 10u) << body;
    EXPECT_EQ(run.counters[Outcome::kReset], 10u) << body;
  }
}

}  // namespace
}  // namespace tidemark
