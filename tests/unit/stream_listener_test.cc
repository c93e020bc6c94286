#include "agent/audit/stream_listener.h"

#include <gtest/gtest.h>

#include <map>

#include "common/plan/durations.h"
#include "protos/plan.pb.h"

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

TEST_F(StreamListenerTest, StreamsBeyondThoseThatAreTrackedAreTheOthers) {
  proto::Listen listen;
  listen.set_stream("/s");
  listen.mutable_sequence()->set_rule("consecutive");
  listen.mutable_sequence()->set_number("/n");
  Listen(listen);
  for (int round = 1; round <= 2; ++round) {
    for (int i = 0; i < 1'030; ++i) EXPECT_TRUE(Hear(absl::StrCat(R"({"s":"s)", i, R"(","n":)", round, "}")));
  }
  EXPECT_EQ((*this)[Finding::kUnread], 0u);
  EXPECT_EQ(recorder_.named.streams().size(), 1'025u);
  EXPECT_EQ(recorder_.named.streams().at("(others)").messages, 12u);
  EXPECT_EQ(recorder_.named.streams().at("s0").messages, 2u);
}

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

TEST_F(StreamListenerTest, StreamsWithoutEndAreAddedUp) {
  proto::Listen listen;
  listen.set_stream("/s");
  Listen(listen);
  for (int i = 0; i < 2'000; ++i) Hear("{\"s\":\"" + std::to_string(i) + "\"}");
  EXPECT_EQ((*this)[Finding::kUnread], 0u);
  EXPECT_EQ(recorder_.named.streams().size(), 1'025u);
  EXPECT_EQ(recorder_.named.streams().at("(others)").messages, 2'000u - 1'024u);
  Hear("{\"s\":\"" + std::string(10'000, 'x') + "\"}");
  EXPECT_EQ((*this)[Finding::kUnread], 0u);
  EXPECT_EQ(recorder_.named.streams().at("(others)").messages, 2'000u - 1'024u + 1);  // too long to be kept
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

// OKX and Bybit (trades): what all events share is in the message, and each has what is its own.
TEST_F(StreamListenerTest, OneMessageMayBringSeveralEvents) {
  proto::Listen listen;
  listen.set_events("/data");
  listen.set_stream("/arg/instId");
  listen.set_time("/data/*/ts");
  listen.set_fan_out("/data/*/tradeId");
  listen.mutable_sequence()->set_rule("consecutive");
  listen.mutable_sequence()->set_number("/data/*/tradeId");
  Listen(listen);
  EXPECT_TRUE(Hear(R"({"arg":{"channel":"trades","instId":"BTC-USDT"},
                       "data":[{"tradeId":"1","ts":"1700000000001"},{"tradeId":"2","ts":"1700000000002"}]})"));
  EXPECT_TRUE(Hear(R"({"arg":{"channel":"trades","instId":"BTC-USDT"},
                       "data":[{"tradeId":"4","ts":"1700000000003"},{"tradeId":"4","ts":"1700000000003"}, {}]})"));
  listener_->End(&recorder_);
  EXPECT_EQ((*this)[Finding::kEvent], 5u);
  EXPECT_EQ((*this)[Finding::kGap], 1u);  // 3
  EXPECT_EQ((*this)[Finding::kDuplicate], 1u);
  EXPECT_EQ((*this)[Finding::kUnread], 1u);  // {}
  EXPECT_EQ(recorder_.named.streams().at("BTC-USDT").messages, 5u);
  EXPECT_EQ(recorder_[Metric::kStaleness].count(), 4u);
  EXPECT_EQ(recorder_[Metric::kInterval].count(), 1u);  // between messages, not within one
  EXPECT_EQ(recorder_.events.size(), 3u);
}

// Binance (all tickers): the message is the array, and each item of another stream.
TEST_F(StreamListenerTest, TheMessageItselfMayBeTheArray) {
  proto::Listen listen;
  listen.set_events("/*");
  listen.set_stream("/*/s");
  listen.set_time("/*/E");
  Listen(listen);
  EXPECT_TRUE(Hear(R"([{"e":"24hrTicker","E":1700000000000,"s":"BTCUSDT"},{"E":1700000000000,"s":"ETHUSDT"}])"));
  EXPECT_EQ(recorder_.named.streams().size(), 2u);
  EXPECT_EQ(recorder_.named.streams().at("ETHUSDT").messages, 1u);
  EXPECT_FALSE(Hear("[]"));  // brings nothing
  EXPECT_EQ((*this)[Finding::kUnread], 0u);
  for (const char* message : {R"({"result":null,"id":1})", "no JSON", R"([{"E":1)"}) EXPECT_TRUE(Hear(message));
  EXPECT_EQ((*this)[Finding::kUnread], 3u);
  EXPECT_EQ((*this)[Finding::kEvent], 2u);
}

// Coinbase (Advanced Trade): arrays in an array, one sequence over all channels of a connection, and a channel that the
// plan ignores has its share of the numbers.
TEST_F(StreamListenerTest, NumbersMayGoOverAllChannelsAndThoseThatAreIgnored) {
  proto::Listen listen;
  listen.set_events("/events/*/trades");
  listen.set_stream("/events/*/trades/*/product_id");
  listen.set_time("/events/*/trades/*/time");
  listen.set_time_unit("rfc3339");
  listen.add_ignore("/channel=heartbeats");
  listen.mutable_sequence()->set_rule("consecutive");
  listen.mutable_sequence()->set_number("/sequence_num");
  listen.mutable_sequence()->set_scope("connection");
  Listen(listen);
  const auto trades = [](int number) {
    return R"({"channel":"market_trades","sequence_num":)" + std::to_string(number) +
           R"(,"events":[{"type":"update","trades":[
               {"trade_id":"12","product_id":"ETH-USD","time":"2026-11-26T10:00:00.5Z"},
               {"trade_id":"77","product_id":"BTC-USD","time":"2026-11-26T10:00:00.6Z"}]},
             {"type":"update","trades":[{"trade_id":"78","product_id":"BTC-USD","time":"2026-11-26T10:00:00.7Z"}]}]})";
  };
  listener_->PassOver(R"({"channel":"subscriptions","sequence_num":0,"events":[{"subscriptions":{}}]})", arrival_,
                      &recorder_);
  EXPECT_TRUE(Hear(trades(1)));
  EXPECT_FALSE(Hear(R"({"channel":"heartbeats","sequence_num":2,"events":[{"heartbeat_counter":"1"}]})"));
  EXPECT_TRUE(Hear(trades(3)));
  listener_->PassOver(R"({"channel":"subscriptions","sequence_num":4,"events":[{"subscriptions":{}}]})", arrival_,
                      &recorder_);
  EXPECT_TRUE(Hear(trades(5)));
  EXPECT_TRUE(Hear(trades(7)));
  listener_->End(&recorder_);
  EXPECT_EQ((*this)[Finding::kGap], 1u);  // 6
  EXPECT_EQ((*this)[Finding::kLost], 1u);
  EXPECT_EQ((*this)[Finding::kDuplicate] + (*this)[Finding::kReset] + (*this)[Finding::kUnread], 0u);
  EXPECT_EQ((*this)[Finding::kIgnored], 1u);
  EXPECT_EQ((*this)[Finding::kEvent], 4u * 3);
  EXPECT_EQ(recorder_.named.streams().at("BTC-USD").messages, 4u * 2);
  EXPECT_EQ(recorder_.named.streams().at("BTC-USD").gaps, 0u);  // it is the connection's
}

// Without scope, too: a connection without names is one stream, and what is ignored of it carries its numbers.
TEST_F(StreamListenerTest, WhatIsIgnoredHasItsNumberInTheSequence) {
  proto::Listen listen;
  listen.add_ignore("/channel=heartbeat");
  listen.mutable_sequence()->set_rule("consecutive");
  listen.mutable_sequence()->set_number("/n");
  Listen(listen);
  EXPECT_TRUE(Hear(R"({"n":1})"));
  EXPECT_FALSE(Hear(R"({"channel":"heartbeat","n":2})"));
  EXPECT_TRUE(Hear(R"({"n":3})"));
  EXPECT_FALSE(Hear(R"({"channel":"heartbeat","n":5})"));
  EXPECT_FALSE(Hear(R"({"channel":"heartbeat"})"));  // has none, and none is missing
  EXPECT_TRUE(Hear(R"({"n":6})"));
  listener_->End(&recorder_);
  EXPECT_EQ((*this)[Finding::kIgnored], 3u);
  EXPECT_EQ((*this)[Finding::kGap], 1u);
  EXPECT_EQ((*this)[Finding::kLost], 1u);
  EXPECT_EQ((*this)[Finding::kUnread], 0u);
}

// Numbers of the message, whose events are of its stream: each message has one, however many events it brings.
TEST_F(StreamListenerTest, ANumberOfTheMessageIsAuditedOnce) {
  proto::Listen listen;
  listen.set_events("/data");
  listen.set_stream("/topic");
  listen.mutable_sequence()->set_rule("range");
  listen.mutable_sequence()->set_first("/U");
  listen.mutable_sequence()->set_number("/u");
  Listen(listen);
  for (const char* message : {R"({"topic":"a","U":1,"u":3,"data":[1,2,3]})", R"({"topic":"a","U":4,"u":4,"data":[4]})",
                              R"({"topic":"a","U":6,"u":7,"data":[]})", R"({"topic":"a","data":[8,9]})"})
    Hear(message);
  listener_->End(&recorder_);
  EXPECT_EQ((*this)[Finding::kEvent], 6u);
  EXPECT_EQ((*this)[Finding::kGap], 1u);
  EXPECT_EQ((*this)[Finding::kDuplicate], 0u);
  EXPECT_EQ((*this)[Finding::kUnread], 1u);
}

// Ten streams on a connection, of which one falls silent, comes back, and falls silent again.
TEST_F(StreamListenerTest, AStreamFallsSilentWhileOthersGoOn) {
  proto::Listen listen;
  listen.set_stream("/s");
  *listen.mutable_silence() = ToDurationProto(2 * kSecond);
  Listen(listen);
  const auto round = [&](bool has_last) {
    for (int i = 0; i < (has_last ? 10 : 9); ++i) Hear("{\"s\":\"s" + std::to_string(i) + "\"}");
  };
  for (int i = 0; i < 20; ++i) round(true);
  for (int i = 0; i < 100; ++i) round(false);  // 9 s
  EXPECT_EQ((*this)[Finding::kStreamSilence], 1u);
  round(true);
  for (int i = 0; i < 20; ++i) round(false);  // 1.8 s
  EXPECT_EQ((*this)[Finding::kStreamSilence], 1u);
  for (int i = 0; i < 5; ++i) round(false);
  EXPECT_EQ((*this)[Finding::kStreamSilence], 2u);
  EXPECT_EQ(recorder_.named.streams().at("s9").silences, 2u);
  EXPECT_EQ(recorder_.named.streams().at("s8").silences, 0u);
}

TEST_F(StreamListenerTest, AStreamsUsualIntervalSaysWhatIsUnusual) {
  proto::Listen listen;
  listen.set_stream("/s");
  listen.set_silence_factor(20);
  Listen(listen);
  for (int i = 0; i < 1'000; ++i) {
    Hear(R"({"s":"often"})");
    if (i % 40 == 0) Hear(R"({"s":"seldom"})");
    if (i < 100) Hear(R"({"s":"gone"})");
  }
  listener_->End(&recorder_);
  EXPECT_EQ((*this)[Finding::kStreamSilence], 1u);
  EXPECT_EQ(recorder_.named.streams().at("gone").silences, 1u);
}

// When all of a connection was silent, or we did not read, no stream of it is to blame.
TEST_F(StreamListenerTest, ASilenceOfTheConnectionIsNoneOfItsStreams) {
  proto::Listen listen;
  listen.set_stream("/s");
  *listen.mutable_silence() = ToDurationProto(kSecond);
  Listen(listen);
  const auto both = [&](int count) {
    for (int i = 0; i < count; ++i) {
      Hear(R"({"s":"a"})");
      Hear(R"({"s":"b"})");
    }
  };
  both(50);
  arrival_.now += 5 * kSecond;
  for (int i = 0; i < 20; ++i) Hear(R"({"s":"a"})");  // b comes a moment later
  both(50);
  EXPECT_EQ((*this)[Finding::kStreamSilence], 0u);
  for (int i = 0; i < 90; ++i) Hear(R"({"s":"a"})");
  arrival_.behind_at = arrival_.now;
  for (int i = 0; i < 90; ++i) Hear(R"({"s":"a"})");
  EXPECT_EQ((*this)[Finding::kStreamSilence], 0u);
  for (int i = 0; i < 20; ++i) Hear(R"({"s":"a"})");
  EXPECT_EQ((*this)[Finding::kStreamSilence], 1u);
  EXPECT_EQ(recorder_.named.streams().at("b").silences, 1u);
}

TEST_F(StreamListenerTest, WhatComesWhenItWasGivenUpIsTakenOffTheLost) {
  proto::Listen listen;
  listen.set_stream("/s");
  listen.mutable_sequence()->set_rule("consecutive");
  listen.mutable_sequence()->set_number("/n");
  Listen(listen);
  const auto hear = [&](int number) { Hear(R"({"s":"a","n":)" + std::to_string(number) + "}"); };
  hear(1);
  for (int i = 4; i < 24; ++i) hear(i);
  hear(3);
  listener_->End(&recorder_);
  EXPECT_EQ((*this)[Finding::kLost], 2u);
  EXPECT_EQ((*this)[Finding::kLostLate], 1u);
  EXPECT_EQ((*this)[Finding::kReordered], 1u);
  EXPECT_EQ((*this)[Finding::kDuplicate], 0u);
  EXPECT_EQ(recorder_.named.streams().at("a").lost_late, 1u);
}

// Kraken's book: a change without a checksum changes it, and so does one whose checksum cannot be read.
class BookListenerTest : public StreamListenerTest {
 protected:
  void SetUp() override {
    proto::Listen listen;
    proto::Sequence* const sequence = listen.mutable_sequence();
    sequence->set_rule("checksum");
    sequence->set_snapshot("/type=snapshot");
    sequence->set_number("/data/0/checksum");
    sequence->set_bids("/data/0/bids");
    sequence->set_asks("/data/0/asks");
    sequence->set_depth(10);
    Listen(listen);
    book_.Begin();
  }
  // The message that makes this change to the true book; `checksum`: of "{...}", if there is one.
  std::string Change(const std::string& type, const std::string& price, const std::string& size,
                     const std::string& checksum = "right") {
    book_.Apply({{price, size}}, {});
    const std::string sum = checksum == "right" ? std::to_string(book_.Checksum()) : checksum;
    return R"({"channel":"book","type":")" + type + R"(","data":[{"bids":[{"price":)" + price + R"(,"qty":)" + size +
           R"(}],"asks":[])" + (sum.empty() ? "" : R"(,"checksum":)" + sum) + "}]}";
  }
  OrderBook book_{10};
};

TEST_F(BookListenerTest, AChangeWithoutAChecksumIsAChangeAllTheSame) {
  Hear(Change("snapshot", "100.1", "1.5"));
  Hear(Change("update", "100.2", "2.5", ""));
  Hear(Change("update", "100.3", "3.5"));
  Hear(Change("update", "100.4", "4.5", "\"?\""));
  Hear(Change("update", "100.5", "5.5", "99999999999"));
  Hear(Change("update", "100.6", "6.5"));
  EXPECT_EQ((*this)[Finding::kChecksumWrong] + (*this)[Finding::kUnsynced], 0u);
  EXPECT_EQ((*this)[Finding::kChecked], 3u);
  EXPECT_EQ((*this)[Finding::kUnchecked], 1u);
  EXPECT_EQ((*this)[Finding::kUnread], 2u);
}

TEST_F(BookListenerTest, ASnapshotWithoutAChecksumBeginsABook) {
  Hear(Change("snapshot", "100.1", "1.5", ""));
  Hear(Change("update", "100.2", "2.5"));
  EXPECT_EQ((*this)[Finding::kChecked], 1u);
  EXPECT_EQ((*this)[Finding::kUnchecked], 1u);
  EXPECT_EQ((*this)[Finding::kSnapshot], 1u);
}

// What cannot be read may have been a change: the target is not to blame for what follows.
TEST_F(BookListenerTest, AfterAChangeThatCannotBeReadNothingIsKnown) {
  Hear(Change("snapshot", "100.1", "1.5"));
  Hear(R"({"type":"update","data":[{"bids":[7],"asks":[],"checksum":1}]})");
  Hear(Change("update", "100.2", "2.5"));
  EXPECT_EQ((*this)[Finding::kChecksumWrong], 0u);
  EXPECT_EQ((*this)[Finding::kUnread], 1u);
  EXPECT_EQ((*this)[Finding::kUnsynced], 1u);
  Hear(R"({"type":"update","data":[{"symbol":"x"}]})");  // neither changes nor a checksum
  EXPECT_EQ((*this)[Finding::kUnread], 2u);
}

// Several books in one message.
TEST_F(StreamListenerTest, EachItemMayBeOfABookOfItsOwn) {
  proto::Listen listen;
  listen.set_events("/data");
  listen.set_stream("/data/*/symbol");
  proto::Sequence* const sequence = listen.mutable_sequence();
  sequence->set_rule("checksum");
  sequence->set_snapshot("/type=snapshot");
  sequence->set_number("/data/*/checksum");
  sequence->set_bids("/data/*/bids");
  sequence->set_asks("/data/*/asks");
  sequence->set_depth(10);
  Listen(listen);
  std::map<std::string, OrderBook> books;
  std::string data;
  for (const char* symbol : {"BTC/USD", "ETH/USD"}) {
    OrderBook& book = books.try_emplace(symbol, 10).first->second;
    book.Begin();
    book.Apply({{"100.1", symbol[0] == 'B' ? "1.5" : "2.5"}}, {});
    data += std::string(data.empty() ? "" : ",") + R"({"symbol":")" + symbol + R"(","bids":[[100.1,)" +
            (symbol[0] == 'B' ? "1.5" : "2.5") + R"(]],"asks":[],"checksum":)" + std::to_string(book.Checksum()) + "}";
  }
  Hear(R"({"type":"snapshot","data":[)" + data + "]}");
  Hear(R"({"type":"update","data":[)" + data + "]}");
  EXPECT_EQ((*this)[Finding::kChecked], 4u);
  EXPECT_EQ((*this)[Finding::kSnapshot], 2u);
  EXPECT_EQ((*this)[Finding::kChecksumWrong] + (*this)[Finding::kUnsynced] + (*this)[Finding::kUnread], 0u);
}

}  // namespace
}  // namespace tidemark
