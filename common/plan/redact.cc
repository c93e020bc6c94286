#include "common/plan/redact.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/plan/dialled.h"
#include "common/plan/headers.h"

namespace tidemark {

proto::Plan PlanForPrinting(proto::Plan plan) {
  if (!plan.proxy().empty()) plan.set_proxy(ProxyForPrinting(plan.proxy()));
  if (plan.has_web_socket()) {
    for (std::string& message : *plan.mutable_web_socket()->mutable_subscribe())
      message = absl::StrCat("(", message.size(), " bytes)");
  }
  for (proto::Request& request : *plan.mutable_requests()) {
    if (request.has_body()) request.set_body(absl::StrCat("(", request.body().size(), " bytes)"));
    for (std::string& header : *request.mutable_headers()) {
      const std::string name = header.substr(0, header.find(':'));
      if (IsSecretHeader(name)) header = absl::StrCat(name, ": ***");
    }
  }
  return plan;
}

}  // namespace tidemark
