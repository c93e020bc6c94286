#include "coordinator/observe/progress.h"

#include <cstdio>

#include "absl/strings/str_format.h"
#include "common/units.h"

namespace tidemark {
namespace {

constexpr Nanos kRedrawInterval = 100 * kMillisecond;
constexpr Nanos kPlainInterval = 10 * kSecond;
constexpr char kClearLine[] = "\r\x1b[K";

}  // namespace

void Progress::BeginPoint(std::uint32_t index, std::uint32_t count, std::int64_t connections, double rate) {
  index_ = index;
  count_ = count;
  connections_ = connections;
  rate_ = rate;
  counts_ = Counts();
  begin_ = last_shown_ = MonotonicNow();
  if (mode_ == Mode::kTerminal) Update(counts_);
}

std::string Progress::Line() const {
  const std::string due = rate_ == 0 ? "" : absl::StrCat(FormatRate(rate_), ", ");
  std::string line = absl::StrFormat("[%u/%u] %s%s connections: %s up, %s done", index_ + 1, count_, due,
                                     FormatCount(static_cast<std::uint64_t>(connections_)),
                                     FormatCount(static_cast<std::uint64_t>(counts_.up)), FormatCount(counts_.done));
  if (counts_.running > 0) {
    const double rate =
        static_cast<double>(counts_.done - counts_.drained) * 1e9 / static_cast<double>(counts_.running);
    absl::StrAppendFormat(&line, ", %s/s",
                          rate < 10 ? FormatMeasuredRate(rate) : FormatCount(static_cast<std::uint64_t>(rate)));
  }
  if (counts_.p99 > 0) absl::StrAppendFormat(&line, ", p99 %s", FormatLatency(static_cast<double>(counts_.p99) / 1e3));
  if (counts_.errors) absl::StrAppendFormat(&line, ", %s errors", FormatCount(*counts_.errors));
  if (counts_.left > 0) absl::StrAppendFormat(&line, ", waiting for the last %s", FormatCount(counts_.left));
  absl::StrAppendFormat(&line, ", %.1fs", static_cast<double>(MonotonicNow() - begin_) / 1e9);
  return line;
}

bool Progress::IsDue() const {
  const Nanos now = MonotonicNow();
  const bool is_early = now - begin_ <= kRedrawInterval;
  switch (mode_) {
    case Mode::kQuiet:
      return false;
    case Mode::kPlain:
      return !is_early && now - last_shown_ >= kPlainInterval;
    case Mode::kTerminal:
      return is_early || now - last_shown_ >= kRedrawInterval;
  }
  return false;
}

void Progress::Update(const Counts& counts) {
  counts_ = counts;
  if (!IsDue()) return;
  last_shown_ = MonotonicNow();
  std::fprintf(stderr, mode_ == Mode::kTerminal ? "%s%s" : "%s%s\n", mode_ == Mode::kTerminal ? kClearLine : "",
               Line().c_str());
  std::fflush(stderr);
}

void Progress::EndPoint(const Counts& counts) {
  counts_ = counts;
  if (mode_ == Mode::kTerminal) std::fputs(kClearLine, stderr);
  if (mode_ != Mode::kQuiet) std::fprintf(stderr, "%s\n", Line().c_str());
}

void Progress::Say(absl::string_view text) {
  if (mode_ == Mode::kTerminal) std::fputs(kClearLine, stderr);
  std::fprintf(stderr, "tidemark: %.*s\n", static_cast<int>(text.size()), text.data());
}

}  // namespace tidemark
