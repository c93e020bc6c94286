#include "common/clock.h"

#include <time.h>

#include <cmath>

#include "absl/strings/str_format.h"

namespace tidemark {
namespace {

Nanos Read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<Nanos>(now.tv_sec) * kSecond + now.tv_nsec;
}

}  // namespace

Nanos MonotonicNow() { return Read(CLOCK_MONOTONIC); }
Nanos ThreadCpuTime() { return Read(CLOCK_THREAD_CPUTIME_ID); }
Nanos WallNow() { return Read(CLOCK_REALTIME); }
double WallSeconds() { return static_cast<double>(WallNow()) / 1e9; }

std::string FormatWallTime(double wall_seconds) {
  const auto whole = static_cast<time_t>(std::floor(wall_seconds));
  tm utc{};
  gmtime_r(&whole, &utc);
  const int millis = static_cast<int>((wall_seconds - std::floor(wall_seconds)) * 1000);
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                         utc.tm_hour, utc.tm_min, utc.tm_sec, millis);
}

}  // namespace tidemark
