// HdrHistogram's own file formats, so that its tools read our results.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/stats/histogram.h"
#include "coordinator/merge/run_result.h"
#include "coordinator/report/column_row.h"

namespace tidemark {

// The tag of a point in a .hlog: "c" and its number of connections, or "r" and its rate; a count that comes again gets
// ".2", ".3", ...
std::vector<std::string> PointTags(const std::vector<PointResult>& points);

// Histogram log format 1.3: a line per point and second with a value of the headline latency, tagged, values in ns,
// maxima in ms.
std::string ToHlog(const RunResult& result);

// What stands in such a line, in its order.
std::vector<ColumnRow> HlogColumns();

// Percentile distribution of one histogram in ms with 5 ticks per half distance, line by line what HdrHistogram's
// HistogramLogProcessor writes for the same data; the mean and the maximum of no values are "-".
std::string ToHgrm(const Histogram& histogram);

// One interval of a .hlog.
struct HlogInterval {
  std::string tag;  // empty: none
  double start_s = 0;
  double length_s = 0;
  Histogram histogram;
};

// Reads logs of format 1.2 and 1.3, as HdrHistogram's Java writer makes them; comments and the header are skipped.
// Errors: InvalidArgument naming the line.
absl::StatusOr<std::vector<HlogInterval>> ParseHlog(absl::string_view text);

}  // namespace tidemark
