#include "agent/pace/budget.h"

#include <cmath>

namespace tidemark {
namespace {

// Of a burst, what lies in the budget; the rest may be in workers' hands.
constexpr double kKept = 0.75;
// Beyond that nobody counts.
constexpr double kLongestInterval = 1e17;

}  // namespace

Budget::Budget(double rate)
    : rate_(rate),
      interval_(std::min(kLongestInterval, 1e9 / rate)),
      room_(static_cast<Nanos>(std::ceil(std::max(1.0, kKept * Burst(rate)) * interval_))),
      spent_until_(0) {}

std::int64_t Budget::Take(std::int64_t most, Nanos now) {
  Nanos spent = spent_until_.load(std::memory_order_relaxed);
  while (true) {
    const Nanos from = std::max(spent, now);
    const double left = static_cast<double>(room_ - (from - now)) / interval_;
    const std::int64_t count = std::min(most, static_cast<std::int64_t>(std::max(0.0, left)));
    if (count == 0) return 0;
    const Nanos until = from + static_cast<Nanos>(std::ceil(static_cast<double>(count) * interval_));
    if (spent_until_.compare_exchange_weak(spent, until, std::memory_order_relaxed)) return count;
  }
}

void Budget::GiveBack(std::int64_t count) {
  spent_until_.fetch_sub(static_cast<Nanos>(std::ceil(static_cast<double>(count) * interval_)),
                         std::memory_order_relaxed);
}

Nanos Budget::ReadyAt() const {
  return spent_until_.load(std::memory_order_relaxed) - room_ + static_cast<Nanos>(std::ceil(interval_));
}

std::int64_t Budget::Slice(int workers) const {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>((1 - kKept) * Burst(rate_) / std::max(1, workers)));
}

std::shared_ptr<Budget> Budgets::Of(Kind kind, double rate) {
  if (rate == 0) return nullptr;
  MutexLock lock(&mutex_);
  std::shared_ptr<Budget>& budget = all_[{kind, rate}];
  if (budget == nullptr) budget = std::make_shared<Budget>(rate);
  return budget;
}

}  // namespace tidemark
