// Runs that listen to the mock's streams, and what their reports say.
#pragma once

#include <string>
#include <vector>

#include "tests/e2e/programs.h"

namespace tidemark {

// Depth updates audited by range, their stamps in microseconds.
inline constexpr char kDepthRange[] = R"(
web_socket:
  subscribe: ['{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}']
  ack: /result=null
  listen:
    time: /T
    time_unit: us
    sequence: {rule: range, first: /U, number: /u}
)";

// Runs the plan on the mock's stream of `directives` and expects success.
boost::json::value Listen(const Mock& mock, const std::string& directives, const std::string& connections,
                          const std::string& duration, const std::string& listen = kDepthRange,
                          const std::vector<std::string>& extra = {});

// Of the point and before its start; at least one of them must have it.
std::int64_t WebSockets(const boost::json::value& report, const std::string& name);
std::int64_t Streams(const boost::json::value& report, const std::string& name);

// Of one point, without what came between its warm-up and its start.
std::int64_t SinceStart(const boost::json::value& report, const std::string& name);

std::int64_t Fault(const boost::json::value& truth, const std::string& name);

}  // namespace tidemark
