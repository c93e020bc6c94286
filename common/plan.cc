#include "common/plan.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/authority.h"
#include "common/expectation.h"
#include "common/inert_text.h"
#include "common/measured.h"
#include "common/metric.h"
#include "common/place.h"
#include "common/request_path.h"
#include "common/split.h"
#include "common/status_macros.h"
#include "common/units.h"

namespace tidemark {
namespace {

// Of a rate that a number of requests ends: longer than any of them takes, short enough for 128 bits.
constexpr Nanos kUnlimitedStage = 1'000 * kMaxDuration;

absl::Status Invalid(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

std::string Quoted(absl::string_view text) { return absl::StrCat("'", InertText(text, 128), "'"); }

absl::Status CheckRange(absl::string_view field, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Invalid(field, absl::StrCat(value, " is outside ", low, " to ", high));
}

constexpr double kMinRate = 1.0 / 3600;

// A rate per second; `may_be_none`: 0 is allowed.
absl::Status CheckRate(absl::string_view field, double value, double high, bool may_be_none) {
  if ((value >= kMinRate && value <= high) || (may_be_none && value == 0)) return absl::OkStatus();
  const bool is_printable = value >= 0 && value <= 1e12;
  return Invalid(field, absl::StrCat(is_printable ? WriteRate(value) : "the rate", " is outside ", WriteRate(kMinRate),
                                     " to ", WriteRate(high), may_be_none ? ", or 0" : ""));
}

absl::Status CheckDuration(absl::string_view field, Nanos value, Nanos low, Nanos high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Invalid(field, absl::StrCat(FormatDuration(std::max<Nanos>(value, 0)), " is outside ", FormatDuration(low),
                                     " to ", FormatDuration(high)));
}

// RFC 9110 section 5.6.2.
bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) ||
           absl::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != absl::string_view::npos;
  });
}

bool HasControl(absl::string_view text, bool allow_space) {
  return std::any_of(text.begin(), text.end(), [&](unsigned char c) {
    return c < 0x20 ? c != '\t' || !allow_space : c == 0x7f || (c == ' ' && !allow_space);
  });
}

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
  }
  if (request.body().size() > kMaxBodyBytes) return Invalid("requests.body", "larger than 16 MiB");
  if (!request.body_file().empty()) return Invalid("requests.body_file", "was not read; it belongs in a plan file");
  return CheckHeaders(request);
}

absl::Status CheckStages(const proto::Sweep& sweep) {
  if (sweep.stages_size() > kMaxPoints) return Invalid("sweep.stages", absl::StrCat("more than ", kMaxPoints));
  Nanos length = 0;
  for (const proto::Stage& stage : sweep.stages()) {
    if (stage.has_over() == stage.has_hold() || (stage.has_hold() && stage.to() != 0))
      return Invalid("sweep.stages", "each stage is either {to: RATE, over: TIME} or {hold: TIME}");
    const Nanos duration = FromProto(stage.has_over() ? stage.over() : stage.hold());
    TIDEMARK_RETURN_IF_ERROR(CheckDuration("sweep.stages", duration, kMillisecond, kMaxDuration));
    TIDEMARK_RETURN_IF_ERROR(CheckRate("sweep.stages.to", stage.to(), kMaxRate, true));
    length += duration;
  }
  return CheckDuration("sweep.stages", length, kMillisecond, kMaxDuration);
}

absl::Status CheckWarmup(const proto::Sweep& sweep) {
  TIDEMARK_RETURN_IF_ERROR(
      CheckRange("sweep.warmup_requests_per_connection", sweep.warmup_requests_per_connection(), 0, 1'000'000));
  if (!sweep.has_warmup()) return absl::OkStatus();
  if (sweep.warmup_requests_per_connection() != 0)
    return Invalid("sweep.warmup", "stands beside warmup_requests_per_connection; give one");
  if (!sweep.stages().empty()) return Invalid("sweep.warmup", "has no rate of its own; make the first stages longer");
  return CheckDuration("sweep.warmup", FromProto(sweep.warmup()), kMillisecond, kMaxTimeout);
}

absl::Status CheckUntil(const proto::Sweep& sweep) {
  if (sweep.until().empty()) return absl::OkStatus();
  const auto precision = ParsePrecision(sweep.until());
  if (!precision.ok()) return Invalid("sweep.until", precision.status().message());
  if (!sweep.has_duration())
    return Invalid("sweep.until", "needs a duration, which is the longest that a point may take");
  return absl::OkStatus();
}

absl::Status CheckConnectRate(const proto::Sweep& sweep) {
  TIDEMARK_RETURN_IF_ERROR(CheckRate("sweep.connect_rate", sweep.connect_rate(), 10'000'000, true));
  for (const std::int64_t count : sweep.connections()) {
    if (static_cast<double>(count) > sweep.connect_rate() * static_cast<double>(kMaxDuration / kSecond) &&
        sweep.connect_rate() != 0)
      return Invalid("sweep.connect_rate", absl::StrCat(count, " connections at ", FormatRate(sweep.connect_rate()),
                                                        " take longer than 7 days"));
  }
  return absl::OkStatus();
}

absl::Status CheckOpenLoop(const proto::Sweep& sweep) {
  if (sweep.connections_size() != 1)
    return Invalid("sweep.connections", "an open loop takes one count; its points are the rates");
  if (sweep.requests_per_connection() != 0 || sweep.has_think_time())
    return Invalid("sweep",
                   "an open loop has neither requests_per_connection nor think_time: its slots are due by the clock");
  if (!sweep.rates().empty() && !sweep.stages().empty()) return Invalid("sweep", "has both rates and stages; give one");
  if (sweep.rates_size() > kMaxPoints) return Invalid("sweep.rates", absl::StrCat("more than ", kMaxPoints, " points"));
  for (const double rate : sweep.rates()) TIDEMARK_RETURN_IF_ERROR(CheckRate("sweep.rates", rate, kMaxRate, false));
  if (!sweep.stages().empty()) {
    if (sweep.has_duration() || sweep.requests() != 0)
      return Invalid("sweep", "stages end by themselves; leave out duration and requests");
    TIDEMARK_RETURN_IF_ERROR(CheckStages(sweep));
  } else if ((sweep.requests() != 0) == sweep.has_duration()) {
    return Invalid("sweep", "an open loop ends by exactly one of requests and duration");
  }
  for (const double rate : sweep.rates()) {
    if (static_cast<double>(sweep.requests()) / rate > static_cast<double>(kMaxDuration / kSecond))
      return Invalid("sweep.requests",
                     absl::StrCat(sweep.requests(), " at ", FormatRate(rate), " take longer than 7 days"));
  }
  if (sweep.requests() != 0)
    TIDEMARK_RETURN_IF_ERROR(CheckRange("sweep.requests", sweep.requests(), 1, kMaxRequestsPerPoint));
  if (sweep.has_duration())
    TIDEMARK_RETURN_IF_ERROR(CheckDuration("sweep.duration", FromProto(sweep.duration()), kMillisecond, kMaxDuration));
  TIDEMARK_RETURN_IF_ERROR(CheckRange("sweep.seed", sweep.seed(), 0, std::numeric_limits<std::int64_t>::max()));
  if (sweep.arrivals() != "poisson" && sweep.arrivals() != "constant")
    return Invalid("sweep.arrivals", absl::StrCat("'", sweep.arrivals().substr(0, 32), "'; write poisson or constant"));
  if (sweep.pace() != "timer" && sweep.pace() != "spin")
    return Invalid("sweep.pace", absl::StrCat("'", sweep.pace().substr(0, 32), "'; write timer or spin"));
  TIDEMARK_RETURN_IF_ERROR(CheckWarmup(sweep));
  TIDEMARK_RETURN_IF_ERROR(CheckUntil(sweep));
  return CheckConnectRate(sweep);
}

// How long a connection lasts, and how long its last answer is waited for.
absl::Status CheckEnds(const proto::Sweep& sweep) {
  TIDEMARK_RETURN_IF_ERROR(
      CheckRange("sweep.reconnect_after", sweep.reconnect_after(), 0, std::numeric_limits<std::int32_t>::max()));
  if (sweep.reconnect_after() != 0 && sweep.new_connection())
    return Invalid("sweep.reconnect_after", "each request has a connection of its own; leave one of them out");
  if (!sweep.has_drain()) return absl::OkStatus();
  if (!sweep.has_duration() && sweep.stages().empty())
    return Invalid("sweep.drain", "is of points that end at a time; give a duration (-d), or leave it out");
  return CheckDuration("sweep.drain", FromProto(sweep.drain()), 0, kMaxTimeout);
}

absl::Status CheckSweep(const proto::Sweep& sweep) {
  if (sweep.connections().empty())
    return Invalid("sweep.connections", "is empty; name at least one count, as 10,50,100");
  if (sweep.connections_size() > kMaxPoints)
    return Invalid("sweep.connections", absl::StrCat("more than ", kMaxPoints, " points"));
  for (const std::int64_t count : sweep.connections()) {
    TIDEMARK_RETURN_IF_ERROR(CheckRange("sweep.connections", count, 1, kMaxConnections));
  }
  TIDEMARK_RETURN_IF_ERROR(CheckEnds(sweep));
  if (IsOpenLoop(sweep)) return CheckOpenLoop(sweep);
  if (!sweep.arrivals().empty() || sweep.seed() != 0 || !sweep.pace().empty())
    return Invalid("sweep", "arrivals, seed and pace belong to an open loop; give rates or stages, or leave them out");
  const int ends = (sweep.requests_per_connection() != 0) + (sweep.requests() != 0) + sweep.has_duration();
  if (ends != 1) {
    return Invalid("sweep", absl::StrCat("has ", ends == 0 ? "none" : "more than one",
                                         " of requests_per_connection, requests and duration; give exactly one"));
  }
  const std::int64_t widest = *std::max_element(sweep.connections().begin(), sweep.connections().end());
  if (sweep.requests_per_connection() != 0) {
    TIDEMARK_RETURN_IF_ERROR(
        CheckRange("sweep.requests_per_connection", sweep.requests_per_connection(), 1, kMaxRequestsPerPoint / widest));
  }
  if (sweep.requests() != 0)
    TIDEMARK_RETURN_IF_ERROR(CheckRange("sweep.requests", sweep.requests(), 1, kMaxRequestsPerPoint));
  if (sweep.has_duration()) {
    TIDEMARK_RETURN_IF_ERROR(CheckDuration("sweep.duration", FromProto(sweep.duration()), kMillisecond, kMaxDuration));
  }
  if (sweep.has_think_time()) {
    TIDEMARK_RETURN_IF_ERROR(
        CheckDuration("sweep.think_time", FromProto(sweep.think_time()), kMillisecond, kMaxTimeout));
  }
  TIDEMARK_RETURN_IF_ERROR(CheckWarmup(sweep));
  TIDEMARK_RETURN_IF_ERROR(CheckUntil(sweep));
  return CheckConnectRate(sweep);
}

// What a URL is made of. Its authority ends at the first of / ? # or with the URL (RFC 3986 section 3.2).
struct UrlParts {
  absl::string_view scheme;  // empty: no URL
  absl::string_view authority;
  absl::string_view rest;
};
UrlParts SplitUrl(absl::string_view url) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == absl::string_view::npos) return {};
  const absl::string_view rest = url.substr(scheme_end + 3);
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  return {url.substr(0, scheme_end), rest.substr(0, end), rest.substr(end)};
}

// RFC 3986 section 3.1.
bool IsOfScheme(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '-' || c == '.';
}

// `url` for a message: a password in it is nobody's to read.
std::string WithoutCredentials(absl::string_view url) {
  const UrlParts parts = SplitUrl(url);
  const std::size_t at = parts.authority.rfind('@');
  if (at == absl::string_view::npos) return std::string(url);
  return absl::StrCat(parts.scheme, "://***", parts.authority.substr(at), parts.rest);
}

absl::StatusOr<Target> ParseUnixTarget(absl::string_view url) {
  Target target;
  absl::string_view rest = url.substr(5);
  const std::size_t colon = rest.find(":/");
  target.unix_path = std::string(rest.substr(0, colon));
  if (colon != absl::string_view::npos) target.path = std::string(rest.substr(colon + 1));
  target.host_header = "localhost";
  // unix(7): of 108 bytes a path's last one is NUL, and an abstract name's first one, which '@' stands for.
  const bool is_abstract = absl::StartsWith(target.unix_path, "@");
  if (target.unix_path.size() < (is_abstract ? 2 : 1) || target.unix_path.size() > (is_abstract ? 108 : 107) ||
      HasControl(target.unix_path, true))
    return Invalid(
        "target", absl::StrCat(Quoted(url), " is no Unix socket; write unix:/run/api.sock:/path, or unix:@NAME:/path"));
  const absl::Status path = CheckPath(target.path);
  if (!path.ok()) return Invalid("target", absl::StrCat(Quoted(url), " ", path.message()));
  return target;
}

}  // namespace

absl::StatusOr<Target> ParseTarget(absl::string_view url) {
  const auto error = [&](absl::string_view what) {
    return Invalid("target", absl::StrCat(Quoted(WithoutCredentials(url)), " ", what));
  };
  if (url.empty()) return Invalid("target", "is missing; write http://HOST:PORT/PATH");
  if (url.size() > kMaxUrlBytes) return error("is longer than 16 KiB");
  if (absl::StartsWith(url, "unix:")) return ParseUnixTarget(url);
  const UrlParts parts = SplitUrl(url);
  if (parts.scheme.empty()) return error("is no URL; write http://HOST:PORT/PATH");
  const auto odd = std::find_if_not(parts.scheme.begin(), parts.scheme.end(), IsOfScheme);
  if (odd != parts.scheme.end()) {
    const auto at = static_cast<std::size_t>(odd - parts.scheme.begin());
    return error(absl::StrCat("has ", NameOfCharacter(CharacterAt(parts.scheme, at)),
                              " before '://'; write http://HOST:PORT/PATH"));
  }
  Target target;
  const std::string scheme = absl::AsciiStrToLower(parts.scheme);
  target.is_tls = scheme == "https" || scheme == "wss";
  target.is_web_socket = scheme == "ws" || scheme == "wss";
  if (!target.is_tls && !target.is_web_socket && scheme != "http")
    return error("has a scheme that this version does not speak; use http, https, ws, wss or unix");
  if (absl::StrContains(parts.authority, "@"))
    return error("holds a user name; send credentials with -H 'Authorization: ...'");
  auto authority = ParseAuthority(parts.authority);
  if (!authority.ok()) return error(authority.status().message());
  target.host = std::move(authority->host);
  target.port = authority->port.value_or(target.is_tls ? 443 : 80);
  // RFC 9110 section 7.2: the authority as it is written, with the trailing dot of its host.
  target.host_header = std::string(parts.authority);
  target.path = absl::StrCat(absl::StartsWith(parts.rest, "/") ? "" : "/", parts.rest);
  if (const absl::Status path = CheckPath(target.path); !path.ok()) return error(path.message());
  return target;
}

absl::StatusOr<Nanos> ParseTimeUnit(absl::string_view field, absl::string_view unit) {
  if (unit == "s") return kSecond;
  if (unit == "ms" || unit.empty()) return kMillisecond;
  if (unit == "us") return kMicrosecond;
  if (unit == "ns") return Nanos{1};
  if (unit == "rfc3339") return kRfc3339;
  return Invalid(field, absl::StrCat("'", unit.substr(0, 16), "'; write s, ms, us, ns or rfc3339"));
}

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

namespace {

// A proxy's URL for a message: whatever precedes '@' is nobody's to read.
std::string ProxyForPrinting(absl::string_view url) {
  const std::size_t at = url.rfind('@');
  const std::size_t scheme = url.find("://");
  if (at == absl::string_view::npos) return std::string(url);
  return absl::StrCat(scheme < at ? url.substr(0, scheme + 3) : "", "***", url.substr(at));
}

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

template <typename Strings>
absl::StatusOr<StatusSet> ParseStatusSet(const Strings& entries) {
  StatusSet set;
  if (entries.empty()) {
    for (std::size_t status = 200; status < 400; ++status) set.set(status);
  }
  for (const std::string& entry : entries) {
    const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(entry, absl::MaxSplits('-', 1));
    int low = 0;
    int high = 0;
    if (!absl::SimpleAtoi(ends.first, &low) ||
        !absl::SimpleAtoi(absl::StrContains(entry, '-') ? ends.second : ends.first, &high) || low < 100 || high > 999 ||
        low > high) {
      return Invalid("expect_status", absl::StrCat("'", entry.substr(0, 32), "' is no status; write 200 or 200-399"));
    }
    for (int status = low; status <= high; ++status) set.set(static_cast<std::size_t>(status));
  }
  return set;
}
template absl::StatusOr<StatusSet> ParseStatusSet(const google::protobuf::RepeatedPtrField<std::string>&);

bool IsOpenLoop(const proto::Sweep& sweep) { return !sweep.rates().empty() || !sweep.stages().empty(); }

int PointCount(const proto::Sweep& sweep) {
  if (!IsOpenLoop(sweep)) return sweep.connections_size();
  return sweep.rates().empty() ? 1 : sweep.rates_size();
}

Nanos PointLength(const proto::Sweep& sweep) {
  if (sweep.has_duration()) return FromProto(sweep.duration());
  Nanos length = 0;
  for (const proto::Stage& stage : sweep.stages()) length += FromProto(stage.has_hold() ? stage.hold() : stage.over());
  return length;
}

std::vector<std::int64_t> SplitConnectRate(double per_s, const std::vector<std::int64_t>& connections) {
  std::vector<std::int64_t> rates = SplitByWeight(ScheduleRate(per_s), connections);
  // Of a small limit a small share rounds to none, which would be no limit.
  if (per_s != 0)
    for (std::int64_t& rate : rates) rate = std::max<std::int64_t>(rate, 1);
  return rates;
}

SweepPoint PointAt(const proto::Sweep& sweep, int index) {
  if (!IsOpenLoop(sweep)) return {.connections = sweep.connections(index)};
  SweepPoint point{.connections = sweep.connections(0)};
  if (!sweep.rates().empty()) {
    const std::int64_t rate = ScheduleRate(sweep.rates(index));
    point.stages.push_back(
        {.from = rate, .to = rate, .duration = sweep.has_duration() ? FromProto(sweep.duration()) : kUnlimitedStage});
  }
  std::int64_t rate = 0;
  for (const proto::Stage& stage : sweep.stages()) {
    const std::int64_t to = stage.has_hold() ? rate : ScheduleRate(stage.to());
    point.stages.push_back(
        {.from = rate, .to = to, .duration = FromProto(stage.has_hold() ? stage.hold() : stage.over())});
    rate = to;
  }
  return point;
}

namespace {

void ApplyOpenLoopDefaults(proto::Sweep* sweep) {
  if (sweep->connections().empty()) sweep->add_connections(100);
  if (sweep->arrivals().empty()) sweep->set_arrivals("poisson");
  if (sweep->pace().empty()) sweep->set_pace("timer");
  if (sweep->stages().empty() && !sweep->has_requests() && !sweep->has_duration())
    *sweep->mutable_duration() = ToDurationProto(30 * kSecond);
}

}  // namespace

namespace {

void ApplyMixDefaults(bool is_web_socket, proto::Plan* plan) {
  if (plan->requests_size() < 2) return;
  for (int i = 0; i < plan->requests_size(); ++i) {
    proto::Request* const request = plan->mutable_requests(i);
    if (!request->has_weight()) request->set_weight(1);
    if (!request->name().empty()) continue;
    request->set_name(is_web_socket ? absl::StrCat("message ", i + 1)
                                    : absl::StrCat(request->method(), " ", request->path().substr(0, 64)));
  }
}

}  // namespace

void ApplyDefaults(proto::Plan* plan) {
  proto::Sweep* sweep = plan->mutable_sweep();
  if (IsOpenLoop(*sweep)) ApplyOpenLoopDefaults(sweep);
  const bool has_end = sweep->has_requests_per_connection() || sweep->has_requests() || sweep->has_duration();
  if (sweep->connections().empty()) {
    for (const int count : {10, 50, 100, 500, 1000}) sweep->add_connections(count);
    if (!has_end && !sweep->has_warmup_requests_per_connection() && !sweep->has_warmup())
      sweep->set_warmup_requests_per_connection(10);
  }
  if (!has_end && !IsOpenLoop(*sweep)) sweep->set_requests_per_connection(100);
  if (!plan->has_timeout()) *plan->mutable_timeout() = ToDurationProto(30 * kSecond);
  if (!plan->has_connect_timeout()) *plan->mutable_connect_timeout() = plan->timeout();
  if (plan->requests().empty()) plan->add_requests();
  const auto target = ParseTarget(plan->target());  // what is wrong with it, ValidatePlan says
  const bool is_web_socket = target.ok() && target->is_web_socket;
  for (proto::Request& request : *plan->mutable_requests()) {
    if (request.method().empty()) request.set_method(!request.has_body() || is_web_socket ? "GET" : "POST");
  }
  // RFC 9112 section 9.6: who says so sends no further request on that connection.
  const auto is_last = [](const proto::Request& request) { return HasToken(request, "Connection", "close"); };
  if (!is_web_socket && std::all_of(plan->requests().begin(), plan->requests().end(), is_last))
    sweep->set_new_connection(true);
  if (plan->web_socket().has_listen() && !plan->web_socket().listen().has_silence())
    *plan->mutable_web_socket()->mutable_listen()->mutable_silence() = ToDurationProto(10 * kSecond);
  if (plan->web_socket().listen().has_storm() && plan->web_socket().listen().storm().jitter().empty())
    plan->mutable_web_socket()->mutable_listen()->mutable_storm()->set_jitter("none");
  ApplyMixDefaults(is_web_socket, plan);
  if (plan->web_socket().listen().has_clock()) {
    proto::Listen* const listen = plan->mutable_web_socket()->mutable_listen();
    if (!listen->clock().has_every()) *listen->mutable_clock()->mutable_every() = ToDurationProto(10 * kSecond);
    if (listen->clock().time_unit().empty()) listen->mutable_clock()->set_time_unit(listen->time_unit());
  }
  if (plan->web_socket().listen().sequence().rule() == "checksum" &&
      !plan->web_socket().listen().sequence().has_depth())
    plan->mutable_web_socket()->mutable_listen()->mutable_sequence()->set_depth(10);
  if (plan->on_agent_loss().empty()) plan->set_on_agent_loss("redo");
  if (!plan->has_max_response_bytes()) plan->set_max_response_bytes(64 << 20);
}

namespace {

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(absl::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char first = byte(i);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xc2 && first < 0xe0 ? 2
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    if (first == 0xe0 && byte(i + 1) < 0xa0) return false;
    if (first == 0xed && byte(i + 1) >= 0xa0) return false;
    if (first == 0xf0 && byte(i + 1) < 0x90) return false;
    if (first == 0xf4 && byte(i + 1) >= 0x90) return false;
    i += length;
  }
  return true;
}

// Text crosses the network in protobuf's `string`, which is UTF-8.
absl::Status CheckText(const google::protobuf::Message& message, const std::string& path) {
  const auto& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    const std::string name = absl::StrCat(path, field->name());
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->type() == google::protobuf::FieldDescriptor::TYPE_MESSAGE) {
        const auto& child = field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                                 : reflection.GetMessage(message, field);
        TIDEMARK_RETURN_IF_ERROR(CheckText(child, absl::StrCat(name, ".")));
      } else if (field->type() == google::protobuf::FieldDescriptor::TYPE_STRING) {
        const std::string text = field->is_repeated() ? reflection.GetRepeatedString(message, field, i)
                                                      : reflection.GetString(message, field);
        if (!IsUtf8(text)) return Invalid(name, "is not UTF-8; write other bytes in a body file, or percent-encoded");
      }
    }
  }
  return absl::OkStatus();
}

// A count that is written and 0, where leaving it out means something else.
absl::Status CheckZeros(const proto::Plan& plan) {
  struct Figure {
    const char* field;
    bool is_zero;
  };
  const proto::Sweep& sweep = plan.sweep();
  const proto::Sequence& sequence = plan.web_socket().listen().sequence();
  const auto has_no_weight = [](const proto::Request& request) {
    return request.has_weight() && request.weight() == 0;
  };
  for (const Figure& figure :
       {Figure{"sweep.requests", sweep.has_requests() && sweep.requests() == 0},
        Figure{"sweep.requests_per_connection",
               sweep.has_requests_per_connection() && sweep.requests_per_connection() == 0},
        Figure{"requests.weight", std::any_of(plan.requests().begin(), plan.requests().end(), has_no_weight)},
        Figure{"max_response_bytes", plan.has_max_response_bytes() && plan.max_response_bytes() == 0},
        Figure{"web_socket.pipeline", plan.web_socket().has_pipeline() && plan.web_socket().pipeline() == 0},
        Figure{"web_socket.listen.sequence.depth", sequence.has_depth() && sequence.depth() == 0}}) {
    if (figure.is_zero) return Invalid(figure.field, "is 0; give at least 1, or leave it out");
  }
  return absl::OkStatus();
}

// "POINTER=VALUE".
absl::Status CheckMatch(absl::string_view field, const std::string& match) {
  if (absl::StartsWith(match, "/") && absl::StrContains(match, "=")) return absl::OkStatus();
  return Invalid(field, absl::StrCat("'", match.substr(0, 64), "' is not POINTER=VALUE; write /success=true"));
}

absl::Status CheckPointer(absl::string_view field, const std::string& pointer) {
  if (pointer.empty() || (pointer[0] == '/' && pointer.size() <= 1024)) return absl::OkStatus();
  return Invalid(field, absl::StrCat("'", pointer.substr(0, 64), "' is no JSON pointer; write /id"));
}

// A rule has the fields that it needs, and no others.
absl::Status CheckSequence(const proto::Sequence& sequence) {
  const std::string& rule = sequence.rule();
  const bool has_snapshot = rule == "snapshot" || rule == "checksum";
  const bool has_book = rule == "checksum";
  const bool is_known = rule.empty() || rule == "consecutive" || rule == "range" || rule == "link" || has_snapshot;
  const bool is_complete = is_known && sequence.number().empty() == rule.empty() &&
                           sequence.first().empty() == (rule != "range") &&
                           sequence.previous().empty() == (rule != "link") &&
                           sequence.snapshot().empty() == !has_snapshot && sequence.bids().empty() == !has_book &&
                           sequence.asks().empty() == !has_book && (sequence.depth() == 0) == !has_book;
  if (!is_complete) {
    return Invalid("web_socket.listen.sequence",
                   "write {rule: consecutive, number: /t}, {rule: range, first: /U, number: /u}, "
                   "{rule: link, previous: /pu, number: /u}, {rule: snapshot, snapshot: /type=snapshot, number: /u} or "
                   "{rule: checksum, snapshot: /type=snapshot, bids: /b, asks: /a, number: /checksum}");
  }
  if (!sequence.scope().empty() && sequence.scope() != "stream" &&
      !(sequence.scope() == "connection" && !rule.empty() && !has_snapshot))
    return Invalid("web_socket.listen.sequence.scope",
                   absl::StrCat("'", sequence.scope().substr(0, 16),
                                "'; write stream, or of consecutive numbers, ranges and links connection"));
  for (const std::string* pointer :
       {&sequence.number(), &sequence.first(), &sequence.previous(), &sequence.bids(), &sequence.asks()})
    TIDEMARK_RETURN_IF_ERROR(CheckPointer("web_socket.listen.sequence", *pointer));
  if (has_snapshot) TIDEMARK_RETURN_IF_ERROR(CheckMatch("web_socket.listen.sequence.snapshot", sequence.snapshot()));
  return CheckRange("web_socket.listen.sequence.depth", sequence.depth(), 0, 1'000);
}

// How many arrays of events the pointer leads through. Errors: a "*" that is none of theirs.
absl::StatusOr<std::size_t> EventDepth(absl::string_view field, const std::string& events, const std::string& pointer) {
  const Place place = PlaceOf(ArraysOf(events), pointer);
  if (absl::StrContains(absl::StrCat(place.pointer, "/"), "/*/"))
    return Invalid(field,
                   absl::StrCat("'", pointer.substr(0, 64), "' has a * that is not of web_socket.listen.events"));
  return place.level;
}

// Where events are, and that what belongs together is in the same place.
absl::Status CheckEvents(const proto::Listen& listen) {
  const std::string field = "web_socket.listen.events";
  const std::string& events = listen.events();
  TIDEMARK_RETURN_IF_ERROR(CheckPointer(field, events));
  if (absl::StrContains(absl::StrReplaceAll(events, {{"/*", ""}}), "*") || absl::StrContains(events, "/*/*") ||
      std::count(events.begin(), events.end(), '*') > 4)
    return Invalid(field, absl::StrCat("'", events.substr(0, 64), "' is no array; write /data, or /events/*/trades"));
  const auto depth = [&events](const char* name, const std::string& pointer) {
    return EventDepth(absl::StrCat("web_socket.listen.", name), events, pointer);
  };
  const auto of_match = [](const std::string& match) { return match.substr(0, match.find('=')); };
  const proto::Sequence& sequence = listen.sequence();
  TIDEMARK_ASSIGN_OR_RETURN(const std::size_t stream, depth("stream", listen.stream()));
  TIDEMARK_ASSIGN_OR_RETURN(const std::size_t number, depth("sequence.number", sequence.number()));
  TIDEMARK_ASSIGN_OR_RETURN(const std::size_t snapshot, depth("sequence.snapshot", of_match(sequence.snapshot())));
  TIDEMARK_RETURN_IF_ERROR(depth("time", listen.time()).status());
  TIDEMARK_RETURN_IF_ERROR(depth("fan_out", listen.fan_out()).status());
  for (const std::string& match : listen.ignore()) TIDEMARK_RETURN_IF_ERROR(depth("ignore", of_match(match)).status());
  for (const std::string* pointer : {&sequence.first(), &sequence.previous(), &sequence.bids(), &sequence.asks()}) {
    TIDEMARK_ASSIGN_OR_RETURN(const std::size_t other, depth("sequence", *pointer));
    if (!pointer->empty() && other != number)
      return Invalid("web_socket.listen.sequence",
                     absl::StrCat("'", *pointer, "' is not where '", sequence.number(),
                                  "' is: both are of the message, ", "or both of the event"));
  }
  if (snapshot > number)
    return Invalid("web_socket.listen.sequence.snapshot", "is of the event, and the numbers are of the message");
  if (!sequence.number().empty() && sequence.scope() != "connection" && stream > number)
    return Invalid("web_socket.listen.sequence",
                   "the numbers are of the message, and the streams of the events in it; write scope: connection");
  return absl::OkStatus();
}

absl::Status CheckTargetClock(const proto::Listen& listen) {
  const proto::TargetClock& clock = listen.clock();
  const auto target = ParseTarget(clock.url());
  if (!target.ok()) return Invalid("web_socket.listen.clock.url", target.status().message());
  if (target->is_web_socket || !target->unix_path.empty())
    return Invalid("web_socket.listen.clock.url", "is asked with GET; write an http:// or https:// URL");
  if (absl::StrContains(target->path, "{"))
    return Invalid("web_socket.listen.clock.url",
                   absl::StrCat(Quoted(clock.url()), " has '{', and nothing is filled in there; write %7B"));
  if (clock.time().empty()) return Invalid("web_socket.listen.clock.time", "is missing; write /serverTime");
  TIDEMARK_RETURN_IF_ERROR(CheckPointer("web_socket.listen.clock.time", clock.time()));
  if (listen.time().empty())
    return Invalid("web_socket.listen.clock", "has no effect without event times; give web_socket.listen.time");
  TIDEMARK_RETURN_IF_ERROR(ParseTimeUnit("web_socket.listen.clock.time_unit", clock.time_unit()).status());
  return CheckDuration("web_socket.listen.clock.every", FromProto(clock.every()), 100 * kMillisecond, kMaxTimeout);
}

absl::Status CheckListen(const proto::Plan& plan) {
  const proto::Listen& listen = plan.web_socket().listen();
  TIDEMARK_RETURN_IF_ERROR(CheckPointer("web_socket.listen.stream", listen.stream()));
  TIDEMARK_RETURN_IF_ERROR(CheckPointer("web_socket.listen.time", listen.time()));
  TIDEMARK_RETURN_IF_ERROR(ParseTimeUnit("web_socket.listen.time_unit", listen.time_unit()).status());
  TIDEMARK_RETURN_IF_ERROR(
      CheckDuration("web_socket.listen.silence", FromProto(listen.silence()), kMillisecond, kMaxTimeout));
  TIDEMARK_RETURN_IF_ERROR(CheckRange("web_socket.listen.ignore", listen.ignore_size(), 0, 16));
  for (const std::string& match : listen.ignore())
    TIDEMARK_RETURN_IF_ERROR(CheckMatch("web_socket.listen.ignore", match));
  TIDEMARK_RETURN_IF_ERROR(CheckRange("web_socket.listen.silence_factor", listen.silence_factor(), 0, 1'000'000));
  if (listen.has_hold()) {
    TIDEMARK_RETURN_IF_ERROR(
        CheckDuration("web_socket.listen.hold", FromProto(listen.hold()), 10 * kMillisecond, kMaxTimeout));
  }
  if (listen.has_storm()) {
    const proto::Storm& storm = listen.storm();
    const Nanos delay = FromProto(storm.delay());
    TIDEMARK_RETURN_IF_ERROR(CheckRange("web_socket.listen.storm.percent", storm.percent(), 1, 100));
    TIDEMARK_RETURN_IF_ERROR(
        CheckDuration("web_socket.listen.storm.at", FromProto(storm.at()), 0, FromProto(plan.sweep().duration())));
    if (storm.jitter() != "none" && storm.jitter() != "fixed" && storm.jitter() != "full")
      return Invalid("web_socket.listen.storm.jitter",
                     absl::StrCat("'", storm.jitter().substr(0, 16), "'; write none, fixed or full"));
    if ((storm.jitter() == "none") != (delay == 0) || delay < 0 || delay > kMaxTimeout)
      return Invalid("web_socket.listen.storm.delay", "goes with jitter fixed or full, up to an hour");
  }
  const proto::Sequence& sequence = listen.sequence();
  TIDEMARK_RETURN_IF_ERROR(CheckSequence(sequence));
  TIDEMARK_RETURN_IF_ERROR(CheckPointer("web_socket.listen.fan_out", listen.fan_out()));
  TIDEMARK_RETURN_IF_ERROR(CheckEvents(listen));
  if (listen.has_clock()) TIDEMARK_RETURN_IF_ERROR(CheckTargetClock(listen));
  const proto::Sweep& sweep = plan.sweep();
  if (!sweep.has_duration() || IsOpenLoop(sweep) || sweep.warmup_requests_per_connection() != 0 ||
      sweep.has_think_time() || sweep.new_connection() || sweep.has_drain() || !sweep.until().empty()) {
    return Invalid("web_socket.listen",
                   "sends no requests: give a duration (-d), and no rate, warm-up, think time, drain or until");
  }
  if (plan.requests_size() > 1 || plan.requests(0).has_body())
    return Invalid("web_socket.listen", "sends no requests; what opens a connection belongs into web_socket.subscribe");
  return absl::OkStatus();
}

absl::Status CheckWebSocket(const proto::Plan& plan, const Target& target) {
  const proto::WebSocket& web_socket = plan.web_socket();
  if (target.is_web_socket && plan.follow() != 0)
    return Invalid("follow", "is of HTTP targets: an upgrade that is redirected is refused; leave it out");
  if (target.is_web_socket && plan.sweep().reconnect_after() != 0)
    return Invalid("sweep.reconnect_after", "is of HTTP targets; leave it out");
  if (!target.is_web_socket) {
    return plan.has_web_socket()
               ? Invalid("web_socket", absl::StrCat("has no effect on '", plan.target().substr(0, 128),
                                                    "'; use a ws:// or wss:// target"))
               : absl::OkStatus();
  }
  const proto::Request& request = plan.requests(0);
  if (absl::StrContains(request.path().empty() ? target.path : request.path(), "{slot}"))
    return Invalid("target",
                   "has {slot} in its path, but a WebSocket is opened for many slots; write it into a message");
  if (request.method() != "GET") return Invalid("requests.method", "a WebSocket is asked for with GET; leave it out");
  for (const std::string& header : request.headers()) {
    const absl::string_view name = absl::string_view(header).substr(0, header.find(':'));
    if (absl::StartsWithIgnoreCase(name, "sec-websocket-") || absl::EqualsIgnoreCase(name, "upgrade") ||
        absl::EqualsIgnoreCase(name, "connection"))
      return Invalid("requests.headers", absl::StrCat("'", name, "' is set by the upgrade; leave it out"));
    if (absl::StrContains(header, "{slot}"))
      return Invalid(
          "requests.headers",
          absl::StrCat("'", name, "' has {slot}, but a WebSocket is opened for many slots; write it into a message"));
  }
  for (const proto::Request& message : plan.requests()) {
    if (!web_socket.binary() && !IsUtf8(message.body()))
      return Invalid("requests.body", "is no UTF-8, which a text message must be; send it with --binary");
    if (!web_socket.reply_id().empty() && !absl::StrContains(message.body(), "{slot}"))
      return Invalid("web_socket.reply_id",
                     "the message has no \"{slot}\" that a reply could name; write \"id\":\"{slot}\"");
    if (&message != &request && (!message.path().empty() || message.headers_size() != 0))
      return Invalid("requests", "path and headers go with the upgrade, so that only the first message may have them");
  }
  if (web_socket.subprotocols_size() > 100) return Invalid("web_socket.subprotocols", "more than 100");
  for (const std::string& name : web_socket.subprotocols()) {
    if (!IsToken(name) || name.size() > 256)
      return Invalid("web_socket.subprotocols", absl::StrCat("'", name.substr(0, 64), "' is no token"));
  }
  TIDEMARK_RETURN_IF_ERROR(CheckPointer("web_socket.reply_id", web_socket.reply_id()));
  if (web_socket.subscribe_size() > 1'000) return Invalid("web_socket.subscribe", "more than 1000");
  for (const std::string& message : web_socket.subscribe()) {
    if (message.size() > (64 << 10)) return Invalid("web_socket.subscribe", "a message of more than 64 KiB");
  }
  if (!web_socket.ack().empty()) TIDEMARK_RETURN_IF_ERROR(CheckMatch("web_socket.ack", web_socket.ack()));
  if (!web_socket.ack().empty() && web_socket.subscribe().empty())
    return Invalid("web_socket.ack", "acks nothing; give web_socket.subscribe");
  if (web_socket.has_ping()) {
    TIDEMARK_RETURN_IF_ERROR(
        CheckDuration("web_socket.ping.every", FromProto(web_socket.ping().every()), kMillisecond, kMaxTimeout));
    if (web_socket.ping().text().size() > 1'000) return Invalid("web_socket.ping.text", "more than 1000 bytes");
    if (web_socket.ping().text().empty() && !web_socket.ping().reply().empty())
      return Invalid("web_socket.ping.reply", "answers a text; ping frames are answered by pong frames");
    if (absl::StartsWith(web_socket.ping().reply(), "/"))
      TIDEMARK_RETURN_IF_ERROR(CheckMatch("web_socket.ping.reply", web_socket.ping().reply()));
  }
  if (web_socket.has_listen()) TIDEMARK_RETURN_IF_ERROR(CheckListen(plan));
  TIDEMARK_RETURN_IF_ERROR(CheckRange("web_socket.pipeline", web_socket.pipeline(), 0, 1'024));
  if (web_socket.pipeline() > 1 &&
      (web_socket.has_listen() || plan.sweep().has_think_time() || plan.sweep().new_connection()))
    return Invalid("web_socket.pipeline", "goes with requests on lasting connections, without a think time");
  TIDEMARK_RETURN_IF_ERROR(CheckRate("web_socket.control_rate", web_socket.control_rate(), 1'000'000, true));
  return absl::OkStatus();
}

// Which addresses are connected to. An entry that is of no use was meant for what is loaded, and would leave it to the
// resolver.
absl::Status CheckAddresses(const proto::Plan& plan, const Target& target) {
  if (plan.source_addresses_size() > 10'000) return Invalid("source_addresses", "more than 10000");
  if (plan.resolve_size() > 1'000) return Invalid("resolve", "more than 1000 entries");
  if (plan.connect_to_size() > 1'000) return Invalid("connect_to", "more than 1000 entries");
  if (!plan.ip_family().empty() && plan.ip_family() != "4" && plan.ip_family() != "6")
    return Invalid("ip_family", absl::StrCat(Quoted(plan.ip_family()), "; write 4 or 6"));
  if (!target.unix_path.empty() &&
      !(plan.source_addresses().empty() && plan.resolve().empty() && plan.connect_to().empty() &&
        plan.ip_family().empty() && plan.proxy().empty() && !plan.has_resolve_every())) {
    return Invalid("target",
                   "a Unix socket takes neither source addresses nor resolve, connect_to, ip_family, proxy and "
                   "resolve_every");
  }
  std::vector<Target> asked = {target};
  if (const auto clock = ParseTarget(plan.web_socket().listen().clock().url()); clock.ok()) asked.push_back(*clock);
  std::vector<Dialled> before;  // connect_to
  if (!plan.proxy().empty()) {
    TIDEMARK_ASSIGN_OR_RETURN(const Proxy proxy, ParseProxy(plan.proxy()));
    if (plan.web_socket().listen().has_clock())
      return Invalid("proxy", "is not asked for web_socket.listen.clock; leave one of them out");
    before.push_back({.host = proxy.host, .port = proxy.port});
  } else {
    for (const Target& one : asked) before.push_back({.host = one.host, .port = one.port});
  }
  const std::string who = absl::StrCat(plan.proxy().empty() ? "the target is " : "the proxy is ",
                                       JoinHostPort(before[0].host, before[0].port));
  for (const std::string& text : plan.connect_to()) {
    TIDEMARK_ASSIGN_OR_RETURN(const ConnectTo entry, ParseConnectTo(text));
    if (std::none_of(before.begin(), before.end(), [&](const Dialled& one) { return entry.IsFor(one.host, one.port); }))
      return Invalid("connect_to",
                     absl::StrCat(Quoted(text), " has no effect: ", who, "; write that at its beginning"));
  }
  std::vector<Dialled> dialled;
  for (const Target& one : asked) dialled.push_back(DialledFor(one, plan));
  bool is_overridden = false;
  for (const std::string& text : plan.resolve()) {
    TIDEMARK_ASSIGN_OR_RETURN(const ResolveOverride override, ParseResolveOverride(text));
    const auto is_for = [&](const Dialled& one) {
      return IsSameHost(override.host, one.host) && override.port == one.port;
    };
    is_overridden = is_overridden || is_for(dialled[0]);
    if (std::none_of(dialled.begin(), dialled.end(), is_for)) {
      const bool is_led_on = dialled[0].host != before[0].host || dialled[0].port != before[0].port;
      return Invalid("resolve", absl::StrCat(Quoted(text), " has no effect: ",
                                             is_led_on ? absl::StrCat("connect_to leads to ",
                                                                      JoinHostPort(dialled[0].host, dialled[0].port))
                                                       : who,
                                             "; write that before the address"));
    }
  }
  if (!plan.has_resolve_every()) return absl::OkStatus();
  TIDEMARK_RETURN_IF_ERROR(
      CheckDuration("resolve_every", FromProto(plan.resolve_every()), 100 * kMillisecond, kMaxDuration));
  if (is_overridden || IsZonedAddress(dialled[0].host))
    return Invalid("resolve_every", absl::StrCat("has no effect: ", JoinHostPort(dialled[0].host, dialled[0].port),
                                                 " has its address from the plan; leave one of them out"));
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidatePlan(const proto::Plan& plan) {
  TIDEMARK_RETURN_IF_ERROR(CheckText(plan, ""));
  TIDEMARK_ASSIGN_OR_RETURN(const Target target, ParseTarget(plan.target()));
  TIDEMARK_RETURN_IF_ERROR(CheckZeros(plan));
  TIDEMARK_RETURN_IF_ERROR(CheckSweep(plan.sweep()));
  TIDEMARK_RETURN_IF_ERROR(CheckDuration("timeout", FromProto(plan.timeout()), kMillisecond, kMaxTimeout));
  TIDEMARK_RETURN_IF_ERROR(
      CheckDuration("connect_timeout", FromProto(plan.connect_timeout()), kMillisecond, kMaxTimeout));
  TIDEMARK_RETURN_IF_ERROR(CheckRange("requests", plan.requests_size(), 1, static_cast<int>(kMaxRequests)));
  for (const proto::Request& request : plan.requests()) {
    TIDEMARK_RETURN_IF_ERROR(CheckRequest(request));
    TIDEMARK_RETURN_IF_ERROR(CheckRange("requests.weight", request.weight(), 0, kMaxWeight));
    if (request.name().size() > 64 || HasControl(request.name(), true))
      return Invalid("requests.name", "must be at most 64 bytes, without control characters");
    if (plan.requests_size() > 1 && (request.weight() == 0 || request.name().empty()))
      return Invalid("requests", "each of a mix needs a name and a weight");
  }
  TIDEMARK_RETURN_IF_ERROR(CheckRange("follow", plan.follow(), 0, kMaxFollow));
  TIDEMARK_RETURN_IF_ERROR(CheckWebSocket(plan, target));
  const proto::Tls& tls = plan.tls();
  if (!target.is_tls && (tls.insecure() || tls.no_resume() || !tls.ca_file().empty() || !tls.cert_file().empty() ||
                         !tls.key_file().empty())) {
    return Invalid("tls", absl::StrCat("has no effect on '", plan.target().substr(0, 128),
                                       "'; use an https:// target or leave it out"));
  }
  if (tls.cert_file().empty() != tls.key_file().empty()) return Invalid("tls", "cert_file and key_file go together");
  TIDEMARK_RETURN_IF_ERROR(CheckRange("threads", plan.threads(), 0, kMaxThreads));
  TIDEMARK_RETURN_IF_ERROR(CheckAddresses(plan, target));
  TIDEMARK_RETURN_IF_ERROR(CheckRange("kernel_timestamps", plan.kernel_timestamps(), 0, 1'000'000));
  if (plan.kernel_timestamps() > 0 && !target.unix_path.empty())
    return Invalid("kernel_timestamps",
                   "the kernel stamps TCP alone; use a target that is no unix: socket, or leave it out");
  if (plan.on_agent_loss() != "fail" && plan.on_agent_loss() != "continue" && plan.on_agent_loss() != "redo") {
    return Invalid("on_agent_loss",
                   absl::StrCat("'", plan.on_agent_loss().substr(0, 32), "'; write redo, continue or fail"));
  }
  if (plan.expect_size() > 100) return Invalid("expect", "more than 100 entries");
  const Measured measured(plan);
  for (const std::string& text : plan.expect()) {
    const auto expectation = ParseExpectation(text);
    if (!expectation.ok()) return Invalid("expect", expectation.status().message());
    const std::string figure = expectation->InReport();
    if (!measured.Has(figure))
      return Invalid("expect",
                     absl::StrCat("'", expectation->text, "' is not measured: ", WhyNotMeasured(measured, figure)));
  }
  const auto statuses = ParseStatusSet(plan.expect_status());
  if (!statuses.ok()) return statuses.status();
  return CheckRange("max_response_bytes", plan.max_response_bytes(), 1, std::int64_t{1} << 40);
}

bool HasStamps(const proto::Plan& plan, const Target& target) {
  return target.unix_path.empty() && (!plan.has_kernel_timestamps() || plan.kernel_timestamps() > 0);
}

bool HasToken(const proto::Request& request, absl::string_view name, absl::string_view token) {
  for (const absl::string_view header : request.headers()) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(header, absl::MaxSplits(':', 1));
    if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(parts.first), name)) continue;
    for (const absl::string_view value : absl::StrSplit(parts.second, ',')) {
      if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(value), token)) return true;
    }
  }
  return false;
}

bool IsSecretHeader(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  for (const char* mark : {"auth", "cookie", "key", "token", "secret", "sign", "pass"}) {
    if (absl::StrContains(lower, mark)) return true;
  }
  return false;
}

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

Nanos FromProto(const google::protobuf::Duration& duration) {
  const std::int64_t seconds = std::clamp<std::int64_t>(duration.seconds(), -1'000'000'000, 1'000'000'000);
  return seconds * kSecond + duration.nanos();
}

google::protobuf::Duration ToDurationProto(Nanos value) {
  google::protobuf::Duration duration;
  duration.set_seconds(value / kSecond);
  duration.set_nanos(static_cast<std::int32_t>(value % kSecond));
  return duration;
}

}  // namespace tidemark
