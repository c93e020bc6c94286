// An agent's connections against servers that do what servers should not.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "agent/net/resolver.h"
#include "common/plan/durations.h"
#include "tests/support/raw_server.h"
#include "tests/support/session_run.h"

namespace tidemark {
namespace {

const std::string kResponse = "HTTP/1.1 200 OK\r\nServer: raw\r\nContent-Length: 5\r\n\r\nhello";

std::string Url(const RawServer& server) { return absl::StrCat("http://127.0.0.1:", server.port(), "/"); }

// Answers requests with `bytes`, in pieces of `piece`, until the client goes.
Script Answering(std::string bytes, std::size_t piece = 1 << 20) {
  return [bytes, piece](int fd) {
    while (ReadRequest(fd)) {
      for (std::size_t at = 0; at < bytes.size(); at += piece) SendAll(fd, bytes.substr(at, piece));
    }
  };
}

TEST(ConnectionTest, ResponsesInPiecesOfEverySizeAreComplete) {
  for (std::size_t piece = 1; piece <= kResponse.size(); piece += piece < 8 ? 1 : 9) {
    RawServer server(Answering(kResponse, piece));
    PointRun run = RunOnePoint(PlanFor(Url(server), 2, 10));
    EXPECT_EQ(run.counters[Outcome::kStatus2xx], 20u) << piece;
    EXPECT_EQ(run.counters.bytes_received, 20 * kResponse.size()) << piece;
    EXPECT_EQ(run.counters.success, 20u) << piece;
  }
}

TEST(ConnectionTest, AServerThatClosesAfterNBytesIsClosedEarlyForEveryN) {
  for (std::size_t n = 0; n < kResponse.size(); ++n) {
    RawServer server([n](int fd) {
      if (ReadRequest(fd)) SendAll(fd, kResponse.substr(0, n));
    });
    PointRun run = RunOnePoint(PlanFor(Url(server), 1, 3));
    EXPECT_EQ(run.counters[Outcome::kClosedEarly], 3u) << n;
    EXPECT_EQ(run.counters.bytes_received, 3 * n) << n;
    EXPECT_EQ(run.counters.success, 0u) << n;
  }
}

TEST(ConnectionTest, AServerThatResetsAfterNBytesIsAResetForEveryN) {
  for (std::size_t n = 0; n < kResponse.size(); n += 3) {
    RawServer server([n](int fd) {
      if (ReadRequest(fd)) SendAll(fd, kResponse.substr(0, n));
      ResetOnClose(fd);
    });
    PointRun run = RunOnePoint(PlanFor(Url(server), 1, 3));
    EXPECT_EQ(run.counters[Outcome::kReset], 3u) << n;
  }
}

TEST(ConnectionTest, AServerThatClosesEachConnectionAfterNRequestsIsReconnected) {
  for (const int requests : {1, 2, 7}) {
    RawServer server([requests](int fd) {
      for (int i = 1; i <= requests && ReadRequest(fd); ++i) {
        SendAll(fd, i < requests ? kResponse : "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
      }
    });
    PointRun run = RunOnePoint(PlanFor(Url(server), 3, 21));
    EXPECT_EQ(run.counters[Outcome::kStatus2xx], 63u) << requests;
  }
}

TEST(ConnectionTest, HalfAResponseThatNeverEndsTimesOutAndIsCensored) {
  RawServer server([](int fd) {
    while (ReadRequest(fd)) SendAll(fd, kResponse.substr(0, kResponse.size() - 1));
  });
  proto::Plan plan = PlanFor(Url(server), 2, 2);
  *plan.mutable_timeout() = ToDurationProto(100 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[Outcome::kRequestTimeout], 4u);
  bool is_found = false;
  for (const proto::HistogramSummary& summary : run.last.cumulative()) {
    if (summary.metric() != static_cast<std::uint32_t>(Metric::kCensored)) continue;
    EXPECT_EQ(summary.count(), 4u);
    EXPECT_GE(summary.min_ns(), 100 * kMillisecond);
    is_found = true;
  }
  EXPECT_TRUE(is_found);
}

TEST(ConnectionTest, BytesNobodyAskedForAreCountedAndEndTheConnection) {
  RawServer server(Answering(kResponse + "extra"));
  PointRun run = RunOnePoint(PlanFor(Url(server), 1, 5));
  EXPECT_EQ(run.counters[Outcome::kStatus2xx], 5u);
  EXPECT_EQ(run.counters.unsolicited_bytes, 25u);
}

TEST(ConnectionTest, AnAnswerBeforeTheRequestIsOutEndsTheConnectionButCounts) {
  RawServer server([](int fd) {
    char some[1000];
    if (recv(fd, some, sizeof some, 0) <= 0) return;
    SendAll(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    shutdown(fd, SHUT_WR);
    while (recv(fd, some, sizeof some, 0) > 0) {
    }
  });
  proto::Plan plan = PlanFor(Url(server), 1, 3);
  plan.mutable_requests(0)->set_method("POST");
  plan.mutable_requests(0)->set_body(std::string(8 << 20, 'x'));  // more than the kernel's buffers
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[Outcome::kStatus4xx], 3u);
}

TEST(ConnectionTest, LargeRequestsGoOutWholeThroughASlowReader) {
  constexpr std::size_t kBody = 4 << 20;
  std::atomic<std::uint64_t> received{0};
  RawServer server([&received](int fd) {
    std::vector<char> some(100'000);
    std::uint64_t of_this = 0;
    bool has_head = false;
    std::string head;
    std::size_t head_bytes = 0;
    for (ssize_t n = 0; (n = recv(fd, some.data(), some.size(), 0)) > 0;) {
      of_this += static_cast<std::uint64_t>(n);
      received += static_cast<std::uint64_t>(n);
      if (!has_head) {
        head.append(some.data(), static_cast<std::size_t>(n));
        const std::size_t end = head.find("\r\n\r\n");
        has_head = end != std::string::npos;
        head_bytes = end + 4;
      }
      if (has_head && of_this == head_bytes + kBody) {
        SendAll(fd, kResponse);
        of_this = 0;
        has_head = false;
        head.clear();
      }
    }
  });
  proto::Plan plan = PlanFor(Url(server), 2, 3);
  plan.mutable_requests(0)->set_method("POST");
  plan.mutable_requests(0)->set_body(std::string(kBody, 'x'));
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[Outcome::kStatus2xx], 6u);
  EXPECT_EQ(run.counters.bytes_sent, received.load());
}

TEST(ConnectionTest, ADeadTargetEndsACountedRunInTime) {
  int port = 0;
  {
    port = RawServer([](int) {}).port();
  }  // closed again
  const Nanos begin = MonotonicNow();
  PointRun run = RunOnePoint(PlanFor(absl::StrCat("http://127.0.0.1:", port, "/"), 10, 1'000));
  EXPECT_EQ(run.counters.planned, 10'000u);
  EXPECT_EQ(run.counters[NeverSent::kConnectRefused], 10'000u);
  EXPECT_EQ(run.ready.connections_up(), 0);
  EXPECT_GT(run.ready.errors_size(), 0);
  EXPECT_LT(MonotonicNow() - begin, 60 * kSecond);
}

TEST(ConnectionTest, TotalsAndDurationsEndAPoint) {
  RawServer server(Answering(kResponse));
  proto::Plan total = PlanFor(Url(server), 3, 1);
  total.mutable_sweep()->clear_requests_per_connection();
  total.mutable_sweep()->set_requests(100);
  EXPECT_EQ(RunOnePoint(total).counters[Outcome::kStatus2xx], 100u);

  proto::Plan timed = PlanFor(Url(server), 3, 1);
  timed.mutable_sweep()->clear_requests_per_connection();
  *timed.mutable_sweep()->mutable_duration() = ToDurationProto(1'200 * kMillisecond);
  const Nanos begin = MonotonicNow();
  PointRun run = RunOnePoint(timed);
  EXPECT_GE(MonotonicNow() - begin, 1'200 * kMillisecond);
  EXPECT_EQ(run.counters.planned, run.counters.success);
  EXPECT_GT(run.last.key().seq(), 0u);  // a shard each second
}

TEST(ConnectionTest, WarmUpIsCountedApart) {
  std::atomic<int> requests{0};
  RawServer server([&requests](int fd) {
    while (ReadRequest(fd)) {
      ++requests;
      SendAll(fd, kResponse);
    }
  });
  proto::Plan plan = PlanFor(Url(server), 4, 5);
  plan.mutable_sweep()->set_warmup_requests_per_connection(3);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.sent, 20u);
  EXPECT_EQ(run.warmup.sent, 12u);
  EXPECT_EQ(run.ready.connections_up(), 4);
  EXPECT_EQ(requests.load(), 32);
}

TEST(ConnectionTest, AStopCutsOffWhatDoesNotFinishAndAccountsForTheRest) {
  RawServer server([](int fd) {
    ReadRequest(fd);
    ReadRequest(fd);  // never answers; waits for the client to go
  });
  EventLog log;
  proto::Open open;
  open.set_run("test");
  *open.mutable_plan() = PlanFor(Url(server), 4, 10);
  auto session = *Session::Open(open, *TargetGuard::Make({}), 1, [&log](const proto::Event& event) { log.Add(event); });
  ASSERT_OK(session->Prepare(WholePoint(4)));
  EXPECT_THAT(session->Prepare(WholePoint(4)), FailsWith("still running"));
  log.WaitFor([](const proto::Event& event) { return event.has_ready(); });
  proto::Arm arm;
  arm.set_start_ns(MonotonicNow() + 50 * kMillisecond);
  ASSERT_OK(session->Arm(arm));
  log.WaitFor([](const proto::Event& event) { return event.has_shard(); });  // a first window: all four are in flight
  session->Stop();
  const proto::Shard last =
      log.WaitFor([](const proto::Event& event) { return event.has_shard() && event.shard().is_final(); }).shard();
  Counters counters;
  Pending pending;
  ASSERT_TRUE(FromProto(last.counters(), &counters, &pending));
  EXPECT_EQ(BrokenIdentity(counters, pending), "");
  EXPECT_EQ(counters.planned, 40u);
  EXPECT_EQ(counters[Outcome::kCutOff], 4u);
  EXPECT_EQ(counters[NeverSent::kStopped], 36u);
}

TEST(ConnectionTest, AnAgentRefusesWhatItsLimitsForbid) {
  EventLog log;
  proto::Open open;
  *open.mutable_plan() = PlanFor("http://127.0.0.1:9/", 1, 1);
  auto session = *Session::Open(open, *TargetGuard::Make({}), 1, [&log](const proto::Event& event) { log.Add(event); });
  EXPECT_THAT(session->Prepare(WholePoint(9'000'000)), FailsWith("ulimit -n"));
  EXPECT_THAT(session->Prepare(WholePoint(-1)), FailsWith("out of range"));
  proto::Prepare nobodys = WholePoint(1);
  nobodys.set_streams(0);  // connections, but no part of the slots
  EXPECT_THAT(session->Prepare(nobodys), FailsWith("out of range"));

  const auto open_with = [](const char* url, const char* source) {
    proto::Open bad;
    *bad.mutable_plan() = PlanFor(url, 1, 1);
    if (*source != 0) bad.mutable_plan()->add_source_addresses(source);
    return Session::Open(bad, *TargetGuard::Make({}), 1, [](const proto::Event&) {}).status();
  };
  EXPECT_THAT(open_with("http://8.8.8.8/", ""), FailsWith("--allow-target 8.8.8.8"));
  EXPECT_THAT(open_with("http://[::ffff:8.8.8.8]/", ""), FailsWith("--allow-target"));
  EXPECT_THAT(open_with("http://host.invalid/", ""), FailsWith("host 'host.invalid' cannot be resolved"));
  EXPECT_THAT(open_with("http://127.0.0.1/", "::1"), FailsWith("cannot reach"));
  EXPECT_THAT(open_with("http://127.0.0.1/", "nonsense"), FailsWith("no IP address"));
}

TEST(ConnectionTest, SourceAddressesAreUsedInTurn) {
  Mutex mutex;
  std::map<std::string, int> peers;
  RawServer server([&](int fd) {
    sockaddr_in peer{};
    socklen_t length = sizeof peer;
    getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length);
    {
      MutexLock lock(&mutex);
      ++peers[inet_ntoa(peer.sin_addr)];
    }
    while (ReadRequest(fd)) SendAll(fd, kResponse);
  });
  proto::Plan plan = PlanFor(Url(server), 6, 2);
  for (const char* source : {"127.0.0.2", "127.0.0.3", "127.0.0.4"}) plan.add_source_addresses(source);
  EXPECT_EQ(RunOnePoint(plan).counters.success, 12u);
  MutexLock lock(&mutex);
  EXPECT_EQ(peers, (std::map<std::string, int>{{"127.0.0.2", 2}, {"127.0.0.3", 2}, {"127.0.0.4", 2}}));
}

TEST(ConnectionTest, AThinkTimeLiesBetweenAnAnswerAndTheNextRequestAndSpreadsTheFirst) {
  Mutex mutex;
  std::vector<Nanos> arrivals;
  RawServer server([&](int fd) {
    while (ReadRequest(fd)) {
      {
        MutexLock lock(&mutex);
        arrivals.push_back(MonotonicNow());
      }
      SendAll(fd, kResponse);
    }
  });
  proto::Plan plan = PlanFor(Url(server), 4, 3);
  *plan.mutable_sweep()->mutable_think_time() = ToDurationProto(400 * kMillisecond);
  const Nanos begin = MonotonicNow();
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.success, 12u);
  EXPECT_GE(MonotonicNow() - begin, 800 * kMillisecond);  // two pauses, and none after the last answer
  EXPECT_LT(MonotonicNow() - begin, 1'600 * kMillisecond);
  MutexLock lock(&mutex);
  std::sort(arrivals.begin(), arrivals.end());
  EXPECT_GE(arrivals[3] - arrivals[0], 180 * kMillisecond);  // two workers, each with phases 0 and 200 ms
}

TEST(ConnectionTest, AThinkTimeSurvivesAServerThatClosesIdleConnections) {
  RawServer server([](int fd) {
    if (ReadRequest(fd)) SendAll(fd, kResponse);  // and closes, without saying so
  });
  proto::Plan plan = PlanFor(Url(server), 3, 3);
  *plan.mutable_sweep()->mutable_think_time() = ToDurationProto(60 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.success, 9u);
}

TEST(ConnectionTest, LocalhostMeansTheFamilyThatListens) {
  RawServer server(Answering(kResponse));  // on 127.0.0.1 alone
  const auto address = [&](const char* text, int port) {
    SocketAddress parsed = *ParseAddress("test", text);
    // sin_port and sin6_port lie at the same place
    reinterpret_cast<sockaddr_in*>(&parsed.storage)->sin_port = htons(static_cast<std::uint16_t>(port));
    return parsed;
  };
  std::vector<SocketAddress> left_out;
  std::vector<SocketAddress> both = {address("::1", server.port()), address("127.0.0.1", server.port())};
  KeepListeningLoopback(Patience(), &both, &left_out);
  ASSERT_EQ(both.size(), 1u);
  EXPECT_EQ(both[0].family(), AF_INET);
  ASSERT_EQ(left_out.size(), 1u);
  EXPECT_EQ(left_out[0].ToString(), absl::StrCat("[::1]:", server.port()));

  std::vector<SocketAddress> none = {address("::1", 1), address("127.0.0.1", 1)};
  left_out.clear();
  KeepListeningLoopback(Patience(), &none, &left_out);
  EXPECT_EQ(none.size(), 2u);
  EXPECT_TRUE(left_out.empty());
  std::vector<SocketAddress> same_family = {address("127.0.0.1", server.port()), address("127.0.0.2", 1)};
  KeepListeningLoopback(Patience(), &same_family, &left_out);
  EXPECT_EQ(same_family.size(), 2u);  // a list of servers, one of which is down: that is for the report
}

TEST(ConnectionTest, TheConnectRateIsKept) {
  RawServer server(Answering(kResponse));
  EventLog log;
  proto::Open open;
  *open.mutable_plan() = PlanFor(Url(server), 50, 1);
  auto session = *Session::Open(open, *TargetGuard::Make({}), 1, [&log](const proto::Event& event) { log.Add(event); });
  proto::Prepare prepare = WholePoint(50);
  prepare.set_connect_rate(100 * kOnePerSecond);  // 100 per second
  const Nanos begin = MonotonicNow();
  ASSERT_OK(session->Prepare(prepare));
  log.WaitFor([](const proto::Event& event) { return event.has_ready(); });
  EXPECT_GE(MonotonicNow() - begin, 480 * kMillisecond);
}

// A target that does not read keeps a long request from the wire: that is no time of ours, and nobody can tell how much
// it was.
TEST(ConnectionTest, ARequestThatWaitsForTheTargetsWindowIsNotStamped) {
  for (const std::size_t size : {std::size_t{1'000}, std::size_t{4} << 20}) {
    RawServer server([size](int fd) {
      while (ReadRequest(fd)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        std::string body(size, '\0');
        for (std::size_t at = 0; at < size;) {
          const ssize_t n = recv(fd, body.data() + at, size - at, 0);
          if (n <= 0) return;
          at += static_cast<std::size_t>(n);
        }
        SendAll(fd, kResponse);
      }
    });
    proto::Plan plan = PlanFor(Url(server), 1, 5);
    plan.mutable_requests(0)->set_method("POST");
    plan.mutable_requests(0)->set_body(std::string(size, 'x'));
    const PointRun run = RunOnePoint(plan);
    EXPECT_EQ(run.counters.success, 5u);
    EXPECT_EQ(FactsOf(run, Metric::kStamped).count(), size == 1'000 ? 5u : 0u);
  }
}

// What a worker spends after the end of a short point is no share of its time.
TEST(ConnectionTest, NoShareOfAShortPointIsMoreThanAllOfIt) {
  RawServer server(Answering(kResponse));
  proto::Plan plan = PlanFor(Url(server), 200, 0);
  plan.mutable_sweep()->clear_requests_per_connection();
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(kMillisecond);
  for (int i = 0; i < 5; ++i) {
    const PointRun run = RunOnePoint(plan);
    EXPECT_EQ(run.last.length_ns(), kMillisecond);
    EXPECT_LE(run.counters.cpu_ns, static_cast<std::uint64_t>(2 * kMillisecond));
    EXPECT_LE(run.counters.run_delay_ns, static_cast<std::uint64_t>(2 * kMillisecond));
  }
}

}  // namespace
}  // namespace tidemark
