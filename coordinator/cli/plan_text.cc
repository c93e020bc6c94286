#include "coordinator/cli/plan_text.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/plan/defaults.h"
#include "common/plan/dialled.h"
#include "common/plan/headers.h"
#include "coordinator/cli/plan_file.h"

namespace tidemark {
namespace {

// Whether all of it that may be secret is put in by the agents: "Bearer {env:TOKEN}".
bool IsReference(absl::string_view value) {
  std::string rest;
  bool has_reference = false;
  while (!value.empty()) {
    const std::size_t end = value.find('}');
    if ((absl::StartsWith(value, "{env:") || absl::StartsWith(value, "{file:/")) && end != absl::string_view::npos) {
      has_reference = true;
      value.remove_prefix(end + 1);
      continue;
    }
    rest += value[0];
    value.remove_prefix(1);
  }
  const absl::string_view scheme = absl::StripAsciiWhitespace(rest);
  return has_reference && std::all_of(scheme.begin(), scheme.end(), absl::ascii_isalpha);
}

}  // namespace

std::string PlanAsFile(const proto::Plan& plan) {
  proto::Plan printed = plan;
  std::vector<std::string> masked;
  const std::string proxy = ProxyForPrinting(plan.proxy());
  if (const std::size_t at = plan.proxy().rfind('@'); at != std::string::npos) {
    const std::size_t begin = plan.proxy().find("://");
    const std::size_t user = begin < at ? begin + 3 : 0;
    if (!IsReference(absl::string_view(plan.proxy()).substr(user, at - user))) {
      printed.set_proxy(proxy);
      masked.push_back("proxy");
    }
  }
  for (proto::Request& request : *printed.mutable_requests()) {
    for (std::string& header : *request.mutable_headers()) {
      const std::string name = header.substr(0, header.find(':'));
      if (!IsSecretHeader(name) || IsReference(absl::string_view(header).substr(name.size() + 1))) continue;
      header = absl::StrCat(name, ": ***");
      masked.push_back(name);
    }
  }
  const std::string text = PrintYaml(printed);
  if (!masked.empty())
    return absl::StrCat("# Cannot be run as printed: *** masks ", absl::StrJoin(masked, ", "),
                        "; write the value there, or a reference as {env:NAME}\n", text);
  auto again = ParsePlan(text, "it");
  if (again.ok()) ApplyDefaults(&*again);
  if (again.ok() && again->SerializeAsString() == plan.SerializeAsString()) return text;
  return absl::StrCat(
      "# Cannot be run as printed: ", again.ok() ? "it would be another plan" : again.status().message(), "\n", text);
}

}  // namespace tidemark
