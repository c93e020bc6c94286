// Pieces that the lines of a text report are made of.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/stats/outcome.h"
#include "common/units.h"
#include "protos/report.pb.h"

namespace tidemark {

// Whether the latencies of a point count from the due time.
bool IsOpenLoop(const proto::Report& report);
bool IsListening(const proto::Report& report);

// Whether the points are told apart by rates; else by connections. What of that a point has.
bool HasRates(const proto::Report& report);
double LevelValue(const proto::Report& report, const proto::Point& point);

// What a point is told apart by: its rate, "5000", "30/m", or else its connections.
std::string PointName(const proto::Point& point);

// The same for people: "5,000/s", "30/m", "1,000".
std::string LevelName(const proto::Point& point);

// "closed loop, 25s per point, time-out 2s": how the points were loaded.
std::string LoadLine(const proto::Report& report);

// The latency that a point is judged by: response, service time, or of streams staleness or interval.
const proto::Latency& HeadlineOf(const proto::Report& report, const proto::Point& point);

// "0.38", of what is not 0 at least "<0.01", and of less than 100 at most "99.99".  REQUIRES: finite.
std::string Percent(double percent);

// A figure that is a lower bound, because requests were given up before it, prints as ">=x"; one of no values as "-".
std::string Quantile(const proto::Latency& latency, absl::string_view name);

// The mean, or "-" of no values.
std::string Mean(const proto::Latency& latency);

// The count of that name; null if there is none: it was not looked for.
const proto::Count* FindCount(const proto::Counts& counts, absl::string_view name);

// Its number; 0 if there is none.
std::uint64_t CountOf(const proto::Counts& counts, absl::string_view name);

// Its number as text; "-" if there is none.
std::string CountOrDash(const proto::Counts& counts, absl::string_view name);

// "2xx 1,000 + reset 3": the counts that are not zero, by the labels of `rows`; "0" if all are.
std::string Terms(const proto::Counts& counts, absl::Span<const EndRow> rows);

// The latency of that metric in `point`, in the field of its name or among the others; null if it is not there.
const proto::Latency* LatencyOf(const proto::Point& point, const MetricRow& metric);

// Adds the counts of one message to another's, name by name.
void AddCounts(const proto::Counts& from, proto::Counts* to);

}  // namespace tidemark
