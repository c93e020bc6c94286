// Tests that end in each way a test can end; judging_test.cc runs them.
#include <gtest/gtest.h>

#include <cstdlib>

#include "common/clock.h"

namespace {

// For so long that several of the watch's slices are over, asleep.
void SleepThroughSlices() {
  const timespec two_seconds = {.tv_sec = 2, .tv_nsec = 0};
  nanosleep(&two_seconds, nullptr);
}

TEST(Judged, Passes) {}
TEST(Judged, Fails) {
  SleepThroughSlices();
  FAIL();
}
TEST(Judged, FailsWhileBusyItself) {
  const tidemark::Nanos end = tidemark::MonotonicNow() + 2 * tidemark::kSecond;
  while (tidemark::MonotonicNow() < end) {
  }
  FAIL();
}
TEST(Judged, Crashes) {
  SleepThroughSlices();
  std::abort();
}
TEST(Judged, IsSkipped) { GTEST_SKIP(); }

}  // namespace
