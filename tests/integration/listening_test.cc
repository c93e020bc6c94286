// Connections that listen, to servers that break the protocol, reset, close and refuse: what happened is counted once,
// under its own name.
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

// One connection that listens for 300 ms.
proto::Plan Listening(const RawServer& server) {
  proto::Plan plan = PlanFor(absl::StrCat("ws://127.0.0.1:", server.port(), "/stream"), 1, 0);
  plan.set_threads(1);
  plan.mutable_sweep()->clear_requests_per_connection();
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(300 * kMillisecond);
  plan.mutable_web_socket()->mutable_listen();
  plan.set_max_response_bytes(1'000);
  ApplyDefaults(&plan);
  return plan;
}

// Before the start and after it.
Counters Both(const PointRun& run) {
  Counters sum = run.counters;
  sum.Add(run.warmup);
  return sum;
}

std::uint64_t Closings(const Counters& counters) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : counters.closings) sum += count;
  return sum;
}

struct Violation {
  const char* name;
  std::string bytes;
  Finding finding;
  int close_code;  // that we send
};

class Violations : public testing::TestWithParam<Violation> {};

// Nothing is received but what breaks the rules; each connection of the server is one finding, and no close of its own.
TEST_P(Violations, AreFindingsThoughNothingIsReceived) {
  const Violation& bad = GetParam();
  std::atomic<int> served{0};
  std::atomic<int> closed{0};
  RawServer server([&](int fd) {
    if (!GrantUpgrade(fd)) return;
    if (++served > 3) {  // the last one stays
      ReadFrame(fd);
      return;
    }
    SendAll(fd, bad.bytes);
    const ClientFrame frame = ReadFrame(fd);
    if (frame.opcode != 8 || frame.payload.size() < 2) return;
    const int code = static_cast<unsigned char>(frame.payload[0]) << 8 | static_cast<unsigned char>(frame.payload[1]);
    if (code == bad.close_code) ++closed;
  });
  proto::Plan plan = Listening(server);
  plan.mutable_web_socket()->set_deflate(false);
  Counters sum = Both(RunOnePoint(plan));
  EXPECT_EQ(sum[bad.finding], 3u);
  EXPECT_EQ(sum[Finding::kViolation] + sum[Finding::kBadPayload] + sum[Finding::kOversized], 3u);
  EXPECT_EQ(sum.messages, 0u);
  EXPECT_EQ(Closings(sum), 0u);
  EXPECT_EQ(Settled(closed, 3), 3);
}

INSTANTIATE_TEST_SUITE_P(
    Listening, Violations,
    testing::Values(Violation{"Masked", std::string("\x81\x81\x01\x02\x03\x04", 6) + "b", Finding::kViolation, 1002},
                    Violation{"ReservedBit", ServerFrame(1, "x", 0xc0), Finding::kViolation, 1002},
                    Violation{"UnknownOpcode", ServerFrame(3, "x"), Finding::kViolation, 1002},
                    Violation{"UnknownControl", ServerFrame(11, ""), Finding::kViolation, 1002},
                    Violation{"PieceOfNothing", ServerFrame(0, "x"), Finding::kViolation, 1002},
                    Violation{"PingInPieces", ServerFrame(9, "x", 0), Finding::kViolation, 1002},
                    Violation{"LongPing", ServerFrame(9, std::string(126, 'x')), Finding::kViolation, 1002},
                    Violation{"CloseOfOneByte", ServerFrame(8, "x"), Finding::kViolation, 1002},
                    Violation{"CloseCodeThatMayNotBeSent", ServerClose(1005), Finding::kViolation, 1002},
                    Violation{"BadUtf8", ServerFrame(1, "\xff"), Finding::kBadPayload, 1007},
                    Violation{"CloseReasonThatIsNoText", ServerClose(1000, "\xff"), Finding::kBadPayload, 1007},
                    Violation{"TooBig", ServerFrame(1, std::string(1'001, 'x')), Finding::kOversized, 1009}),
    [](const auto& test) { return test.param.name; });

TEST(ListeningTest, WhatDoesNotDecompressIsCorrupt) {
  std::atomic<int> served{0};
  RawServer server([&](int fd) {
    if (!GrantUpgrade(fd,
                      "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                      "client_no_context_takeover\r\n"))
      return;
    if (++served == 1) SendAll(fd, ServerFrame(1, "\x07\xff\xff no deflate", 0xc0));
    ReadFrame(fd);
  });
  proto::Plan plan = Listening(server);
  plan.mutable_web_socket()->set_deflate(true);
  Counters sum = Both(RunOnePoint(plan));
  EXPECT_EQ(sum[Finding::kBadPayload], 1u);
  EXPECT_EQ(sum[Finding::kViolation] + sum[Finding::kOversized], 0u);
}

// How each of the server's first three connections ends; the next one stays.
Counters EndedBy(void (*end)(int fd)) {
  std::atomic<int> served{0};
  RawServer server([&served, end](int fd) {
    if (!GrantUpgrade(fd)) return;
    if (++served > 3) {
      while (ReadFrame(fd).opcode != -1) {
      }
      return;
    }
    end(fd);
  });
  Counters sum = Both(RunOnePoint(Listening(server)));
  EXPECT_EQ(sum[ConnectResult::kEstablished], 4u);
  return sum;
}

TEST(ListeningTest, AnEndInOrderIsNoReset) {
  Counters sum = EndedBy([](int fd) { SendAll(fd, ServerFrame(1, "x")); });
  EXPECT_EQ(sum.messages, 3u);
  EXPECT_EQ(sum[Closing::kNoFrame], 3u);
  EXPECT_EQ(Closings(sum), 3u);
}

TEST(ListeningTest, AResetIsCountedOnceThoughAReadMeetsIt) {
  Counters sum = EndedBy([](int fd) { ResetOnClose(fd); });
  EXPECT_EQ(sum[Closing::kReset], 3u);
  EXPECT_EQ(Closings(sum), 3u);
}

// The ping is read, and its pong meets the reset that came behind it.
TEST(ListeningTest, AResetIsCountedOnceThoughAWriteMeetsIt) {
  Counters sum = EndedBy([](int fd) {
    SendAll(fd, ServerFrame(9, "p"));
    ResetOnClose(fd);
  });
  EXPECT_EQ(sum[Closing::kReset], 3u);
  EXPECT_EQ(Closings(sum), 3u);
  EXPECT_EQ(sum.pings, 3u);
  EXPECT_LE(sum.pongs_sent, 3u);
}

// A write that meets the reset does not hide the close frame that came before it.
TEST(ListeningTest, AResetBehindACloseFrameIsThatClose) {
  Counters sum = EndedBy([](int fd) {
    SendAll(fd, ServerFrame(9, "p") + ServerFrame(1, "x"));
    SendAll(fd, ServerClose(1008, "too many"));
    ResetOnClose(fd);
  });
  EXPECT_EQ(sum[Closing::kPolicy], 3u);
  EXPECT_EQ(Closings(sum), 3u);
  EXPECT_EQ(sum.messages, 3u);
}

// The texts of what kept connections from coming up.
std::string RefusedBy(Script answer) {
  RawServer server([&answer](int fd) {
    if (!GrantUpgrade(fd) || ReadFrame(fd).opcode != 1) return;
    answer(fd);
  });
  proto::Plan plan = Listening(server);
  plan.mutable_web_socket()->add_subscribe("subscribe");
  plan.mutable_web_socket()->set_ack("/result=null");
  plan.mutable_web_socket()->mutable_listen()->set_time("/E");
  *plan.mutable_connect_timeout() = ToDurationProto(200 * kMillisecond);
  const PointRun run = RunOnePoint(plan);
  std::string texts;
  for (const proto::ConnectError& error : run.ready.errors()) absl::StrAppend(&texts, error.text(), "\n");
  return texts;
}

TEST(ListeningTest, ARefusedSubscriptionShowsTheReply) {
  const Script waits = [](int fd) { ReadFrame(fd); };
  EXPECT_EQ(RefusedBy(waits), "subscribe: no ack in time; no message came\n");
  EXPECT_EQ(RefusedBy([&](int fd) {
              SendAll(fd, ServerFrame(1, R"({"code":2,"msg":"Invalid request: unknown","id":1})"));
              SendAll(fd, ServerFrame(1, R"({"E":1700000000000})"));  // an event says less of why
              ReadFrame(fd);
            }),
            R"(subscribe: no ack in time; the last message was '{"code":2,"msg":"Invalid request: unknown","id":1}')"
            "\n");
  EXPECT_EQ(RefusedBy([](int fd) { SendAll(fd, ServerClose(4001, "login failed")); }),
            "subscribe: the target closed the connection before the last ack; it closed with code 4001 and "
            "'login failed'\n");
  EXPECT_EQ(RefusedBy([](int fd) { SendAll(fd, ServerFrame(1, "no") + ServerFrame(8, "")); }),
            "subscribe: the target closed the connection before the last ack; it closed with code 1005 and no reason; "
            "the last message was 'no'\n");
  EXPECT_EQ(RefusedBy([](int fd) { SendAll(fd, ServerFrame(1, "no")); }),
            "subscribe: the target closed the connection before the last ack; the last message was 'no'\n");
  EXPECT_EQ(RefusedBy([](int fd) { ResetOnClose(fd); }),
            "subscribe: the target reset the connection before the last ack; no message came\n");
  EXPECT_EQ(RefusedBy([](int fd) {
              SendAll(fd, ServerFrame(0, "a piece of nothing"));
              ReadFrame(fd);
            }),
            "subscribe: the target broke the protocol before the last ack; no message came\n");
}

// Whatever the reply is made of, what is printed is short, and text.
TEST(ListeningTest, AReplyIsShownWithoutHarm) {
  const auto shows = [](int opcode, const std::string& reply) {
    return RefusedBy([&](int fd) {
      SendAll(fd, ServerFrame(opcode, reply));
      ReadFrame(fd);
    });
  };
  EXPECT_EQ(shows(1,
                  "a\x1b[2Jb\n\xc2\x9b"
                  "c\x7f"),
            "subscribe: no ack in time; the last message was 'a?[2Jb ?c?'\n");
  EXPECT_EQ(shows(2, std::string("\x00\xff\xc3z", 4)), "subscribe: no ack in time; the last message was '???z'\n");
  std::string umlauts;
  for (int i = 0; i < 400; ++i) umlauts += "\xc3\xbc";
  const std::string text = shows(1, umlauts);
  EXPECT_LT(text.size(), 330u);
  EXPECT_NE(text.find("\xc3\xbc...'\n"), std::string::npos) << text;
}

// Each reply differs, as by an id of the connection: they are one error all the same.
TEST(ListeningTest, RefusalsAreOneErrorHoweverTheirRepliesDiffer) {
  std::atomic<int> count{0};
  RawServer server([&](int fd) {
    if (!GrantUpgrade(fd) || ReadFrame(fd).opcode != 1) return;
    SendAll(fd, ServerFrame(1, absl::StrCat(R"({"event":"error","connId":")", ++count, R"("})")) + ServerClose(1008));
  });
  proto::Plan plan = Listening(server);
  plan.mutable_sweep()->set_connections(0, 20);
  plan.mutable_web_socket()->add_subscribe("subscribe");
  plan.mutable_web_socket()->set_ack("/event=subscribe");
  *plan.mutable_connect_timeout() = ToDurationProto(200 * kMillisecond);
  const PointRun run = RunOnePoint(plan);
  ASSERT_EQ(run.ready.errors_size(), 1);
  EXPECT_GE(run.ready.errors(0).count(), 20);
  EXPECT_NE(run.ready.errors(0).text().find(R"('{"event":"error","connId":")"), std::string::npos)
      << run.ready.errors(0).text();
}

// An ack carries a number of a sequence that goes over all messages of the connection.
TEST(ListeningTest, TheAcksNumberIsOfTheSequence) {
  RawServer server([](int fd) {
    if (!GrantUpgrade(fd) || ReadFrame(fd).opcode != 1) return;
    std::string text = ServerFrame(1, R"({"sequence_num":0,"channel":"level2"})");
    text += ServerFrame(1, R"({"sequence_num":1,"channel":"subscriptions"})");
    for (int i = 2; i < 30; ++i) text += ServerFrame(1, absl::StrCat(R"({"sequence_num":)", i, R"(,"channel":"l2"})"));
    SendAll(fd, text);
    ReadFrame(fd);
  });
  proto::Plan plan = Listening(server);
  plan.mutable_web_socket()->add_subscribe("subscribe");
  plan.mutable_web_socket()->set_ack("/channel=subscriptions");
  proto::Sequence* const sequence = plan.mutable_web_socket()->mutable_listen()->mutable_sequence();
  sequence->set_rule("consecutive");
  sequence->set_number("/sequence_num");
  Counters sum = Both(RunOnePoint(plan));
  EXPECT_EQ(sum.messages, 30u);
  EXPECT_EQ(sum[Finding::kGap] + sum[Finding::kUnread] + sum[Finding::kDuplicate], 0u);
}

// A target that collects its events, and sends them together: all of a read are compared with all, and what the
// collecting took is the target's.
TEST(ListeningTest, OfABurstEachEventIsStamped) {
  RawServer server([](int fd) {
    if (!GrantUpgrade(fd)) return;
    for (int i = 0; i < 30; ++i) {
      std::string burst;
      const Nanos now = WallNow();
      for (int k = 20; k > 0; --k)
        burst += ServerFrame(1, absl::StrCat(R"({"T":)", (now - k * kMillisecond) / kMicrosecond, "}"));
      SendAll(fd, burst);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ReadFrame(fd);
  });
  proto::Plan plan = Listening(server);
  plan.mutable_web_socket()->mutable_listen()->set_time("/T");
  plan.mutable_web_socket()->mutable_listen()->set_time_unit("us");
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(500 * kMillisecond);
  const PointRun run = RunOnePoint(plan);
  const proto::HistogramSummary all = FactsOf(run, Metric::kStaleness);
  const proto::HistogramSummary stamped = FactsOf(run, Metric::kStamped);
  const proto::HistogramSummary wire = FactsOf(run, Metric::kWire);
  EXPECT_GT(all.count(), 100u);
  EXPECT_EQ(stamped.count(), all.count()) << "so few reads are all sampled";
  EXPECT_EQ(stamped.sum_low_ns(), all.sum_low_ns());
  EXPECT_EQ(wire.count(), all.count());
  // 10.5 ms of an event's staleness are the target's, whatever we add.
  EXPECT_NEAR(static_cast<double>(wire.sum_low_ns()) / static_cast<double>(wire.count()), 10.5e6, 2e6);
}

// What a connection waited for is no other's: the next one's first event may come before its last ack.
TEST(ListeningTest, AFirstEventIsTimedOnItsOwnConnection) {
  std::atomic<int> served{0};
  RawServer server([&](int fd) {
    const int number = ++served;
    if (!GrantUpgrade(fd) || ReadFrame(fd).opcode != 1) return;
    if (number > 1) SendAll(fd, ServerFrame(1, R"({"e":1})"));
    SendAll(fd, ServerFrame(1, R"({"r":"ok"})"));
    if (number == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(400));
    } else {
      ReadFrame(fd);
    }
  });
  proto::Plan plan = Listening(server);
  plan.mutable_web_socket()->add_subscribe("subscribe");
  plan.mutable_web_socket()->set_ack("/r=ok");
  *plan.mutable_sweep()->mutable_duration() = ToDurationProto(2 * kSecond);
  const PointRun run = RunOnePoint(plan);
  EXPECT_GE(served, 2);
  EXPECT_GE(Both(run).messages, 3u);
  EXPECT_EQ(FactsOf(run, Metric::kFirstEvent).count(), 0u) << "no event has come after an ack";
}

}  // namespace
}  // namespace tidemark
