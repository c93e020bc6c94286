// The Binance family's cheap public endpoints, in documented shapes and sizes.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace tidemark {

struct EndpointAnswer {
  int status = 200;
  std::string body;
};

// The answer to `target` (path and query): /api/v3/ping, time, ticker/price, ticker/bookTicker, depth; "/" answers
// "ok"; anything else is 404. `wall_millis` is the time that /api/v3/time tells.
EndpointAnswer AnswerOf(absl::string_view target, long long wall_millis);

}  // namespace tidemark
