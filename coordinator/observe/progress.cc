#include "coordinator/observe/progress.h"

#include <cstdio>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/units.h"

namespace tidemark {
namespace {

constexpr Nanos kPlainInterval = 10 * kSecond;
constexpr char kClearLine[] = "\r\x1b[K";

}  // namespace

void Progress::BeginPoint(const PointBegin& point) {
  point_ = point;
  begin_ = last_shown_ = MonotonicNow();
  so_far_ = PointSoFar();
  if (mode_ == Mode::kTerminal) Update(so_far_);
  if (mode_ == Mode::kPlain)
    std::fprintf(stderr, "%s%s\n", Name().c_str(),
                 point_.length == 0 ? "" : absl::StrCat(", ", FormatDuration(point_.length)).c_str());
}

// "[2/5] 5,000/s, 50 connections".
std::string Progress::Name() const {
  return absl::StrFormat("[%u/%u] %s%s connections", point_.index + 1, point_.count,
                         point_.rate == 0 ? "" : absl::StrCat(FormatRate(point_.rate), ", "),
                         FormatCount(static_cast<std::uint64_t>(point_.connections)));
}

std::string Progress::Line() const {
  std::string line = absl::StrCat(Name(), ": ", FormatCount(static_cast<std::uint64_t>(so_far_.up)), " up, ",
                                  FormatCount(so_far_.done), " done");
  if (const std::optional<double> rate = so_far_.Rate())
    absl::StrAppendFormat(&line, ", %s/s",
                          *rate < 10 ? FormatMeasuredRate(*rate) : FormatCount(static_cast<std::uint64_t>(*rate)));
  if (so_far_.p99 > 0) absl::StrAppendFormat(&line, ", p99 %s", FormatLatency(static_cast<double>(so_far_.p99) / 1e3));
  if (so_far_.errors) absl::StrAppendFormat(&line, ", %s errors", FormatCount(*so_far_.errors));
  if (so_far_.left > 0) absl::StrAppendFormat(&line, ", waiting for the last %s", FormatCount(so_far_.left));
  absl::StrAppendFormat(&line, ", %.1fs", static_cast<double>(MonotonicNow() - begin_) / 1e9);
  return line;
}

// On a terminal each update is shown; the run makes no more than ten a second.
bool Progress::IsDue() const {
  const Nanos now = MonotonicNow();
  if (mode_ == Mode::kPlain) return now - last_shown_ >= kPlainInterval;
  return mode_ == Mode::kTerminal;
}

void Progress::Update(const PointSoFar& so_far) {
  so_far_ = so_far;
  if (!IsDue()) return;
  last_shown_ = MonotonicNow();
  std::fprintf(stderr, mode_ == Mode::kTerminal ? "%s%s" : "%s%s\n", mode_ == Mode::kTerminal ? kClearLine : "",
               Line().c_str());
  std::fflush(stderr);
}

void Progress::EndPoint(const PointSoFar& so_far) {
  so_far_ = so_far;
  if (mode_ == Mode::kTerminal) std::fputs(kClearLine, stderr);
  if (mode_ != Mode::kQuiet) std::fprintf(stderr, "%s\n", Line().c_str());
}

void Progress::Say(const std::string& text) {
  if (mode_ == Mode::kTerminal) std::fputs(kClearLine, stderr);
  std::fprintf(stderr, "tidemark: %s\n", text.c_str());
}

}  // namespace tidemark
