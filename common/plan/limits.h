// Limits on what a plan may ask for; beyond them it is a mistake rather than a test.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/clock.h"

namespace tidemark {

inline constexpr std::int64_t kMaxPoints = 1'000;
inline constexpr std::int64_t kMaxConnections = 10'000'000;
inline constexpr std::int64_t kMaxRequestsPerPoint = 1'000'000'000'000;
inline constexpr std::int64_t kMaxRate = 100'000'000;
inline constexpr std::int64_t kMaxWeight = 1'000;
inline constexpr std::int64_t kMaxThreads = 1'024;
inline constexpr std::size_t kMaxHeaders = 100;
inline constexpr std::int64_t kMaxFollow = 50;  // as curl and browsers
inline constexpr std::size_t kMaxHeaderBytes = 64 << 10;
inline constexpr std::size_t kMaxBodyBytes = 16 << 20;
inline constexpr std::size_t kMaxUrlBytes = 16 << 10;
inline constexpr std::size_t kMaxCredentials = 4 << 10;
inline constexpr Nanos kMaxTimeout = 3600 * kSecond;
inline constexpr Nanos kMaxDuration = 7 * 24 * 3600 * kSecond;

}  // namespace tidemark
