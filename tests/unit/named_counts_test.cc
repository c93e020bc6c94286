#include "common/stats/named_counts.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

TEST(NamedCountsTest, GoOverTheWireAndAddUp) {
  NamedCounts one;
  one.Stream("a").Add({.messages = 2, .bytes = 30, .gaps = 1, .lost = 4, .lost_late = 3, .silences = 2});
  one.Stream("b").gaps = 1;  // found when the connection had closed
  one.Stream("c");
  one.CountClose(4004, "no data");
  one.CountClose(4004, "no data");
  one.CountClose(1001, "");
  proto::Shard shard;
  one.ToProto(&shard);
  EXPECT_EQ(shard.streams_size(), 2);
  NamedCounts sum;
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(NamedCounts::Check(shard));
    sum.Add(shard);
  }
  sum.Add(one);
  EXPECT_EQ(sum.streams().at("a"),
            (StreamSum{.messages = 8, .bytes = 120, .gaps = 4, .lost = 16, .lost_late = 12, .silences = 8}));
  EXPECT_EQ(sum.streams().at("b").gaps, 4u);
  EXPECT_EQ(sum.closes(), (NamedCounts::Closes{{{4004, "no data"}, 8}, {{1001, ""}, 4}}));
  sum.Clear();
  proto::Shard empty;
  sum.ToProto(&empty);
  EXPECT_EQ(empty.ByteSizeLong(), 0u);
}

TEST(NamedCountsTest, NamesWithoutEndAreAddedUpAsOthers) {
  NamedCounts counts;
  for (std::size_t i = 0; i < NamedCounts::kMaxStreams + 50; ++i) ++counts.Stream(std::to_string(i)).messages;
  EXPECT_EQ(counts.streams().size(), NamedCounts::kMaxStreams + 1);
  EXPECT_EQ(counts.streams().at(NamedCounts::kOtherStreams).messages, 50u);
  for (int i = 0; i < 1'000; ++i) counts.CountClose(3'000, std::to_string(i));
  EXPECT_EQ(counts.closes().size(), NamedCounts::kMaxCloses + 1);
  EXPECT_EQ(counts.closes().at({0, std::string(NamedCounts::kOtherCloses)}), 1'000 - NamedCounts::kMaxCloses);
}

TEST(NamedCountsTest, WhatMakesNoSenseIsRefused) {
  proto::Shard shard;
  shard.add_streams()->set_name(std::string(NamedCounts::kMaxStreamName + 1, 'x'));
  EXPECT_FALSE(NamedCounts::Check(shard).ok());
  shard.mutable_streams(0)->set_name("x");
  shard.mutable_streams(0)->set_bytes(std::uint64_t{1} << 63);
  EXPECT_FALSE(NamedCounts::Check(shard).ok());
  shard.mutable_streams(0)->set_bytes(1);
  EXPECT_OK(NamedCounts::Check(shard));
  shard.add_closes()->set_reason(std::string(124, 'x'));
  EXPECT_FALSE(NamedCounts::Check(shard).ok());
  shard.mutable_closes(0)->set_reason("x");
  shard.mutable_closes(0)->set_code(5'000);
  EXPECT_FALSE(NamedCounts::Check(shard).ok());
}

}  // namespace
}  // namespace tidemark
