// Redirects that are followed: what goes out, where it goes, what it counts as, and how it ends.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/plan/durations.h"
#include "tests/support/raw_server.h"
#include "tests/support/server_tls.h"
#include "tests/support/session_run.h"

namespace tidemark {
namespace {

std::string Redirect(int status, const std::string& location, const std::string& more = "") {
  return absl::StrCat("HTTP/1.1 ", status, " Go\r\nLocation: ", location, "\r\n", more,
                      "Content-Length: 4\r\n\r\ngone");
}

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string kClose = "Connection: close\r\n";

// Answers each request by its path, and keeps what was asked for.
class PathServer {
 public:
  // `answers`: by path; others get kOk. A connection whose answer has kClose in it is closed.
  explicit PathServer(std::map<std::string, std::string> answers) : answers_(std::move(answers)) {}

  std::string Url(const std::string& path = "/") const { return absl::StrCat("http://127.0.0.1:", port(), path); }
  int port() const { return server_.port(); }
  std::vector<std::string> Requests() {
    MutexLock lock(&mutex_);
    return requests_;
  }
  // How many requests had that first line.
  int Count(const std::string& line) {
    int count = 0;
    for (const std::string& request : Requests()) count += absl::StartsWith(request, line + " HTTP/1.1\r\n") ? 1 : 0;
    return count;
  }
  int connections() const { return connections_; }

 private:
  void Serve(int fd) {
    ++connections_;
    for (std::string request; ReadRequest(fd, &request); request.clear()) {
      const std::size_t length = request.find("Content-Length: ");
      int size = 0;
      if (length != std::string::npos) {
        std::string digits = request.substr(length + 16);
        EXPECT_TRUE(absl::SimpleAtoi(digits.substr(0, digits.find('\r')), &size));
      }
      std::string body(static_cast<std::size_t>(size), '\0');
      if (size > 0 && recv(fd, body.data(), body.size(), MSG_WAITALL) != size) return;
      const std::size_t at = request.find(' ') + 1;
      const auto answer = answers_.find(request.substr(at, request.find(' ', at) - at));
      {
        MutexLock lock(&mutex_);
        requests_.push_back(request + body);
      }
      SendAll(fd, answer == answers_.end() ? kOk : answer->second);
      const bool ends =
          absl::StrContains(request, kClose) || (answer != answers_.end() && absl::StrContains(answer->second, kClose));
      if (ends) return;
    }
  }

  const std::map<std::string, std::string> answers_;
  std::atomic<int> connections_{0};
  Mutex mutex_;
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  RawServer server_{[this](int fd) { Serve(fd); }};  // last: its threads use the others
};

proto::Plan Following(const std::string& url, std::int64_t connections, std::int64_t each, std::int64_t follow = 5) {
  proto::Plan plan = PlanFor(url, connections, each);
  plan.mutable_sweep()->set_warmup_requests_per_connection(0);
  plan.set_follow(follow);
  *plan.mutable_timeout() = ToDurationProto(10 * kSecond);
  return plan;
}

// By definition: hops are no slots.
void ExpectAccount(const PointRun& run, std::uint64_t slots, std::uint64_t hops) {
  EXPECT_EQ(run.counters.planned, slots);
  EXPECT_EQ(run.counters.sent, slots);
  EXPECT_EQ(run.counters.OutcomeTotal(), slots);
  EXPECT_EQ(run.counters.redirects_followed, hops);
  EXPECT_EQ(run.pending.in_flight, 0u);
}

TEST(FollowingTest, ARedirectIsFollowedOnItsConnectionAndIsNoSlot) {
  PathServer server({{"/", Redirect(302, "/a")}, {"/a", Redirect(307, "b?c")}});
  PointRun run = RunOnePoint(Following(server.Url(), 2, 10));
  ExpectAccount(run, 20, 40);
  EXPECT_EQ(run.counters[Outcome::kStatus2xx], 20u);
  EXPECT_EQ(run.counters.success, 20u);
  EXPECT_EQ(server.Count("GET /"), 20);
  EXPECT_EQ(server.Count("GET /a"), 20);
  EXPECT_EQ(server.Count("GET /b?c"), 20);
  EXPECT_EQ(server.connections(), 2);
  EXPECT_EQ(run.counters.unannounced_closes, 0u);
  // Statuses are of answers.
  ASSERT_EQ(run.statuses.Counts().size(), 1u);
}

TEST(FollowingTest, NobodyFollowsUnasked) {
  PathServer server({{"/", Redirect(302, "/a")}});
  PointRun run = RunOnePoint(Following(server.Url(), 2, 10, 0));
  ExpectAccount(run, 20, 0);
  EXPECT_EQ(run.counters[Outcome::kStatus3xx], 20u);
  EXPECT_EQ(run.counters.redirects_cut + run.counters.redirects_elsewhere + run.counters.redirects_unreadable, 0u);
  EXPECT_EQ(server.Count("GET /a"), 0);
}

TEST(FollowingTest, ALoopEndsAndItsLastRedirectIsTheAnswer) {
  PathServer server({{"/", Redirect(301, "/")}});
  PointRun run = RunOnePoint(Following(server.Url(), 1, 4, 3));
  ExpectAccount(run, 4, 12);
  EXPECT_EQ(run.counters[Outcome::kStatus3xx], 4u);
  EXPECT_EQ(run.counters.redirects_cut, 4u);
  EXPECT_EQ(server.Count("GET /"), 16);
}

TEST(FollowingTest, WhatLeavesTheTargetOrCannotBeReadIsTheAnswer) {
  std::atomic<int> asked{0};
  RawServer elsewhere([&](int) { ++asked; });
  const std::string other = absl::StrCat("http://127.0.0.1:", elsewhere.port(), "/");
  struct Row {
    std::string answer;
    std::uint64_t elsewhere;
    std::uint64_t unreadable;
  };
  for (const Row& row :
       {Row{Redirect(302, other), 3, 0}, Row{Redirect(302, "https://127.0.0.1/"), 3, 0},
        Row{Redirect(308, "http://8.8.8.8/"), 3, 0}, Row{Redirect(302, "http://127.1/"), 0, 3},
        Row{Redirect(302, ""), 0, 3}, Row{Redirect(302, "/a b"), 0, 3},
        Row{Redirect(302, "/a", "Location: /b\r\n"), 0, 3}, Row{"HTTP/1.1 302 Go\r\nContent-Length: 0\r\n\r\n", 0, 3},
        Row{"HTTP/1.1 302 Go\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nLocation: /a\r\n\r\n", 0, 3}}) {
    PathServer server({{"/", row.answer}});
    PointRun run = RunOnePoint(Following(server.Url(), 1, 3));
    ExpectAccount(run, 3, 0);
    EXPECT_EQ(run.counters[Outcome::kStatus3xx], 3u) << row.answer;
    EXPECT_EQ(run.counters.redirects_elsewhere, row.elsewhere) << row.answer;
    EXPECT_EQ(run.counters.redirects_unreadable, row.unreadable) << row.answer;
    EXPECT_EQ(server.Count("GET /"), 3);
    EXPECT_EQ(server.connections(), 1);  // it is used again
  }
  EXPECT_EQ(asked, 0);
}

TEST(FollowingTest, OnlyRedirectsAre) {
  for (const int status : {200, 201, 300, 304, 305, 306, 404}) {
    PathServer server({{"/", absl::StrCat("HTTP/1.1 ", status, " X\r\nLocation: /a\r\n",
                                          status == 304 ? "" : "Content-Length: 0\r\n", "\r\n")}});
    PointRun run = RunOnePoint(Following(server.Url(), 1, 3));
    ExpectAccount(run, 3, 0);
    EXPECT_EQ(server.Count("GET /a"), 0) << status;
  }
}

TEST(FollowingTest, ABodyGoesAlongUnlessTheStatusMakesItAGet) {
  struct Row {
    int status;
    const char* method;
    const char* line;
    bool has_body;
  };
  for (const Row& row :
       {Row{301, "POST", "GET /a", false}, Row{302, "POST", "GET /a", false}, Row{303, "POST", "GET /a", false},
        Row{307, "POST", "POST /a", true}, Row{308, "POST", "POST /a", true}, Row{302, "PUT", "PUT /a", true},
        Row{303, "PUT", "GET /a", false}}) {
    PathServer server({{"/", Redirect(row.status, "/a")}});
    proto::Plan plan = Following(server.Url(), 1, 2);
    plan.mutable_requests(0)->set_method(row.method);
    plan.mutable_requests(0)->set_body("hello-{slot}");
    plan.mutable_requests(0)->add_headers("Content-Type: text/plain");
    plan.mutable_requests(0)->add_headers("Authorization: Basic abc");
    ExpectAccount(RunOnePoint(plan), 2, 2);
    EXPECT_EQ(server.Count(row.line), 2) << row.status << row.method;
    const std::vector<std::string> requests = server.Requests();
    ASSERT_EQ(requests.size(), 4u);
    // To the same host as before.
    EXPECT_TRUE(absl::StrContains(requests[1], "Authorization: Basic abc\r\n"));
    const std::string body = requests[0].substr(requests[0].find("\r\n\r\n") + 4);
    EXPECT_EQ(body.size(), 18u);
    EXPECT_EQ(absl::EndsWith(requests[1], "\r\n\r\n" + body), row.has_body) << requests[1];
    EXPECT_EQ(absl::StrContains(requests[1], "Content-"), row.has_body) << requests[1];
  }
}

TEST(FollowingTest, AfterHeadTheAnswerHasNoBody) {
  PathServer server({{"/", "HTTP/1.1 302 Go\r\nLocation: /a\r\nContent-Length: 4\r\n\r\n"},
                     {"/a", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"}});
  proto::Plan plan = Following(server.Url(), 1, 5);
  plan.mutable_requests(0)->set_method("HEAD");
  ExpectAccount(RunOnePoint(plan), 5, 5);
  EXPECT_EQ(server.Count("HEAD /a"), 5);
  EXPECT_EQ(server.connections(), 1);
}

TEST(FollowingTest, WhereTheConnectionEndsWithTheRedirectTheNextOneServes) {
  PathServer closing({{"/", Redirect(302, "/a", kClose)}});
  ExpectAccount(RunOnePoint(Following(closing.Url(), 1, 5)), 5, 5);
  EXPECT_EQ(closing.Count("GET /a"), 5);
  EXPECT_EQ(closing.connections(), 6);  // the last answer leaves its connection

  PathServer server({{"/", Redirect(302, "/a")}});
  proto::Plan plan = Following(server.Url(), 2, 5);
  plan.mutable_sweep()->set_new_connection(true);
  ExpectAccount(RunOnePoint(plan), 10, 10);
  EXPECT_EQ(server.connections(), 20);  // each request has its own
}

TEST(FollowingTest, HopsCountForTheConnectionsAccount) {
  PathServer server({{"/", Redirect(302, "/a")}});
  proto::Plan plan = Following(server.Url(), 1, 6);
  plan.mutable_sweep()->set_reconnect_after(3);
  ExpectAccount(RunOnePoint(plan), 6, 6);
  EXPECT_EQ(server.connections(), 4);
  int lasts = 0;
  for (const std::string& request : server.Requests()) lasts += absl::StrContains(request, kClose) ? 1 : 0;
  EXPECT_EQ(lasts, 4);
}

// The peer may close an idle connection between a redirect and the hop: nothing of that has gone out.
TEST(FollowingTest, AnEndBehindTheRedirectCostsNothing) {
  std::atomic<int> requests{0};
  RawServer server([&](int fd) {
    std::string request;
    if (!ReadRequest(fd, &request)) return;
    ++requests;
    const std::string answer = absl::StrContains(request, "GET /a ") ? kOk : Redirect(302, "/a");
    send(fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_MORE);
    shutdown(fd, SHUT_WR);
    char some[64];
    while (recv(fd, some, sizeof some, 0) > 0) {
    }
  });
  PointRun run = RunOnePoint(Following(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 2, 5));
  ExpectAccount(run, 10, 10);
  EXPECT_EQ(run.counters.success, 10u);
  EXPECT_EQ(requests, 20);
}

TEST(FollowingTest, AHopThatIsNotAnsweredIsHowTheSlotEnds) {
  struct Row {
    Outcome outcome;
    std::function<void(int fd)> end;
  };
  for (const Row& row : {Row{Outcome::kClosedEarly, [](int) {}}, Row{Outcome::kReset, [](int fd) { ResetOnClose(fd); }},
                         Row{Outcome::kMalformed, [](int fd) { SendAll(fd, "ICY 200 OK\r\n\r\n"); }},
                         Row{Outcome::kRequestTimeout, [](int fd) { ReadRequest(fd); }}}) {
    RawServer server([&](int fd) {
      for (std::string request; ReadRequest(fd, &request); request.clear()) {
        if (absl::StrContains(request, "GET /a ")) return row.end(fd);
        SendAll(fd, Redirect(302, "/a"));
      }
    });
    proto::Plan plan = Following(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 1, 3);
    *plan.mutable_timeout() = ToDurationProto(300 * kMillisecond);
    PointRun run = RunOnePoint(plan);
    ExpectAccount(run, 3, 3);
    EXPECT_EQ(run.counters[row.outcome], 3u);
  }
}

// A target that is gone when the slot wants to go on: it was sent, and has no answer.
TEST(FollowingTest, AHopWithoutAConnectionFails) {
  // It takes one connection and no other.
  const Listener listener = ListenOn("127.0.0.1", 1);
  std::thread once([&] {
    const int fd = accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC);
    ReadRequest(fd);
    close(listener.fd);
    SendAll(fd, Redirect(302, "/a", kClose));
    close(fd);
  });
  PointRun run = RunOnePoint(Following(absl::StrCat("http://127.0.0.1:", listener.port, "/"), 1, 1));
  once.join();
  ExpectAccount(run, 1, 0);
  EXPECT_EQ(run.counters[Outcome::kReset], 1u);
}

TEST(FollowingTest, TheTimeIsFromTheFirstRequestToTheLastAnswer) {
  RawServer server([](int fd) {
    for (std::string request; ReadRequest(fd, &request); request.clear()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      SendAll(fd, absl::StrContains(request, "GET /a ") ? kOk : Redirect(302, "/a"));
    }
  });
  proto::Plan plan = Following(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 1, 3);
  PointRun run = RunOnePoint(plan);
  ExpectAccount(run, 3, 3);
  // Little's law holds, which the merger checks: the slot is in flight all the time.
  EXPECT_GE(run.counters.busy_ns, static_cast<std::uint64_t>(3 * 60 * kMillisecond));
  // A time-out is of the slot, and not of each hop.
  *plan.mutable_timeout() = ToDurationProto(45 * kMillisecond);
  run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[Outcome::kRequestTimeout], 3u);
}

TEST(FollowingTest, AnOpenLoopAMixAndAWarmUpFollowToo) {
  PathServer server({{"/", Redirect(302, "/a")}, {"/x", Redirect(302, "/")}});
  proto::Plan plan = Following(server.Url(), 4, 1);
  *plan.add_requests() = plan.requests(0);
  plan.mutable_requests(0)->set_name("one");
  plan.mutable_requests(1)->set_name("two");
  plan.mutable_requests(1)->set_path("/x");
  plan.mutable_requests(0)->set_weight(1);
  plan.mutable_requests(1)->set_weight(1);
  *plan.mutable_sweep()->mutable_warmup() = ToDurationProto(100 * kMillisecond);
  Pace(&plan, 200, 500 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  // The last ones may come when the point is over, and lead nowhere then.
  const std::uint64_t followed = run.counters.redirects_followed;
  ExpectAccount(run, 100, followed);
  EXPECT_LE(followed, 50u + 100);
  EXPECT_GE(followed + 2 * run.counters.redirects_ended, 50u + 100);
  EXPECT_GT(run.warmup.redirects_followed, 0u);
  EXPECT_EQ(server.Requests().size(),
            run.warmup.sent + run.warmup.redirects_followed + run.counters.sent + run.counters.redirects_followed);
}

// What the ceiling makes a hop wait is our doing: it counts against no time-out, and is in no latency.
TEST(FollowingTest, HopsObeyTheCeiling) {
  PathServer server({{"/", Redirect(302, "/a")}});
  proto::AllowList list;
  proto::AllowedTarget* const target = list.add_targets();
  target->set_cidr("127.0.0.0/8");
  target->set_max_rate(50);
  proto::Plan plan = Following(server.Url(), 20, 1);
  plan.mutable_sweep()->clear_requests_per_connection();
  plan.mutable_sweep()->set_requests(40);
  *plan.mutable_timeout() = ToDurationProto(200 * kMillisecond);  // 20 connections wait for 400 ms
  const Nanos begin = MonotonicNow();
  PointRun run = RunOnePoint(plan, *TargetGuard::Make({}, list));
  const double seconds = static_cast<double>(MonotonicNow() - begin) / 1e9;
  ExpectAccount(run, 40, 40);
  EXPECT_EQ(run.counters.success, 40u);
  EXPECT_GT(run.counters.held, 20u);
  EXPECT_LE(80, 50 * seconds + Budget::Burst(50));
  const proto::HistogramSummary service = FactsOf(run, Metric::kService);
  ASSERT_EQ(service.count(), 40u);
  EXPECT_LT(service.max_ns(), 200 * kMillisecond);
  EXPECT_EQ(service.sum_low_ns(), run.counters.busy_ns) << "by Little's law";
}

// Neither is what the plan's rate of new connections makes it wait.
TEST(FollowingTest, HopsThatWaitForTheirTurnToConnectAreNotSlow) {
  PathServer server({{"/", Redirect(302, "/a", kClose)}});
  proto::Plan plan = Following(server.Url(), 10, 1);
  plan.mutable_sweep()->set_connect_rate(10);
  *plan.mutable_timeout() = ToDurationProto(500 * kMillisecond);  // the last waits for a second
  const PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.success, 10u);
  EXPECT_LT(FactsOf(run, Metric::kService).max_ns(), 500 * kMillisecond);
  EXPECT_EQ(FactsOf(run, Metric::kService).sum_low_ns(), run.counters.busy_ns);
}

// A schedule whose redirects the ceiling cannot keep is refused, as one that it cannot keep itself.
TEST(FollowingTest, AScheduleIsRefusedWhoseRedirectsTheCeilingCannotKeep) {
  proto::AllowList list;
  proto::AllowedTarget* const target = list.add_targets();
  target->set_cidr("127.0.0.0/8");
  target->set_max_rate(100);
  proto::Open open;
  open.set_run("test");
  proto::Plan& plan = *open.mutable_plan();
  plan = Following("http://127.0.0.1:1/", 4, 3);
  plan.set_follow(3);
  for (const auto& [rate, is_kept] : {std::pair{25.0, true}, {26.0, false}}) {
    plan.mutable_sweep()->clear_rates();
    Pace(&plan, rate, kSecond);
    auto session = Session::Open(open, *TargetGuard::Make({}, list), 1, [](const proto::Event&) {});
    ASSERT_OK(session);
    const absl::Status prepared = (*session)->Prepare(WholePoint(4));
    EXPECT_EQ(prepared.ok(), is_kept) << prepared;
    if (is_kept) continue;
    EXPECT_EQ(prepared.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_NE(prepared.message().find("a share of 104 requests per second, with up to 3 redirects of each, but"),
              std::string::npos)
        << prepared;
  }
}

TEST(FollowingTest, ACutEndsASlotThatFollows) {
  RawServer server([](int fd) {
    for (std::string request; ReadRequest(fd, &request); request.clear()) {
      if (absl::StrContains(request, "GET /a ")) {
        ReadRequest(fd);  // until the client goes
        return;
      }
      SendAll(fd, Redirect(302, "/a"));
    }
  });
  proto::Plan plan = Following(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 2, 1);
  plan.mutable_sweep()->clear_requests_per_connection();
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(200 * kMillisecond);
  *plan.mutable_sweep()->mutable_drain() = ToDurationProto(50 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  ExpectAccount(run, 2, 2);
  EXPECT_EQ(run.counters[Outcome::kCutOff], 2u);
}

// What leads on after the end of a point, its warm-up or an interruption is itself the answer: no hop begins then.
void ExpectNoLateHops(const proto::Plan& plan, const char* name, Nanos after) {
  std::atomic<int> hops{0};
  // Answers come after the end.
  RawServer server([&hops, after](int fd) {
    for (std::string request; ReadRequest(fd, &request); request.clear()) {
      hops += absl::StrContains(request, "GET /a ") ? 1 : 0;
      std::this_thread::sleep_for(std::chrono::nanoseconds(after));
      SendAll(fd, Redirect(302, "/a"));
    }
  });
  proto::Plan aimed = plan;
  aimed.set_target(absl::StrCat("http://127.0.0.1:", server.port(), "/"));
  PointRun run = RunOnePoint(aimed);
  EXPECT_EQ(hops, 0) << name;
  EXPECT_EQ(run.counters.redirects_followed, 0u) << name;
  EXPECT_GT(run.counters.sent, 0u) << name;
  EXPECT_EQ(run.counters.redirects_ended, run.counters.sent) << name;
  EXPECT_EQ(run.counters[Outcome::kStatus3xx], run.counters.sent) << name;
  EXPECT_EQ(run.counters.drained, run.counters.sent) << name;
}

TEST(FollowingTest, NoHopBeginsAfterTheEndOfAPoint) {
  proto::Plan closed = Following("http://127.0.0.1:1/", 3, 1);
  closed.mutable_sweep()->clear_requests_per_connection();
  *closed.mutable_sweep()->mutable_duration() = ToDurationProto(100 * kMillisecond);
  ExpectNoLateHops(closed, "closed loop", 300 * kMillisecond);
  proto::Plan open = Following("http://127.0.0.1:1/", 3, 1);
  Pace(&open, 30, 100 * kMillisecond);
  ExpectNoLateHops(open, "open loop", 300 * kMillisecond);
}

// A hop that waits for the ceiling when the end comes is not sent any more: the slot, which was sent, is cut off.
TEST(FollowingTest, AHopThatWaitsAtTheEndIsCut) {
  PathServer server({{"/", Redirect(302, "/a")}});
  proto::AllowList list;
  proto::AllowedTarget* const target = list.add_targets();
  target->set_cidr("127.0.0.0/8");
  target->set_max_rate(10);
  proto::Plan plan = Following(server.Url(), 8, 1);
  plan.mutable_sweep()->clear_requests_per_connection();
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(500 * kMillisecond);
  PointRun run = RunOnePoint(plan, *TargetGuard::Make({}, list));
  const auto hops = static_cast<std::uint64_t>(server.Count("GET /a"));
  EXPECT_EQ(run.counters.redirects_followed, hops);
  EXPECT_EQ(run.counters.sent, static_cast<std::uint64_t>(server.Count("GET /")));
  EXPECT_EQ(run.counters.sent - hops, run.counters.redirects_ended);
  EXPECT_GT(run.counters.redirects_ended, 0u);
  EXPECT_EQ(run.counters.OutcomeTotal(), run.counters.sent);
  EXPECT_EQ(run.pending.in_flight, 0u);
}

TEST(FollowingTest, OverTlsItIsTheSame) {
  const ServerTls tls;
  std::atomic<int> handshakes{0};
  RawServer server([&](int fd) {
    SSL* const ssl = SSL_new(tls.context.get());
    SSL_set_fd(ssl, fd);
    char some[4096];
    if (SSL_accept(ssl) == 1) {
      ++handshakes;
      for (int n; (n = SSL_read(ssl, some, sizeof some)) > 0;) {
        const bool is_hop = absl::StrContains(absl::string_view(some, static_cast<std::size_t>(n)), "GET /a ");
        const std::string answer = is_hop ? kOk : Redirect(302, "/a");
        SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
      }
    }
    SSL_free(ssl);
  });
  proto::Plan plan = Following(absl::StrCat("https://127.0.0.1:", server.port(), "/"), 2, 10);
  plan.mutable_tls()->set_insecure(true);
  PointRun run = RunOnePoint(plan);
  ExpectAccount(run, 20, 20);
  EXPECT_EQ(run.counters[Outcome::kStatus2xx], 20u);
  EXPECT_EQ(handshakes, 2);
}

// Of a status that is no success the first answer is kept; a redirect that is followed is no answer.
TEST(FollowingTest, ARedirectThatIsFollowedIsNoFirstAnswer) {
  PathServer server({{"/", Redirect(302, "/a")}, {"/a", "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nlost"}});
  proto::Plan plan = Following(server.Url(), 1, 5);
  plan.add_expect_status("200");
  PointRun run = RunOnePoint(plan);
  ExpectAccount(run, 5, 5);
  EXPECT_EQ(run.counters[Outcome::kStatus4xx], 5u);
  EXPECT_EQ(run.counters.success, 0u);
  ASSERT_EQ(run.statuses.answers().size(), 1u);
  EXPECT_EQ(run.statuses.answers().begin()->first.status, 404u);
}

}  // namespace
}  // namespace tidemark
