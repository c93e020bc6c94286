#include "common/plan/measured.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/plan/durations.h"
#include "common/plan/headers.h"
#include "common/plan/sweep.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

struct NeedRow {
  Need need;
  bool (*is_met)(const proto::Plan& plan, const Target& target);
  const char* remedy;
};

const proto::Listen& ListenOf(const proto::Plan& plan) { return plan.web_socket().listen(); }
bool IsListening(const proto::Plan& plan) { return plan.web_socket().has_listen(); }
bool HasRule(const proto::Plan& plan, std::initializer_list<absl::string_view> rules) {
  return std::count(rules.begin(), rules.end(), absl::string_view(ListenOf(plan).sequence().rule())) != 0;
}
bool CanFallSilent(const proto::Plan& plan) {
  const proto::Listen& listen = ListenOf(plan);
  return IsListening(plan) &&
         (listen.silence_factor() != 0 || FromProto(listen.silence()) <= PointLength(plan.sweep()));
}

// In the order of Need.
constexpr NeedRow kNeeds[] = {
    {Need::kNothing, [](const auto&, const auto&) { return true; }, ""},
    {Need::kRequests, [](const auto& plan, const auto&) { return !IsListening(plan); },
     "listening requests nothing; write messages_per_s, or leave web_socket.listen out"},
    {Need::kHttp, [](const auto&, const auto& target) { return !target.is_web_socket; },
     "it is of HTTP; use an http:// or https:// target"},
    {Need::kReplies, [](const auto& plan, const auto& target) { return target.is_web_socket && !IsListening(plan); },
     "it is of requests over WebSockets; use a ws:// or wss:// target, and leave web_socket.listen out"},
    {Need::kOpenLoop, [](const auto& plan, const auto&) { return IsOpenLoop(plan.sweep()); },
     "it is of an open loop; give a rate (-R)"},
    {Need::kClosedLoop, [](const auto& plan, const auto&) { return !IsListening(plan) && !IsOpenLoop(plan.sweep()); },
     "it is of a closed loop; leave the rate out"},
    {Need::kRates, [](const auto& plan, const auto&) { return !plan.sweep().rates().empty(); },
     "there is no rate; give one (-R)"},
    {Need::kMix, [](const auto& plan, const auto&) { return plan.requests_size() > 1; },
     "there is one request alone; give several"},
    {Need::kStamps, [](const auto& plan, const auto& target) { return HasStamps(plan, target); },
     "the kernel stamps TCP alone, and nothing with --kernel-timestamps 0"},
    {Need::kStampedSends,
     [](const auto& plan, const auto& target) { return HasStamps(plan, target) && !IsListening(plan); },
     "the kernel stamps what is sent over TCP alone, and nothing with --kernel-timestamps 0"},
    {Need::kStampedTimes,
     [](const auto& plan, const auto& target) {
       return HasStamps(plan, target) && (!IsListening(plan) || !ListenOf(plan).time().empty());
     },
     "the kernel stamps requests, and events whose time is known, over TCP alone, and nothing with --kernel-timestamps "
     "0"},
    {Need::kConnections, [](const auto& plan, const auto&) { return !plan.sweep().new_connection(); },
     "it is of connections that last; leave --new-connection out"},
    {Need::kTls, [](const auto&, const auto& target) { return target.is_tls; },
     "it is of TLS; use an https:// or wss:// target"},
    {Need::kTlsRequests, [](const auto& plan, const auto& target) { return target.is_tls && !IsListening(plan); },
     "it is of requests over TLS; use an https:// or wss:// target, and leave web_socket.listen out"},
    {Need::kContinue,
     [](const auto& plan, const auto& target) {
       return !target.is_web_socket && std::any_of(plan.requests().begin(), plan.requests().end(), [](const auto& r) {
         return r.has_body() && HasToken(r, "Expect", "100-continue");
       });
     },
     "no request waits for it; give the header Expect: 100-continue"},
    {Need::kFollow, [](const auto& plan, const auto&) { return plan.follow() != 0; },
     "redirects are not followed; give --follow"},
    {Need::kSample, [](const auto& plan, const auto&) { return !plan.trace_sample().empty(); },
     "no sample of requests is kept; give --trace-sample"},
    {Need::kUnixSocket, [](const auto&, const auto& target) { return !target.unix_path.empty(); },
     "it is of Unix sockets; use a unix: target"},
    {Need::kResolveEvery, [](const auto& plan, const auto&) { return plan.has_resolve_every(); },
     "the target's name is looked up once; give --resolve-every"},
    {Need::kWebSocket, [](const auto&, const auto& target) { return target.is_web_socket; },
     "it is of WebSockets; use a ws:// or wss:// target"},
    {Need::kDeflate, [](const auto& plan, const auto&) { return plan.web_socket().deflate(); },
     "nothing is compressed; give --deflate"},
    {Need::kAcks, [](const auto& plan, const auto&) { return !plan.web_socket().ack().empty(); },
     "no subscription is answered; give --subscribe and --ack"},
    {Need::kPing, [](const auto& plan, const auto&) { return plan.web_socket().has_ping(); },
     "no ping is sent; give web_socket.ping"},
    {Need::kListening, [](const auto& plan, const auto&) { return IsListening(plan); },
     "it is of streams; give --listen, or web_socket.listen"},
    {Need::kStreams, [](const auto& plan, const auto&) { return !ListenOf(plan).stream().empty(); },
     "it is of streams with names; give web_socket.listen.stream"},
    {Need::kEventTimes, [](const auto& plan, const auto&) { return !ListenOf(plan).time().empty(); },
     "when events happened is not known; give web_socket.listen.time"},
    {Need::kClock, [](const auto& plan, const auto&) { return ListenOf(plan).has_clock(); },
     "the target is not asked for the time; give web_socket.listen.clock"},
    {Need::kFanOut, [](const auto& plan, const auto&) { return !ListenOf(plan).fan_out().empty(); },
     "events are not told apart; give web_socket.listen.fan_out"},
    {Need::kStorm, [](const auto& plan, const auto&) { return ListenOf(plan).has_storm(); },
     "no connection is closed at once; give web_socket.listen.storm"},
    {Need::kHold, [](const auto& plan, const auto&) { return ListenOf(plan).has_hold(); },
     "no connection is closed after a time; give web_socket.listen.hold"},
    {Need::kIgnore, [](const auto& plan, const auto&) { return !ListenOf(plan).ignore().empty(); },
     "no message is ignored; give web_socket.listen.ignore"},
    {Need::kSeveral, [](const auto& plan, const auto&) { return !ListenOf(plan).events().empty(); },
     "a message is one event; give web_socket.listen.events"},
    {Need::kPointers,
     [](const auto& plan, const auto&) {
       const proto::Listen& listen = ListenOf(plan);
       return !listen.stream().empty() || !listen.time().empty() || !listen.sequence().rule().empty() ||
              !listen.fan_out().empty();
     },
     "messages are not read; give web_socket.listen a pointer, as stream, time or sequence"},
    {Need::kSilence, [](const auto& plan, const auto&) { return CanFallSilent(plan); },
     "no silence fits into a point; give web_socket.listen.silence a time within its duration, or silence_factor"},
    {Need::kOrder,
     [](const auto& plan, const auto&) {
       return HasRule(plan, {"consecutive", "range", "link"});
     },
     "how messages follow each other is not known; give web_socket.listen.sequence the rule consecutive, range or "
     "link"},
    {Need::kNumbers,
     [](const auto& plan, const auto&) {
       return HasRule(plan, {"consecutive", "range"});
     },
     "how many messages a gap has is not known; give web_socket.listen.sequence the rule consecutive or range"},
    {Need::kRising,
     [](const auto& plan, const auto&) {
       return HasRule(plan, {"consecutive", "range", "link", "snapshot"});
     },
     "messages have no numbers; give web_socket.listen.sequence the rule consecutive, range, link or snapshot"},
    {Need::kSnapshots,
     [](const auto& plan, const auto&) {
       return HasRule(plan, {"link", "snapshot", "checksum"});
     },
     "no rule tells snapshots; give web_socket.listen.sequence the rule link, snapshot or checksum"},
    {Need::kSnapshotRule, [](const auto& plan, const auto&) { return HasRule(plan, {"snapshot"}); },
     "it is of numbers that rise from a snapshot on; give web_socket.listen.sequence the rule snapshot"},
    {Need::kBooks,
     [](const auto& plan, const auto&) {
       return HasRule(plan, {"snapshot", "checksum"});
     },
     "there is nothing to be in sync with; give web_socket.listen.sequence the rule snapshot or checksum"},
    {Need::kChecksums, [](const auto& plan, const auto&) { return HasRule(plan, {"checksum"}); },
     "no checksum is compared; give web_socket.listen.sequence the rule checksum"},
};
static_assert(std::size(kNeeds) == static_cast<std::size_t>(Need::kCount));

// A figure that is a row of a table.
struct RowNeed {
  absl::string_view list;
  absl::string_view name;
  Need need;
};
constexpr absl::string_view ListOf(Shown shown) {
  return shown == Shown::kWebSocket ? "WebSocketCounts." : "Accounting.";
}
// A counter has a field of its own, or is one of `counters`.
constexpr RowNeed kRowNeeds[] = {
#define METRIC(name, json, label, bounded_by, need) {"Point.", json, Need::k##need},
#include "common/stats/metrics.def"
#define COUNTER(field, shown, label, need, quantity) \
  {ListOf(Shown::shown), #field, Need::k##need}, {"counters.", #field, Need::k##need},
#include "common/stats/counters.def"
#define OUTCOME(name, json, label, need) {"outcomes.", json, Need::k##need},
#define NEVER_SENT(name, json, label, need) {"never_sent_by_reason.", json, Need::k##need},
#define CONNECT_RESULT(name, json, label, need) {"connections.", json, Need::k##need},
#define FINDING(name, json, label, need) {"streams.", json, Need::k##need},
#include "common/stats/outcomes.def"
};

// The figures that not every plan measures: the rows of tables that say so, and these.
absl::flat_hash_map<std::string, Need> AllFigures() {
  absl::flat_hash_map<std::string, Need> figures = {
      {"Point.connections_up", Need::kConnections},
      {"Point.slowest", Need::kRequests},
      {"Point.traces_left_out", Need::kSample},
      {"Point.availability_percent", Need::kConnections},
      {"Point.total_requests", Need::kRequests},
      {"Point.successful_requests", Need::kRequests},
      {"Point.failed_requests", Need::kRequests},
      {"Point.requests_per_s", Need::kRequests},
      {"Point.success_per_s", Need::kRequests},
      {"Point.staleness_error_us", Need::kClock},
      {"Point.messages_per_s", Need::kWebSocket},
      {"Point.unaccounted_requests_max", Need::kRequests},
      {"Point.unaccounted_is_estimate", Need::kRequests},
      {"Point.rate_per_s", Need::kRates},
      {"Point.utilisation_percent", Need::kClosedLoop},
      {"Point.requests", Need::kMix},
      {"RequestResult.response", Need::kOpenLoop},
      {"Point.fan_out", Need::kFanOut},
      {"Point.streams", Need::kStreams},
      {"Point.streams_left_out", Need::kStreams},
      {"Point.close_reasons", Need::kWebSocket},
      {"Point.schedule_hash", Need::kOpenLoop},
      {"StreamRow.gaps", Need::kOrder},
      {"StreamRow.lost", Need::kNumbers},
      {"StreamRow.lost_late", Need::kNumbers},
      {"StreamRow.silences", Need::kSilence},
      {"Accounting.never_sent", Need::kRequests},
      {"Accounting.never_sent_by_reason", Need::kRequests},
      {"Accounting.outcomes", Need::kRequests},
      {"Accounting.waiting", Need::kRequests},
      {"Accounting.in_flight", Need::kRequests},
      {"Accounting.tls_alerts", Need::kTls},
      {"Accounting.web_socket", Need::kWebSocket},
      {"WebSocketCounts.missing_replies", Need::kReplies},
      {"WebSocketCounts.streams", Need::kListening},
      {"never_sent_by_reason.tls", Need::kTls},
      {"never_sent_by_reason.upgrade", Need::kWebSocket},
      {"Window.availability_percent", Need::kConnections},
      {"Window.requests", Need::kRequests},
      {"Window.success", Need::kRequests},
      {"Window.errors", Need::kRequests},
      {"Window.messages", Need::kWebSocket},
      {"Columns.requests", Need::kRequests},
      {"Columns.success", Need::kRequests},
      {"Columns.failed_4xx", Need::kHttp},
      {"Columns.failed_429", Need::kHttp},
      {"Columns.failed_5xx", Need::kHttp},
      {"Columns.failed_other_status", Need::kHttp},
      {"Columns.timed_out", Need::kRequests},
      {"Columns.no_answer", Need::kRequests},
      {"Columns.never_sent", Need::kRequests},
      {"Columns.messages", Need::kWebSocket},
      {"Columns.lateness_p99_us", Need::kRequests},
      {"Columns.availability_percent", Need::kConnections},
      {"AgentColumns.requests", Need::kRequests},
      {"AgentColumns.success", Need::kRequests},
      {"AgentColumns.messages", Need::kWebSocket},
      {"Point.splits", Need::kStampedTimes},
      {"AgentRow.split", Need::kStampedTimes},
      {"AgentRow.planned", Need::kRequests},
      {"AgentRow.sent", Need::kRequests},
      {"AgentRow.success", Need::kRequests},
      {"AgentRow.target_clock_offset_us", Need::kClock},
      {"AgentRow.target_clock_error_us", Need::kClock},
      {"AgentRow.target_clock_readings", Need::kClock},
      {"AgentRow.target_clock_failures", Need::kClock},
      {"AgentRow.target_clock_steps", Need::kClock},
  };
  for (const RowNeed& row : kRowNeeds) {
    if (row.need != Need::kNothing) figures[absl::StrCat(row.list, row.name)] = row.need;
  }
  return figures;
}

const absl::flat_hash_map<std::string, Need>& Figures() {
  static const auto& figures = *new absl::flat_hash_map<std::string, Need>(AllFigures());
  return figures;
}

}  // namespace

Measured::Measured(const proto::Plan& plan) {
  const auto target = ParseTarget(plan.target());
  CHECK(target.ok());
  for (const NeedRow& row : kNeeds) has_[static_cast<std::size_t>(row.need)] = row.is_met(plan, *target);
}

bool Measured::Has(absl::string_view figure) const { return Has(NeedOf(figure)); }

Need NeedOf(absl::string_view figure) {
  const auto found = Figures().find(figure);
  return found == Figures().end() ? Need::kNothing : found->second;
}

absl::string_view WhyNotMeasured(const Measured& measured, absl::string_view figure) {
  Need need = NeedOf(figure);
  // What is of streams needs that first.
  if (!measured.Has(Need::kListening) && need >= Need::kStreams) need = Need::kListening;
  return kNeeds[static_cast<std::size_t>(need)].remedy;
}

bool IsOfMessages(Finding finding) {
  switch (finding) {
    case Finding::kSilence:
    case Finding::kReconnect:
    case Finding::kStorm:
    case Finding::kHeld:
    case Finding::kViolation:
    case Finding::kBadPayload:
    case Finding::kOversized:
    case Finding::kPingFlood:
      return false;
    default:
      return true;
  }
}

bool HasStamps(const proto::Plan& plan, const Target& target) {
  return target.unix_path.empty() && (!plan.has_kernel_timestamps() || plan.kernel_timestamps() > 0);
}

}  // namespace tidemark
