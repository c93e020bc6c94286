#include "common/schedule.h"

#include "absl/numeric/int128.h"

namespace tidemark {

Nanos DueAt(std::int64_t k, std::int64_t rate_millis) {
  return static_cast<Nanos>(absl::int128(k) * 1'000'000'000'000 / rate_millis);
}

}  // namespace tidemark
