// How long a request stays inside the mock.
#pragma once

#include <cstdint>
#include <random>

#include "tests/mock_exchange/directives.h"

namespace tidemark {

// The requests with one set of directives, as one server sees them. Threads: one.
class Residence {
 public:
  explicit Residence(const Directives& directives) : directives_(directives) {}

  // A request came at `arrived`, the `index`th; returns the instant at which its answer may go out.
  Nanos Enter(Nanos arrived, std::int64_t index);
  // Its answer went out, or it was dropped.
  void Leave() { --inside_; }

 private:
  Nanos LeaveQueueAt(Nanos arrived);

  const Directives directives_;
  std::mt19937_64 rng_{20'261'124};
  std::int64_t inside_ = 0;
  Nanos first_arrival_ = 0;
  Nanos busy_until_ = 0;
};

}  // namespace tidemark
