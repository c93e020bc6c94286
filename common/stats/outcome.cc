#include "common/stats/outcome.h"

#include <cerrno>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace tidemark {
namespace {

template <std::size_t N>
std::uint64_t Sum(const std::array<std::uint64_t, N>& values) {
  return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
}

template <std::size_t N>
void AddAll(std::array<std::uint64_t, N>& to, const std::array<std::uint64_t, N>& from) {
  for (std::size_t i = 0; i < N; ++i) to[i] += from[i];
}

template <std::size_t N>
bool Copy(const google::protobuf::RepeatedField<std::uint64_t>& in, std::array<std::uint64_t, N>& out) {
  out.fill(0);
  for (int i = 0; i < in.size(); ++i) {
    if (static_cast<std::size_t>(i) < N) {
      out[static_cast<std::size_t>(i)] = in.Get(i);
    } else if (in.Get(i) != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

Outcome OutcomeOfOtherStatus(int status) {
  switch (status / 100) {
    case 3:
      return Outcome::kStatus3xx;
    case 4:
      return status == 429 ? Outcome::kStatus429 : Outcome::kStatus4xx;
    case 5:
      return Outcome::kStatus5xx;
    default:
      return Outcome::kStatusOther;
  }
}

ConnectResult ConnectResultOf(Phase phase, int error) {
  if (error == ETIMEDOUT) return ConnectResult::kTimeout;
  if (phase == Phase::kTls) return ConnectResult::kTlsFailed;
  if (phase == Phase::kUpgrade) return ConnectResult::kUpgradeFailed;
  return error == ECONNREFUSED ? ConnectResult::kRefused : ConnectResult::kOther;
}

Closing ClosingOf(int code) {
  if (code >= 3000) return Closing::kApplication;
  switch (code) {
    case 1000:
      return Closing::kNormal;
    case 1001:
      return Closing::kGoingAway;
    case 1002:
      return Closing::kProtocolError;
    case 1003:
      return Closing::kUnsupported;
    case 1005:
      return Closing::kNoCode;
    case 1007:
      return Closing::kBadPayload;
    case 1008:
      return Closing::kPolicy;
    case 1009:
      return Closing::kTooBig;
    case 1011:
      return Closing::kInternal;
    case 1012:
      return Closing::kRestart;
    case 1013:
      return Closing::kTryLater;
    default:
      return Closing::kOther;
  }
}

TlsAlert TlsAlertOf(int number) {
  switch (number) {
#define TLS_ALERT(code, name, json, label) \
  case code:                               \
    return TlsAlert::k##name;
#include "common/stats/outcomes.def"
    default:
      return TlsAlert::kOther;
  }
}

Outcome OutcomeOf(int error) {
  switch (error) {
    case 0:
      return Outcome::kClosedEarly;
    case ETIMEDOUT:
      return Outcome::kRequestTimeout;
    case EBADMSG:
      return Outcome::kMalformed;
    case EMSGSIZE:
      return Outcome::kOverLimit;
    case ECANCELED:
      return Outcome::kCutOff;
    default:
      return Outcome::kReset;
  }
}

NeverSent NeverSentOf(ConnectResult result) {
  switch (result) {
    case ConnectResult::kRefused:
      return NeverSent::kConnectRefused;
    case ConnectResult::kTimeout:
      return NeverSent::kConnectTimeout;
    case ConnectResult::kTlsFailed:
      return NeverSent::kTls;
    case ConnectResult::kAbandoned:
      return NeverSent::kStopped;
    case ConnectResult::kUpgradeFailed:
      return NeverSent::kUpgrade;
    default:
      return NeverSent::kConnectOther;
  }
}

std::uint64_t Counters::NeverSentTotal() const { return Sum(never_sent); }
std::uint64_t Counters::OutcomeTotal() const { return Sum(outcomes); }

std::uint64_t CompleteOf(const std::array<std::uint64_t, kOutcomeCount>& outcomes) {
  std::uint64_t sum = outcomes[static_cast<std::size_t>(Outcome::kReply)];
  for (std::size_t i = 0; i <= static_cast<std::size_t>(Outcome::kStatusOther); ++i) sum += outcomes[i];
  return sum;
}

void Counters::Add(const Counters& other) {
#define COUNTER(field, shown, label, need, quantity) field += other.field;
#include "common/stats/counters.def"
  AddAll(never_sent, other.never_sent);
  AddAll(outcomes, other.outcomes);
  AddAll(connects, other.connects);
  AddAll(closings, other.closings);
  AddAll(findings, other.findings);
  AddAll(tls_alerts, other.tls_alerts);
}

std::string BrokenIdentity(const Counters& counters, const Pending& pending) {
  const std::uint64_t never = counters.NeverSentTotal();
  if (counters.planned != counters.sent + never + pending.waiting) {
    return absl::StrCat("planned ", counters.planned, " != sent ", counters.sent, " + never sent ", never,
                        " + waiting ", pending.waiting);
  }
  const std::uint64_t outcomes = counters.OutcomeTotal();
  if (counters.sent != outcomes + pending.in_flight) {
    return absl::StrCat("sent ", counters.sent, " != outcomes ", outcomes, " + in flight ", pending.in_flight);
  }
  if (counters.success > counters.Complete()) {
    return absl::StrCat("success ", counters.success, " > complete responses ", counters.Complete());
  }
  if (counters.early_messages > counters.messages || counters.early_message_bytes > counters.message_bytes)
    return absl::StrCat("messages ", counters.messages, " < ", counters.early_messages, " that came before the start");
  return "";
}

void ToProto(const Counters& counters, const Pending& pending, proto::Counters* out) {
  out->clear_sums();
  for (const CounterRow& row : kCounterRows) out->add_sums(counters.*row.field);
  out->mutable_never_sent()->Assign(counters.never_sent.begin(), counters.never_sent.end());
  out->mutable_outcomes()->Assign(counters.outcomes.begin(), counters.outcomes.end());
  out->mutable_connects()->Assign(counters.connects.begin(), counters.connects.end());
  out->mutable_findings()->Assign(counters.findings.begin(), counters.findings.end());
  out->mutable_closings()->Assign(counters.closings.begin(), counters.closings.end());
  if (Sum(counters.tls_alerts) != 0)
    out->mutable_tls_alerts()->Assign(counters.tls_alerts.begin(), counters.tls_alerts.end());
  out->set_waiting(pending.waiting);
  out->set_in_flight(pending.in_flight);
}

bool FromProto(const proto::Counters& in, Counters* counters, Pending* pending) {
  std::array<std::uint64_t, std::size(kCounterRows)> sums;
  if (!Copy(in.sums(), sums)) return false;
  for (std::size_t i = 0; i < sums.size(); ++i) counters->*kCounterRows[i].field = sums[i];
  pending->waiting = in.waiting();
  pending->in_flight = in.in_flight();
  return Copy(in.never_sent(), counters->never_sent) && Copy(in.outcomes(), counters->outcomes) &&
         Copy(in.connects(), counters->connects) && Copy(in.closings(), counters->closings) &&
         Copy(in.findings(), counters->findings) && Copy(in.tls_alerts(), counters->tls_alerts);
}

}  // namespace tidemark
