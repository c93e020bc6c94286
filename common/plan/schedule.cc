#include "common/plan/schedule.h"

#include <algorithm>
#include <cmath>

#include "common/stats/histogram.h"

namespace tidemark {

std::int64_t ScheduleRate(double per_s) { return std::llround(per_s * static_cast<double>(kOnePerSecond)); }

Nanos DueAt(std::int64_t k, std::int64_t rate) {
  const absl::int128 due = absl::int128(k) * (kOnePerSecond * kSecond) / rate;
  return static_cast<Nanos>(std::min<absl::int128>(due, kNeverDue / 4));
}

Nanos RateWalk::At(SchedulePosition position) {
  for (; stage_ < stages_.size(); ++stage_) {
    const RateStage& stage = stages_[stage_];
    const auto from = static_cast<std::uint64_t>(stage.from);
    const auto to = static_cast<std::uint64_t>(stage.to);
    const SchedulePosition covered = SchedulePosition(from + to) * static_cast<std::uint64_t>(stage.duration);
    const SchedulePosition into = position - passed_;
    if (into < covered) {
      if (from == to) return stage_start_ + static_cast<Nanos>(into / (2 * from));
      // The area under the line up to t is 2 f t + (to - from) t^2 / T, solved for t without cancellation.
      if (into == 0) return stage_start_;
      const auto area = static_cast<long double>(into);
      const auto f = static_cast<long double>(from);
      const long double slope = (static_cast<long double>(to) - f) / static_cast<long double>(stage.duration);
      return stage_start_ + static_cast<Nanos>(area / (f + std::sqrt(f * f + slope * area)));
    }
    passed_ += covered;
    stage_start_ += stage.duration;
  }
  return kNeverDue;
}

Arrivals Arrivals::Constant(std::vector<RateStage> stages, std::uint64_t first, std::uint64_t stride,
                            std::uint64_t limit) {
  Arrivals arrivals(std::move(stages));
  arrivals.position_ = SchedulePosition(first) * kUnitsPerSlot;
  arrivals.step_ = SchedulePosition(stride) * kUnitsPerSlot;
  if (limit != kNoLimit) arrivals.left_ = limit > first ? (limit - first + stride - 1) / stride : 0;
  return arrivals;
}

Arrivals Arrivals::Poisson(std::vector<RateStage> stages, std::uint64_t key, std::uint64_t share, std::uint64_t count) {
  Arrivals arrivals(std::move(stages));
  arrivals.key_ = key;
  arrivals.mean_gap_ = static_cast<double>(kUnitsPerSlot) * static_cast<double>(share);
  arrivals.left_ = count;
  return arrivals;
}

Nanos Arrivals::Next() {
  if (left_ == 0) return kNeverDue;
  if (step_ == 0) {
    // Uniform in (0, 1] from the stream's counter, then the exponential's inverse.
    const double uniform = (static_cast<double>(Mix64(key_ + drawn_++) >> 11) + 1) * 0x1p-53;
    const double gap = -std::log(uniform) * mean_gap_;
    // A gap of many workers' shares does not fit into 64 bits; the narrow conversion is the quick one.
    position_ += gap < 0x1p63 ? SchedulePosition(static_cast<std::uint64_t>(gap)) : SchedulePosition(gap);
  }
  const Nanos due = walk_.At(position_);
  if (due == kNeverDue) {
    left_ = 0;
    return kNeverDue;
  }
  position_ += step_;
  if (left_ != kNoLimit) --left_;
  return due;
}

std::uint64_t StreamKey(std::uint64_t seed, std::uint64_t point, std::uint64_t agent, std::uint64_t worker) {
  return Mix64(Mix64(Mix64(Mix64(seed) + point) + agent) + worker);
}

}  // namespace tidemark
