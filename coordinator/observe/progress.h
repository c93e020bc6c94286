// What a user sees while a run goes on, on stderr.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/clock.h"

namespace tidemark {

// On a terminal one line that rewrites itself, otherwise a plain line per point. Threads: one.
class Progress {
 public:
  enum class Mode { kQuiet, kPlain, kTerminal };
  struct Counts {
    std::int64_t up = 0;
    std::uint64_t done = 0;
    std::uint64_t drained = 0;                // of `done`, what came after the end of the duration
    std::uint64_t left = 0;                   // what is still waited for after it
    std::optional<std::uint64_t> errors = 0;  // none while listening, which requests nothing
    Nanos p99 = 0;
    Nanos running = 0;  // T0 to the last complete response, or the end; 0: not running yet
  };
  explicit Progress(Mode mode) : mode_(mode) {}

  // `rate`: of an open loop, slots per second; 0: none to show.
  void BeginPoint(std::uint32_t index, std::uint32_t count, std::int64_t connections, double rate);
  // Whether an Update would be shown now; else it need not be made.
  bool IsDue() const;
  void Update(const Counts& counts);
  void EndPoint(const Counts& counts);
  // A line that stays.
  void Say(absl::string_view text);

 private:
  std::string Line() const;

  const Mode mode_;
  std::uint32_t index_ = 0;
  std::uint32_t count_ = 0;
  std::int64_t connections_ = 0;
  double rate_ = 0;
  Nanos begin_ = 0;
  Nanos last_shown_ = 0;
  Counts counts_;
};

}  // namespace tidemark
