// How a response ended, and whether its connection is used again: ends that come with an answer, ends that are none,
// bytes that can never become an answer, and answers without an end.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/plan/durations.h"
#include "tests/support/raw_server.h"
#include "tests/support/server_frames.h"
#include "tests/support/server_tls.h"
#include "tests/support/session_run.h"
#include "tests/support/web_socket_server.h"

namespace tidemark {
namespace {

const std::string kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const std::string kUntilClose = "HTTP/1.1 200 OK\r\n\r\nhello";
const std::string kChunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

proto::Plan PlanOf(const std::string& scheme, const RawServer& server, std::int64_t connections, std::int64_t each,
                   Nanos timeout = 10 * kSecond) {
  proto::Plan plan = PlanFor(absl::StrCat(scheme, "://127.0.0.1:", server.port(), "/"), connections, each);
  if (scheme == "https" || scheme == "wss") plan.mutable_tls()->set_insecure(true);
  if (absl::StartsWith(scheme, "ws")) plan.mutable_requests(0)->set_body("hello");
  *plan.mutable_timeout() = ToDurationProto(timeout);
  return plan;
}

// The last bytes of a stream, and its end in the same segment.
void SendLast(int fd, const std::string& bytes) {
  send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_MORE);
  shutdown(fd, SHUT_WR);
}

void ReadToEnd(int fd) {
  char some[4096];
  while (recv(fd, some, sizeof some, 0) > 0) {
  }
}

// A server's end of a TLS connection.
class TlsAnswer {
 public:
  TlsAnswer(const ServerTls& tls, int fd) : fd_(fd), ssl_(SSL_new(tls.context.get())) {
    SSL_set_fd(ssl_, fd);
    is_up_ = SSL_accept(ssl_) == 1;
  }
  ~TlsAnswer() { SSL_free(ssl_); }
  // Empty if the client is gone.
  std::string ReadRequest() {
    char some[4096];
    const int size = is_up_ ? SSL_read(ssl_, some, sizeof some) : 0;
    return std::string(some, static_cast<std::size_t>(std::max(size, 0)));
  }
  // Each of `records` in one of its own, all of them in one segment; in it too, if wanted, the end of TLS, and of TCP.
  void Send(const std::vector<std::string>& records, bool ends_tls = false, bool ends_tcp = false) {
    Cork(1);
    for (const std::string& record : records) SSL_write(ssl_, record.data(), static_cast<int>(record.size()));
    if (ends_tls) SSL_shutdown(ssl_);
    if (ends_tcp) shutdown(fd_, SHUT_WR);
    Cork(0);
  }

 private:
  void Cork(int on) { setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &on, sizeof on); }

  const int fd_;
  SSL* const ssl_;
  bool is_up_ = false;
};

// Answers one request on each connection, and ends with the answer.
std::function<void(int)> AnswerAndEnd(std::atomic<int>* requests) {
  return [requests](int fd) {
    if (!ReadRequest(fd)) return;
    ++*requests;
    SendLast(fd, kAnswer);
    ReadToEnd(fd);
  };
}

TEST(HowItEndedTest, AnEndThatComesWithTheAnswerCostsNoRequest) {
  for (const Nanos think : {Nanos{0}, 30 * kMillisecond}) {
    std::atomic<int> requests{0};
    RawServer server(AnswerAndEnd(&requests));
    proto::Plan plan = PlanOf("http", server, 2, 10);
    if (think != 0) *plan.mutable_sweep()->mutable_think_time() = ToDurationProto(think);
    PointRun run = RunOnePoint(plan);
    EXPECT_EQ(run.counters.success, 20u) << think;
    EXPECT_EQ(run.counters.sent, 20u);
    EXPECT_EQ(run.counters.NeverSentTotal(), 0u);
    EXPECT_EQ(run.counters.unannounced_closes, 20u);
    EXPECT_EQ(run.counters.waited_for_back_off, 0u);
    EXPECT_EQ(requests, 20);
  }
}

// The event that tells of a time stamp tells of no end that comes behind it.
TEST(HowItEndedTest, AnEndThatComesWithTheAnswerCostsNoRequestThatIsStamped) {
  std::atomic<int> requests{0};
  RawServer server(AnswerAndEnd(&requests));
  proto::Plan plan = PlanOf("http", server, 16, 50);
  plan.set_kernel_timestamps(1);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.success, 800u);
  EXPECT_EQ(run.counters.sent, 800u);
}

TEST(HowItEndedTest, AnEndThatComesWithTheAnswerCostsNoRequestOfAnOpenLoop) {
  std::atomic<int> requests{0};
  RawServer server(AnswerAndEnd(&requests));
  proto::Plan plan = PlanOf("http", server, 2, 1);
  Pace(&plan, 40, 500 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.planned, 20u);
  EXPECT_EQ(run.counters.success, 20u);
  EXPECT_EQ(requests, 20);
}

TEST(HowItEndedTest, AnAnnouncedEndIsNotCounted) {
  RawServer server([](int fd) {
    if (ReadRequest(fd)) SendLast(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  PointRun run = RunOnePoint(PlanOf("http", server, 1, 5));
  EXPECT_EQ(run.counters.success, 5u);
  EXPECT_EQ(run.counters.unannounced_closes, 0u);
}

// What is level-triggered would come again and again.
TEST(HowItEndedTest, AnEndedConnectionIsLetGoAtOnceThoughItsNextRequestIsFarOff) {
  std::atomic<int> let_go{0};
  RawServer server([&](int fd) {
    if (!ReadRequest(fd)) return;
    SendLast(fd, kAnswer);
    const Nanos before = MonotonicNow();
    ReadToEnd(fd);
    if (MonotonicNow() - before < 300 * kMillisecond) ++let_go;
  });
  proto::Plan plan = PlanOf("http", server, 1, 3);
  *plan.mutable_sweep()->mutable_think_time() = ToDurationProto(700 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.success, 3u);
  // The last one's server may still be reading its end.
  for (int i = 0; i < 200 && let_go < 3; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(let_go, 3);
  EXPECT_LT(run.counters.cpu_ns, static_cast<std::uint64_t>(300 * kMillisecond));
}

TEST(HowItEndedTest, AWebSocketsEndThatComesWithTheReplyCostsNoRequest) {
  std::atomic<int> requests{0};
  RawServer server([&](int fd) {
    if (!GrantUpgrade(fd) || ReadFrame(fd).opcode != 1) return;
    ++requests;
    SendLast(fd, ServerFrame(1, "a") + ServerFrame(9, "p"));
    ReadToEnd(fd);
  });
  PointRun run = RunOnePoint(PlanOf("ws", server, 2, 5));
  EXPECT_EQ(run.counters.success, 10u);
  EXPECT_EQ(run.counters.sent, 10u);
  EXPECT_EQ(run.counters.pings, 10u);
  EXPECT_EQ(run.counters[Closing::kNoFrame], 10u);
  EXPECT_EQ(requests, 10);
}

TEST(HowItEndedTest, AnEndOfTlsThatComesWithTheAnswerCostsNoRequest) {
  for (const Nanos think : {Nanos{0}, 100 * kMillisecond}) {
    for (const bool ends_tcp : {false, true}) {
      const ServerTls tls;
      std::atomic<int> requests{0};
      RawServer server([&](int fd) {
        TlsAnswer answer(tls, fd);
        if (answer.ReadRequest().empty()) return;
        ++requests;
        answer.Send({kAnswer}, true, ends_tcp);
        ReadToEnd(fd);
      });
      proto::Plan plan = PlanOf("https", server, 1, 4, 2 * kSecond);
      if (think != 0) *plan.mutable_sweep()->mutable_think_time() = ToDurationProto(think);
      PointRun run = RunOnePoint(plan);
      EXPECT_EQ(run.counters.success, 4u) << think << " " << ends_tcp;
      EXPECT_EQ(run.counters.unannounced_closes, 4u);
      EXPECT_EQ(run.counters.ended_without_close_notify, 0u);
      EXPECT_EQ(requests, 4);
    }
  }
}

TEST(HowItEndedTest, MessagesThatTlsReadWithTheUpgradeAreNotLeftBehind) {
  const ServerTls tls;
  RawServer server([&](int fd) {
    TlsAnswer answer(tls, fd);
    const std::string grant = GrantOf(answer.ReadRequest());
    if (grant.empty()) return;
    answer.Send({grant, ServerFrame(1, "{\"ok\":1}")});
    answer.ReadRequest();  // the subscription
    if (!answer.ReadRequest().empty()) answer.Send({ServerFrame(1, "reply")});
    ReadToEnd(fd);
  });
  proto::Plan plan = PlanOf("wss", server, 1, 1);
  plan.mutable_web_socket()->add_subscribe("subscribe");
  plan.mutable_web_socket()->set_ack("/ok=1");
  *plan.mutable_connect_timeout() = ToDurationProto(2 * kSecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.success, 1u);
  EXPECT_EQ(run.ready.connections_up(), 1u);
}

// RFC 9112 section 9.8.
TEST(HowItEndedTest, OverTlsABodyThatRunsUntilCloseNeedsCloseNotify) {
  struct Row {
    std::string bytes;
    bool ends;
    std::uint64_t success;
    std::uint64_t closed_early;
    std::uint64_t cut;
  };
  for (const Row& row : {Row{kUntilClose, true, 3, 0, 0}, Row{kUntilClose, false, 0, 3, 3},
                         Row{kAnswer, false, 3, 0, 0}, Row{kChunked + "0\r\n\r\n", false, 3, 0, 0},
                         Row{kChunked + "1\r\na\r\n", false, 0, 3, 3}, Row{kChunked + "1\r\na\r\n", true, 0, 3, 0},
                         Row{kAnswer.substr(0, 40), false, 0, 3, 3}, Row{"HTTP/1.1 2", false, 0, 3, 3}}) {
    const ServerTls tls;
    RawServer server([&](int fd) {
      TlsAnswer answer(tls, fd);
      if (answer.ReadRequest().empty()) return;
      answer.Send({row.bytes}, row.ends, true);
      ReadToEnd(fd);
    });
    PointRun run = RunOnePoint(PlanOf("https", server, 1, 3));
    EXPECT_EQ(run.counters.success, row.success) << row.bytes;
    EXPECT_EQ(run.counters[Outcome::kClosedEarly], row.closed_early) << row.bytes;
    EXPECT_EQ(run.counters.ended_without_close_notify, row.cut) << row.bytes;
  }
}

TEST(HowItEndedTest, OnPlainTcpACloseEndsSuchABody) {
  RawServer server([](int fd) {
    if (ReadRequest(fd)) SendLast(fd, kUntilClose);
  });
  PointRun run = RunOnePoint(PlanOf("http", server, 1, 3));
  EXPECT_EQ(run.counters.success, 3u);
  EXPECT_EQ(run.counters.unannounced_closes, 0u);
}

TEST(HowItEndedTest, WhatCanNeverBecomeAnAnswerIsMalformedAtOnce) {
  for (const std::string& bytes :
       {std::string("\x15\x03\x03\x00\x02\x02\x28", 7), std::string("\x81\x05hello"), std::string("HTTP/2 200"),
        std::string("HTP/1.1"), std::string("ICY 200 OK\r\n"), std::string("HTTP/1.1 20x"), kChunked + "<html>",
        std::string("HTTP/1.1 100 Continue\r\n\r\nICY")}) {
    RawServer server([&](int fd) {
      if (ReadRequest(fd)) SendAll(fd, bytes);
      ReadToEnd(fd);
    });
    PointRun run = RunOnePoint(PlanOf("http", server, 1, 2));
    EXPECT_EQ(run.counters[Outcome::kMalformed], 2u) << bytes;
  }
}

TEST(HowItEndedTest, WhatCanNeverBecomeAnAnswerRefusesAnUpgradeAtOnce) {
  RawServer server([&](int fd) {
    if (ReadRequest(fd)) SendAll(fd, std::string("\x15\x03\x03\x00\x02\x02\x28", 7));
    ReadToEnd(fd);
  });
  PointRun run = RunOnePoint(PlanOf("ws", server, 1, 2));
  EXPECT_EQ(run.counters[NeverSent::kUpgrade], 2u);
  std::int64_t named = 0;
  for (const proto::ConnectError& error : run.ready.errors())
    named += absl::StrContains(error.text(), "the target speaks TLS; write wss://") ? 1 : 0;
  EXPECT_GT(named, 0);
}

TEST(HowItEndedTest, AStatusWithoutAReasonIsOne) {
  RawServer server([](int fd) {
    while (ReadRequest(fd)) SendAll(fd, "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello");
  });
  PointRun run = RunOnePoint(PlanOf("http", server, 2, 10));
  EXPECT_EQ(run.counters.success, 20u);
  EXPECT_EQ(run.counters[ConnectResult::kEstablished], 0u);  // the first two connections serve all
}

// Sends `begin`, then `more` for ever, after `pause` each time.
PointRun RunEndless(const std::string& begin, const std::string& more, int pause_ms) {
  RawServer server([&](int fd) {
    if (!ReadRequest(fd)) return;
    SendAll(fd, begin);
    const Nanos end = MonotonicNow() + 20 * kSecond;
    while (MonotonicNow() < end && send(fd, more.data(), more.size(), MSG_NOSIGNAL) > 0) {
      if (pause_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
    }
  });
  return RunOnePoint(PlanOf("http", server, 1, 2, 300 * kMillisecond));
}

TEST(HowItEndedTest, AnAnswerWithoutAnEndTimesOut) {
  for (const std::string& begin : {std::string(), std::string("HTTP/1.1 200 OK\r\n"), kChunked + "0\r\n"}) {
    const std::string more = begin.empty() ? "HTTP/1.1 100 Continue\r\n\r\n" : "A: b\r\n";
    EXPECT_EQ(RunEndless(begin, more, 5).counters[Outcome::kRequestTimeout], 2u) << begin;
  }
}

TEST(HowItEndedTest, AnAnswerWithoutAnEndThatComesFastIsOverTheLimit) {
  for (const std::string& begin : {std::string(), std::string("HTTP/1.1 200 OK\r\n"), kChunked + "0\r\n"}) {
    std::string more;
    while (more.size() < 30'000) more += begin.empty() ? "HTTP/1.1 100 Continue\r\n\r\n" : "A: b\r\n";
    EXPECT_EQ(RunEndless(begin, more, 0).counters[Outcome::kOverLimit], 2u) << begin;
  }
}

// A byte in a chunk of 30 kB is within every limit for a long time.
TEST(HowItEndedTest, APeerThatGoesOnSendingDoesNotKeepUsFromTheTimeOut) {
  std::string more;
  while (more.size() < 300'000) more += absl::StrCat("1;a=", std::string(30'000, 'b'), "\r\nx\r\n");
  EXPECT_EQ(RunEndless(kChunked, more, 0).counters[Outcome::kRequestTimeout], 2u);
}

}  // namespace
}  // namespace tidemark
