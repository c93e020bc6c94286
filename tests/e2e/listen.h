// Runs that listen to the mock's streams, and what their reports say.
#pragma once

#include <algorithm>
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
inline boost::json::value Listen(const Mock& mock, const std::string& directives, const std::string& connections,
                                 const std::string& duration, const std::string& listen = kDepthRange,
                                 const std::vector<std::string>& extra = {}) {
  TempDir dir;
  const bool is_subscribing = listen.find("subscribe:") != std::string::npos;
  std::string url = mock.Url(std::string("/mock/") + (is_subscribing ? "subscribe=1," : "") + directives);
  Spill(dir / "plan.yaml", "target: ws" + url.substr(4) + "\nsweep: {connections: [" + connections +
                               "], duration: " + duration + "}\n" + listen);
  std::vector<std::string> arguments = {dir / "plan.yaml"};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  const RunOutcome run = TidemarkRun(arguments);
  EXPECT_EQ(run.code, 0) << run.err;
  return run.report;
}

// Of the point and before its start; at least one of them must have it.
inline std::int64_t WebSockets(const boost::json::value& report, const std::string& name) {
  std::int64_t sum = 0;
  bool has_it = false;
  for (const std::string part : {"/total/accounting/web_socket/", "/total/warmup/web_socket/"}) {
    std::string pointer = part + name;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    boost::json::error_code ignored;
    const boost::json::value* const value = report.find_pointer(pointer, ignored);
    if (value == nullptr) continue;
    has_it = true;
    sum += value->to_number<std::int64_t>();
  }
  EXPECT_TRUE(has_it) << "no " << name;
  return sum;
}
inline std::int64_t Streams(const boost::json::value& report, const std::string& name) {
  return WebSockets(report, "streams." + name);
}

// Of one point, without what came between its warm-up and its start.
inline std::int64_t SinceStart(const boost::json::value& report, const std::string& name) {
  const std::string counts = "points.0.accounting.web_socket.";
  return Int(report, counts + name) - Int(report, counts + "early_" + name);
}

inline std::int64_t Fault(const boost::json::value& truth, const std::string& name) {
  const auto& faults = At(truth, "faults").as_object();
  return faults.contains(name) ? faults.at(name).to_number<std::int64_t>() : 0;
}

}  // namespace tidemark
