// What the live view shows at one moment: lines for a screen, made of what is known of a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "common/clock.h"
#include "coordinator/observe/run_observer.h"
#include "coordinator/observe/terminal_line.h"
#include "protos/report.pb.h"

namespace tidemark {

// A second of the current point, closed.
struct LiveSecond {
  double per_s = 0;
  double p50_us = 0;  // 0: no values, as p99_us
  double p99_us = 0;
  double lateness_p99_us = -1;  // negative: nothing was sent
};

// What is known of a run.
struct ShownRun {
  // As many seconds are kept as the widest screen has columns for.
  static constexpr std::size_t kMaxSeconds = 512;

  proto::Report head;                // its version, its run, its plan as it may be printed ...
  std::vector<proto::Point> judged;  // ... the points that have ended, each in its place
  bool is_begun = false;             // a point has begun ...
  PointBegin point = {};             // ... this one
  bool is_ended = false;             // it has, and is among `judged`
  PointSoFar so_far = {};
  std::deque<LiveSecond> seconds;  // of it, the latest at the end
  std::string message;             // the last that was said; may be hostile
  std::size_t messages = 0;        // that were said
  bool is_last = false;            // the user wants no other point
  Nanos begin = 0;                 // of the run, an instant ...
  Nanos point_begin = 0;           // ... of the point's preparations
  Nanos now = 0;                   // the moment to show
};

struct Screen {
  std::size_t columns = 80;
  std::size_t rows = 24;
  bool has_color = false;
  bool is_utf8 = false;
  bool has_keys = false;  // what is typed is heard
};

// Below that no view begins; one that has begun shows what there is room for.
inline constexpr std::size_t kLeastColumns = 60;
inline constexpr std::size_t kLeastRows = 14;

// At most screen.rows lines of at most screen.columns cells. Pure.
std::vector<TerminalLine> MakeFrame(const ShownRun& run, const Screen& screen);

// The bytes that put the lines on a screen, whatever was there before: no line moves another, and nothing is left over.
std::string FrameBytes(const std::vector<TerminalLine>& lines, const Screen& screen);

// "14s", "1:29", "1:02:03": a time that passes, in whole seconds, rounded down.  REQUIRES: 0 <= time.
std::string FormatClock(Nanos time);

// `values` as so many characters at most, the latest at the right, each between the least and the greatest of those
// that are shown.
std::string Sparkline(const std::vector<double>& values, std::size_t columns, bool is_utf8);

}  // namespace tidemark
