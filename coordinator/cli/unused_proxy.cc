#include "coordinator/cli/unused_proxy.h"

#include <arpa/inet.h>

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/plan/authority.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

// Whether `host` is an address of `range`, as "10.0.0.0/8" or "fd00::/8".
bool IsWithin(const std::string& host, absl::string_view range) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(range, absl::MaxSplits('/', 1));
  const std::string network(parts.first);
  for (const auto& [family, size] : {std::pair(AF_INET, 32), std::pair(AF_INET6, 128)}) {
    std::uint8_t ours[16];
    std::uint8_t theirs[16];
    if (inet_pton(family, host.c_str(), ours) != 1 || inet_pton(family, network.c_str(), theirs) != 1) continue;
    int bits = 0;
    if (!absl::SimpleAtoi(parts.second, &bits) || bits < 0 || bits > size) return false;
    const auto whole = static_cast<std::size_t>(bits / 8);
    const int rest = 8 - bits % 8;
    return std::memcmp(ours, theirs, whole) == 0 && (rest == 8 || (ours[whole] ^ theirs[whole]) >> rest == 0);
  }
  return false;
}

// Takes the port off "host:80" or "[::1]:80"; what is left is without brackets. 0: there is none.
int TakePort(absl::string_view* entry) {
  const bool is_bracketed = absl::StartsWith(*entry, "[");
  const std::size_t colon = is_bracketed ? entry->rfind("]:") : entry->find(':');
  int port = 0;
  if (colon != absl::string_view::npos && (is_bracketed || entry->find(':', colon + 1) == absl::string_view::npos)) {
    if (!absl::SimpleAtoi(entry->substr(colon + (is_bracketed ? 2 : 1)), &port)) port = 0;
    *entry = entry->substr(0, is_bracketed ? colon + 1 : colon);
  }
  if (is_bracketed && absl::EndsWith(*entry, "]")) *entry = entry->substr(1, entry->size() - 2);
  return port;
}

// Whether one of the entries is `host`, with `port` or without, or a domain above it, as "example.test" or
// ".example.test", or a range of addresses with it; "*" is any.
bool IsListed(absl::string_view entries, const std::string& host, int port) {
  const std::string name = absl::AsciiStrToLower(WithoutTrailingDot(host));
  for (absl::string_view entry : absl::StrSplit(entries, absl::ByAnyChar(", "), absl::SkipEmpty())) {
    if (entry == "*") return true;
    if (absl::StrContains(entry, '/')) {
      if (IsWithin(name, entry)) return true;
      continue;
    }
    const int only = TakePort(&entry);
    if (only != 0 && only != port) continue;
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
    if (entries != nullptr && IsListed(entries, target->host, target->port)) return "";
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
