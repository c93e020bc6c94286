#include "tests/e2e/listen.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tidemark {

boost::json::value Listen(const Mock& mock, const std::string& directives, const std::string& connections,
                          const std::string& duration, const std::string& listen,
                          const std::vector<std::string>& extra) {
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

std::int64_t WebSockets(const boost::json::value& report, const std::string& name) {
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

std::int64_t Streams(const boost::json::value& report, const std::string& name) {
  return WebSockets(report, "streams." + name);
}

std::int64_t SinceStart(const boost::json::value& report, const std::string& name) {
  const std::string counts = "points.0.accounting.web_socket.";
  return Int(report, counts + name) - Int(report, counts + "early_" + name);
}

std::int64_t Fault(const boost::json::value& truth, const std::string& name) {
  const auto& faults = At(truth, "faults").as_object();
  return faults.contains(name) ? faults.at(name).to_number<std::int64_t>() : 0;
}

}  // namespace tidemark
