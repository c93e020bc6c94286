// A text with holes in it, compiled once, whose holes are filled for each slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "common/plan/parts.h"

namespace tidemark {

// What holes are filled from: the same occasion gives the same bytes.
struct Occasion {
  std::uint64_t slot = 0;
  std::uint64_t seed = 0;              // of what is random in this phase of the run
  Nanos moment = 0;                    // since 1970, by the target's clock where it is known
  absl::string_view upgrade_key = {};  // of a WebSocket that is asked for
  std::size_t body_bytes = 0;          // of the request
  std::uint32_t trace_point = 0;       // see TracePoint of common/stats/request_trace.h
};

// "{slot}" is the slot's number with leading zeros, modulo 10^12.
inline constexpr std::size_t kSlotDigits = 12;
inline constexpr std::uint64_t kSlotModulus = 1'000'000'000'000;

// Where something is filled in.
struct Hole {
  enum class Kind : std::uint8_t { kSlot, kNow, kRandom, kUuid, kPick, kUpgradeKey, kBodyBytes, kTracePoint };
  Kind kind = Kind::kSlot;
  TimeForm form = TimeForm::kMillis;
  std::uint64_t salt = 0;  // tells what is random in one hole from what is in another
  std::int64_t low = 0;    // of kRandom
  std::uint64_t span = 1;  // of kRandom: how many values there are
  std::vector<std::string> choices = {};
  std::size_t width = 0;  // bytes, where they are as many on each occasion; else 0
  std::size_t most = 0;   // bytes at most
  std::size_t at = 0;     // where it stands: among the literal bytes, or in the whole text

  // Of a part that is a hole.  REQUIRES: it is none that names something.
  static Hole Of(const Part& part, std::uint64_t salt);
  static Hole Slot();
  static Hole UpgradeKey();
  static Hole BodyBytes();
  // Four hexadecimal digits.
  static Hole TracePoint();

  bool IsSlot() const { return kind == Kind::kSlot; }
  bool IsOfTime() const { return kind == Kind::kNow; }
  // Writes what belongs there, `most` bytes at most. Returns its end. Allocates nothing.
  char* Fill(const Occasion& occasion, char* out) const;
};

// Writes the slot's digits.
void WriteSlot(std::uint64_t slot, char* out);

// Threads: any, once it is made.
class Program {
 public:
  void Append(absl::string_view literal) { literal_.append(literal.data(), literal.size()); }
  void Append(Hole hole);

  const std::vector<Hole>& holes() const { return holes_; }
  bool HasHoles() const { return !holes_.empty(); }
  // Whether it is of one length on each occasion.
  bool IsFixed() const;
  // Of one that is: the text with room in the place of each hole, and the holes with their places in it.
  std::string WithRoom(std::vector<Hole>* holes, std::size_t base) const;
  // Appends the text of the occasion. Allocates nothing once *out has had as much room.
  void MakeInto(const Occasion& occasion, std::string* out) const;

 private:
  std::string literal_;
  std::vector<Hole> holes_;  // in their order; each stands in front of the literal byte at `at`
  std::size_t most_ = 0;     // bytes of all holes at most
};

}  // namespace tidemark
