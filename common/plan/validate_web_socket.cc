#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/plan/checks.h"
#include "common/plan/durations.h"
#include "common/plan/limits.h"
#include "common/plan/place.h"
#include "common/plan/sweep.h"
#include "common/plan/target.h"
#include "common/plan/validate_parts.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

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

}  // namespace

absl::Status CheckWebSocket(const proto::Plan& plan, const Target& target) {
  const proto::WebSocket& web_socket = plan.web_socket();
  if (target.is_web_socket && plan.follow() != 0)
    return Invalid("follow", "is of HTTP targets: an upgrade that is redirected is refused; leave it out");
  if (target.is_web_socket && !plan.expect_status().empty())
    return Invalid("expect_status", "is of HTTP targets: a WebSocket's messages have no status; leave it out");
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
    TIDEMARK_RETURN_IF_ERROR(CheckParts("web_socket.subscribe", message));
    if (absl::StrContains(message, "{slot}"))
      return Invalid("web_socket.subscribe",
                     "has {slot}, but is sent when a connection is up, for no slot; write a number of its own");
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

}  // namespace tidemark
