#include "common/stats/address_counts.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/inert_text.h"

namespace tidemark {
namespace {

void AddAll(const AddressTally::Counts& from, AddressTally::Counts* to) {
  for (std::size_t i = 0; i < from.size(); ++i) (*to)[i] += from[i];
}

void WriteRow(absl::string_view address, const AddressSum& sum, AddressRows* rows) {
  if (sum == AddressSum()) return;
  proto::AddressSum* const row = rows->Add();
  row->set_address(std::string(address));
  row->set_established(sum.established);
  row->set_failed_attempts(sum.failed_attempts);
  row->set_succeeded(sum.succeeded);
  row->set_failed(sum.failed);
}

AddressSum ReadRow(const proto::AddressSum& row) {
  return {.established = row.established(),
          .failed_attempts = row.failed_attempts(),
          .succeeded = row.succeeded(),
          .failed = row.failed()};
}

}  // namespace

void AddressSum::Add(const AddressSum& other) {
  established += other.established;
  failed_attempts += other.failed_attempts;
  succeeded += other.succeeded;
  failed += other.failed;
  served.Add(other.served);
  failed_until = std::max(failed_until, other.failed_until);
}

void AddressTally::Add(const AddressTally& other) {
  AddAll(other.established, &established);
  AddAll(other.failed_attempts, &failed_attempts);
  AddAll(other.succeeded, &succeeded);
  AddAll(other.failed, &failed);
}

void AddressTally::ToProto(absl::Span<const std::string> names, AddressRows* rows) const {
  AddressSum others;
  for (std::size_t i = 0; i < kMost; ++i) {
    const AddressSum sum{.established = established[i],
                         .failed_attempts = failed_attempts[i],
                         .succeeded = succeeded[i],
                         .failed = failed[i]};
    if (i < names.size()) {
      WriteRow(names[i], sum, rows);
    } else {
      others.Add(sum);
    }
  }
  WriteRow(AddressCounts::kOthers, others, rows);
}

std::uint32_t AddressTally::IndexIn(absl::string_view name, std::vector<std::string>* names) {
  const auto found = std::find(names->begin(), names->end(), name);
  if (found != names->end()) return static_cast<std::uint32_t>(found - names->begin());
  if (names->size() >= kLast) return kLast;
  names->emplace_back(name);
  return static_cast<std::uint32_t>(names->size() - 1);
}

AddressSum& AddressCounts::Of(const std::string& address) {
  const auto found = sums_.find(address);
  if (found != sums_.end()) return found->second;
  return sums_[sums_.size() < kMaxAddresses ? address : std::string(kOthers)];
}

void AddressCounts::Add(const AddressCounts& other) {
  for (const auto& [address, sum] : other.sums_) Of(address).Add(sum);
}

void AddressCounts::ToProto(AddressRows* rows) const {
  for (const auto& [address, sum] : sums_) WriteRow(address, sum, rows);
}

absl::Status AddressCounts::Check(const AddressRows& rows, const Counters& counters, bool is_listening) {
  if (rows.empty()) return absl::OkStatus();
  if (static_cast<std::size_t>(rows.size()) > kMaxAddresses + 1)
    return absl::DataLossError(absl::StrCat("it tells of ", rows.size(), " addresses"));
  const auto total = [](const auto& counts) { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); };
  const auto attempts = [&counters](ConnectResult result) {
    return counters.connects[static_cast<std::size_t>(result)];
  };
  const std::uint64_t established = attempts(ConnectResult::kEstablished);
  const std::uint64_t ended = total(counters.outcomes);
  const std::uint64_t answered = counters.success + (is_listening ? counters.messages : 0);
  struct Part {
    const char* name;
    std::uint64_t left;  // of the account; no sum can overflow
    std::uint64_t (proto::AddressSum::*of)() const;
  };
  Part parts[] = {
      {"connections established", established, &proto::AddressSum::established},
      {"failed attempts to connect", total(counters.connects) - established - attempts(ConnectResult::kAbandoned),
       &proto::AddressSum::failed_attempts},
      {"successes", answered, &proto::AddressSum::succeeded},
      {"failed requests", ended - counters.success, &proto::AddressSum::failed}};
  std::set<absl::string_view> seen;
  for (const proto::AddressSum& row : rows) {
    const bool is_sane = !row.address().empty() && row.address().size() <= kMaxInertName && IsInert(row.address()) &&
                         seen.insert(row.address()).second;
    if (!is_sane) return absl::DataLossError("an address is told of twice, or is not fit to be printed");
    for (Part& part : parts) {
      const std::uint64_t count = (row.*part.of)();
      if (count > part.left)
        return absl::DataLossError(absl::StrCat("its addresses have more ", part.name, " than its account"));
      part.left -= count;
    }
  }
  for (const Part& part : parts) {
    if (part.left != 0)
      return absl::DataLossError(absl::StrCat("its addresses lack ", part.left, " ", part.name, " of its account"));
  }
  return absl::OkStatus();
}

void AddressCounts::Add(const AddressRows& rows, std::optional<std::uint32_t> second) {
  for (const proto::AddressSum& row : rows) {
    AddressSum sum = ReadRow(row);
    if (second && sum.succeeded != 0) sum.served.Add(*second);
    if (second && sum.failed + sum.failed_attempts != 0) sum.failed_until = *second + 1;
    Of(row.address()).Add(sum);
  }
}

std::vector<std::string> AddressCounts::WithoutSuccess(bool is_listening) const {
  // Of a Poisson process that brings so many on average, none comes once in 20,000 times.
  constexpr std::uint64_t kMessages = 10;
  AddressSum all;
  for (const auto& [address, sum] : sums_) all.Add(sum);
  if (all.succeeded == 0) return {};
  std::vector<std::string> names;
  for (const auto& [address, sum] : sums_) {
    // Of one that was established, and of which no request has ended, nothing is known yet.
    const bool has_failed = sum.failed != 0 || (sum.established == 0 && sum.failed_attempts != 0);
    const bool is_mute = is_listening && sum.established != 0 && all.succeeded / all.established >= kMessages;
    if (sum.succeeded == 0 && (has_failed || is_mute) && address != kOthers) names.push_back(address);
  }
  return names;
}

SilentAddresses AddressCounts::Silent(absl::Span<const std::uint64_t> answers, std::uint32_t patience,
                                      bool where_none_failed) const {
  // Answers that come in batches come with gaps: a silence is longer than any of them, and lacks so many.
  constexpr std::uint32_t kGaps = 2;
  constexpr double kMissing = 20;
  const auto length = static_cast<std::uint32_t>(answers.size());
  double all = 0;
  for (const auto& [address, sum] : sums_) all += static_cast<double>(sum.succeeded);
  SilentAddresses silent;
  for (const auto& [address, sum] : sums_) {
    const std::uint32_t from = sum.served.End();
    if (sum.served.IsEmpty() || from >= length || address == kOthers) continue;
    if (sum.failed_until <= from && !where_none_failed) continue;
    const std::uint32_t gap = std::max(sum.served.LongestGap(), sum.served.width());
    if (length - from <= std::max(patience, kGaps * gap)) continue;
    const double others = std::accumulate(answers.begin() + from, answers.end(), 0.0);
    if (static_cast<double>(sum.succeeded) / all * others >= kMissing) silent.emplace(address, from);
  }
  return silent;
}

}  // namespace tidemark
