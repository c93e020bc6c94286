#include <gtest/gtest.h>

#include "tests/mock_exchange/truth.h"

namespace tidemark {
namespace {

TEST(MockTruthTest, KeepsTheFirstArrivalsAndCountsTheOthers) {
  Truth truth(3);
  for (Nanos instant = 1; instant <= 3; ++instant) truth.AddArrival(instant);
  EXPECT_EQ(truth.ArrivalsText(), "1\n2\n3\n");
  for (Nanos instant = 4; instant <= 1'000'000; ++instant) truth.AddArrival(instant);
  EXPECT_EQ(truth.ArrivalsText(), "1\n2\n3\nleft out: 999997\n");
  EXPECT_NE(truth.ToJson().find("\"arrivals_left_out\":999997"), std::string::npos);
  EXPECT_LE(truth.arrivals.capacity(), 4u);
}

}  // namespace
}  // namespace tidemark
