// In which form progress is shown.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidemark {

enum class ProgressForm {
  kNone,   // messages alone
  kPlain,  // lines that stay
  kLine,   // one line that rewrites itself
  kLive    // the live view
};

// The values of --progress.
inline constexpr char kProgressForms[] = "auto|live|line|plain|none";

// What there is to show progress on. Of variables an empty one is as none.
struct Surroundings {
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool is_in_hand = true;  // no other process group has the terminal
  std::size_t columns = 0;
  std::size_t rows = 0;
  absl::string_view term = {};    // TERM
  absl::string_view ci = {};      // CI
  absl::string_view locale = {};  // of LC_ALL, LC_CTYPE and LANG the first that is not empty
  absl::string_view no_color = {};
};
// Of this process.  Threads: the main one, before others are started.
Surroundings SurroundingsOf();

// The form that `asked`, a value of --progress, comes to there.
// Errors: InvalidArgument if it is none, or cannot be had there.
absl::StatusOr<ProgressForm> ProgressFormOf(absl::string_view asked, const Surroundings& surroundings);

// Whether the terminal shows UTF-8.
bool IsUtf8(const Surroundings& surroundings);

}  // namespace tidemark
