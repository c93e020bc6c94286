// Two sets of results of one plan, held against each other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/analysis/compare.h"
#include "coordinator/analysis/confidence.h"
#include "protos/report.pb.h"

namespace tidemark {

inline constexpr std::size_t kMaxResults = 1'000;  // of both sides together

// One result file.
struct Result {
  std::string path;
  proto::Report report;
};

// Reads the results of one side, each run once: the same file again, or a copy of it, would make chance look small.
// Errors: as ReadReportFile; InvalidArgument naming two files of one run.
absl::StatusOr<std::vector<Result>> ReadSide(const std::vector<std::string>& paths);

// One figure of one point.
struct ComparedFigure {
  int point = 0;               // its index
  absl::string_view name;      // "p99_us", a field of Latency
  Comparison comparison;       // of one value for each run
  bool is_indicative = false;  // one run against one: it tells nothing of other runs, and `change` nothing at all
  // Then: 95 % of the ratio of the means over the seconds of the two runs, where they have five or more.
  std::optional<Interval> over_seconds;
};

// Figures that all runs have, point by point.
// Errors: InvalidArgument, one line, why these may not be compared: another plan, version or number of agents, a point
// that cannot be believed, no latency.  REQUIRES: neither side is empty.
absl::StatusOr<std::vector<ComparedFigure>> CompareSides(const std::vector<Result>& before,
                                                         const std::vector<Result>& after);

// "regressed".
const char* NameOf(Change change);

// "one run against one; 1.003 to 1.052 over its seconds ...": what a figure that is only indicative is worth.
std::string Indication(const ComparedFigure& figure);

// The latency that a point is compared by.
const proto::Latency& ComparedLatency(const proto::Point& point);

}  // namespace tidemark
