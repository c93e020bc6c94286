#include "common/plan/place.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(PlaceTest, ArraysAreTakenApartLevelByLevel) {
  using Arrays = std::vector<std::string>;
  EXPECT_EQ(ArraysOf(""), Arrays());
  EXPECT_EQ(ArraysOf("/data"), Arrays({"/data"}));
  EXPECT_EQ(ArraysOf("/data/*"), Arrays({"/data"}));
  EXPECT_EQ(ArraysOf("/*"), Arrays({""}));
  EXPECT_EQ(ArraysOf("/events/*/trades"), Arrays({"/events", "/trades"}));
  EXPECT_EQ(ArraysOf("/*/a/b/*"), Arrays({"", "/a/b"}));
}

TEST(PlaceTest, APointerIsInTheDeepestItemThatItLeadsThrough) {
  const auto expect = [](const char* events, const char* pointer, std::size_t level, const char* rest) {
    const Place place = PlaceOf(ArraysOf(events), pointer);
    EXPECT_EQ(place.level, level) << events << " " << pointer;
    EXPECT_EQ(place.pointer, rest) << events << " " << pointer;
  };
  expect("", "/data/*/ts", 0, "/data/*/ts");
  expect("/data", "/ts", 0, "/ts");
  expect("/data", "/data/0/ts", 0, "/data/0/ts");
  expect("/data", "/data/*/ts", 1, "/ts");
  expect("/data", "/data/*", 1, "");
  expect("/data", "/data/*x/ts", 0, "/data/*x/ts");
  expect("/*", "/*/E", 1, "/E");
  expect("/events/*/trades", "/events/*/type", 1, "/type");
  expect("/events/*/trades", "/events/*/trades/*/time", 2, "/time");
  EXPECT_TRUE(PlaceOf(ArraysOf("/data"), "").empty());
  EXPECT_FALSE(PlaceOf(ArraysOf("/data"), "/data/*").empty());
}

}  // namespace
}  // namespace tidemark
