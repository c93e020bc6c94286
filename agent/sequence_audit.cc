#include "agent/sequence_audit.h"

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
  duplicates += other.duplicates;
  reordered += other.reordered;
  resets += other.resets;
  snapshots += other.snapshots;
  suspects += other.suspects;
  unsynced += other.unsynced;
  return *this;
}

void SequenceAudit::Confirm(const Missing& missing, Findings* findings) {
  ++findings->gaps;
  findings->gaps_behind += missing.is_behind ? 1 : 0;
  findings->lost += missing.last - missing.first + 1;
}

// The numbers begin again: what is missing of those before will not come.
SequenceAudit::Findings SequenceAudit::Restart(std::uint64_t last, Findings findings) {
  findings += End();
  ++findings.resets;
  has_begun_ = true;
  next_ = last + 1;
  return findings;
}

SequenceAudit::Findings SequenceAudit::Begin(std::uint64_t last) {
  Findings findings = Restart(last, {});
  findings.resets = 0;
  findings.snapshots = 1;
  return findings;
}

SequenceAudit::Findings SequenceAudit::Add(std::uint64_t first, std::uint64_t last, bool is_linked, bool is_behind) {
  Findings findings;
  for (Missing& missing : missing_) --missing.patience;
  while (!missing_.empty() && (missing_.front().patience < 0 || missing_.size() > kMaxMissing)) {
    Confirm(missing_.front(), &findings);
    missing_.erase(missing_.begin());
  }
  const bool is_reset = has_begun_ && (is_linked ? last + 1 < first : last <= 1 && next_ > 2);
  if (is_reset) return Restart(last, findings);
  if (!has_begun_) {
    has_begun_ = true;
    next_ = last + 1;
    return findings;
  }
  if (last < first) return findings;  // a link to itself: nothing has changed
  if (last < next_) {
    const auto late = std::find_if(missing_.begin(), missing_.end(),
                                   [&](const Missing& m) { return m.first <= first && last <= m.last; });
    if (late == missing_.end()) {
      if (old_ > 0 && first != old_next_) findings.duplicates += static_cast<std::uint64_t>(std::exchange(old_, 0));
      old_next_ = last + 1;
      if (++old_ <= kPatience) return findings;
      old_ = 0;
      return Restart(last, findings);
    }
    ++findings.reordered;
    const Missing before{late->first, first - 1, late->patience, late->is_behind};
    const Missing after{last + 1, late->last, late->patience, late->is_behind};
    auto at = missing_.erase(late);
    if (last < after.last) at = missing_.insert(at, after);
    if (before.first < first) missing_.insert(at, before);
    return findings;
  }
  findings.duplicates += static_cast<std::uint64_t>(std::exchange(old_, 0));
  if (first > next_) missing_.push_back({.first = next_, .last = first - 1, .is_behind = is_behind});
  next_ = last + 1;
  return findings;
}

SequenceAudit::Findings SnapshotAudit::Add(std::uint64_t number, bool is_snapshot) {
  SequenceAudit::Findings findings;
  if (is_snapshot) {
    is_synced_ = true;
    ++findings.snapshots;
  } else if (!is_synced_) {
    ++findings.unsynced;
    return findings;
  } else if (number == 1 && last_ > 1) {
    ++findings.resets;
  } else if (number == last_) {
    ++findings.duplicates;
    return findings;
  } else if (number < last_) {
    ++findings.reordered;
    return findings;
  } else if (number > last_ + 1) {
    ++findings.suspects;
  }
  last_ = number;
  return findings;
}

SequenceAudit::Findings SequenceAudit::End() {
  Findings findings{.duplicates = static_cast<std::uint64_t>(std::exchange(old_, 0))};
  for (const Missing& missing : missing_) Confirm(missing, &findings);
  missing_.clear();
  return findings;
}

}  // namespace tidemark
