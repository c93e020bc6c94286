#include "agent/audit/order_book.h"

#include <gtest/gtest.h>

#include "agent/wire/json_pointers.h"

namespace tidemark {
namespace {

// The example of Kraken's guide to book checksums.
constexpr char kSnapshot[] = R"({"type":"snapshot","data":[{"symbol":"BTC/USD","checksum":3310070434,
  "bids":[{"price":45283.5,"qty":0.10000000},{"price":45283.4,"qty":1.54582015},{"price":45282.1,"qty":0.10000000},
          {"price":45281.0,"qty":0.10000000},{"price":45280.3,"qty":1.54592586},{"price":45279.0,"qty":0.07990000},
          {"price":45277.6,"qty":0.03310103},{"price":45277.5,"qty":0.30000000},{"price":45277.3,"qty":1.54602737},
          {"price":45276.6,"qty":0.15445238}],
  "asks":[{"price":45285.2,"qty":0.00100000},{"price":45286.4,"qty":1.54571953},{"price":45286.6,"qty":1.54571109},
          {"price":45289.6,"qty":1.54560911},{"price":45290.2,"qty":0.15890660},{"price":45291.8,"qty":1.54553491},
          {"price":45294.7,"qty":0.04454749},{"price":45296.1,"qty":0.35380000},{"price":45297.5,"qty":0.09945542},
          {"price":45299.5,"qty":0.18772827}]}]})";
constexpr std::uint32_t kChecksum = 3310070434;

class OrderBookTest : public testing::Test {
 protected:
  void SetUp() override {
    book_.Begin();
    Apply(kSnapshot);
  }
  bool Apply(const std::string& message) {
    OrderBook::Levels bids;
    OrderBook::Levels asks;
    json_.Read(message);
    return json_.GetPairs("/data/0/bids", &bids) && json_.GetPairs("/data/0/asks", &asks) && book_.Apply(bids, asks);
  }
  JsonPointers json_;
  OrderBook book_{10};
};

TEST_F(OrderBookTest, TheExchangesOwnExample) {
  EXPECT_EQ(book_.Checksum(), kChecksum);
  EXPECT_EQ(book_.Verify(kChecksum), OrderBook::Check::kRight);
}

TEST_F(OrderBookTest, ChangesAreTakenBackToTheSameBook) {
  // A better bid pushes the last one out; when it goes, the exchange sends the last one again.
  EXPECT_TRUE(Apply(R"({"data":[{"bids":[["45284.0","1.00000000"]],"asks":[]}]})"));
  EXPECT_NE(book_.Checksum(), kChecksum);
  EXPECT_TRUE(
      Apply(R"({"data":[{"bids":[["45284.0","0.00000000"],["45276.6","0.15445238"]],"asks":[["45285.2","0.001"]]}]})"));
  EXPECT_NE(book_.Checksum(), kChecksum);  // a size as it is written
  EXPECT_TRUE(Apply(R"({"data":[{"asks":[["45285.2","0.00100000"]]}]})"));
  EXPECT_EQ(book_.Checksum(), kChecksum);
}

TEST_F(OrderBookTest, AWrongBookIsNotSyncedUntilTheNextSnapshot) {
  EXPECT_EQ(book_.Verify(kChecksum + 1), OrderBook::Check::kWrong);
  EXPECT_EQ(book_.Verify(kChecksum), OrderBook::Check::kUnsynced);
  book_.Begin();
  Apply(kSnapshot);
  EXPECT_EQ(book_.Verify(kChecksum), OrderBook::Check::kRight);
}

TEST_F(OrderBookTest, WhatIsNoDecimalBreaksTheBook) {
  for (const char* price : {"\"\"", "\"1e5\"", "\"-1\"", "\"nan\"", "\"1.2.3\"", "[]", "null",
                            "\"1111111111111111111111111111111111111111111\""}) {
    book_.Begin();
    EXPECT_FALSE(Apply(std::string(R"({"data":[{"bids":[[)") + price + R"(,"1"]],"asks":[]}]})")) << price;
    EXPECT_EQ(book_.Verify(book_.Checksum()), OrderBook::Check::kUnsynced) << price;
  }
  for (const char* item : {"[1]", "1", "\"x\"", "{}"}) {
    book_.Begin();
    EXPECT_FALSE(Apply(std::string(R"({"data":[{"bids":[)") + item + R"(],"asks":[]}]})")) << item;
  }
}

TEST(OrderBookTestDepth, NoMoreLevelsAreKeptThanTheStreamHas) {
  OrderBook book(10);
  book.Begin();
  OrderBook::Levels bids;
  std::vector<std::string> prices;
  for (int i = 0; i < 5'000; ++i) prices.push_back(std::to_string(100'000 + i * 7 % 5'000));
  for (const std::string& price : prices) bids.emplace_back(price, "1");
  EXPECT_TRUE(book.Apply(bids, {}));
  OrderBook best(10);
  best.Begin();
  EXPECT_TRUE(best.Apply({{"104999", "1"},
                          {"104998", "1"},
                          {"104997", "1"},
                          {"104996", "1"},
                          {"104995", "1"},
                          {"104994", "1"},
                          {"104993", "1"},
                          {"104992", "1"},
                          {"104991", "1"},
                          {"104990", "1"}},
                         {}));
  EXPECT_EQ(book.Checksum(), best.Checksum());
}

}  // namespace
}  // namespace tidemark
