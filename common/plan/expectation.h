// What a user expects of a point: "p99 < 20ms", "error_rate < 0.1%".
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/stats/outcome.h"

namespace tidemark {

// Latency figures are those of the headline metric: response in an open loop, service in a closed one, of streams their
// staleness, or without event times the interval between messages. The error rate of streams is that of connection
// time: 100 % - availability.
struct Expectation {
  enum class Figure {
    kMean,
    kQuantile,
    kErrorRate,
    kAvailability,
    kDeadSeconds,
    kRequestsPerSecond,
    kMessagesPerSecond,
    kFinding
  };
  Figure figure = Figure::kQuantile;
  std::uint64_t numerator = 0;  // of kQuantile: 99 / 100
  std::uint64_t denominator = 1;
  Finding finding = Finding::kGap;  // of kFinding
  bool is_at_most = true;           // else at least
  double limit = 0;                 // ns, percent, or a count; itself within what is expected
  std::string text;                 // as the user wrote it, without blanks

  bool IsLatency() const { return figure == Figure::kMean || figure == Figure::kQuantile; }
  // The figure of a report, as common/plan/measured names it: "Point.requests_per_s"; of latencies, which every plan
  // measures,
  // "".
  std::string InReport() const;
};

// Parses FIGURE<VALUE or FIGURE>VALUE (also <= and >=). Figures: mean, max, p50 to p99.999 with a duration, error_rate
// and availability with a percentage, dead_seconds and requests_per_s with a count; of streams messages_per_s and the
// findings, by their names in common/stats/outcomes.def, with a count. Of findings and dead seconds, which are whole
// numbers, <1 is none; of figures that are measured the limit itself is met too. Errors: InvalidArgument naming the
// text and the remedy.
absl::StatusOr<Expectation> ParseExpectation(absl::string_view text);

// Parses the number behind the "p": "99" is 99/100, "99.9" is 999/1000. Errors: InvalidArgument unless 0 < it < 100
// with three decimals at most.
absl::StatusOr<std::pair<std::uint64_t, std::uint64_t>> ParsePercentile(absl::string_view text);

// "p99:5%": stop when the interval of that quantile is at most so wide to each side.
struct Precision {
  std::uint64_t numerator = 99;
  std::uint64_t denominator = 100;
  double half_width = 0.05;  // of the quantile
};
// Errors: InvalidArgument naming the text; the width must lie within 0.1 % to 100 %.
absl::StatusOr<Precision> ParsePrecision(absl::string_view text);

}  // namespace tidemark
