#include "tests/mock_exchange/directives.h"

#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "common/units.h"

namespace tidemark {
namespace {

constexpr std::int64_t kGridStride = 7919;  // prime to the grid's size: a permutation that mixes large and small

absl::Status Bad(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat("directive '", text.substr(0, 64), "' is unknown or malformed"));
}

// Splits "value/N"; N is 1 if it is missing.
bool TakeEvery(absl::string_view* value, std::int64_t* every) {
  const std::size_t slash = value->rfind('/');
  if (slash == absl::string_view::npos) return true;
  const bool is_valid = absl::SimpleAtoi(value->substr(slash + 1), every) && *every >= 1;
  *value = value->substr(0, slash);
  return is_valid;
}

absl::Status ParseDelay(absl::string_view value, Directives* out) {
  const std::vector<absl::string_view> parts = absl::StrSplit(value, ':');
  if (parts.size() == 1) {
    out->delay = Directives::Delay::kFixed;
    TIDEMARK_ASSIGN_OR_RETURN(out->delay_a, ParseDuration(parts[0]));
    return absl::OkStatus();
  }
  if (parts[0] == "bimodal" && parts.size() == 4) {
    const std::vector<absl::string_view> share = absl::StrSplit(parts[3], '/');
    out->delay = Directives::Delay::kBimodal;
    TIDEMARK_ASSIGN_OR_RETURN(out->delay_a, ParseDuration(parts[1]));
    TIDEMARK_ASSIGN_OR_RETURN(out->delay_b, ParseDuration(parts[2]));
    const bool is_valid = share.size() == 2 && absl::SimpleAtoi(share[0], &out->slow) &&
                          absl::SimpleAtoi(share[1], &out->slow_of) && out->slow_of >= 1;
    return is_valid ? absl::OkStatus() : Bad(value);
  }
  if (parts[0] == "lognormal" && parts.size() == 3) {
    out->delay = Directives::Delay::kLogNormal;
    TIDEMARK_ASSIGN_OR_RETURN(out->delay_a, ParseDuration(parts[1]));
    return absl::SimpleAtod(parts[2], &out->sigma) && out->sigma > 0 && out->sigma < 3 ? absl::OkStatus() : Bad(value);
  }
  return Bad(value);
}

absl::Status ParseFault(absl::string_view value, Directives* out) {
  if (!TakeEvery(&value, &out->fault_every)) return Bad(value);
  constexpr std::pair<absl::string_view, Fault> kFaults[] = {
      {"reset", Fault::kReset},       {"hang", Fault::kHang},         {"garbage", Fault::kGarbage},
      {"truncate", Fault::kTruncate}, {"oversize", Fault::kOversize}, {"close", Fault::kClose}};
  for (const auto& [name, fault] : kFaults) {
    if (value == name) out->fault = fault;
  }
  return out->fault == Fault::kNone ? Bad(value) : absl::OkStatus();
}

absl::Status ParseQueue(absl::string_view value, Directives* out) {
  out->queue = absl::ConsumePrefix(&value, "exp:") ? Directives::Queue::kExponential : Directives::Queue::kConstant;
  TIDEMARK_ASSIGN_OR_RETURN(out->queue_service, ParseDuration(value));
  return absl::OkStatus();
}

absl::Status ParsePause(absl::string_view value, Directives* out) {
  const std::vector<absl::string_view> parts = absl::StrSplit(value, ':');
  if (parts.size() != 2) return Bad(value);
  TIDEMARK_ASSIGN_OR_RETURN(out->pause_at, ParseDuration(parts[0]));
  TIDEMARK_ASSIGN_OR_RETURN(out->pause, ParseDuration(parts[1]));
  return absl::OkStatus();
}

absl::Status ParseUsl(absl::string_view value, Directives* out) {
  const std::vector<absl::string_view> parts = absl::StrSplit(value, ':');
  return parts.size() == 3 && absl::SimpleAtod(parts[0], &out->usl_gamma) && out->usl_gamma > 0 &&
                 absl::SimpleAtod(parts[1], &out->usl_sigma) && absl::SimpleAtod(parts[2], &out->usl_kappa)
             ? absl::OkStatus()
             : Bad(value);
}

absl::Status ParseOne(absl::string_view name, absl::string_view value, Directives* out) {
  if (name == "delay") return ParseDelay(value, out);
  if (name == "fault") return ParseFault(value, out);
  if (name == "status") {
    return TakeEvery(&value, &out->status_every) && absl::SimpleAtoi(value, &out->status) && out->status >= 200 &&
                   out->status <= 999
               ? absl::OkStatus()
               : Bad(value);
  }
  if (name == "size") {
    TIDEMARK_ASSIGN_OR_RETURN(out->body_bytes, ParseBytes(value));
    return out->body_bytes <= (64 << 20) ? absl::OkStatus() : Bad(value);
  }
  if (name == "body") {
    if (value == "chunked") out->framing = Directives::Framing::kChunked;
    if (value == "until-close") out->framing = Directives::Framing::kUntilClose;
    return out->framing == Directives::Framing::kLength ? Bad(value) : absl::OkStatus();
  }
  if (name == "interim") {
    out->has_interim = value == "1";
    return absl::OkStatus();
  }
  if (name == "queue") return ParseQueue(value, out);
  if (name == "pause") return ParsePause(value, out);
  if (name == "usl") return ParseUsl(value, out);
  if (name == "stream") {
    TIDEMARK_ASSIGN_OR_RETURN(out->stream, ParseDuration(value));
    return out->stream > 0 ? absl::OkStatus() : Bad(value);
  }
  if (name == "stale") {
    if (!TakeEvery(&value, &out->stale_every)) return Bad(value);
    TIDEMARK_ASSIGN_OR_RETURN(out->stale, ParseDuration(value));
    return absl::OkStatus();
  }
  for (const auto& [key, length] : {std::pair<absl::string_view, Nanos*>{"ping", &out->ping},
                                    {"need", &out->need},
                                    {"heartbeat", &out->heartbeat},
                                    {"life", &out->life},
                                    {"slow", &out->max_lag}}) {
    if (name != key) continue;
    TIDEMARK_ASSIGN_OR_RETURN(*length, ParseDuration(value));
    return *length > 0 ? absl::OkStatus() : Bad(value);
  }
  if (name == "family") {
    constexpr std::pair<absl::string_view, Family> kFamilies[] = {
        {"binance", Family::kBinance}, {"bybit", Family::kBybit}, {"okx", Family::kOkx}, {"kraken", Family::kKraken}};
    for (const auto& [key, family] : kFamilies) {
      if (value != key) continue;
      out->family = family;
      return absl::OkStatus();
    }
    return Bad(value);
  }
  if (name == "feed") {
    out->feed = value == "trade" ? Feed::kTrade : value == "bookTicker" ? Feed::kBookTicker : Feed::kDepth;
    return value == "depth" || out->feed != Feed::kDepth ? absl::OkStatus() : Bad(value);
  }
  if (name == "common") {
    out->is_common = value == "1";
    return absl::OkStatus();
  }
  if (name == "conflate") {
    out->must_conflate = value == "1";
    return absl::OkStatus();
  }
  if (name == "subscribe") {
    out->must_subscribe = value == "1";
    return absl::OkStatus();
  }
  if (name == "refuse") {
    out->must_refuse = value == "1";
    return absl::OkStatus();
  }
  for (const auto& [key, count] :
       std::initializer_list<std::pair<absl::string_view, std::int64_t*>>{{"connect_rate", &out->connect_rate},
                                                                          {"messages", &out->client_messages},
                                                                          {"scale", &out->scale},
                                                                          {"symbols", &out->symbols},
                                                                          {"snapshot", &out->snapshot_every},
                                                                          {"checksum", &out->checksum_every},
                                                                          {"count", &out->stream_count},
                                                                          {"gap", &out->gap_every},
                                                                          {"dup", &out->dup_every},
                                                                          {"swap", &out->swap_every},
                                                                          {"reset", &out->reset_every}}) {
    if (name == key) return absl::SimpleAtoi(value, count) && *count > 0 ? absl::OkStatus() : Bad(value);
  }
  if (name == "freeze") {
    if (!TakeEvery(&value, &out->freeze_every)) return Bad(value);
    TIDEMARK_ASSIGN_OR_RETURN(out->freeze, ParseDuration(value));
    return absl::OkStatus();
  }
  return Bad(name);
}

// The rules that the family has, and the directives do not give otherwise.
void ScaleRules(Directives* out) {
  out->notice = out->life / 10;
  if (out->scale == 0) return;
  const FamilyRules rules = RulesOf(out->family);
  if (out->ping == 0) out->ping = rules.ping / out->scale;
  if (out->need == 0) out->need = rules.need / out->scale;
  if (out->life == 0) {
    out->life = rules.life / out->scale;
    out->notice = rules.notice / out->scale;
  }
  if (out->client_messages == 0) {
    out->client_messages = rules.messages;
    out->client_window = rules.window / out->scale;
  }
}

}  // namespace

absl::StatusOr<Directives> ParseDirectives(absl::string_view text) {
  Directives out;
  for (const absl::string_view item : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::size_t equals = item.find('=');
    if (equals == absl::string_view::npos) return Bad(item);
    TIDEMARK_RETURN_IF_ERROR(ParseOne(item.substr(0, equals), item.substr(equals + 1), &out));
  }
  if (out.family == Family::kKraken && out.feed != Feed::kDepth) return Bad(text);
  ScaleRules(&out);
  return out;
}

Nanos LogNormalGrid(std::int64_t i, Nanos median, double sigma) {
  const double p = (static_cast<double>(i) + 0.5) / static_cast<double>(kGridSize);
  const double z = std::sqrt(2.0) * boost::math::erf_inv(2 * p - 1);
  return static_cast<Nanos>(static_cast<double>(median) * std::exp(sigma * z));
}

Nanos Directives::DelayOf(std::int64_t index) const {
  switch (delay) {
    case Delay::kNone:
      return 0;
    case Delay::kFixed:
      return delay_a;
    case Delay::kBimodal:
      return index % slow_of < slow ? delay_b : delay_a;
    case Delay::kLogNormal:
      return LogNormalGrid(index % kGridSize * kGridStride % kGridSize, delay_a, sigma);
  }
  return 0;
}

Fault Directives::FaultOf(std::int64_t index) const {
  return index % fault_every == fault_every - 1 ? fault : Fault::kNone;
}
int Directives::StatusOf(std::int64_t index) const { return index % status_every == status_every - 1 ? status : 200; }
bool Directives::FreezesAt(std::int64_t index) const {
  return freeze_every > 0 && index % freeze_every == freeze_every - 1;
}

}  // namespace tidemark
