// Whether a stream's messages follow each other, by the numbers that they carry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tidemark {

// One stream. Each message covers the numbers [first, last]; the next one should begin at last + 1. All rules come down
// to that: consecutive numbers (first = last), ranges (Binance's U and u), links (first = the previous number + 1).
// A message that is missing may only be late: it counts as lost when kPatience more have come without it, or at the
// end. If it comes even then, it is late all the same, and its numbers are counted as lost and late: lost - lost_late
// never came. A message is a duplicate only if all of its numbers have come before. Numbers that began again with a
// message that was lost look like duplicates: so many in a row that follow each other are a reset.
// Of gaps that were given up, kMaxGivenUp are remembered; what belongs to an older one reads as a duplicate.
// Threads: one.
class SequenceAudit {
 public:
  static constexpr int kPatience = 16;
  // So many late messages in a row, without a new one between them, are no late ones but a reset.
  static constexpr int kLatePatience = 256;
  static constexpr std::size_t kMaxGivenUp = 64;

  // What one message, or the end, brought to light.
  struct Findings {
    std::uint64_t gaps = 0;         // runs of numbers that did not come in time ...
    std::uint64_t lost = 0;         // ... and how many numbers
    std::uint64_t gaps_behind = 0;  // of the gaps, those that came while we were behind
    std::uint64_t lost_late = 0;    // of the numbers lost, those that came after all
    std::uint64_t duplicates = 0;
    std::uint64_t reordered = 0;  // came late
    std::uint64_t resets = 0;     // the numbers began again
    std::uint64_t snapshots = 0;
    std::uint64_t suspects = 0;  // after a snapshot, numbers that rose by more than one
    std::uint64_t unsynced = 0;  // messages before a snapshot

    Findings& operator+=(const Findings& other);
  };

  // How a message came.
  struct Circumstances {
    bool is_linked = false;  // a link tells a reset by pointing back; else one begins at 0 or 1
    bool is_behind = false;  // our own reader was behind since the message before this one
    bool is_early = false;   // before the start: what is given up now is in another account than what comes after all
  };
  Findings Add(std::uint64_t first, std::uint64_t last, const Circumstances& how);
  // A snapshot with the number `last`: whatever came before, the next message should follow it.
  Findings Begin(std::uint64_t last);
  // No further message comes on this connection.
  Findings End();
  bool HasBegun() const { return has_begun_; }

 private:
  struct Missing {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    int patience = kPatience;
    bool is_behind = false;
    bool is_early = false;  // of those that were given up
  };
  // Takes the numbers [first, last] out of `ranges`: how many there were, and of these those that were given up in the
  // account of `how`.
  struct Taken {
    std::uint64_t numbers = 0;
    std::uint64_t counted = 0;
  };
  static Taken Take(std::uint64_t first, std::uint64_t last, const Circumstances& how, std::vector<Missing>* ranges);
  void Confirm(const Missing& missing, Findings* findings);
  void GiveUp(const Circumstances& how, Findings* findings);
  void AddOld(std::uint64_t first, std::uint64_t last, Findings* findings);
  void EndOld(Findings* findings);
  // `first`: of the new count.
  Findings Restart(std::uint64_t first, std::uint64_t last, Findings findings);

  std::uint64_t begin_ = 0;  // the first number that came
  std::uint64_t next_ = 0;
  bool has_begun_ = false;
  std::vector<Missing> missing_;   // few; the oldest first
  std::vector<Missing> given_up_;  // likewise
  int late_ = 0;                   // messages in a row that came late
  int old_ = 0;                    // messages in a row that looked like duplicates and followed each other ...
  int old_before_begin_ = 0;       // ... of them those from before the first one: these cannot have come before
  std::uint64_t old_begin_ = 0;    // ... where they began ...
  std::uint64_t old_next_ = 0;     // ... and where the next one would begin
};

// A stream of snapshots and changes, as Bybit's: each snapshot begins the numbers anew, and from there they rise. Since
// nobody promises that they rise by one, a larger step is only suspect. What lies within one of the last kMaxJumps
// steps, or before the snapshot, has come late; what else is not above the last number has come before. A change with
// the number 1 is the sign of a service that began again.  Threads: one.
class SnapshotAudit {
 public:
  static constexpr std::size_t kMaxJumps = 64;
  SequenceAudit::Findings Add(std::uint64_t number, bool is_snapshot);

 private:
  struct Jump {  // nothing has come between the two
    std::uint64_t from = 0;
    std::uint64_t to = 0;
  };
  bool IsLate(std::uint64_t number);

  bool is_synced_ = false;
  std::uint64_t begin_ = 0;
  std::uint64_t last_ = 0;
  std::vector<Jump> jumps_;  // the oldest first
};

}  // namespace tidemark
