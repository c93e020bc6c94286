#include "common/plan/dialled.h"

#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/plan/authority.h"
#include "common/plan/checks.h"
#include "common/plan/limits.h"

namespace tidemark {
namespace {

// What is percent-encoded, but for references to secrets, whose text names a variable or a file.
absl::StatusOr<std::string> DecodeCredential(absl::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const absl::string_view rest = text.substr(i);
    const std::size_t end = rest.find('}');
    if ((absl::StartsWith(rest, "{env:") || absl::StartsWith(rest, "{file:/")) && end != absl::string_view::npos) {
      absl::StrAppend(&out, rest.substr(0, end + 1));
      i += end;
      continue;
    }
    char c = text[i];
    if (absl::StrContains("/?#@", c))
      return absl::InvalidArgumentError(
          absl::StrCat("has '", absl::string_view(&c, 1), "' in its user or password; percent-encode it"));
    int value = 0;
    if (c == '%') {
      if (rest.size() < 3 || !absl::SimpleHexAtoi(rest.substr(1, 2), &value) ||
          !absl::ascii_isxdigit(static_cast<unsigned char>(rest[1])) ||
          !absl::ascii_isxdigit(static_cast<unsigned char>(rest[2])))
        return absl::InvalidArgumentError("has '%' without two hexadecimal digits in its user or password");
      c = static_cast<char>(value);
      i += 2;
    }
    out += c;
  }
  if (HasControl(out, true)) return absl::InvalidArgumentError("has control characters in its user or password");
  return out;
}

}  // namespace

absl::StatusOr<ResolveOverride> ParseResolveOverride(absl::string_view text) {
  const auto error = [&](absl::string_view what) { return Invalid("resolve", absl::StrCat(Quoted(text), " ", what)); };
  const std::size_t host_end = text.find(':', absl::StartsWith(text, "[") ? text.find(']') : 0);
  const std::size_t port_end = host_end == absl::string_view::npos ? host_end : text.find(':', host_end + 1);
  if (port_end == absl::string_view::npos) return error("is not HOST:PORT:ADDRESS");
  auto authority = ParseAuthority(text.substr(0, port_end));
  if (!authority.ok()) return error(authority.status().message());
  absl::string_view address = text.substr(port_end + 1);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  if (!IsZonedAddress(std::string(address)))
    return error(absl::StrCat("has ", Quoted(address), ", which is no IP address; write HOST:PORT:ADDRESS"));
  return ResolveOverride{.host = std::move(authority->host), .port = *authority->port, .address = std::string(address)};
}

absl::StatusOr<ConnectTo> ParseConnectTo(absl::string_view text) {
  const auto error = [&](absl::string_view what) {
    return Invalid("connect_to", absl::StrCat(Quoted(text), " ", what));
  };
  // The end of a host that begins at `begin`: its colon.
  const auto host_end = [&](std::size_t begin) {
    const std::size_t bracket = text.substr(begin, 1) == "[" ? text.find(']', begin) : begin;
    return bracket == absl::string_view::npos ? bracket : text.find(':', bracket);
  };
  const auto colon_behind = [&](std::size_t colon) {
    return colon == absl::string_view::npos ? colon : text.find(':', colon + 1);
  };
  const std::size_t first = host_end(0);
  const std::size_t second = colon_behind(first);
  const std::size_t third = second == absl::string_view::npos ? second : host_end(second + 1);
  if (third == absl::string_view::npos) return error("is not HOST:PORT:OTHER:PORT");
  // What is left out is no authority: a name stands in for an empty host, and is not kept.
  const auto authority_of = [](absl::string_view host, absl::string_view port) {
    return absl::StrCat(host.empty() ? "any" : host, port.empty() ? "" : ":", port);
  };
  const absl::string_view host = text.substr(0, first);
  const absl::string_view other = text.substr(second + 1, third - second - 1);
  auto from = ParseAuthority(authority_of(host, text.substr(first + 1, second - first - 1)));
  if (!from.ok()) return error(from.status().message());
  auto to = ParseDialled(authority_of(other, text.substr(third + 1)));
  if (!to.ok()) return error(to.status().message());
  if (other.empty() && !to->port) return error("leads nowhere else; write HOST:PORT:OTHER:PORT");
  return ConnectTo{.host = host.empty() ? "" : std::move(from->host),
                   .port = from->port.value_or(0),
                   .other_host = other.empty() ? "" : std::move(to->host),
                   .other_port = to->port.value_or(0)};
}

std::string ProxyForPrinting(absl::string_view url) {
  const std::size_t at = url.rfind('@');
  const std::size_t scheme = url.find("://");
  if (at == absl::string_view::npos) return std::string(url);
  return absl::StrCat(scheme < at ? url.substr(0, scheme + 3) : "", "***", url.substr(at));
}

absl::StatusOr<Proxy> ParseProxy(absl::string_view url) {
  const auto error = [&](absl::string_view what) {
    return Invalid("proxy", absl::StrCat(Quoted(ProxyForPrinting(url)), " ", what));
  };
  absl::string_view rest = url;
  if (rest.size() < 7 || !absl::EqualsIgnoreCase(rest.substr(0, 7), "http://"))
    return error("is no proxy that this version speaks to; write http://HOST:PORT");
  rest.remove_prefix(7);
  Proxy proxy;
  if (const std::size_t at = rest.rfind('@'); at != absl::string_view::npos) {
    const absl::string_view written = rest.substr(0, at);
    if (written == "***") return error("masks its user; write USER:PASSWORD there, or a reference as {env:NAME}");
    rest.remove_prefix(at + 1);
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(written, absl::MaxSplits(':', 1));
    // A reference has a colon of its own.
    const bool is_reference = absl::StartsWith(written, "{");
    auto user = DecodeCredential(is_reference ? written : parts.first);
    auto password = DecodeCredential(is_reference ? "" : parts.second);
    if (!user.ok()) return error(user.status().message());
    if (!password.ok()) return error(password.status().message());
    if (!is_reference && absl::StrContains(*user, ":")) return error("has ':' in its user, which no user name holds");
    proxy.credentials = is_reference ? *user : absl::StrCat(*user, ":", *password);
    if (proxy.credentials.size() > kMaxCredentials) return error("has a user and password of more than 4 KiB");
  }
  if (absl::EndsWith(rest, "/")) rest.remove_suffix(1);
  auto authority = ParseDialled(rest);
  if (!authority.ok()) return error(authority.status().message());
  if (!authority->port) return error("has no port; write http://HOST:PORT");
  proxy.host = std::move(authority->host);
  proxy.port = *authority->port;
  return proxy;
}

Dialled DialledFor(const Target& target, const proto::Plan& plan) {
  Dialled dialled{.host = target.host, .port = target.port};
  if (const auto proxy = ParseProxy(plan.proxy()); proxy.ok()) dialled = {.host = proxy->host, .port = proxy->port};
  for (const std::string& text : plan.connect_to()) {
    const auto entry = ParseConnectTo(text);
    if (!entry.ok() || !entry->IsFor(dialled.host, dialled.port)) continue;
    if (!entry->other_host.empty()) dialled.host = entry->other_host;
    if (entry->other_port != 0) dialled.port = entry->other_port;
    break;  // the first one counts
  }
  return dialled;
}

bool ConnectTo::IsFor(const std::string& its_host, std::uint16_t its_port) const {
  return (host.empty() || IsSameHost(host, its_host)) && (port == 0 || port == its_port);
}

}  // namespace tidemark
