#include "coordinator/observe/progress_form.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/observe/terminal_frame.h"

namespace tidemark {
namespace {

absl::string_view Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool CanMove(const Surroundings& s) { return s.err_is_terminal && !s.term.empty() && s.term != "dumb"; }

}  // namespace

Surroundings SurroundingsOf() {
  Surroundings s{.out_is_terminal = isatty(STDOUT_FILENO) != 0,
                 .err_is_terminal = isatty(STDERR_FILENO) != 0,
                 .term = Variable("TERM"),
                 .ci = Variable("CI"),
                 .no_color = Variable("NO_COLOR")};
  for (const char* const name : {"LANG", "LC_CTYPE", "LC_ALL"}) {
    if (!Variable(name).empty()) s.locale = Variable(name);
  }
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0) {
    s.columns = size.ws_col;
    s.rows = size.ws_row;
  }
  const pid_t group = tcgetpgrp(STDERR_FILENO);
  s.is_in_hand = group == -1 || group == getpgrp();
  return s;
}

absl::StatusOr<ProgressForm> ProgressFormOf(absl::string_view asked, const Surroundings& s) {
  if (asked == "none") return ProgressForm::kNone;
  if (asked == "plain") return ProgressForm::kPlain;
  if (asked == "line") {
    if (CanMove(s)) return ProgressForm::kLine;
    return absl::InvalidArgumentError(
        "--progress: line needs a terminal for standard error, and TERM; leave it out, or use plain");
  }
  const bool is_for_both = CanMove(s) && s.out_is_terminal;
  if (asked == "live") {
    if (is_for_both) return ProgressForm::kLive;
    return absl::InvalidArgumentError(
        "--progress: live needs a terminal for standard output and standard error, and TERM; leave it out, or use "
        "plain");
  }
  if (asked != "auto") {
    return absl::InvalidArgumentError(absl::StrCat("--progress: '", asked, "' is none of ", kProgressForms));
  }
  if (!is_for_both || !s.ci.empty() || !s.is_in_hand) return ProgressForm::kPlain;
  return s.columns >= kLeastColumns && s.rows >= kLeastRows ? ProgressForm::kLive : ProgressForm::kLine;
}

bool IsUtf8(const Surroundings& s) {
  const std::string locale = absl::AsciiStrToLower(s.locale);
  return absl::StrContains(locale, "utf-8") || absl::StrContains(locale, "utf8");
}

}  // namespace tidemark
