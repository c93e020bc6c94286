#include "coordinator/report/account_text.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/stats/outcome.h"
#include "common/units.h"
#include "coordinator/report/phrases.h"
#include "coordinator/report/stream_text.h"

namespace tidemark {
namespace {

std::string AccountLine(const proto::Accounting& a) {
  std::string line = absl::StrCat("planned ", FormatCount(a.planned()), " = sent ", FormatCount(a.sent()));
  absl::StrAppend(&line, " + never sent ", FormatCount(a.never_sent()));
  if (a.waiting() != 0) absl::StrAppend(&line, " + waiting ", FormatCount(a.waiting()));
  if (a.never_sent() != 0) absl::StrAppend(&line, " (", Terms(a.never_sent_by_reason(), kNeverSentRows), ")");
  absl::StrAppend(&line, "; sent = ", Terms(a.outcomes(), kOutcomeRows));
  if (a.in_flight() != 0) absl::StrAppend(&line, " + in flight ", FormatCount(a.in_flight()));
  return absl::StrCat(line, a.identity_holds() ? "" : "  IDENTITY BROKEN");
}

bool IsAllSuccess(const proto::Accounting& a) { return a.success() == a.planned(); }

// The same for those who ask what came of it: 166,000 sent, each answered with success.
std::string RequestsLine(const proto::Accounting& a) {
  std::string line = absl::StrCat(FormatCount(a.sent()), " sent");
  if (a.sent() != 0)
    absl::StrAppend(&line, a.success() == a.sent() ? ", all with success: " : ": ", Terms(a.outcomes(), kOutcomeRows));
  if (a.in_flight() != 0) absl::StrAppend(&line, " + in flight ", FormatCount(a.in_flight()));
  if (a.never_sent() != 0)
    absl::StrAppend(&line, "; ", FormatCount(a.never_sent()), " never sent (",
                    Terms(a.never_sent_by_reason(), kNeverSentRows), ")");
  if (a.waiting() != 0) absl::StrAppend(&line, "; ", FormatCount(a.waiting()), " waiting");
  return absl::StrCat(line, a.identity_holds() ? "" : "  IDENTITY BROKEN");
}

// Counters that no sentence of their own tells of.
std::string CountersOf(const proto::Counts& counts) {
  std::vector<std::string> terms;
  for (const CounterRow& row : kCounterRows) {
    const std::uint64_t count = row.label.empty() ? 0 : CountOf(counts, row.name);
    if (count != 0) terms.push_back(absl::StrCat(row.label, " ", FormatCount(count)));
  }
  return absl::StrJoin(terms, ", ");
}

// Why the target ended TLS, in its own words.
void AppendAlerts(const proto::Accounting& account, const proto::Accounting& warmup, std::string* out) {
  proto::Counts alerts = account.tls_alerts();
  AddCounts(warmup.tls_alerts(), &alerts);
  if (alerts.list().empty()) return;
  absl::StrAppend(out, "  TLS      : the target's alerts: ", Terms(alerts, kTlsAlertRows),
                  CountOf(alerts, kCertificateRequired.json) == 0 ? "" : absl::StrCat("; ", kClientCertificateRemedy),
                  "\n");
}

// "200 1,000 + 401 3 + upgrade 503 7"
std::string StatusTerms(const proto::Accounting& account) {
  std::vector<std::string> terms;
  for (const proto::StatusRow& row : account.statuses())
    terms.push_back(absl::StrCat(row.is_upgrade() ? "upgrade " : "", row.status(), " ", FormatCount(row.count())));
  return absl::StrJoin(terms, " + ");
}

bool HasAnswers(const proto::Accounting& account) {
  return std::any_of(account.statuses().begin(), account.statuses().end(),
                     [](const proto::StatusRow& row) { return row.has_body(); });
}

// How the target answered, by status, and what it said first where that was no success. Of 200 alone the account tells.
void AppendStatuses(const proto::Accounting& account, absl::string_view when, std::string* out) {
  const auto is_ok = [](const proto::StatusRow& row) { return row.status() == 200 && !row.has_body(); };
  if (std::all_of(account.statuses().begin(), account.statuses().end(), is_ok)) return;
  absl::StrAppend(out, "  Statuses : ", when, StatusTerms(account), "\n");
  for (const proto::StatusRow& row : account.statuses()) {
    if (!row.has_body()) continue;
    absl::StrAppend(out, "  Answer   : ", when, row.is_upgrade() ? "upgrade " : "", row.status(),
                    row.has_content_type() ? absl::StrCat(" (", row.content_type(), ")") : "",
                    row.body().empty() ? ", without a body" : absl::StrCat(": ", row.body()), "\n");
  }
}

// Those of the target's addresses that had no success, or none any more.
void AppendAddresses(const proto::Point& total, std::string* out) {
  std::vector<std::string> parts;
  for (const proto::AddressRow& row : total.addresses()) {
    if (row.has_silent_from_s()) {
      parts.push_back(absl::StrCat(row.address(), ": ", FormatCount(row.success()), " successes, none from second ",
                                   row.silent_from_s(), " on"));
      continue;
    }
    if (row.success() != 0 || row.attempts() + row.failed() == 0) continue;
    parts.push_back(absl::StrCat(row.address(), ": ", FormatCount(row.established()), " of ",
                                 FormatCount(row.attempts()), " connections established",
                                 row.failed() == 0 ? "" : absl::StrCat(", no request of ", FormatCount(row.failed()))));
  }
  if (!parts.empty())
    absl::StrAppend(out, "  Addresses: ", absl::StrJoin(parts, "; "), "; the other ",
                    total.addresses_size() - static_cast<int>(parts.size()), " had successes\n");
}

// "established 50 before the start; established 3 + refused 1 since", as the two accounts of the JSON.
std::string ConnectTerms(const proto::Point& total) {
  const auto is_empty = [](const proto::Counts& counts) {
    return std::all_of(counts.list().begin(), counts.list().end(),
                       [](const proto::Count& count) { return count.count() == 0; });
  };
  const proto::Counts& before = total.warmup().connections();
  const proto::Counts& since = total.accounting().connections();
  std::vector<std::string> parts;
  if (!is_empty(before)) parts.push_back(absl::StrCat(Terms(before, kConnectResultRows), " before the start"));
  if (!is_empty(since)) parts.push_back(absl::StrCat(Terms(since, kConnectResultRows), " since"));
  std::string terms = parts.empty() ? "none" : absl::StrJoin(parts, "; ");
  const std::uint64_t resumed = total.accounting().tls_resumed() + total.warmup().tls_resumed();
  if (resumed != 0) absl::StrAppend(&terms, "; ", FormatCount(resumed), " TLS sessions resumed");
  return terms;
}

bool HasFailedConnects(const proto::Point& total) {
  const auto is_failed = [](const proto::Count& count) {
    const auto is = [&count](ConnectResult result) {
      return count.name() == kConnectResultRows[static_cast<std::size_t>(result)].json;
    };
    return count.count() != 0 && !is(ConnectResult::kEstablished) && !is(ConnectResult::kAbandoned);
  };
  const auto& since = total.accounting().connections().list();
  const auto& before = total.warmup().connections().list();
  return std::any_of(since.begin(), since.end(), is_failed) || std::any_of(before.begin(), before.end(), is_failed);
}

}  // namespace

void AppendAccounts(const proto::Plan& plan, const proto::Point& total, bool is_explained, std::string* out) {
  if (!plan.web_socket().has_listen()) {
    absl::StrAppend(out, is_explained ? "  Account  : " : "  Requests : ",
                    is_explained ? AccountLine(total.accounting()) : RequestsLine(total.accounting()), "\n");
    if (total.warmup().planned() != 0 && (is_explained || !IsAllSuccess(total.warmup())))
      absl::StrAppend(out, "  Warm-up  : ", AccountLine(total.warmup()), " (not in the figures)\n");
  }
  AppendStatuses(total.accounting(), "", out);
  if (HasAnswers(total.warmup())) AppendStatuses(total.warmup(), "before the start, ", out);
  AppendAddresses(total, out);
  if (is_explained || HasFailedConnects(total)) absl::StrAppend(out, "  Connect  : ", ConnectTerms(total), "\n");
  AppendAlerts(total.accounting(), total.warmup(), out);
  AppendWebSockets(total.accounting(), total.warmup(), out);
  std::vector<std::string> bytes;
  if (is_explained)
    bytes.push_back(absl::StrCat(FormatBytes(static_cast<double>(total.accounting().bytes_sent())), " sent, ",
                                 FormatBytes(static_cast<double>(total.accounting().bytes_received())), " received"));
  if (total.accounting().unsolicited_bytes() != 0)
    bytes.push_back(absl::StrCat(FormatCount(total.accounting().unsolicited_bytes()), " bytes nobody had asked for"));
  if (!bytes.empty()) absl::StrAppend(out, "  Bytes    : ", absl::StrJoin(bytes, ", "), "\n");
  proto::Counts counters = total.accounting().counters();
  AddCounts(total.accounting().web_socket().counters(), &counters);
  proto::Counts before = total.warmup().counters();
  AddCounts(total.warmup().web_socket().counters(), &before);
  std::vector<std::string> counted;
  if (std::string terms = CountersOf(counters); !terms.empty()) counted.push_back(std::move(terms));
  if (const std::string terms = CountersOf(before); !terms.empty())
    counted.push_back(absl::StrCat("before the start: ", terms));
  if (!counted.empty()) absl::StrAppend(out, "  Counted  : ", absl::StrJoin(counted, "; "), "\n");
}

}  // namespace tidemark
