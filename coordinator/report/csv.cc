#include "coordinator/report/csv.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "coordinator/report/phrases.h"

namespace tidemark {

std::string ToCsv(const proto::Report& report) {
  std::string out =
      "connections,total_requests,successful_requests,failed_requests,error_rate_percent,duration_s,requests_per_s,"
      "success_per_s,"
      "mean_us,min_us,p50_us,p90_us,p95_us,p99_us,p99_9_us,p99_99_us,max_us,censored,"
      "status_2xx,status_3xx,status_4xx,status_429,status_5xx,status_other,closed_early,reset,request_timeout,"
      "malformed,over_limit,"
      "cut_off,never_sent,bytes_sent,bytes_received,generator_cpu_percent,status,rate_per_s,response_mean_us,response_"
      "p50_us,response_p90_us,response_p99_us,"
      "response_p99_9_us,response_max_us,response_censored\r\n";
  for (const proto::Point& p : report.points()) {
    const proto::Latency& l = p.latency();
    const proto::Accounting& a = p.accounting();
    const auto ended = [&a](absl::string_view name) { return CountOf(a.outcomes(), name); };
    absl::StrAppend(&out, p.connections(), ",", p.total_requests(), ",", p.successful_requests(), ",",
                    p.failed_requests(), ",");
    absl::StrAppendFormat(&out, "%.6g,%.9g,%.9g,%.9g,", p.error_rate_percent(), p.duration_s(), p.requests_per_s(),
                          p.success_per_s());
    for (const double value : {l.mean_us(), l.min_us(), l.p50_us(), l.p90_us(), l.p95_us(), l.p99_us(), l.p99_9_us(),
                               l.p99_99_us(), l.max_us()}) {
      absl::StrAppendFormat(&out, "%.3f,", value);
    }
    for (const std::uint64_t value :
         {l.censored(), ended("status_2xx"), ended("status_3xx"), ended("status_4xx"), ended("status_429"),
          ended("status_5xx"), ended("status_other"), ended("closed_early"), ended("reset"), ended("request_timeout"),
          ended("malformed"), ended("over_limit"), ended("cut_off"), a.never_sent(), a.bytes_sent(), a.bytes_received()}) {
      absl::StrAppend(&out, value, ",");
    }
    absl::StrAppendFormat(&out, "%.1f,%s,%d", p.generator_cpu_percent(), p.status(), p.rate_per_s());
    const proto::Latency& r = p.response();
    for (const double value : {r.mean_us(), r.p50_us(), r.p90_us(), r.p99_us(), r.p99_9_us(), r.max_us()})
      absl::StrAppendFormat(&out, ",%.3f", value);
    absl::StrAppend(&out, ",", r.censored(), "\r\n");
  }
  return out;
}

}  // namespace tidemark
