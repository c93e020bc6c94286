#include "common/stats/status_counts.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/inert_text.h"

namespace tidemark {
namespace {

// The outcomes that are classes of a status are the first ones.
constexpr auto kStatusClasses = static_cast<std::size_t>(Outcome::kStatusOther) + 1;

}  // namespace

void StatusCounts::Offer(Key key, FirstAnswer answer) {
  const auto [found, is_new] = answers_.try_emplace(key, answer);
  if (!is_new && answer < found->second) found->second = std::move(answer);
}

void StatusCounts::Add(const StatusCounts& other) {
  for (std::size_t i = 0; i < kStatuses; ++i) responses_[i] += other.responses_[i];
  for (const auto& [status, count] : other.refusals_) refusals_[status] += count;
  for (const auto& [key, answer] : other.answers_) Offer(key, answer);
}

void StatusCounts::AddLater(const StatusCounts& other) {
  std::map<Key, FirstAnswer> first = std::move(answers_);
  answers_.clear();
  Add(other);
  for (auto& [key, answer] : first) answers_.insert_or_assign(key, std::move(answer));
}

void StatusCounts::Clear() {
  responses_.fill(0);
  refusals_.clear();
  answers_.clear();
}

std::map<StatusCounts::Key, std::uint64_t> StatusCounts::Counts() const {
  std::map<Key, std::uint64_t> counts;
  for (std::uint32_t status = 0; status < kStatuses; ++status) {
    if (responses_[status] != 0) counts[{.status = status}] = responses_[status];
  }
  for (const auto& [status, count] : refusals_) counts[{.is_upgrade = true, .status = status}] = count;
  return counts;
}

void StatusCounts::ToProto(Rows* rows) const {
  for (const auto& [key, count] : Counts()) {
    proto::StatusSum* const row = rows->Add();
    row->set_status(key.status);
    row->set_is_upgrade(key.is_upgrade);
    row->set_count(count);
    const auto answer = answers_.find(key);
    if (answer == answers_.end()) continue;
    row->mutable_answer()->set_body(answer->second.body);
    row->mutable_answer()->set_content_type(answer->second.content_type);
  }
}

absl::Status StatusCounts::Check(const Rows& rows, const std::array<std::uint64_t, kOutcomeCount>& outcomes,
                                 std::uint64_t failed_upgrades) {
  // What is left of each class, and of the upgrades: no sum can overflow.
  std::array<std::uint64_t, kOutcomeCount> left = outcomes;
  std::optional<Key> last;
  for (const proto::StatusSum& row : rows) {
    const Key key{.is_upgrade = row.is_upgrade(), .status = row.status()};
    if (key.status >= kStatuses || (last && key <= *last) || row.count() == 0)
      return absl::DataLossError("its statuses are out of order, or none");
    last = key;
    std::uint64_t& part = key.is_upgrade
                              ? failed_upgrades
                              : left[static_cast<std::size_t>(OutcomeOfStatus(static_cast<int>(key.status)))];
    if (row.count() > part)
      return absl::DataLossError(absl::StrCat("it has status ", key.status, " more often than its account allows"));
    part -= row.count();
    const proto::Answer& answer = row.answer();
    const bool is_printable = answer.body().size() <= kMaxBody && answer.content_type().size() <= kMaxContentType &&
                              IsInert(answer.body()) && IsInert(answer.content_type());
    if (!is_printable) return absl::DataLossError("a body is too long, or not fit to be printed");
  }
  for (std::size_t i = 0; i < kStatusClasses; ++i) {
    if (left[i] != 0)
      return absl::DataLossError(absl::StrCat("its statuses lack ", left[i], " of ", kOutcomeRows[i].json));
  }
  return absl::OkStatus();
}

void StatusCounts::Add(const Rows& rows, std::uint32_t window, std::uint32_t agent) {
  for (const proto::StatusSum& row : rows) {
    const Key key{.is_upgrade = row.is_upgrade(), .status = row.status()};
    (key.is_upgrade ? refusals_[key.status] : responses_[key.status]) += row.count();
    if (!row.has_answer()) continue;
    Offer(
        key,
        {.window = window, .source = agent, .body = row.answer().body(), .content_type = row.answer().content_type()});
  }
}

}  // namespace tidemark
