// The plan: defaults, validation, and the parts of it that need parsing.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "common/schedule.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Where requests go.
struct Target {
  bool is_tls = false;
  bool is_web_socket = false;
  std::string unix_path;  // of a Unix socket, "@NAME" an abstract one; then host and port are empty
  std::string host;       // name or address as written, without brackets
  std::uint16_t port = 0;
  std::string path = "/";  // with query, as sent
  std::string host_header;
  // Through a proxy that is asked for each request (RFC 9112 section 3.2.2): what precedes the path there,
  // "http://h:1", and its Proxy-Authorization. Else empty.
  std::string absolute_prefix = {};
  std::string proxy_authorization = {};
};

// Parses http://HOST[:PORT][/PATH][?QUERY], https, ws, wss, or unix:SOCKET[:/PATH].
// Host and port are those that are written, or it is an error (common/authority.h); so is the path
// (common/request_path.h), in which placeholders may stand.
// Errors: InvalidArgument naming the URL, without a password in it, and the remedy.
absl::StatusOr<Target> ParseTarget(absl::string_view url);

// An address forced for one host and port: "HOST:PORT:ADDRESS", IPv6 addresses in brackets, with a zone or without.
// Errors: InvalidArgument naming the text.
struct ResolveOverride {
  std::string host;
  std::uint16_t port = 0;
  std::string address;
};
absl::StatusOr<ResolveOverride> ParseResolveOverride(absl::string_view text);

// Where to connect for one host and port, as curl's --connect-to: "HOST:PORT:OTHER:PORT". HOST or the first PORT may be
// empty, for any; OTHER or the second one, for what they were. OTHER may have a zone.
// Errors: InvalidArgument naming the text.
struct ConnectTo {
  std::string host;              // empty: any
  std::uint16_t port = 0;        // 0: any
  std::string other_host;        // empty: the same
  std::uint16_t other_port = 0;  // 0: the same

  bool IsFor(const std::string& its_host, std::uint16_t its_port) const;
};
absl::StatusOr<ConnectTo> ParseConnectTo(absl::string_view text);

// An HTTP proxy, "http://[USER:PASSWORD@]HOST:PORT". What stands before '@' is percent-decoded, but for references to
// secrets. Errors: InvalidArgument, without a password in it.
struct Proxy {
  std::string host;
  std::uint16_t port = 0;
  std::string credentials;  // "USER:PASSWORD"; empty: none
};
absl::StatusOr<Proxy> ParseProxy(absl::string_view url);

// Who is connected to for `target`, which is no Unix socket: itself, the proxy, or what connect_to says for them.
// REQUIRES: the plan is valid.
struct Dialled {
  std::string host;
  std::uint16_t port = 0;
};
Dialled DialledFor(const Target& target, const proto::Plan& plan);

// Statuses that count as success.
using StatusSet = std::bitset<1000>;

// Parses "200" and "200-399" entries; no entries: 200 to 399.
template <typename Strings>
absl::StatusOr<StatusSet> ParseStatusSet(const Strings& entries);

// One level of the sweep.
struct SweepPoint {
  std::int64_t connections = 0;
  std::vector<RateStage> stages = {};  // open loop; empty: closed loop
};
bool IsOpenLoop(const proto::Sweep& sweep);
// REQUIRES: the plan is valid, `index` < PointCount.
int PointCount(const proto::Sweep& sweep);
SweepPoint PointAt(const proto::Sweep& sweep, int index);
// How long a point takes by the plan, as one by time or by stages does; 0 if it ends with a count of requests.
Nanos PointLength(const proto::Sweep& sweep);

// The connect rate, as each of those gets it that have so many of the connections: slots per 1,000 hours, 0: no limit.
std::vector<std::int64_t> SplitConnectRate(double per_s, const std::vector<std::int64_t>& connections);

// Fills every field that the user left out, so that a printed plan shows what will happen:
// the sweep 10,50,100,500,1000 with 100 requests per connection after 10 for warm-up, 30 s time-outs, GET; an open
// loop has 100 connections, Poisson arrivals and 30 s per rate.
void ApplyDefaults(proto::Plan* plan);

// What one unit of a time_unit is: "s", "ms", "us" or "ns", empty: ms; kRfc3339 of "rfc3339".
// Errors: InvalidArgument naming the field.
inline constexpr Nanos kRfc3339 = 0;
absl::StatusOr<Nanos> ParseTimeUnit(absl::string_view field, absl::string_view unit);

// Checks a plan with defaults applied. Errors: InvalidArgument "FIELD: what, value; remedy".
absl::Status ValidatePlan(const proto::Plan& plan);

// Whether the kernel can stamp requests of this plan, and is to.
bool HasStamps(const proto::Plan& plan, const Target& target);

// Whether the request has a header of that name with `token` in its list of values; both in any case.
bool HasToken(const proto::Request& request, absl::string_view name, absl::string_view token);

// Whether a header of that name may hold a secret.
bool IsSecretHeader(absl::string_view name);

// `plan` for printing: the values of headers that may hold credentials (Authorization, Cookie, and names with key,
// token, secret, sign, auth or pass in them) are replaced by "***", bodies and subscriptions by their size.
proto::Plan PlanForPrinting(proto::Plan plan);

Nanos FromProto(const google::protobuf::Duration& duration);
google::protobuf::Duration ToDurationProto(Nanos value);

// Limits on what a plan may ask for; beyond them it is a mistake rather than a test.
inline constexpr std::int64_t kMaxPoints = 1'000;
inline constexpr std::int64_t kMaxConnections = 10'000'000;
inline constexpr std::int64_t kMaxRequestsPerPoint = 1'000'000'000'000;
inline constexpr std::int64_t kMaxRate = 100'000'000;
inline constexpr std::int64_t kMaxWeight = 1'000;
inline constexpr std::int64_t kMaxThreads = 1'024;
inline constexpr std::size_t kMaxHeaders = 100;
inline constexpr std::int64_t kMaxFollow = 50;  // as curl and browsers
inline constexpr std::size_t kMaxHeaderBytes = 64 << 10;
inline constexpr std::size_t kMaxBodyBytes = 16 << 20;
inline constexpr std::size_t kMaxUrlBytes = 16 << 10;
inline constexpr std::size_t kMaxCredentials = 4 << 10;
inline constexpr Nanos kMaxTimeout = 3600 * kSecond;
inline constexpr Nanos kMaxDuration = 7 * 24 * 3600 * kSecond;

}  // namespace tidemark
