// When slot k is due.
#pragma once

#include <cstdint>

#include "common/clock.h"

namespace tidemark {

// Returns when slot `k` of a constant rate is due, counted from the start. Exact, never drifts:
// floor(k * 10^12 / rate_millis), computed from the index in 128 bits.
// REQUIRES: 0 <= k < 2^53, 1 <= rate_millis (slots per 1000 s).   Threads: any.   Source: DESIGN.md "Schedule".
Nanos DueAt(std::int64_t k, std::int64_t rate_millis);

}  // namespace tidemark
