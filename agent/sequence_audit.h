// Whether a stream's messages follow each other, by the numbers that they carry.
#pragma once

#include <cstdint>
#include <vector>

namespace tidemark {

// One stream. Each message covers the numbers [first, last]; the next one should begin at last + 1. All rules come down
// to that: consecutive numbers (first = last), ranges (Binance's U and u), links (first = the previous number + 1).
// A message that is missing may only be late: it counts as lost when kPatience more have come without it, or at the
// end. Numbers that began again with a message that was lost look like duplicates: so many in a row that follow each
// other are a reset.  Threads: one.
class SequenceAudit {
 public:
  static constexpr int kPatience = 16;

  // What one message, or the end, brought to light.
  struct Findings {
    std::uint64_t gaps = 0;         // runs of numbers that never came ...
    std::uint64_t lost = 0;         // ... and how many numbers
    std::uint64_t gaps_behind = 0;  // of the gaps, those that came while we were behind
    std::uint64_t duplicates = 0;
    std::uint64_t reordered = 0;  // came late
    std::uint64_t resets = 0;     // the numbers began again
    std::uint64_t snapshots = 0;
    std::uint64_t suspects = 0;  // after a snapshot, numbers that rose by more than one
    std::uint64_t unsynced = 0;  // messages before a snapshot

    Findings& operator+=(const Findings& other);
  };

  // `is_linked`: a link tells a reset by pointing back; else one begins at 0 or 1. `is_behind`: our own reader was
  // behind since the message before this one.
  Findings Add(std::uint64_t first, std::uint64_t last, bool is_linked, bool is_behind);
  // A snapshot with the number `last`: whatever came before, the next message should follow it.
  Findings Begin(std::uint64_t last);
  // No further message comes on this connection.
  Findings End();

 private:
  struct Missing {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    int patience = kPatience;
    bool is_behind = false;
  };
  void Confirm(const Missing& missing, Findings* findings);
  Findings Restart(std::uint64_t last, Findings findings);

  std::uint64_t next_ = 0;
  bool has_begun_ = false;
  std::vector<Missing> missing_;  // few; the oldest first
  int old_ = 0;                   // messages in a row that looked like duplicates and followed each other ...
  std::uint64_t old_next_ = 0;    // ... where the next one would begin
};

// A stream of snapshots and changes, as Bybit's: each snapshot begins the numbers anew, and from there they rise. Since
// nobody promises that they rise by one, a larger step is only suspect. A change with the number 1 is the sign of a
// service that began again.  Threads: one.
class SnapshotAudit {
 public:
  SequenceAudit::Findings Add(std::uint64_t number, bool is_snapshot);

 private:
  bool is_synced_ = false;
  std::uint64_t last_ = 0;
};

}  // namespace tidemark
