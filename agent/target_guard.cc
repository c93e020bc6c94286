#include "agent/target_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace tidemark {
namespace {

constexpr const char* kAlwaysAllowed[] = {"127.0.0.0/8",    "10.0.0.0/8", "172.16.0.0/12",
                                          "192.168.0.0/16", "::1/128",    "fc00::/7"};
constexpr unsigned char kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::string Normalise(absl::string_view host) {
  if (absl::EndsWith(host, ".")) host.remove_suffix(1);
  return absl::AsciiStrToLower(host);
}

}  // namespace

bool TargetGuard::Parse(const std::string& text, Range* range) {
  const std::size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  int width = 128;
  if (inet_pton(AF_INET, address.c_str(), range->prefix + 12) == 1) {
    std::memcpy(range->prefix, kMappedPrefix, sizeof kMappedPrefix);
    width = 32;
  } else if (inet_pton(AF_INET6, address.c_str(), range->prefix) != 1) {
    return false;
  }
  int bits = width;
  if (slash != std::string::npos && (!absl::SimpleAtoi(text.substr(slash + 1), &bits) || bits < 0 || bits > width))
    return false;
  range->bits = 128 - width + bits;
  return true;
}

bool TargetGuard::Contains(const Range& range, const unsigned char address[16]) {
  const int whole = range.bits / 8;
  if (std::memcmp(range.prefix, address, static_cast<std::size_t>(whole)) != 0) return false;
  const int rest = range.bits % 8;
  return rest == 0 || ((range.prefix[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

absl::StatusOr<TargetGuard> TargetGuard::Make(const std::vector<std::string>& allowed) {
  TargetGuard guard;
  for (const char* text : kAlwaysAllowed) CHECK(Parse(text, &guard.ranges_.emplace_back()));
  for (const std::string& text : allowed) {
    Range range{};
    if (Parse(text, &range)) {
      guard.ranges_.push_back(range);
    } else if (text.empty() || text.size() > 253 || text.find_first_of("/: @?#") != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("--allow-target: '", text.substr(0, 64),
                       "' is neither a host name nor an address range like 203.0.113.0/24"));
    } else {
      guard.hosts_.push_back(Normalise(text));
    }
  }
  return guard;
}

absl::Status TargetGuard::Check(const std::string& host, const SocketAddress& address) const {
  if (address.family() == AF_UNIX) return absl::OkStatus();
  unsigned char bytes[16];
  if (address.family() == AF_INET) {
    std::memcpy(bytes, kMappedPrefix, sizeof kMappedPrefix);
    std::memcpy(bytes + 12, &reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr, 4);
  } else {
    std::memcpy(bytes, &reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr, 16);
  }
  if (std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) { return Contains(range, bytes); }))
    return absl::OkStatus();
  if (std::find(hosts_.begin(), hosts_.end(), Normalise(host)) != hosts_.end()) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "target refused: ", host, " is ", address.ToString(),
      ", outside loopback and private ranges; if you may load it, start the agent with --allow-target ", host));
}

}  // namespace tidemark
