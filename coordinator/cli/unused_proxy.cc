#include "coordinator/cli/unused_proxy.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/plan/authority.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

// Whether one of the entries, as "example.test" or ".example.test", is `host` or a domain above it; "*" is any.
bool IsListed(absl::string_view entries, const std::string& host) {
  const std::string name = absl::AsciiStrToLower(WithoutTrailingDot(host));
  for (absl::string_view entry : absl::StrSplit(entries, absl::ByAnyChar(", "), absl::SkipEmpty())) {
    if (entry == "*") return true;
    if (absl::StartsWith(entry, ".")) entry.remove_prefix(1);
    const std::string listed = absl::AsciiStrToLower(entry);
    if (name == listed || absl::EndsWith(name, absl::StrCat(".", listed))) return true;
  }
  return false;
}

}  // namespace

std::string RemarkOnUnusedProxy(const proto::Plan& plan, const std::function<const char*(const char*)>& environment) {
  const auto target = ParseTarget(plan.target());
  if (!target.ok() || !target->unix_path.empty() || !plan.proxy().empty()) return "";
  for (const char* name : {"NO_PROXY", "no_proxy"}) {
    const char* const entries = environment(name);
    if (entries != nullptr && IsListed(entries, target->host)) return "";
  }
  std::vector<const char*> names = {"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"};
  if (target->is_tls) names = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"};
  for (const char* name : names) {
    const char* const value = environment(name);
    if (value == nullptr || *value == '\0') continue;
    return absl::StrCat(name,
                        " is set, and not used: the target is connected to directly; give --proxy "
                        "http://HOST:PORT if a proxy is meant");
  }
  return "";
}

}  // namespace tidemark
