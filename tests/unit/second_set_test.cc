#include "common/stats/second_set.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(SecondSetTest, ItKnowsItsEndAndItsLongestGap) {
  SecondSet set;
  EXPECT_TRUE(set.IsEmpty());
  EXPECT_EQ(set.End(), 0u);
  EXPECT_EQ(set.LongestGap(), 0u);
  for (const std::uint32_t second : {3u, 4u, 10u, 11u}) set.Add(second);
  EXPECT_FALSE(set.IsEmpty());
  EXPECT_EQ(set.End(), 12u);
  EXPECT_EQ(set.LongestGap(), 5u);
  EXPECT_EQ(set.width(), 1u);
}

TEST(SecondSetTest, BeyondItsRoomSecondsShareBins) {
  SecondSet set;
  set.Add(1'023);
  EXPECT_EQ(set.End(), 1'024u);
  EXPECT_EQ(set.width(), 1u);
  set.Add(1'024);
  EXPECT_EQ(set.width(), 2u);
  EXPECT_EQ(set.End(), 1'026u);
  EXPECT_EQ(set.LongestGap(), 1'022u);
  set.Add(86'399);  // a day
  EXPECT_EQ(set.width(), 128u);
  EXPECT_EQ(set.End(), 86'400u);
  SecondSet largest;
  largest.Add(~std::uint32_t{0});
  EXPECT_FALSE(largest.IsEmpty());
}

TEST(SecondSetTest, AddingIsCommutative) {
  SecondSet few;
  few.Add(5);
  SecondSet many;
  many.Add(7);
  many.Add(3'000);
  SecondSet one = few;
  one.Add(many);
  SecondSet other = many;
  other.Add(few);
  EXPECT_EQ(one, other);
  SecondSet at_once;
  for (const std::uint32_t second : {3'000u, 7u, 5u}) at_once.Add(second);
  EXPECT_EQ(one, at_once);
}

}  // namespace
}  // namespace tidemark
