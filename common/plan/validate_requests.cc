#include <cstddef>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/inert_text.h"
#include "common/plan/checks.h"
#include "common/plan/headers.h"
#include "common/plan/limits.h"
#include "common/plan/request_path.h"
#include "common/plan/validate_parts.h"
#include "common/stats/request_sum.h"
#include "common/stats/request_trace.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

absl::Status CheckHeaders(const proto::Request& request) {
  if (static_cast<std::size_t>(request.headers_size()) > kMaxHeaders) {
    return Invalid("requests.headers", absl::StrCat(request.headers_size(), " headers; at most ", kMaxHeaders));
  }
  std::size_t bytes = 0;
  int hosts = 0;
  for (const std::string& header : request.headers()) {
    bytes += header.size();
    const std::size_t colon = header.find(':');
    const absl::string_view name = absl::string_view(header).substr(0, colon);
    if (colon == std::string::npos || !IsToken(name) || HasControl(absl::string_view(header).substr(colon), true)) {
      return Invalid("requests.headers",
                     absl::StrCat("'", header.substr(0, 64), "' is no header; write 'Name: value'"));
    }
    if (absl::EqualsIgnoreCase(name, "content-length") || absl::EqualsIgnoreCase(name, "transfer-encoding")) {
      return Invalid("requests.headers", absl::StrCat("'", name, "' follows from the body; leave it out"));
    }
    const absl::string_view value = absl::StripAsciiWhitespace(absl::string_view(header).substr(colon + 1));
    TIDEMARK_RETURN_IF_ERROR(CheckParts("requests.headers", value));
    if (IsSecretHeader(name) && value == "***")
      return Invalid("requests.headers",
                     absl::StrCat("'", name, "' is masked, as in a report; write its value, or {env:NAME}"));
    if (absl::EqualsIgnoreCase(name, "host") && ++hosts > 1)
      return Invalid("requests.headers", "'Host' is there twice; a request has one (RFC 9112 section 3.2)");
  }
  return bytes > kMaxHeaderBytes ? Invalid("requests.headers", "more than 64 KiB in all") : absl::OkStatus();
}

absl::Status CheckRequest(const proto::Request& request) {
  const std::string& method = request.method();
  if (!IsToken(method) || method.size() > 32)
    return Invalid("requests.method", absl::StrCat("'", method.substr(0, 64), "' is no HTTP method"));
  if (method == "CONNECT") return Invalid("requests.method", "CONNECT makes a tunnel, which is no request to measure");
  if (request.path().size() > kMaxUrlBytes) return Invalid("requests.path", "is longer than 16 KiB");
  if (!request.path().empty()) {
    const absl::Status path = CheckPath(request.path());
    if (!path.ok()) return Invalid("requests.path", absl::StrCat(Quoted(request.path()), " ", path.message()));
    TIDEMARK_RETURN_IF_ERROR(CheckParts("requests.path", request.path()));
  }
  if (request.body().size() > kMaxBodyBytes) return Invalid("requests.body", "larger than 16 MiB");
  TIDEMARK_RETURN_IF_ERROR(CheckParts("requests.body", request.body()));
  if (!request.body_file().empty()) return Invalid("requests.body_file", "was not read; it belongs in a plan file");
  return CheckHeaders(request);
}

}  // namespace

absl::Status CheckRequests(const proto::Plan& plan) {
  TIDEMARK_RETURN_IF_ERROR(CheckRange("requests", plan.requests_size(), 1, static_cast<int>(kMaxRequests)));
  std::set<std::string> names;
  for (const proto::Request& request : plan.requests()) {
    TIDEMARK_RETURN_IF_ERROR(CheckRequest(request));
    TIDEMARK_RETURN_IF_ERROR(CheckRange("requests.weight", request.weight(), 0, kMaxWeight));
    if (request.name().size() > 64 || !IsInert(request.name()))
      return Invalid("requests.name", "must be at most 64 bytes, without control or invisible characters");
    if (plan.requests_size() > 1 && (request.weight() == 0 || request.name().empty()))
      return Invalid("requests", "each of a mix needs a name and a weight");
    if (plan.requests_size() > 1 && !names.insert(request.name()).second)
      return Invalid("requests.name", absl::StrCat("'", InertText(request.name(), 64),
                                                   "' is given twice; the report tells requests of a "
                                                   "mix apart by it"));
  }
  return absl::OkStatus();
}

absl::Status CheckTraces(const proto::Plan& plan, bool is_web_socket) {
  if (plan.traceparent() && is_web_socket)
    return Invalid("traceparent", "has no effect: messages of a WebSocket have no headers");
  for (const proto::Request& request : plan.requests()) {
    for (const std::string& header : request.headers()) {
      if (plan.traceparent() && absl::EqualsIgnoreCase(header.substr(0, header.find(':')), "traceparent"))
        return Invalid("traceparent", "a request has that header already; leave one of them out");
    }
  }
  if (plan.trace_sample().empty()) return absl::OkStatus();
  if (const auto sample = ParseSample(plan.trace_sample()); !sample.ok())
    return Invalid("trace_sample", sample.status().message());
  return plan.web_socket().has_listen() ? Invalid("trace_sample", "has no effect: listening makes no requests")
                                        : absl::OkStatus();
}

}  // namespace tidemark
