#include "coordinator/report/model/rates.h"

#include <algorithm>

#include "common/stats/outcome.h"

namespace tidemark {
namespace {

// Connection time that there was of that which was asked for. Nothing of none.
std::optional<double> AvailabilityPercent(const Counters& counters) {
  if (counters.asked_ns == 0) return std::nullopt;
  return 100 * static_cast<double>(counters.up_ns) / static_cast<double>(counters.asked_ns);
}

// The requests that ended: of what waited or was in flight when no more was heard it is not known, and a redirect that
// the point's end, or our own ceiling until then, kept from being followed has no end of the target's.
std::uint64_t Known(const Sums& sums) {
  const Counters& counters = sums.counters;
  const std::uint64_t open = sums.pending.waiting + sums.pending.in_flight;
  const std::uint64_t ended = counters.planned - std::min(counters.planned, open);
  return ended - std::min(ended - std::min(ended, counters.success), counters.redirects_ended);
}

// The share of requests that did not succeed; of streams, of connection time. Nothing of none.
std::optional<double> ErrorRatePercent(const Measured& measured, const Sums& sums) {
  const Counters& counters = sums.counters;
  if (measured.Has(Need::kListening)) {
    const auto availability = AvailabilityPercent(counters);
    return availability ? std::optional(100 - *availability) : std::nullopt;
  }
  const std::uint64_t known = Known(sums);
  if (known == 0) return std::nullopt;
  return 100.0 * static_cast<double>(known - counters.success) / static_cast<double>(known);
}

// What is of the seconds, per second, or a share of the time. Nothing of no time.
void FillSpeeds(const Sums& sums, proto::Point* out) {
  if (sums.duration_s <= 0) return;
  const Counters& counters = sums.counters;
  const auto per_s = [&sums](std::uint64_t count) { return static_cast<double>(count) / sums.duration_s; };
  out->set_duration_s(sums.duration_s);
  out->set_requests_per_s(per_s(counters.Complete() - counters.drained));
  out->set_success_per_s(per_s(counters.success - counters.drained_success));
  out->set_messages_per_s(per_s(counters.messages - counters.early_messages - counters.drained_messages));
  out->set_received_bytes_per_s(per_s(counters.bytes_received - counters.drained_bytes));
  out->set_generator_cpu_percent(static_cast<double>(counters.cpu_ns) / 1e7 / sums.duration_s);
  out->set_generator_wait_percent(static_cast<double>(counters.run_delay_ns) / 1e7 / sums.duration_s);
  out->set_dead_seconds(sums.dead_seconds);
  out->set_generator_seconds(sums.generator_seconds);
}

}  // namespace

void FillRates(const Measured& measured, const Sums& sums, proto::Point* out) {
  const Counters& counters = sums.counters;
  out->set_total_requests(counters.planned);
  out->set_successful_requests(counters.success);
  out->set_failed_requests(Known(sums) - counters.success);
  if (const auto rate = ErrorRatePercent(measured, sums)) out->set_error_rate_percent(*rate);
  const auto availability = AvailabilityPercent(counters);
  if (availability && measured.Has("Point.availability_percent")) out->set_availability_percent(*availability);
  FillSpeeds(sums, out);
}

}  // namespace tidemark
