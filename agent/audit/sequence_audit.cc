#include "agent/audit/sequence_audit.h"

#include <algorithm>
#include <utility>

namespace tidemark {
namespace {

constexpr std::size_t kMaxMissing = 64;

}  // namespace

SequenceAudit::Findings& SequenceAudit::Findings::operator+=(const Findings& other) {
  gaps += other.gaps;
  lost += other.lost;
  gaps_behind += other.gaps_behind;
  lost_late += other.lost_late;
  duplicates += other.duplicates;
  reordered += other.reordered;
  resets += other.resets;
  snapshots += other.snapshots;
  suspects += other.suspects;
  unsynced += other.unsynced;
  return *this;
}

SequenceAudit::Taken SequenceAudit::Take(std::uint64_t first, std::uint64_t last, const Circumstances& how,
                                         std::vector<Missing>* ranges) {
  Taken taken;
  for (std::size_t i = 0; i < ranges->size();) {
    Missing& range = (*ranges)[i];
    const std::uint64_t from = std::max(first, range.first);
    const std::uint64_t to = std::min(last, range.last);
    if (from > to) {
      ++i;
      continue;
    }
    taken.numbers += to - from + 1;
    taken.counted += range.is_early && !how.is_early ? 0 : to - from + 1;
    Missing before = range;
    Missing after = range;
    before.last = from - 1;
    after.first = to + 1;
    const bool has_before = range.first < from;
    const bool has_after = to < range.last;
    if (has_before && has_after) {
      range = before;
      ranges->insert(ranges->begin() + static_cast<std::ptrdiff_t>(i) + 1, after);
      i += 2;
    } else if (has_before || has_after) {
      range = has_before ? before : after;
      ++i;
    } else {
      ranges->erase(ranges->begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return taken;
}

void SequenceAudit::Confirm(const Missing& missing, Findings* findings) {
  ++findings->gaps;
  findings->gaps_behind += missing.is_behind ? 1 : 0;
  findings->lost += missing.last - missing.first + 1;
}

// What has been missing for too long is lost, until it comes after all.
void SequenceAudit::GiveUp(const Circumstances& how, Findings* findings) {
  for (Missing& missing : missing_) --missing.patience;
  while (!missing_.empty() && (missing_.front().patience < 0 || missing_.size() > kMaxMissing)) {
    Confirm(missing_.front(), findings);
    given_up_.push_back(missing_.front());
    given_up_.back().is_early = how.is_early;
    missing_.erase(missing_.begin());
    while (given_up_.size() > kMaxGivenUp) given_up_.erase(given_up_.begin());
  }
}

// The numbers begin again: what is missing of those before will not come.
SequenceAudit::Findings SequenceAudit::Restart(std::uint64_t first, std::uint64_t last, Findings findings) {
  findings += End();
  ++findings.resets;
  has_begun_ = true;
  begin_ = std::min(first, last);
  next_ = last + 1;
  return findings;
}

SequenceAudit::Findings SequenceAudit::Begin(std::uint64_t last) {
  Findings findings = Restart(last, last, {});
  findings.resets = 0;
  findings.snapshots = 1;
  return findings;
}

// What looked like a new count was none.
void SequenceAudit::EndOld(Findings* findings) {
  findings->duplicates += static_cast<std::uint64_t>(old_ - old_before_begin_);
  findings->reordered += static_cast<std::uint64_t>(old_before_begin_);
  old_ = old_before_begin_ = 0;
}

// A message whose numbers nobody waits for.
void SequenceAudit::AddOld(std::uint64_t first, std::uint64_t last, Findings* findings) {
  if (old_ > 0 && first != old_next_) EndOld(findings);
  if (old_ == 0) old_begin_ = first;
  old_next_ = last + 1;
  old_before_begin_ += last < begin_ ? 1 : 0;
  if (++old_ <= kPatience) return;
  old_ = old_before_begin_ = 0;
  *findings = Restart(old_begin_, last, *findings);
}

SequenceAudit::Findings SequenceAudit::Add(std::uint64_t first, std::uint64_t last, const Circumstances& how) {
  Findings findings;
  GiveUp(how, &findings);
  const bool is_reset = has_begun_ && (how.is_linked ? last + 1 < first : last <= 1 && next_ > 2);
  if (is_reset) return Restart(first, last, findings);
  if (!has_begun_) {
    has_begun_ = true;
    begin_ = first;
    next_ = last + 1;
    return findings;
  }
  if (last < first) return findings;  // a link to itself: nothing has changed
  if (first < next_) {
    const std::uint64_t waited_for = missing_.empty() ? 0 : Take(first, last, how, &missing_).numbers;
    const Taken after_all = given_up_.empty() ? Taken() : Take(first, last, how, &given_up_);
    findings.lost_late += after_all.counted;
    if (last < next_) {
      if (waited_for + after_all.numbers == 0) {
        AddOld(first, last, &findings);
        return findings;
      }
      ++findings.reordered;
      if (++late_ <= kLatePatience) return findings;
      return Restart(0, last, findings);
    }
  }
  EndOld(&findings);
  late_ = 0;
  if (first > next_)
    missing_.push_back({.first = next_, .last = first - 1, .is_behind = how.is_behind, .is_early = false});
  next_ = last + 1;
  return findings;
}

SequenceAudit::Findings SequenceAudit::End() {
  Findings findings;
  EndOld(&findings);
  for (const Missing& missing : missing_) Confirm(missing, &findings);
  missing_.clear();
  given_up_.clear();
  late_ = 0;
  return findings;
}

// Takes the number out of the step that it lies within.
bool SnapshotAudit::IsLate(std::uint64_t number) {
  if (number < begin_) return true;
  const auto jump =
      std::find_if(jumps_.begin(), jumps_.end(), [&](const Jump& j) { return j.from < number && number < j.to; });
  if (jump == jumps_.end()) return false;
  const Jump rest{.from = number, .to = jump->to};
  jump->to = number;
  if (rest.from + 1 < rest.to && jumps_.size() < kMaxJumps) jumps_.insert(jump + 1, rest);
  return true;
}

SequenceAudit::Findings SnapshotAudit::Add(std::uint64_t number, bool is_snapshot) {
  SequenceAudit::Findings findings;
  if (is_snapshot) {
    is_synced_ = true;
    begin_ = number;
    jumps_.clear();
    ++findings.snapshots;
  } else if (!is_synced_) {
    ++findings.unsynced;
    return findings;
  } else if (number == 1 && last_ > 1) {
    begin_ = number;
    jumps_.clear();
    ++findings.resets;
  } else if (number <= last_) {
    ++(IsLate(number) ? findings.reordered : findings.duplicates);
    return findings;
  } else if (number > last_ + 1) {
    ++findings.suspects;
    if (jumps_.size() == kMaxJumps) jumps_.erase(jumps_.begin());
    jumps_.push_back({.from = last_, .to = number});
  }
  last_ = number;
  return findings;
}

}  // namespace tidemark
