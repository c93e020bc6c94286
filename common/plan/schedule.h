// When slots are due: a rate over time, and how arrivals follow it.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/numeric/int128.h"
#include "common/clock.h"

namespace tidemark {

// Rates of a schedule are whole numbers of slots per 1,000 hours, in which what people write is exact: thousandths per
// second, per minute and per hour.
inline constexpr std::int64_t kOnePerSecond = 3'600'000;

// The nearest such rate.  REQUIRES: 0 <= per_s <= 10^12.
std::int64_t ScheduleRate(double per_s);
// `rate` per second.
inline double PerSecond(std::int64_t rate) { return static_cast<double>(rate) / static_cast<double>(kOnePerSecond); }

// The ceiling that `rate_per_s` of slots keeps within. Arrivals at random need room above their mean: one second in some
// thirty thousand has more than four standard deviations above it.
inline double CeilingFor(double rate_per_s, bool is_constant) {
  return is_constant ? rate_per_s : rate_per_s + 4 * std::sqrt(rate_per_s);
}

// Returns when slot `k` of a constant rate is due, counted from the start. Exact, never drifts:
// floor(k * 3.6 * 10^15 / rate), computed from the index in 128 bits; kNeverDue / 4 if that is beyond it, 73 years.
// REQUIRES: 0 <= k < 2^53, 1 <= rate (slots per 1,000 hours).   Threads: any.   Source: DESIGN.md "Schedule".
Nanos DueAt(std::int64_t k, std::int64_t rate);

// After the last slot.
inline constexpr Nanos kNeverDue = std::numeric_limits<Nanos>::max();

// The rate goes from one value to the other, linearly, in `duration`. Rates in slots per 1,000 hours.
struct RateStage {
  std::int64_t from = 0;
  std::int64_t to = 0;
  Nanos duration = 0;
};

// A position in a schedule, fine enough that every stage covers a whole number of units: 7.2 * 10^15 of them are a
// slot.
using SchedulePosition = absl::uint128;
inline constexpr std::uint64_t kUnitsPerSlot = 2 * static_cast<std::uint64_t>(kOnePerSecond * kSecond);

// Walks a rate profile forwards. Copying it copies the place it has reached.
class RateWalk {
 public:
  explicit RateWalk(std::vector<RateStage> stages) : stages_(std::move(stages)) {}

  // When the schedule reaches `position`, rounded down to ns; kNeverDue beyond its end. A constant rate is exact; a
  // ramp is solved in long double, right to the ns for schedules of days.  REQUIRES: `position` never goes back.
  Nanos At(SchedulePosition position);

 private:
  std::vector<RateStage> stages_;
  std::size_t stage_ = 0;
  Nanos stage_start_ = 0;
  SchedulePosition passed_ = 0;  // what the stages before this one cover
};

// One stream of due times out of all those of a point, fixed before it starts. Copying it copies its place, so that
// two copies walk the same slots, one behind the other.  Threads: one per object.
class Arrivals {
 public:
  // Slots `first`, `first + stride`, ... of a profile that many streams share; none with an index of `limit` or more.
  static Arrivals Constant(std::vector<RateStage> stages, std::uint64_t first, std::uint64_t stride,
                           std::uint64_t limit);
  // A Poisson process with one `share`-th of the profile's rate; independent streams of all shares superpose to one
  // of the full rate. Integer sums of seeded exponential gaps: the same key gives the same times.
  static Arrivals Poisson(std::vector<RateStage> stages, std::uint64_t key, std::uint64_t share, std::uint64_t count);

  // The next due time, counted from the start; kNeverDue after the last.
  Nanos Next();
  // Slots that a limit still allows; meaningful if there is one.
  std::uint64_t left() const { return left_; }

  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

 private:
  explicit Arrivals(std::vector<RateStage> stages) : walk_(std::move(stages)) {}

  RateWalk walk_;
  SchedulePosition position_ = 0;  // of the next slot; of the last one in a Poisson stream
  SchedulePosition step_ = 0;      // 0: Poisson
  std::uint64_t key_ = 0;
  std::uint64_t drawn_ = 0;
  double mean_gap_ = 0;  // in units
  std::uint64_t left_ = kNoLimit;
};

// The key of one stream's random numbers.
std::uint64_t StreamKey(std::uint64_t seed, std::uint64_t point, std::uint64_t agent, std::uint64_t worker);

}  // namespace tidemark
