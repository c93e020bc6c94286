#include "coordinator/report/model/curve.h"

#include <cstdint>

#include "coordinator/report/model/four_digits.h"
#include "coordinator/report/model/sums.h"

namespace tidemark {

// Levels: what lies beyond is 10/10, 9/10, ... 6/10 of all, then of a half, a quarter and so on.
proto::Curve CurveOf(const Histogram& complete, const Histogram* censored) {
  Histogram all = complete;
  if (censored != nullptr) all.Add(*censored);
  const bool has_bounds = censored != nullptr && censored->count() > 0;
  proto::Curve curve;
  const auto add = [&](double beyond, Nanos value) {
    curve.mutable_beyond()->add_list(FourDigits(beyond));
    curve.mutable_value_us()->add_list(FourDigits(Micros(value)));
    if (has_bounds && value >= censored->min() && !curve.has_at_least_from())
      curve.set_at_least_from(FourDigits(beyond));
  };
  if (all.count() == 0) return curve;
  const auto total = static_cast<double>(all.count());
  for (std::uint64_t halves = 1;; halves *= 2) {
    for (std::uint64_t tenths = 10; tenths > 5; --tenths) {
      const double beyond = static_cast<double>(10 * halves) / static_cast<double>(tenths);
      if (beyond >= total) {
        add(total, all.max());
        return curve;
      }
      add(beyond, all.Quantile(10 * halves - tenths, 10 * halves));
    }
  }
}

}  // namespace tidemark
