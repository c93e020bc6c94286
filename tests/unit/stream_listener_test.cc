#include "agent/stream_listener.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

// A connection that hears messages 10 ms apart, an hour after T0.
class StreamListenerTest : public testing::Test {
 protected:
  void Listen(const proto::Listen& listen) {
    rules_ = StreamRules::Of(listen);
    listener_ = std::make_unique<StreamListener>(&rules_, &json_);
  }
  bool Hear(const std::string& message) {
    arrival_.now += 10 * kMillisecond;
    if (arrival_.since_start >= 0) arrival_.since_start += 10 * kMillisecond;
    return listener_->Take(message, message.size(), arrival_, &recorder_);
  }
  std::uint64_t operator[](Finding finding) { return recorder_.counters[finding]; }

  StreamListener::Arrival arrival_ = {.now = 10'000 * kSecond, .since_start = 3'600 * kSecond};
  Recorder recorder_;
  JsonPointers json_;
  StreamRules rules_;
  std::unique_ptr<StreamListener> listener_;
};

TEST_F(StreamListenerTest, EachNameIsAStreamWithNumbersOfItsOwn) {
  proto::Listen listen;
  listen.set_stream("/s");
  listen.mutable_sequence()->set_rule("consecutive");
  listen.mutable_sequence()->set_number("/n");
  Listen(listen);
  for (const char* message : {R"({"s":"a","n":1})", R"({"s":"b","n":7})", R"({"s":"a","n":2})", R"({"s":"a","n":5})",
                              R"({"s":"b","n":8})", R"({"n":1})", R"({"s":"a"})", "no JSON"})
    EXPECT_TRUE(Hear(message));
  listener_->End(&recorder_);
  const auto& streams = recorder_.named.streams();
  EXPECT_EQ(streams.at("a"), (StreamSum{.messages = 4, .bytes = 15 * 3 + 9, .gaps = 1, .lost = 2}));
  EXPECT_EQ(streams.at("b"), (StreamSum{.messages = 2, .bytes = 30}));
  EXPECT_EQ(streams.at("").messages, 2u);  // those without a name
  EXPECT_EQ((*this)[Finding::kUnread], 3u);
  EXPECT_EQ((*this)[Finding::kGap], 1u);
  EXPECT_EQ(recorder_[Metric::kInterval].count(), 5u);
  EXPECT_EQ(recorder_[Metric::kInterval].min(), 10 * kMillisecond);
}

TEST_F(StreamListenerTest, StreamsWithoutEndAreUnreadable) {
  proto::Listen listen;
  listen.set_stream("/s");
  Listen(listen);
  for (int i = 0; i < 2'000; ++i) Hear("{\"s\":\"" + std::to_string(i) + "\"}");
  EXPECT_EQ((*this)[Finding::kUnread], 2'000u - 1'024u);
  EXPECT_EQ(recorder_.named.streams().size(), 1'024u);
  Hear("{\"s\":\"" + std::string(10'000, 'x') + "\"}");
  EXPECT_EQ((*this)[Finding::kUnread], 2'001u - 1'024u);
}

TEST_F(StreamListenerTest, AGapSoonAfterWeWereBehindIsOurs) {
  proto::Listen listen;
  listen.mutable_sequence()->set_rule("range");
  listen.mutable_sequence()->set_first("/U");
  listen.mutable_sequence()->set_number("/u");
  Listen(listen);
  Hear(R"({"U":1,"u":3})");
  arrival_.behind_at = arrival_.now + 5 * kMillisecond;
  Hear(R"({"U":7,"u":9})");
  arrival_.now += 2 * kSecond;
  Hear(R"({"U":10,"u":10})");
  Hear(R"({"U":12,"u":12})");
  listener_->End(&recorder_);
  EXPECT_EQ((*this)[Finding::kGap], 2u);
  EXPECT_EQ((*this)[Finding::kGapBehind], 1u);
  EXPECT_EQ((*this)[Finding::kLost], 4u);
}

TEST_F(StreamListenerTest, ALinkTellsGapsButNotHowManyWereLost) {
  proto::Listen listen;
  listen.mutable_sequence()->set_rule("link");
  listen.mutable_sequence()->set_previous("/prevSeqId");
  listen.mutable_sequence()->set_number("/seqId");
  Listen(listen);
  for (const char* message : {R"({"prevSeqId":-1,"seqId":10})", R"({"prevSeqId":10,"seqId":15})",
                              R"({"prevSeqId":15,"seqId":15})", R"({"prevSeqId":15,"seqId":3})",
                              R"({"prevSeqId":3,"seqId":5})", R"({"prevSeqId":8,"seqId":9})", R"({"seqId":11})"})
    Hear(message);
  listener_->End(&recorder_);
  EXPECT_EQ((*this)[Finding::kSnapshot], 1u);
  EXPECT_EQ((*this)[Finding::kReset], 1u);
  EXPECT_EQ((*this)[Finding::kGap], 1u);
  EXPECT_EQ((*this)[Finding::kLost], 0u);
  EXPECT_EQ((*this)[Finding::kUnread], 1u);  // only a first message may point to none
}

TEST_F(StreamListenerTest, StalenessIsByTheTargetsClock) {
  proto::Listen listen;
  listen.set_time("/E");
  Listen(listen);
  arrival_.clock_offset = 3'600 * kSecond;
  Hear("{\"E\":" + std::to_string((WallNow() + 3'600 * kSecond) / kMillisecond - 50) + "}");
  EXPECT_GE(recorder_[Metric::kStaleness].min(), 50 * kMillisecond);
  EXPECT_LT(recorder_[Metric::kStaleness].max(), kSecond);
  Hear("{\"E\":" + std::to_string((WallNow() + 3'700 * kSecond) / kMillisecond) + "}");
  EXPECT_EQ(recorder_[Metric::kStaleness].clock_error(), 1u);  // negative, and in no figure
  EXPECT_EQ(recorder_[Metric::kStaleness].count(), 1u);
}

TEST_F(StreamListenerTest, AnEventIsTheSameForAllConnectionsAndCountsFromTheStart) {
  proto::Listen listen;
  listen.set_stream("/s");
  listen.set_fan_out("/n");
  Listen(listen);
  arrival_.since_start = -1;
  Hear(R"({"s":"a","n":1})");
  EXPECT_TRUE(recorder_.events.empty());
  arrival_.since_start = 0;
  Hear(R"({"s":"a","n":1})");
  StreamListener other(&rules_, &json_);
  StreamListener::Arrival later = arrival_;
  later.since_start += 7;
  other.Take(R"({"s":"a","n":1})", 15, later, &recorder_);
  other.Take(R"({"s":"b","n":1})", 15, later, &recorder_);
  ASSERT_EQ(recorder_.events.size(), 2u);
  std::uint64_t most = 0;
  for (const auto& [id, receipts] : recorder_.events) {
    most = std::max(most, receipts.count);
    EXPECT_EQ(receipts.last - receipts.first, receipts.count == 2 ? 7 : 0);
  }
  EXPECT_EQ(most, 2u);
}

TEST_F(StreamListenerTest, WhatIsNoEventIsIgnoredAndNothingElse) {
  proto::Listen listen;
  listen.set_time("/E");
  listen.add_ignore("/channel=heartbeat");
  listen.add_ignore("/event=notice");
  Listen(listen);
  EXPECT_FALSE(Hear(R"({"channel":"heartbeat"})"));
  EXPECT_FALSE(Hear(R"({"event":"notice","E":1})"));
  EXPECT_TRUE(Hear(R"({"channel":"book","E":1})"));
  EXPECT_EQ((*this)[Finding::kIgnored], 2u);
  EXPECT_EQ((*this)[Finding::kUnread], 0u);
}

}  // namespace
}  // namespace tidemark
