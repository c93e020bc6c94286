#include "common/outcome.h"

#include <cerrno>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace tidemark {
namespace {

constexpr std::array<absl::string_view, kOutcomeCount> kOutcomeNames = {
    "2xx",   "3xx",      "4xx",       "429",        "5xx",     "other status", "closed early",
    "reset", "time-out", "malformed", "over limit", "cut off", "reply"};
constexpr std::array<absl::string_view, kNeverSentCount> kNeverSentNames = {
    "resolve", "connect refused", "connect time-out", "connect other", "TLS",
    "cap",     "stopped",         "agent lost",       "upgrade"};
constexpr std::array<absl::string_view, kConnectResultCount> kConnectNames = {
    "established", "refused", "timed out", "failed", "TLS failed", "abandoned", "upgrade failed"};
constexpr std::array<absl::string_view, kClosingCount> kClosingNames = {
    "1000 normal",           "1001 going away", "1002 protocol error",
    "1003 unsupported data", "no code",         "no close frame",
    "1007 bad payload",      "1008 policy",     "1009 too big",
    "1011 internal error",   "1012 restart",    "1013 try later",
    "3000-4999 application", "other code"};

constexpr std::array<absl::string_view, kFindingCount> kFindingNames = {"gaps",
                                                                        "numbers lost",
                                                                        "gaps while the generator was behind",
                                                                        "duplicates",
                                                                        "reordered",
                                                                        "resets",
                                                                        "unreadable",
                                                                        "silences",
                                                                        "reconnects",
                                                                        "closed by the storm",
                                                                        "held and closed",
                                                                        "snapshots",
                                                                        "suspect jumps",
                                                                        "unsynced",
                                                                        "checksums right",
                                                                        "checksums wrong",
                                                                        "ignored"};

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

absl::string_view Name(Outcome outcome) { return kOutcomeNames[static_cast<std::size_t>(outcome)]; }
absl::string_view Name(NeverSent reason) { return kNeverSentNames[static_cast<std::size_t>(reason)]; }
absl::string_view Name(ConnectResult result) { return kConnectNames[static_cast<std::size_t>(result)]; }
absl::string_view Name(Finding finding) { return kFindingNames[static_cast<std::size_t>(finding)]; }
absl::string_view Name(Closing closing) { return kClosingNames[static_cast<std::size_t>(closing)]; }

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

std::uint64_t Counters::Complete() const {
  std::uint64_t sum = outcomes[static_cast<std::size_t>(Outcome::kReply)];
  for (std::size_t i = 0; i <= static_cast<std::size_t>(Outcome::kStatusOther); ++i) sum += outcomes[i];
  return sum;
}

void Counters::Add(const Counters& other) {
  planned += other.planned;
  sent += other.sent;
  AddAll(never_sent, other.never_sent);
  AddAll(outcomes, other.outcomes);
  AddAll(connects, other.connects);
  AddAll(closings, other.closings);
  AddAll(findings, other.findings);
  AddAll(sent_by_request, other.sent_by_request);
  success += other.success;
  bytes_sent += other.bytes_sent;
  bytes_received += other.bytes_received;
  unsolicited_bytes += other.unsolicited_bytes;
  messages += other.messages;
  orphan_messages += other.orphan_messages;
  pings += other.pings;
  message_bytes += other.message_bytes;
  early_messages += other.early_messages;
  early_message_bytes += other.early_message_bytes;
  untracked_events += other.untracked_events;
  client_pings += other.client_pings;
  pongs += other.pongs;
  compressed_messages += other.compressed_messages;
  tls_resumed += other.tls_resumed;
  cpu_ns += other.cpu_ns;
  run_delay_ns += other.run_delay_ns;
  busy_ns += other.busy_ns;
  failed_ns += other.failed_ns;
  no_local_port += other.no_local_port;
  no_descriptor += other.no_descriptor;
  schedule_hash += other.schedule_hash;
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
  const std::uint64_t mixed = Sum(counters.sent_by_request);
  if (mixed != 0 && mixed != counters.sent)
    return absl::StrCat("sent ", counters.sent, " != ", mixed, ", the sum over the requests of the mix");
  return "";
}

void ToProto(const Counters& counters, const Pending& pending, proto::Counters* out) {
  out->set_planned(counters.planned);
  out->set_sent(counters.sent);
  out->mutable_never_sent()->Assign(counters.never_sent.begin(), counters.never_sent.end());
  out->mutable_outcomes()->Assign(counters.outcomes.begin(), counters.outcomes.end());
  out->mutable_connects()->Assign(counters.connects.begin(), counters.connects.end());
  out->set_success(counters.success);
  out->set_bytes_sent(counters.bytes_sent);
  out->set_bytes_received(counters.bytes_received);
  out->set_unsolicited_bytes(counters.unsolicited_bytes);
  out->set_messages(counters.messages);
  out->set_orphan_messages(counters.orphan_messages);
  out->set_pings(counters.pings);
  out->set_message_bytes(counters.message_bytes);
  out->set_early_messages(counters.early_messages);
  out->set_early_message_bytes(counters.early_message_bytes);
  out->set_untracked_events(counters.untracked_events);
  out->set_client_pings(counters.client_pings);
  out->set_pongs(counters.pongs);
  if (Sum(counters.sent_by_request) != 0)
    out->mutable_sent_by_request()->Assign(counters.sent_by_request.begin(), counters.sent_by_request.end());
  out->set_compressed_messages(counters.compressed_messages);
  out->mutable_findings()->Assign(counters.findings.begin(), counters.findings.end());
  out->mutable_closings()->Assign(counters.closings.begin(), counters.closings.end());
  out->set_tls_resumed(counters.tls_resumed);
  out->set_cpu_ns(counters.cpu_ns);
  out->set_run_delay_ns(counters.run_delay_ns);
  out->set_busy_ns(counters.busy_ns);
  out->set_failed_ns(counters.failed_ns);
  out->set_no_local_port(counters.no_local_port);
  out->set_no_descriptor(counters.no_descriptor);
  out->set_schedule_hash(counters.schedule_hash);
  out->set_waiting(pending.waiting);
  out->set_in_flight(pending.in_flight);
}

bool FromProto(const proto::Counters& in, Counters* counters, Pending* pending) {
  counters->planned = in.planned();
  counters->sent = in.sent();
  counters->success = in.success();
  counters->bytes_sent = in.bytes_sent();
  counters->bytes_received = in.bytes_received();
  counters->unsolicited_bytes = in.unsolicited_bytes();
  counters->messages = in.messages();
  counters->orphan_messages = in.orphan_messages();
  counters->pings = in.pings();
  counters->message_bytes = in.message_bytes();
  counters->early_messages = in.early_messages();
  counters->early_message_bytes = in.early_message_bytes();
  counters->untracked_events = in.untracked_events();
  counters->client_pings = in.client_pings();
  counters->pongs = in.pongs();
  counters->compressed_messages = in.compressed_messages();
  counters->tls_resumed = in.tls_resumed();
  counters->cpu_ns = in.cpu_ns();
  counters->run_delay_ns = in.run_delay_ns();
  counters->busy_ns = in.busy_ns();
  counters->failed_ns = in.failed_ns();
  counters->no_local_port = in.no_local_port();
  counters->no_descriptor = in.no_descriptor();
  counters->schedule_hash = in.schedule_hash();
  pending->waiting = in.waiting();
  pending->in_flight = in.in_flight();
  return Copy(in.never_sent(), counters->never_sent) && Copy(in.outcomes(), counters->outcomes) &&
         Copy(in.connects(), counters->connects) && Copy(in.closings(), counters->closings) &&
         Copy(in.findings(), counters->findings) && Copy(in.sent_by_request(), counters->sent_by_request);
}

}  // namespace tidemark
