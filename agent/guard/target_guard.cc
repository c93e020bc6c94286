#include "agent/guard/target_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/guard/guarded_file.h"
#include "common/check.h"
#include "common/inert_text.h"
#include "common/plan/authority.h"
#include "common/plan/limits.h"
#include "common/status_macros.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

constexpr const char* kAlwaysAllowed[] = {"127.0.0.0/8",    "10.0.0.0/8", "172.16.0.0/12",
                                          "192.168.0.0/16", "::1/128",    "fc00::/7"};
constexpr unsigned char kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Hosts of exchanges. Longer names come first: the first that the host is, or lies below, decides.
// Source: the exchanges' own documentation, 2026.
struct ExchangeHost {
  absl::string_view name;
  bool is_production;
};
constexpr ExchangeHost kExchangeHosts[] = {
    {"testnet.binance.vision", false},
    {"testnet.binancefuture.com", false},
    {"demo-api.binance.com", false},
    {"demo-stream.binance.com", false},
    {"demo-stream-sbe.binance.com", false},
    {"demo-ws-api.binance.com", false},
    {"binance.com", true},
    {"binance.us", true},
    {"binance.vision", true},
    {"okx.com", true},  // its demo mode is a header, on the production's hosts
    {"api-testnet.bybit.com", false},
    {"stream-testnet.bybit.com", false},
    {"bybit.com", true},  // the public streams of its demo are the production's
    {"bytick.com", true},
    {"api-public.sandbox.exchange.coinbase.com", false},
    {"ws-feed-public.sandbox.exchange.coinbase.com", false},
    {"ws-direct.sandbox.exchange.coinbase.com", false},
    {"coinbase.com", true},
    {"demo-futures.kraken.com", false},
    {"kraken.com", true},  // beta hosts share the production's engine
    {"test.deribit.com", false},
    {"deribit.com", true},
};

constexpr char kProductionRemedy[] =
    "production of an exchange; with its written permission, name the host in the agent's --allow-list with "
    "production: true and permission: where that is written";

// The address as IPv6, and its port.  REQUIRES: it is no Unix socket's.
std::int64_t Unpack(const SocketAddress& address, unsigned char bytes[16]) {
  if (address.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    std::memcpy(bytes, kMappedPrefix, sizeof kMappedPrefix);
    std::memcpy(bytes + 12, &v4->sin_addr, 4);
    return ntohs(v4->sin_port);
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
  std::memcpy(bytes, &v6->sin6_addr, 16);
  return ntohs(v6->sin6_port);
}

std::string Normalise(absl::string_view host) { return absl::AsciiStrToLower(WithoutTrailingDot(host)); }

}  // namespace

void TargetGuard::Ceiling::Lower(const Ceiling& other) {
  const auto lower = [](auto a, auto b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); };
  max_rate = lower(max_rate, other.max_rate);
  max_connections = lower(max_connections, other.max_connections);
  max_connect_rate = lower(max_connect_rate, other.max_connect_rate);
  if (permission.empty()) permission = other.permission;
}

bool TargetGuard::Parse(const std::string& text, Range* range) {
  const std::size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  int width = 128;
  if (!IsIpAddress(address)) return false;
  if (inet_pton(AF_INET, address.c_str(), range->prefix + 12) == 1) {
    std::memcpy(range->prefix, kMappedPrefix, sizeof kMappedPrefix);
    width = 32;
  } else if (inet_pton(AF_INET6, address.c_str(), range->prefix) != 1) {
    return false;
  }
  int bits = width;
  if (slash != std::string::npos) {
    const std::string digits = text.substr(slash + 1);
    const bool is_number = digits.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number || !absl::SimpleAtoi(digits, &bits) || bits > width) return false;
  }
  range->bits = 128 - width + bits;
  return true;
}

std::string TargetGuard::WithoutHostBits(const Range& range) {
  Range whole = range;
  for (int bit = range.bits; bit < 128; ++bit)
    whole.prefix[bit / 8] = static_cast<unsigned char>(whole.prefix[bit / 8] & ~(0x80 >> (bit % 8)));
  if (std::memcmp(whole.prefix, range.prefix, sizeof whole.prefix) == 0) return "";
  const bool is_v4 = std::memcmp(range.prefix, kMappedPrefix, sizeof kMappedPrefix) == 0 && range.bits >= 96;
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(is_v4 ? AF_INET : AF_INET6, whole.prefix + (is_v4 ? 12 : 0), text, sizeof text);
  return absl::StrCat(text, "/", range.bits - (is_v4 ? 96 : 0));
}

bool TargetGuard::Contains(const Range& range, const unsigned char address[16]) {
  const int whole = range.bits / 8;
  if (std::memcmp(range.prefix, address, static_cast<std::size_t>(whole)) != 0) return false;
  const int rest = range.bits % 8;
  return rest == 0 || ((range.prefix[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

bool IsExchangeProduction(const std::string& host) {
  const std::string name = Normalise(host);
  for (const ExchangeHost& exchange : kExchangeHosts) {
    if (name == exchange.name || absl::EndsWith(name, absl::StrCat(".", exchange.name))) return exchange.is_production;
  }
  return false;
}

absl::StatusOr<TargetGuard::Entry> TargetGuard::MakeEntry(const proto::AllowedTarget& target) {
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", InertText(absl::StrCat(target.host(), target.cidr(), target.unix()), 64), "': ", what));
  };
  if ((target.host().empty() ? 0 : 1) + (target.cidr().empty() ? 0 : 1) + (target.unix().empty() ? 0 : 1) != 1)
    return error("give exactly one of host, cidr and unix");
  Entry entry{.unix_socket = target.unix(),
              .ports = {target.ports().begin(), target.ports().end()},
              .is_production = target.production(),
              .ceiling = {.max_rate = target.max_rate(),
                          .max_connections = target.max_connections(),
                          .max_connect_rate = target.max_connect_rate(),
                          .permission = std::string(absl::StripAsciiWhitespace(target.permission()))}};
  if (!entry.unix_socket.empty()) {
    if (entry.unix_socket[0] != '/' && (entry.unix_socket[0] != '@' || entry.unix_socket.size() == 1))
      return error("is neither the path of a Unix socket, from /, nor @NAME");
    if (!entry.ports.empty()) return error("a Unix socket has no ports");
  } else if (!Parse(target.host().empty() ? target.cidr() : target.host(), &entry.range)) {
    const absl::string_view neither = "is neither a host name nor an address range like 203.0.113.0/24";
    if (target.host().empty()) return error(neither);
    const auto host = ParseHost(target.host());
    if (!host.ok()) return error(absl::StrCat(neither, ": it ", host.status().message()));
    if (!Parse(*host, &entry.range)) entry.host = Normalise(*host);
  }
  const bool is_range = entry.unix_socket.empty() && entry.host.empty();
  if (const std::string whole = is_range ? WithoutHostBits(entry.range) : ""; !whole.empty())
    return error(absl::StrCat("has bits set behind its prefix; write ", whole, " for the range, or the address alone"));
  for (const std::int64_t port : entry.ports) {
    if (port < 1 || port > 65535) return error(absl::StrCat("port ", port, " is none; 1 to 65535"));
  }
  // No ceiling is one that is left out; one that is written is more than none.
  struct Figure {
    const char* name;
    bool is_written;
    double value;
    std::int64_t most;
  };
  for (const Figure& figure :
       {Figure{"max_rate", target.has_max_rate(), target.max_rate(), kMaxRate},
        Figure{"max_connect_rate", target.has_max_connect_rate(), target.max_connect_rate(), kMaxRate},
        Figure{"max_connections", target.has_max_connections(), static_cast<double>(target.max_connections()),
               std::numeric_limits<std::int64_t>::max()}}) {
    if (!figure.is_written) continue;
    if (figure.value == 0)
      return error(absl::StrCat(figure.name, ": 0 would allow nothing; give a ceiling above 0, or leave ", figure.name,
                                " out for none"));
    if (!(figure.value > 0 && figure.value <= static_cast<double>(figure.most)))
      return error(absl::StrCat(figure.name, ": is outside 0 to ", figure.most));
  }
  if (entry.is_production && (entry.host.empty() || entry.ceiling.permission.empty()))
    return error("production needs a host, by name, and a permission: who allowed it, and where that is written");
  return entry;
}

absl::StatusOr<TargetGuard> TargetGuard::Make(const std::vector<std::string>& extra, const proto::AllowList& list) {
  if (list.only_these() && list.targets().empty() && extra.empty())
    return absl::InvalidArgumentError(
        "--allow-list: only_these without targets allows nothing; name targets, or leave it out");
  TargetGuard guard;
  for (const proto::AllowedTarget& target : list.targets()) {
    auto entry = MakeEntry(target);
    if (!entry.ok()) return absl::InvalidArgumentError(absl::StrCat("--allow-list: ", entry.status().message()));
    guard.entries_.push_back(*std::move(entry));
  }
  for (const std::string& text : extra) {
    proto::AllowedTarget target;
    target.set_host(text);
    Range range{};
    if (Parse(text, &range)) {
      target.clear_host();
      target.set_cidr(text);
    }
    auto entry = MakeEntry(target);
    if (!entry.ok()) return absl::InvalidArgumentError(absl::StrCat("--allow-target: ", entry.status().message()));
    guard.entries_.push_back(*std::move(entry));
  }
  if (!list.only_these()) {
    for (const char* text : kAlwaysAllowed) CHECK(Parse(text, &guard.always_.emplace_back()));
  }
  for (const std::string& secret : list.secrets()) {
    if (secret == "env:" || (!absl::StartsWith(secret, "env:") && !absl::StartsWith(secret, "file:/")))
      return absl::InvalidArgumentError(
          absl::StrCat("--allow-list: secrets: '", secret.substr(0, 64), "' is neither env:NAME nor file:/PATH"));
    guard.secrets_.push_back(secret);
  }
  return guard;
}

bool TargetGuard::IsInside(const unsigned char address[16]) const {
  return std::any_of(always_.begin(), always_.end(), [&](const Range& range) { return Contains(range, address); });
}

absl::StatusOr<TargetGuard::Ceiling> TargetGuard::Check(const std::string& host, const SocketAddress& address,
                                                        bool is_overridden) const {
  if (address.family() == AF_UNIX) {
    TIDEMARK_ASSIGN_OR_RETURN(UnixSocket allowed, CheckUnix(address.ToString()));
    return std::move(allowed.ceiling);
  }
  unsigned char bytes[16];
  const std::int64_t port = Unpack(address, bytes);
  const std::string name = Normalise(host);
  const bool is_inside = IsInside(bytes);
  const bool is_production = !is_inside && IsExchangeProduction(host);
  bool is_other_port = false;
  for (const Entry& entry : entries_) {
    if (!entry.unix_socket.empty()) continue;
    const bool is_match = entry.host.empty() ? Contains(entry.range, bytes) : !is_overridden && entry.host == name;
    if (!is_match || (is_production && !entry.is_production)) continue;
    if (entry.ports.empty() || std::find(entry.ports.begin(), entry.ports.end(), port) != entry.ports.end())
      return entry.ceiling;
    is_other_port = true;
  }
  const std::string refused = absl::StrCat("target refused: ", host, " is ", address.ToString(), ", ");
  if (is_production) {
    return absl::PermissionDeniedError(absl::StrCat(refused, kProductionRemedy));
  }
  if (is_other_port) {
    return absl::PermissionDeniedError(
        absl::StrCat(refused, "and the agent's --allow-list allows other ports of it only"));
  }
  if (is_inside) return Ceiling();
  if (always_.empty()) {
    return absl::PermissionDeniedError(
        absl::StrCat(refused, "which the agent's --allow-list does not name, and it allows only_these"));
  }
  return absl::PermissionDeniedError(absl::StrCat(
      refused, "outside loopback and private ranges; if you may load it, start the agent with --allow-target ",
      is_overridden ? "and that address" : host.substr(0, host.find('%'))));
}

absl::Status TargetGuard::CheckSentHost(const std::string& host, const SocketAddress& address) const {
  if (address.family() == AF_UNIX || !IsExchangeProduction(host)) return absl::OkStatus();
  unsigned char bytes[16];
  Unpack(address, bytes);
  if (IsInside(bytes)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("target refused: ", host, ", sent to ", address.ToString(),
                   ", is production of an exchange, and goes to its own addresses only"));
}

absl::StatusOr<TargetGuard::Ceiling> TargetGuard::CheckName(const std::string& host, std::uint16_t port) const {
  const std::string name = Normalise(host);
  const std::string refused = absl::StrCat("target refused: ", host, ", asked of a proxy, ");
  const bool is_production = IsExchangeProduction(host);
  if (is_production && std::none_of(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return entry.host == name && entry.is_production; })) {
    return absl::PermissionDeniedError(absl::StrCat(refused, "is ", kProductionRemedy));
  }
  bool is_other_port = false;
  for (const Entry& entry : entries_) {
    if (entry.host != name || (is_production && !entry.is_production)) continue;
    if (entry.ports.empty() || std::find(entry.ports.begin(), entry.ports.end(), port) != entry.ports.end())
      return entry.ceiling;
    is_other_port = true;
  }
  if (is_other_port) {
    return absl::PermissionDeniedError(
        absl::StrCat(refused, "and the agent's --allow-list allows other ports of it only"));
  }
  return absl::PermissionDeniedError(
      absl::StrCat(refused,
                   "has no address that this agent could judge it by; if you may load it, start the agent with "
                   "--allow-target ",
                   host));
}

absl::StatusOr<TargetGuard::UnixSocket> TargetGuard::CheckUnix(const std::string& path) const {
  const bool is_abstract = absl::StartsWith(path, "@");
  const std::string real = is_abstract ? "" : RealPath(path);
  const auto allow = [&](const Ceiling& ceiling) { return UnixSocket{real.empty() ? path : real, ceiling}; };
  for (const Entry& entry : entries_) {
    const std::string& name = entry.unix_socket;
    if (name.empty()) continue;
    if (name == path || (!real.empty() && name[0] == '/' && RealPath(name) == real)) return allow(entry.ceiling);
  }
  if (is_users_own_) return allow({});
  return absl::PermissionDeniedError(
      absl::StrCat("target refused: unix:", InertText(path, 128),
                   " is not named by the agent's --allow-list; a Unix socket needs an entry unix: ",
                   is_abstract ? "@NAME" : "/PATH"));
}

absl::StatusOr<std::string> TargetGuard::ReadSecret(absl::string_view reference, std::size_t limit) const {
  absl::string_view name = reference;
  if (absl::ConsumePrefix(&name, "file:")) return ReadFile(std::string(name), limit);
  if (!is_users_own_ && std::find(secrets_.begin(), secrets_.end(), reference) == secrets_.end())
    return absl::PermissionDeniedError("");
  absl::ConsumePrefix(&name, "env:");
  const char* const text = std::getenv(std::string(name).c_str());
  if (text == nullptr) return absl::InvalidArgumentError("is not set in the agent's environment");
  return std::string(text);
}

bool TargetGuard::MayRead(const std::string& path, const std::string& real) const {
  return std::any_of(secrets_.begin(), secrets_.end(), [&](absl::string_view name) {
    if (!absl::ConsumePrefix(&name, "file:")) return false;
    const std::string own(name);
    // A link that the operator named himself may lead where he likes.
    if (!absl::EndsWith(own, "/")) return own == path || RealPath(own) == real;
    const std::string folder = RealPath(own);
    return !folder.empty() && absl::StartsWith(real, folder == "/" ? folder : absl::StrCat(folder, "/"));
  });
}

absl::StatusOr<std::string> TargetGuard::ReadFile(const std::string& path, std::size_t limit) const {
  return ReadGuardedFile(path, limit, [&](const std::string& real) { return is_users_own_ || MayRead(path, real); });
}

}  // namespace tidemark
