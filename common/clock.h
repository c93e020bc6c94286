// Time inside Tidemark: nanoseconds on the monotonic clock of one host.
#pragma once

#include <cstdint>
#include <string>

namespace tidemark {

// A duration or an instant, in nanoseconds. Instants are meaningful on one host only.
using Nanos = std::int64_t;

inline constexpr Nanos kMicrosecond = 1'000;
inline constexpr Nanos kMillisecond = 1'000'000;
inline constexpr Nanos kSecond = 1'000'000'000;

// CLOCK_MONOTONIC now. Threads: any. Cost: about 25 ns (vDSO).
Nanos MonotonicNow();

// CPU time the calling thread has used so far.
Nanos ThreadCpuTime();

// CLOCK_REALTIME now: of kernel time stamps alone, which use it.
Nanos WallNow();

// The wall clock now, seconds since 1970 with a fraction; for labels only, never for a latency.
double WallSeconds();

// `wall_seconds` as RFC 3339 in UTC with milliseconds: "2026-11-23T12:00:00.000Z".
std::string FormatWallTime(double wall_seconds);

}  // namespace tidemark
