#include "tests/mock_exchange/residence.h"

#include <algorithm>

namespace tidemark {

Nanos Residence::Enter(Nanos arrived, std::int64_t index) {
  ++inside_;
  if (first_arrival_ == 0) first_arrival_ = arrived;
  if (directives_.queue != Directives::Queue::kNone) return LeaveQueueAt(arrived);
  if (directives_.usl_gamma > 0) {
    const auto n = static_cast<double>(inside_);
    const double factor = 1 + directives_.usl_sigma * (n - 1) + directives_.usl_kappa * n * (n - 1);
    return arrived + static_cast<Nanos>(factor / directives_.usl_gamma * 1e9);
  }
  return arrived + directives_.DelayOf(index);
}

// Lindley's recursion: service begins when the request before has left, and takes its time.
Nanos Residence::LeaveQueueAt(Nanos arrived) {
  Nanos service = directives_.queue_service;
  if (directives_.queue == Directives::Queue::kExponential) {
    service = static_cast<Nanos>(std::exponential_distribution<double>(1.0 / static_cast<double>(service))(rng_));
  }
  Nanos begin = std::max(arrived, busy_until_);
  const Nanos pause_begin = first_arrival_ + directives_.pause_at;
  const Nanos pause_end = pause_begin + directives_.pause;
  if (directives_.pause > 0 && begin + service > pause_begin && begin < pause_end) begin = pause_end;
  busy_until_ = begin + service;
  return busy_until_;
}

}  // namespace tidemark
