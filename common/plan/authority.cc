#include "common/plan/authority.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/inert_text.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

// RFC 1035 section 2.3.4.
constexpr std::size_t kMaxLabel = 63;
constexpr std::size_t kMaxName = 253;
constexpr std::size_t kShown = 64;
// The longest name of a Linux network interface (IFNAMSIZ).
constexpr std::size_t kMaxZone = 15;

absl::Status Invalid(absl::string_view what) { return absl::InvalidArgumentError(what); }

std::string Quoted(absl::string_view text) { return absl::StrCat("'", InertText(text, kShown), "'"); }

bool IsAddress(int family, const std::string& text) {
  unsigned char bytes[16];
  return text.find('\0') == std::string::npos && inet_pton(family, text.c_str(), bytes) == 1;
}
bool IsIpv4(const std::string& text) { return IsAddress(AF_INET, text); }
bool IsIpv6(const std::string& text) { return IsAddress(AF_INET6, text); }

bool IsZone(absl::string_view zone) {
  return !zone.empty() && zone.size() <= kMaxZone && std::all_of(zone.begin(), zone.end(), [](unsigned char c) {
    return absl::ascii_isgraph(c) && c != '/' && c != '%' && c != ']';
  });
}

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

bool IsNumber(absl::string_view label) {
  if (absl::StartsWithIgnoreCase(label, "0x")) return std::all_of(label.begin() + 2, label.end(), absl::ascii_isxdigit);
  return IsDigits(label);
}

// Underscores are in no host name of RFC 1123, and in many of containers'.
bool IsOfName(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.'; }

std::string RemedyFor(absl::string_view character) {
  if (character == "\\") return "write / for it, or leave it out";
  if (character == "%") return "write the character itself";
  if (static_cast<unsigned char>(character[0]) >= 0x80)
    return "write the name in its ASCII form, which begins with xn--";
  return "a name has letters, digits, '-', '_' and '.'";
}

absl::Status CheckCharacters(absl::string_view host) {
  const auto odd = std::find_if_not(host.begin(), host.end(), IsOfName);
  if (odd == host.end()) return absl::OkStatus();
  const absl::string_view character = CharacterAt(host, static_cast<std::size_t>(odd - host.begin()));
  return Invalid(absl::StrCat("has ", NameOfCharacter(character), " in its host; ", RemedyFor(character)));
}

// What ends in a number is an address to some programs (inet_aton, the URL Standard) and a name to others.
absl::Status CheckNumber(const std::string& host) {
  const std::string bare = WithoutTrailingDot(host);
  const std::size_t dot = bare.rfind('.');
  if (IsIpv4(host) || !IsNumber(absl::string_view(bare).substr(dot == std::string::npos ? 0 : dot + 1)))
    return absl::OkStatus();
  in_addr address;
  if (inet_aton(bare.c_str(), &address) == 0) {
    return Invalid(absl::StrCat("has host ", Quoted(host),
                                ", which ends in a number and is no IPv4 address; write four numbers from 0 to 255"));
  }
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &address, text, sizeof text);
  return Invalid(
      absl::StrCat("has host ", Quoted(host), ", which some programs read as ", text, "; write that if it is meant"));
}

// A name or an IPv4 address.
absl::Status CheckName(absl::string_view host) {
  if (host.empty()) return Invalid("has no host; write HOST or HOST:PORT");
  TIDEMARK_RETURN_IF_ERROR(CheckCharacters(host));
  const std::string bare = WithoutTrailingDot(host);
  if (bare.size() > kMaxName)
    return Invalid(absl::StrCat("has a host of ", bare.size(), " bytes; a name has ", kMaxName, " at most"));
  for (const absl::string_view label : absl::StrSplit(bare, '.')) {
    if (label.empty())
      return Invalid(absl::StrCat("has host ", Quoted(host), ", with nothing between two dots; write it without"));
    if (label.size() > kMaxLabel)
      return Invalid(absl::StrCat("has ", Quoted(label), " in its host, ", label.size(),
                                  " bytes; between two dots are ", kMaxLabel, " at most"));
  }
  return CheckNumber(std::string(host));
}

// `text` without its brackets.
absl::Status CheckIpv6(absl::string_view text) {
  const std::string address(text);
  if (absl::StrContains(text, "%"))
    return Invalid(absl::StrCat("has the zone of ", Quoted(text),
                                " in its host, which no server knows; write a name for it, and --resolve "
                                "NAME:PORT:ADDRESS%ZONE"));
  if (!IsIpv6(address))
    return Invalid(absl::StrCat("has ", Quoted(text), " in brackets, which is no IPv6 address; write [::1]:PORT"));
  return absl::OkStatus();
}

absl::StatusOr<std::uint16_t> ParsePort(absl::string_view text, std::uint16_t lowest) {
  int port = 0;
  if (text.empty()) return Invalid("has ':' and no port behind it; write the port, or leave out the colon");
  if (!IsDigits(text) || !absl::SimpleAtoi(text, &port) || port < lowest || port > 65535)
    return Invalid(absl::StrCat("has port ", Quoted(text), "; write a number from ", lowest, " to 65535"));
  if (text[0] == '0' && text.size() > 1)
    return Invalid(absl::StrCat("has port ", Quoted(text), "; write ", port, " if it is meant"));
  return static_cast<std::uint16_t>(port);
}

}  // namespace

absl::StatusOr<Authority> ParseAuthority(absl::string_view text, std::uint16_t lowest_port) {
  if (absl::StrContains(text, "@"))
    return Invalid("has '@', and so a user name, before its host; leave out what stands before '@'");
  Authority authority;
  absl::string_view rest;  // from the port's colon on
  if (absl::StartsWith(text, "[")) {
    const std::size_t end = text.find(']');
    if (end == absl::string_view::npos) return Invalid("has '[' without ']'; write [::1]:PORT");
    const absl::string_view inside = text.substr(1, end - 1);
    TIDEMARK_RETURN_IF_ERROR(CheckIpv6(inside));
    authority.host = std::string(inside);
    rest = text.substr(end + 1);
    if (!rest.empty() && rest[0] != ':')
      return Invalid(absl::StrCat("has ", Quoted(rest), " behind ']'; write [", inside, "]:PORT"));
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    if (std::count(text.begin(), text.end(), ':') > 1) {
      if (IsIpv6(std::string(text))) return Invalid(absl::StrCat("is IPv6 without brackets; write [", text, "]"));
      return Invalid("has more than one ':'; write HOST:PORT, an IPv6 address in brackets");
    }
    TIDEMARK_RETURN_IF_ERROR(CheckName(text.substr(0, colon)));
    authority.host = std::string(text.substr(0, colon));
    rest = text.substr(colon);
  }
  if (!rest.empty()) {
    TIDEMARK_ASSIGN_OR_RETURN(authority.port, ParsePort(rest.substr(1), lowest_port));
  }
  return authority;
}

absl::StatusOr<Authority> ParseDialled(absl::string_view text) {
  const std::size_t end = absl::StartsWith(text, "[") ? text.find(']') : absl::string_view::npos;
  const std::size_t percent = text.find('%');
  if (end == absl::string_view::npos || percent > end) return ParseAuthority(text);
  absl::string_view zone = text.substr(percent + 1, end - percent - 1);
  if (zone.size() > 2) absl::ConsumePrefix(&zone, "25");  // '%' as URLs write it (RFC 6874 section 2)
  if (!IsZone(zone))
    return Invalid(absl::StrCat("has ", Quoted(zone), " behind '%', which is the name of no network interface"));
  TIDEMARK_ASSIGN_OR_RETURN(Authority authority,
                            ParseAuthority(absl::StrCat(text.substr(0, percent), text.substr(end))));
  absl::StrAppend(&authority.host, "%", zone);
  return authority;
}

absl::StatusOr<std::string> ParseHost(absl::string_view text) {
  if (IsIpv6(std::string(text))) return std::string(text);
  TIDEMARK_ASSIGN_OR_RETURN(Authority authority, ParseAuthority(text));
  if (authority.port) return Invalid("has a port; write the host alone");
  return std::move(authority.host);
}

bool IsIpAddress(const std::string& host) { return IsIpv4(host) || IsIpv6(host); }

bool IsZonedAddress(const std::string& host) {
  const std::size_t percent = host.find('%');
  if (percent == std::string::npos) return IsIpAddress(host);
  return IsIpv6(host.substr(0, percent)) && IsZone(absl::string_view(host).substr(percent + 1));
}

bool IsSameHost(const std::string& a, const std::string& b) {
  unsigned char of_a[16];
  unsigned char of_b[16];
  if (inet_pton(AF_INET6, a.c_str(), of_a) == 1 && inet_pton(AF_INET6, b.c_str(), of_b) == 1)
    return std::memcmp(of_a, of_b, sizeof of_a) == 0;
  return absl::EqualsIgnoreCase(WithoutTrailingDot(a), WithoutTrailingDot(b));
}

std::string WithoutTrailingDot(absl::string_view host) {
  if (absl::EndsWith(host, ".")) host.remove_suffix(1);
  return std::string(host);
}

std::string ServerName(const std::string& host) { return IsIpAddress(host) ? "" : WithoutTrailingDot(host); }

std::string JoinHostPort(const std::string& host, std::uint16_t port) {
  return absl::StrContains(host, ":") ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

}  // namespace tidemark
