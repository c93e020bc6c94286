// What the user writes has its meaning: headers that say how a connection is used, addresses, rates, ends.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/plan/defaults.h"
#include "common/plan/durations.h"
#include "common/plan/validate.h"
#include "tests/support/raw_server.h"
#include "tests/support/session_run.h"
#include "tests/support/web_socket_server.h"

namespace tidemark {
namespace {

constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";

// Whether `size` bytes come within `limit`.
bool ReadBody(int fd, std::size_t size, Nanos limit) {
  std::string body(size, '\0');
  for (std::size_t at = 0; at < size;) {
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, static_cast<int>(limit / kMillisecond)) != 1) return false;
    const ssize_t n = recv(fd, body.data() + at, size - at, 0);
    if (n <= 0) return false;
    at += static_cast<std::size_t>(n);
  }
  return true;
}

// A server that answers all requests, and remembers how many each connection had, and what the last of them was.
class CountingServer {
 public:
  std::string Url() const { return absl::StrCat("http://127.0.0.1:", server_.port(), "/"); }
  // Each waits until the connections of `total` requests have ended, which the server notices when it has a core.
  std::vector<int> Requests(int total) { return When(total, requests_); }
  std::vector<std::string> Lasts(int total) { return When(total, lasts_); }
  std::vector<Nanos> Accepts(int total) { return When(total, accepts_); }

 private:
  void Serve(int fd) {
    const Nanos accepted = MonotonicNow();
    int count = 0;
    std::string last;
    for (std::string head = ReadHeader(fd); !head.empty(); head = ReadHeader(fd)) {
      ++count;
      last = head;
      SendAll(fd, kOk);
    }
    const std::lock_guard lock(mutex_);
    accepts_.push_back(accepted);
    requests_.push_back(count);
    lasts_.push_back(last);
    ended_.notify_all();
  }
  template <typename List>
  List When(int total, const List& list) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(ended_.wait_for(lock, std::chrono::seconds(10),
                                [&] { return std::accumulate(requests_.begin(), requests_.end(), 0) == total; }));
    return list;
  }

  std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<int> requests_;
  std::vector<std::string> lasts_;
  std::vector<Nanos> accepts_;
  RawServer server_{[this](int fd) { Serve(fd); }};
};

proto::Plan Posting(const std::string& url, std::int64_t requests, const std::string& header) {
  proto::Plan plan;
  plan.set_target(url);
  plan.add_requests()->set_body("hello");
  plan.mutable_requests(0)->add_headers(header);
  plan.mutable_sweep()->add_connections(1);
  plan.mutable_sweep()->set_requests_per_connection(requests);
  plan.set_threads(1);
  ApplyDefaults(&plan);
  EXPECT_OK(ValidatePlan(plan));
  return plan;
}

TEST(WhatIsWrittenTest, AConnectionThatIsToCloseCloses) {
  CountingServer server;
  for (const char* header : {"Connection: close", "connection: Keep-Alive, CLOSE"}) {
    proto::Plan plan;
    plan.set_target(server.Url());
    plan.add_requests()->add_headers(header);
    plan.mutable_sweep()->add_connections(2);
    plan.mutable_sweep()->set_requests_per_connection(10);
    ApplyDefaults(&plan);
    EXPECT_EQ(RunOnePoint(plan).counters.success, 20u);
  }
  EXPECT_EQ(server.Requests(40), std::vector<int>(40, 1));
}

TEST(WhatIsWrittenTest, OneOfAMixMayBeTheLastOnItsConnection) {
  CountingServer server;
  proto::Plan plan;
  plan.set_target(server.Url());
  plan.add_requests()->set_weight(3);
  plan.add_requests()->add_headers("Connection: close");
  plan.mutable_sweep()->add_connections(1);
  plan.mutable_sweep()->set_requests_per_connection(12);
  plan.set_threads(1);
  ApplyDefaults(&plan);
  EXPECT_OK(ValidatePlan(plan));
  EXPECT_EQ(RunOnePoint(plan).counters.success, 12u);
  // All but the one that the run ended on.
  const std::vector<std::string> lasts = server.Lasts(12);
  const auto said = std::count_if(lasts.begin(), lasts.end(),
                                  [](const std::string& last) { return absl::StrContains(last, "Connection: close"); });
  EXPECT_GE(said, static_cast<std::ptrdiff_t>(lasts.size()) - 1);
  EXPECT_GE(lasts.size(), 3u);
}

TEST(WhatIsWrittenTest, AConnectionIsMadeAnewAfterSoManyRequests) {
  CountingServer server;
  proto::Plan plan = PlanFor(server.Url(), 2, 10);
  plan.mutable_sweep()->set_reconnect_after(4);
  EXPECT_OK(ValidatePlan(plan));
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.success, 20u);
  EXPECT_EQ(run.counters.unannounced_closes, 0u);
  std::map<int, int> by_count;
  for (const int count : server.Requests(20)) ++by_count[count];
  EXPECT_EQ(by_count, (std::map<int, int>{{4, 4}, {2, 2}}));
  int announced = 0;
  for (const std::string& last : server.Lasts(20)) announced += absl::StrContains(last, "Connection: close");
  EXPECT_EQ(announced, 4);
}

TEST(WhatIsWrittenTest, ABodyWaitsForContinue) {
  RawServer server([](int fd) {
    while (!ReadHeader(fd).empty()) {
      if (ReadBody(fd, 5, 100 * kMillisecond)) return;  // too early: the request fails
      SendAll(fd, kContinue);
      if (!ReadBody(fd, 5, kSecond)) return;
      SendAll(fd, kOk);
    }
  });
  PointRun run = RunOnePoint(Posting(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 3, "Expect: 100-continue"));
  EXPECT_EQ(run.counters.success, 3u);
  EXPECT_EQ(run.counters.sent_without_continue, 0u);
  EXPECT_EQ(run.counters[ConnectResult::kEstablished], 0u);  // it was made while preparing, and lasted
}

TEST(WhatIsWrittenTest, ABodyThatIsRefusedNeverGoesOut) {
  std::atomic<int> bodies = 0;
  RawServer server([&bodies](int fd) {
    if (ReadHeader(fd).empty()) return;
    SendAll(fd, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
    bodies += ReadBody(fd, 1, kSecond);
  });
  PointRun run = RunOnePoint(Posting(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 3, "Expect: 100-continue"));
  EXPECT_EQ(run.counters[Outcome::kStatus4xx], 3u);
  EXPECT_EQ(bodies, 0);
}

TEST(WhatIsWrittenTest, ABodyGoesOutAfterASecondOfSilence) {
  RawServer server([](int fd) {
    while (!ReadHeader(fd).empty()) {
      if (ReadBody(fd, 1, 900 * kMillisecond) || !ReadBody(fd, 5, kSecond)) return;
      SendAll(fd, kOk);
    }
  });
  PointRun run = RunOnePoint(Posting(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 1, "Expect: 100-continue"));
  EXPECT_EQ(run.counters.success, 1u);
  EXPECT_EQ(run.counters.sent_without_continue, 1u);
}

TEST(WhatIsWrittenTest, AWaitForContinueEndsWithTheTimeOut) {
  RawServer server([](int fd) {
    if (ReadHeader(fd).empty()) return;
    ReadBody(fd, 1, kSecond);
  });
  proto::Plan plan = Posting(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 1, "Expect: 100-continue");
  *plan.mutable_timeout() = ToDurationProto(200 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[Outcome::kRequestTimeout], 1u);
  EXPECT_EQ(run.counters.sent_without_continue, 0u);
}

TEST(WhatIsWrittenTest, NewConnectionsGoToAllAddressesInTurn) {
  std::map<std::string, int> counts;
  const Listener first = ListenOn("0.0.0.0", 64);
  const int port = first.port;
  std::atomic<bool> is_over = false;
  std::thread server([&] {
    while (!is_over) {
      const int fd = accept4(first.fd, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      sockaddr_in local{};
      socklen_t length = sizeof local;
      getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length);
      char text[INET_ADDRSTRLEN];
      inet_ntop(AF_INET, &local.sin_addr, text, sizeof text);
      if (!ReadHeader(fd).empty()) ++counts[text];
      SendAll(fd, kOk);
      close(fd);
    }
  });
  proto::Plan plan = PlanFor(absl::StrCat("http://three.test:", port, "/"), 1, 9);
  for (const char* address : {"127.0.0.1", "127.0.0.2", "127.0.0.3"})
    plan.add_resolve(absl::StrCat("three.test:", port, ":", address));
  plan.mutable_sweep()->set_new_connection(true);
  EXPECT_EQ(RunOnePoint(plan).counters.success, 9u);
  is_over = true;
  shutdown(first.fd, SHUT_RDWR);
  server.join();
  close(first.fd);
  EXPECT_EQ(counts, (std::map<std::string, int>{{"127.0.0.1", 3}, {"127.0.0.2", 3}, {"127.0.0.3", 3}}));
}

TEST(WhatIsWrittenTest, ARateOfConnectionsIsKeptByThoseThatComeBackToo) {
  for (const bool is_timed : {true, false}) {
    CountingServer server;
    proto::Plan plan = PlanFor(server.Url(), 4, 5);
    plan.mutable_sweep()->set_new_connection(true);
    if (is_timed) {
      plan.mutable_sweep()->clear_requests_per_connection();
      *plan.mutable_sweep()->mutable_duration() = ToDurationProto(kSecond);
    }
    plan.mutable_sweep()->set_connect_rate(20);
    const Counters counters = RunOnePoint(plan).counters;
    EXPECT_EQ(counters.planned, counters.success);
    std::vector<Nanos> accepts = server.Accepts(static_cast<int>(counters.success));
    std::sort(accepts.begin(), accepts.end());
    ASSERT_GE(accepts.size(), 20u);
    // Turns of the last 100 ms may be taken later: two of twenty a second.
    for (std::size_t i = 0; i + 10 < accepts.size(); ++i) EXPECT_GE(accepts[i + 10] - accepts[i], 390 * kMillisecond);
  }
}

TEST(WhatIsWrittenTest, ADrainCutsOffWhatIsNotAnsweredByThen) {
  for (const bool is_open_loop : {false, true}) {
    RawServer server([](int fd) {
      while (!ReadHeader(fd).empty()) {
        if (ReadBody(fd, 1, 5 * kSecond)) return;  // the end of the connection, in the test's case
        SendAll(fd, kOk);
      }
    });
    proto::Plan plan = PlanFor(absl::StrCat("http://127.0.0.1:", server.port(), "/"), 2, 1);
    plan.mutable_sweep()->clear_requests_per_connection();
    *plan.mutable_sweep()->mutable_duration() = ToDurationProto(500 * kMillisecond);
    if (is_open_loop) Pace(&plan, 10, 500 * kMillisecond);
    *plan.mutable_sweep()->mutable_drain() = ToDurationProto(200 * kMillisecond);
    EXPECT_OK(ValidatePlan(plan));
    const Nanos begin = MonotonicNow();
    PointRun run = RunOnePoint(plan);
    EXPECT_LT(MonotonicNow() - begin, 3 * kSecond);
    EXPECT_EQ(run.counters.sent, 2u);
    EXPECT_EQ(run.counters[Outcome::kCutOff], 2u);
    EXPECT_EQ(run.counters.planned, is_open_loop ? 5u : 2u);
  }
}

}  // namespace
}  // namespace tidemark
