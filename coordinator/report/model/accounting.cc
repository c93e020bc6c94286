#include "coordinator/report/model/accounting.h"

#include <array>
#include <cstddef>
#include <string>

#include "common/stats/outcome.h"

namespace tidemark {
namespace {

// `values` by the names of their rows.
template <std::size_t N>
void FillCounts(const std::array<std::uint64_t, N>& values, const std::array<EndRow, N>& rows, proto::Counts* out) {
  for (std::size_t i = 0; i < N; ++i) {
    proto::Count* const count = out->add_list();
    count->set_name(std::string(rows[i].json));
    count->set_count(values[i]);
  }
}

// The counters that are shown there, in the fields of their names, or in `others` if there is none.
void FillCounters(const Counters& counters, Shown shown, google::protobuf::Message* message, proto::Counts* others) {
  for (const CounterRow& row : kCounterRows) {
    if (row.shown != shown) continue;
    const auto* const field = message->GetDescriptor()->FindFieldByName(std::string(row.name));
    if (field != nullptr) {
      message->GetReflection()->SetUInt64(message, field, counters.*row.field);
      continue;
    }
    proto::Count* const count = others->add_list();
    count->set_name(std::string(row.name));
    count->set_count(counters.*row.field);
  }
}

void FillAccounting(const Counters& counters, const Pending& pending, bool has_replies, proto::Accounting* out) {
  FillCounters(counters, Shown::kAccount, out, out->mutable_counters());
  if (out->counters().list().empty()) out->clear_counters();
  out->set_never_sent(counters.NeverSentTotal());
  FillCounts(counters.never_sent, kNeverSentRows, out->mutable_never_sent_by_reason());
  FillCounts(counters.outcomes, kOutcomeRows, out->mutable_outcomes());
  FillCounts(counters.connects, kConnectResultRows, out->mutable_connections());
  proto::WebSocketCounts* const counts = out->mutable_web_socket();
  FillCounters(counters, Shown::kWebSocket, counts, counts->mutable_counters());
  if (counts->counters().list().empty()) counts->clear_counters();
  if (has_replies) counts->set_missing_replies(counters.OutcomeTotal() - counters.Complete());
  FillCounts(counters.findings, kFindingRows, counts->mutable_streams());
  FillCounts(counters.closings, kClosingRows, counts->mutable_closings());
  out->set_waiting(pending.waiting);
  out->set_in_flight(pending.in_flight);
  out->set_identity_holds(BrokenIdentity(counters, pending).empty());
}

// The alerts that came.
void FillAlerts(const Counters& counters, proto::Accounting* out) {
  for (std::size_t i = 0; i < kTlsAlertCount; ++i) {
    if (counters.tls_alerts[i] == 0) continue;
    proto::Count* const count = out->mutable_tls_alerts()->add_list();
    count->set_name(std::string(kTlsAlertRows[i].json));
    count->set_count(counters.tls_alerts[i]);
  }
}

// Responses and refused upgrades by status.
void FillStatuses(const StatusCounts& statuses, proto::Accounting* out) {
  for (const auto& [key, count] : statuses.Counts()) {
    proto::StatusRow* const row = out->add_statuses();
    row->set_status(key.status);
    row->set_is_upgrade(key.is_upgrade);
    row->set_count(count);
    const auto answer = statuses.answers().find(key);
    if (answer == statuses.answers().end()) continue;
    row->set_body(answer->second.body);
    if (!answer->second.content_type.empty()) row->set_content_type(answer->second.content_type);
  }
}

}  // namespace

void FillOutcomes(const std::array<std::uint64_t, kOutcomeCount>& outcomes, proto::Counts* out) {
  FillCounts(outcomes, kOutcomeRows, out);
}

void FillAccounts(const Sums& sums, proto::Point* out) {
  FillAccounting(sums.counters, sums.pending, sums.has_replies, out->mutable_accounting());
  FillAccounting(sums.warmup, Pending(), sums.has_replies, out->mutable_warmup());
  FillAlerts(sums.counters, out->mutable_accounting());
  FillAlerts(sums.warmup, out->mutable_warmup());
  FillStatuses(sums.statuses, out->mutable_accounting());
  FillStatuses(sums.warmup_statuses, out->mutable_warmup());
}

void FillAddresses(const Sums& sums, bool is_listening, proto::Point* out) {
  if (sums.addresses.WithoutSuccess(is_listening).empty() && sums.silent.empty()) return;
  for (const auto& [address, sum] : sums.addresses.sums()) {
    proto::AddressRow* const row = out->add_addresses();
    row->set_address(address);
    row->set_attempts(sum.established + sum.failed_attempts);
    row->set_established(sum.established);
    row->set_success(sum.succeeded);
    if (!is_listening) row->set_failed(sum.failed);
    if (const auto found = sums.silent.find(address); found != sums.silent.end()) row->set_silent_from_s(found->second);
  }
}

}  // namespace tidemark
