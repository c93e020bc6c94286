// An agent's WebSockets against servers that do what servers should not.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/plan/defaults.h"
#include "common/plan/durations.h"
#include "tests/support/raw_server.h"
#include "tests/support/server_frames.h"
#include "tests/support/session_run.h"
#include "tests/support/web_socket_server.h"

namespace tidemark {
namespace {

std::string Url(const RawServer& server) { return absl::StrCat("ws://127.0.0.1:", server.port(), "/stream"); }

// Upgrades, then answers each message with `answer`, in pieces, until the client goes.
Script Answering(std::string answer, std::size_t piece = 1 << 20) {
  return [answer, piece](int fd) {
    if (!GrantUpgrade(fd)) return;
    while (ReadFrame(fd).opcode == 1) {
      for (std::size_t at = 0; at < answer.size(); at += piece) SendAll(fd, answer.substr(at, piece));
    }
  };
}

proto::Plan Messages(const std::string& url, std::int64_t connections, std::int64_t each) {
  proto::Plan plan = PlanFor(url, connections, each);
  plan.mutable_requests(0)->set_body("hello");
  return plan;
}

std::int64_t ConnectErrors(const PointRun& run, const std::string& text) {
  std::int64_t count = 0;
  for (const proto::ConnectError& error : run.ready.errors())
    count += error.text().find(text) == std::string::npos ? 0 : error.count();
  return count;
}

// The server's thread may count after the run is over. What `count` is at last, or after a minute.
int Settled(const std::atomic<int>& count, int expected) {
  for (int i = 0; i < 60'000 && count < expected; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return count;
}

TEST(WebSocketTest, RepliesInPiecesOfEverySizeAreComplete) {
  const std::string reply = ServerFrame(1, "he", 0) + ServerFrame(9, "p") + ServerFrame(0, "llo");
  for (std::size_t piece = 1; piece <= reply.size(); ++piece) {
    std::atomic<int> pongs{0};
    RawServer server([&](int fd) {
      if (!GrantUpgrade(fd)) return;
      for (ClientFrame frame = ReadFrame(fd); frame.opcode == 1; frame = ReadFrame(fd)) {
        for (std::size_t at = 0; at < reply.size(); at += piece) SendAll(fd, reply.substr(at, piece));
        frame = ReadFrame(fd);
        if (frame.opcode == 10 && frame.payload == "p") ++pongs;  // with the ping's payload
      }
    });
    PointRun run = RunOnePoint(Messages(Url(server), 2, 10));
    EXPECT_EQ(run.counters[Outcome::kReply], 20u) << piece;
    EXPECT_EQ(run.counters.success, 20u);
    EXPECT_EQ(run.counters.messages, 20u);
    EXPECT_EQ(run.counters.pings, 20u);
    EXPECT_EQ(run.counters.orphan_messages, 0u);
    EXPECT_EQ(Settled(pongs, 20), 20);
  }
}

// Upgrades with `before` in front of the answer, and `extra` lines in it; then echoes.
Script EchoingAfter(std::string before, std::string extra) {
  return [before, extra](int fd) {
    const std::string grant = GrantOf(ReadHeader(fd), extra);
    const std::string answer = before + grant;
    for (const char byte : answer) SendAll(fd, std::string(1, byte));
    while (!grant.empty() && ReadFrame(fd).opcode == 1) SendAll(fd, ServerFrame(1, "hello"));
  };
}

TEST(WebSocketTest, InterimAnswersMayPrecedeTheUpgrade) {
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  for (const std::string& before : {std::string("HTTP/1.1 100 Continue\r\n\r\n"), hints, hints + hints + hints}) {
    RawServer server(EchoingAfter(before, ""));
    PointRun run = RunOnePoint(Messages(Url(server), 2, 5));
    EXPECT_EQ(run.counters[Outcome::kReply], 10u) << before;
  }
  RawServer refusing([&hints](int fd) {
    if (!ReadHeader(fd).empty()) SendAll(fd, hints + "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
  });
  PointRun run = RunOnePoint(Messages(Url(refusing), 1, 3));
  EXPECT_GT(ConnectErrors(run, "upgrade refused with status 403"), 0);
}

TEST(WebSocketTest, InterimAnswersWithoutEndAreBounded) {
  RawServer server([](int fd) {
    if (ReadHeader(fd).empty()) return;
    for (int i = 0; i < 10'000; ++i) SendAll(fd, "HTTP/1.1 100 Continue\r\n\r\n");
  });
  PointRun run = RunOnePoint(Messages(Url(server), 1, 3));
  EXPECT_EQ(run.counters[NeverSent::kUpgrade], 3u);
  EXPECT_GT(ConnectErrors(run, "more than 64 KiB of interim answers"), 0);
}

TEST(WebSocketTest, FieldsOfAnUpgradeMayStandTwice) {
  RawServer server(EchoingAfter("", "Connection: keep-alive\r\n"));
  EXPECT_EQ(RunOnePoint(Messages(Url(server), 1, 5)).counters[Outcome::kReply], 5u);
  RawServer two(EchoingAfter("", "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n"));
  proto::Plan plan = Messages(Url(two), 1, 5);
  plan.mutable_web_socket()->add_subprotocols("a");
  PointRun run = RunOnePoint(plan);
  EXPECT_GT(ConnectErrors(run, "more than one subprotocol"), 0);
}

TEST(WebSocketTest, CompressionThatIsNotTakenIsCounted) {
  RawServer server(EchoingAfter("", ""));
  proto::Plan plan = Messages(Url(server), 2, 5);
  plan.mutable_web_socket()->set_deflate(true);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[Outcome::kReply], 10u);
  EXPECT_EQ(run.warmup.not_deflated, 2u);
  RawServer wrong(EchoingAfter("", "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
  plan.set_target(Url(wrong));
  run = RunOnePoint(plan);
  EXPECT_GT(ConnectErrors(run, "without 'server_no_context_takeover'"), 0);
}

TEST(WebSocketTest, EachRefusalOfAnUpgradeIsNamed) {
  for (const int status : {200, 301, 400, 401, 403, 404, 426, 429, 500, 503}) {
    RawServer server([status](int fd) {
      if (!ReadHeader(fd).empty()) SendAll(fd, absl::StrCat("HTTP/1.1 ", status, " No\r\nContent-Length: 2\r\n\r\nno"));
    });
    PointRun run = RunOnePoint(Messages(Url(server), 1, 3));
    EXPECT_EQ(run.counters[NeverSent::kUpgrade], 3u) << status;
    EXPECT_EQ(run.counters[ConnectResult::kEstablished], 0u);
    EXPECT_GT(ConnectErrors(run, absl::StrCat("upgrade refused with status ", status)), 0) << status;
  }
}

TEST(WebSocketTest, AnUpgradeThatBreaksTheRulesIsNone) {
  RawServer wrong_protocol([](int fd) { GrantUpgrade(fd, "Sec-WebSocket-Protocol: other\r\n"); });
  EXPECT_GT(ConnectErrors(RunOnePoint(Messages(Url(wrong_protocol), 1, 3)), "'other', which was not offered"), 0);
  RawServer extension([](int fd) { GrantUpgrade(fd, "Sec-WebSocket-Extensions: x\r\n"); });
  EXPECT_GT(ConnectErrors(RunOnePoint(Messages(Url(extension), 1, 3)), "an extension that was not offered"), 0);
  RawServer silent([](int fd) { ReadHeader(fd); });
  EXPECT_GT(ConnectErrors(RunOnePoint(Messages(Url(silent), 1, 3)), "closed the connection"), 0);
  RawServer plain([](int fd) {
    char hello[16];
    if (recv(fd, hello, sizeof hello, 0) > 0) SendAll(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  proto::Plan tls = Messages(Url(plain), 1, 3);
  tls.set_target(absl::StrCat("wss://127.0.0.1:", plain.port(), "/"));
  EXPECT_EQ(RunOnePoint(tls).counters[NeverSent::kTls], 3u);
}

TEST(WebSocketTest, AnUpgradeThatIsNotAnsweredTimesOut) {
  RawServer server([](int fd) {
    ReadHeader(fd);
    ReadHeader(fd);  // until the client goes
  });
  proto::Plan plan = Messages(Url(server), 1, 1);
  *plan.mutable_connect_timeout() = ToDurationProto(200 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[NeverSent::kConnectTimeout], 1u);
}

struct BadAnswer {
  const char* name;
  std::string bytes;
  Outcome outcome;
  int close_code;  // that we send
};

class BadAnswers : public testing::TestWithParam<BadAnswer> {};

TEST_P(BadAnswers, AreOutcomesAndTheCloseSaysWhy) {
  const BadAnswer& bad = GetParam();
  std::atomic<int> closes{0};
  RawServer server([&](int fd) {
    if (!GrantUpgrade(fd) || ReadFrame(fd).opcode != 1) return;
    SendAll(fd, bad.bytes);
    const ClientFrame frame = ReadFrame(fd);
    if (frame.opcode != 8 || frame.payload.size() < 2) return;
    const int code = static_cast<unsigned char>(frame.payload[0]) << 8 | static_cast<unsigned char>(frame.payload[1]);
    if (code == bad.close_code) ++closes;
  });
  proto::Plan plan = Messages(Url(server), 1, 3);
  plan.set_max_response_bytes(1'000);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[bad.outcome], 3u);
  EXPECT_EQ(run.counters[ConnectResult::kEstablished] + (run.ready.connections_up() > 0 ? 1 : 0), 3u);
  EXPECT_EQ(Settled(closes, 3), 3);
}

INSTANTIATE_TEST_SUITE_P(
    WebSocket, BadAnswers,
    testing::Values(BadAnswer{"Masked", std::string("\x81\x81\x01\x02\x03\x04", 6) + "b", Outcome::kMalformed, 1002},
                    BadAnswer{"BadUtf8", ServerFrame(1, "\xff"), Outcome::kMalformed, 1007},
                    BadAnswer{"TooBig", ServerFrame(1, std::string(1'001, 'x')), Outcome::kOverLimit, 1009},
                    BadAnswer{"Close", ServerClose(1001), Outcome::kClosedEarly, 1001},
                    BadAnswer{"CloseAfterHalfAMessage", ServerFrame(1, "he", 0) + ServerClose(4005),
                              Outcome::kClosedEarly, 4005}),
    [](const auto& test) { return test.param.name; });

TEST(WebSocketTest, HowTheTargetClosesIsCounted) {
  RawServer server(Answering(ServerFrame(1, "x") + ServerClose(1012)));
  PointRun run = RunOnePoint(Messages(Url(server), 1, 4));
  EXPECT_EQ(run.counters[Outcome::kReply], 4u);
  EXPECT_EQ(run.counters[Closing::kRestart], 4u);
  RawServer rude([](int fd) {
    if (GrantUpgrade(fd)) ReadFrame(fd);
  });
  PointRun other = RunOnePoint(Messages(Url(rude), 1, 4));
  EXPECT_EQ(other.counters[Outcome::kClosedEarly], 4u);
  EXPECT_EQ(other.counters[Closing::kNoFrame], 4u);
  EXPECT_EQ(other.counters[Closing::kReset], 0u);
  RawServer hard([](int fd) {
    if (GrantUpgrade(fd)) ReadFrame(fd);
    ResetOnClose(fd);
  });
  PointRun reset = RunOnePoint(Messages(Url(hard), 1, 4));
  EXPECT_EQ(reset.counters[Outcome::kReset], 4u);
  EXPECT_EQ(reset.counters[Closing::kReset], 4u);
  EXPECT_EQ(reset.counters[Closing::kNoFrame], 0u);
}

TEST(WebSocketTest, AReplyIsKnownByItsId) {
  RawServer server([](int fd) {
    if (!GrantUpgrade(fd)) return;
    for (ClientFrame frame = ReadFrame(fd); frame.opcode == 1; frame = ReadFrame(fd)) {
      // What is no JSON, has no id, or another one, is nobody's reply.
      SendAll(fd, ServerFrame(1, "no JSON") + ServerFrame(1, "{\"e\":\"trade\"}") +
                      ServerFrame(1, "{\"result\":{\"id\":\"000000000000\"},\"id\":999999}") +
                      ServerFrame(1, frame.payload));
    }
  });
  proto::Plan plan = Messages(Url(server), 2, 10);
  plan.mutable_requests(0)->set_body("{\"id\":\"{slot}\",\"method\":\"ping\"}");
  plan.mutable_web_socket()->set_reply_id("/id");
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[Outcome::kReply], 20u);
  EXPECT_EQ(run.counters.orphan_messages, 60u);
}

proto::Plan Pipelined(const RawServer& server, std::int64_t depth, std::int64_t each) {
  proto::Plan plan = Messages(Url(server), 1, each);
  plan.set_threads(1);
  plan.mutable_requests(0)->set_body("{\"id\":\"{slot}\"}");
  plan.mutable_web_socket()->set_reply_id("/id");
  plan.mutable_web_socket()->set_pipeline(depth);
  return plan;
}

TEST(WebSocketTest, SeveralRequestsAreUnderWayAndRepliesMayComeInAnyOrder) {
  RawServer server([](int fd) {
    if (!GrantUpgrade(fd)) return;
    while (true) {
      std::string replies;
      for (int i = 0; i < 4; ++i) {  // all of them before the first reply, which is the last one's
        const ClientFrame frame = ReadFrame(fd);
        if (frame.opcode != 1) return;
        replies = ServerFrame(1, frame.payload) + replies;
      }
      SendAll(fd, replies);
    }
  });
  const PointRun run = RunOnePoint(Pipelined(server, 4, 40));
  EXPECT_EQ(run.counters.outcomes[static_cast<std::size_t>(Outcome::kReply)], 40u);
  EXPECT_EQ(run.counters.orphan_messages, 0u);
  EXPECT_EQ(run.ready.connections_up(), 1);
}

TEST(WebSocketTest, AMissingReplyIsTimedOutAndTheOthersGoOn) {
  std::atomic<int> connections{0};
  RawServer server([&connections](int fd) {
    ++connections;
    if (!GrantUpgrade(fd)) return;
    std::string late;
    int count = 0;
    for (ClientFrame frame = ReadFrame(fd); frame.opcode == 1; frame = ReadFrame(fd)) {
      if (++count % 10 == 0) {
        late = frame.payload;
        continue;
      }
      SendAll(fd, ServerFrame(1, frame.payload));
      // The reply to one that was given up belongs to nobody.
      if (count == 25) SendAll(fd, ServerFrame(1, late));
    }
  });
  proto::Plan plan = Pipelined(server, 5, 40);
  *plan.mutable_timeout() = ToDurationProto(200 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[Outcome::kReply] + run.counters[Outcome::kRequestTimeout], 40u);
  EXPECT_GE(run.counters[Outcome::kRequestTimeout], 3u);
  EXPECT_LE(run.counters[Outcome::kRequestTimeout], 4u);
  EXPECT_EQ(connections, 1);
}

TEST(WebSocketTest, WithoutIdsAMissingReplyEndsTheConnection) {
  std::atomic<int> connections{0};
  RawServer server([&connections](int fd) {
    const bool is_first = connections++ == 0;
    if (!GrantUpgrade(fd)) return;
    for (ClientFrame frame = ReadFrame(fd); frame.opcode == 1; frame = ReadFrame(fd)) {
      if (!is_first) SendAll(fd, ServerFrame(1, "reply"));
    }
  });
  proto::Plan plan = Messages(Url(server), 1, 10);
  plan.set_threads(1);
  plan.mutable_web_socket()->set_pipeline(3);
  *plan.mutable_timeout() = ToDurationProto(200 * kMillisecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[Outcome::kRequestTimeout], 1u);
  EXPECT_EQ(run.counters[Outcome::kCutOff], 2u);  // nobody could tell whose the next reply is
  EXPECT_EQ(run.counters[Outcome::kReply], 7u);
  EXPECT_EQ(connections, 2);
}

TEST(WebSocketTest, ACloseEndsAllThatIsUnderWay) {
  RawServer server([](int fd) {
    if (!GrantUpgrade(fd)) return;
    for (int i = 0; i < 3; ++i) ReadFrame(fd);
    SendAll(fd, ServerClose(1012));
  });
  PointRun run = RunOnePoint(Pipelined(server, 3, 9));
  EXPECT_EQ(run.counters[Outcome::kClosedEarly], 9u);
  EXPECT_EQ(run.counters[Closing::kRestart], 3u);
}

// Open loop: slots go to connections with room, and all that is planned is accounted for.
TEST(WebSocketTest, AnOpenLoopFillsPipelinesToo) {
  RawServer server([](int fd) {
    if (!GrantUpgrade(fd)) return;
    for (ClientFrame frame = ReadFrame(fd); frame.opcode == 1; frame = ReadFrame(fd)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // at most 500 a second
      SendAll(fd, ServerFrame(1, frame.payload));
    }
  });
  proto::Plan plan = Pipelined(server, 8, 0);
  plan.mutable_sweep()->clear_requests_per_connection();
  plan.mutable_sweep()->add_rates(300);
  plan.mutable_sweep()->set_requests(300);
  ApplyDefaults(&plan);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[Outcome::kReply], 300u);
}

// Subscriptions and pongs share the rate; of pings that come faster the last is answered.
TEST(WebSocketTest, ARateForControlMessagesIsKept) {
  std::vector<std::pair<Nanos, ClientFrame>> frames;  // of the server's thread, until it has ended
  std::uint64_t pongs_sent = 0;
  std::atomic<int> ended{0};
  RawServer server([&frames, &ended](int fd) {
    if (!GrantUpgrade(fd)) return;
    for (int i = 0; i < 20; ++i) SendAll(fd, ServerFrame(9, "ping " + std::to_string(i)));
    for (ClientFrame frame = ReadFrame(fd); frame.opcode != 8 && frame.opcode != -1; frame = ReadFrame(fd))
      frames.emplace_back(MonotonicNow(), frame);
    ++ended;
  });
  proto::Plan plan = PlanFor(Url(server), 1, 0);
  plan.mutable_sweep()->clear_requests_per_connection();
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(500 * kMillisecond);
  for (int i = 0; i < 5; ++i) plan.mutable_web_socket()->add_subscribe("subscribe " + std::to_string(i));
  plan.mutable_web_socket()->set_control_rate(20);
  plan.mutable_web_socket()->mutable_listen();
  ApplyDefaults(&plan);
  {
    PointRun run = RunOnePoint(plan);
    EXPECT_EQ(run.counters.pings + run.warmup.pings, 20u);
    pongs_sent = run.counters.pongs_sent + run.warmup.pongs_sent;
  }
  ASSERT_EQ(Settled(ended, 1), 1);
  ASSERT_GE(frames.size(), 6u);
  std::vector<std::string> subscriptions;
  std::vector<std::string> pongs;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    (frames[i].second.opcode == 10 ? pongs : subscriptions).push_back(frames[i].second.payload);
    if (i < 2) continue;
    EXPECT_GE(frames[i].first - frames[i - 2].first, 90 * kMillisecond) << i;  // two intervals, nearly
  }
  EXPECT_EQ(subscriptions.size(), 5u);
  EXPECT_EQ(pongs.back(), "ping 19");
  EXPECT_LE(pongs.size(), 3u);
  EXPECT_EQ(pongs_sent, pongs.size());  // of 20 pings
}

TEST(WebSocketTest, ATargetThatPingsAndDoesNotReadIsGivenUp) {
  RawServer server([](int fd) {
    if (!GrantUpgrade(fd)) return;
    const std::string pings = [] {
      std::string text;
      for (int i = 0; i < 1'000; ++i) text += ServerFrame(9, std::string(125, 'p'));
      return text;
    }();
    for (int i = 0; i < 1'000; ++i) SendAll(fd, pings);
  });
  proto::Plan plan = Messages(Url(server), 1, 1);
  *plan.mutable_timeout() = ToDurationProto(5 * kSecond);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.success, 0u);
  EXPECT_EQ(run.counters.OutcomeTotal() + run.counters.NeverSentTotal(), 1u);
  EXPECT_GE(run.counters[Finding::kPingFlood], 1u);
  EXPECT_LT(run.counters.pongs_sent, run.counters.pings);
}

TEST(WebSocketTest, ALongMessageGoesOutWholeToASlowReaderAndThePongsBehindIt) {
  std::atomic<int> pongs{0};
  RawServer server([&pongs](int fd) {
    if (!GrantUpgrade(fd)) return;
    unsigned char header[14];
    if (recv(fd, header, sizeof header, MSG_WAITALL) != sizeof header) return;
    std::string payload(8 << 20, '\0');
    int pings = 0;
    for (std::size_t at = 0; at < payload.size();) {
      const ssize_t n = recv(fd, payload.data() + at, std::min<std::size_t>(payload.size() - at, 100'000), 0);
      if (n <= 0) return;
      at += static_cast<std::size_t>(n);
      if (pings++ < 10) SendAll(fd, ServerFrame(9, "while you send"));
    }
    for (std::size_t k = 0; k < payload.size(); ++k) {
      if (static_cast<char>(payload[k] ^ header[10 + k % 4]) != 'x') return;
    }
    SendAll(fd, ServerFrame(1, "right"));
    for (ClientFrame frame = ReadFrame(fd); frame.opcode == 10; frame = ReadFrame(fd))
      pongs += frame.payload == "while you send" ? 1 : 0;
  });
  proto::Plan plan = Messages(Url(server), 3, 1);
  plan.mutable_requests(0)->set_body(std::string(8 << 20, 'x'));
  const PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters.success, 3u);
  EXPECT_EQ(Settled(pongs, 30), 30);
  EXPECT_EQ(run.counters.pongs_sent, 30u);
}

// When a close frame was read is nothing to the replies of the next connection.
TEST(WebSocketTest, AFirstByteIsTimedOnItsOwnConnection) {
  std::atomic<int> served{0};
  RawServer server([&](int fd) {
    const bool is_first = ++served == 1;
    if (!GrantUpgrade(fd)) return;
    for (ClientFrame frame = ReadFrame(fd); frame.opcode == 1; frame = ReadFrame(fd)) {
      SendAll(fd, is_first ? ServerClose(1012) : ServerFrame(1, "reply"));
      if (is_first) return;
    }
  });
  proto::Plan plan = Messages(Url(server), 1, 3);
  plan.set_threads(1);
  PointRun run = RunOnePoint(plan);
  EXPECT_EQ(run.counters[Outcome::kClosedEarly], 1u);
  EXPECT_EQ(run.counters[Outcome::kReply], 2u);
  EXPECT_EQ(FactsOf(run, Metric::kFirstByte).count(), 2u);
  EXPECT_EQ(FactsOf(run, Metric::kFirstByte).clock_error(), 0u);
}

}  // namespace
}  // namespace tidemark
