// Figures as the page shows them: those of the text report, digit for digit, with a no-break space before the unit.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "protos/report.pb.h"

namespace tidemark {

inline constexpr char kNoBreak[] = "\u00a0";

// "39.6 ms", "380 µs".  REQUIRES: as Rounded.
std::string ShownLatency(double micros);

// "39.6 ms", "≥ 2.01 s", or "-" of no values.
std::string ShownQuantile(const proto::Latency& latency, absl::string_view name);

// "38.7 to 39.9 ms"; empty if there is no interval of that name.
std::string ShownInterval(const proto::Latency& latency, absl::string_view name);

// "4,224", "97", "1.25": a rate that was measured.
std::string ShownRate(double per_s);

// "311": a number of connections that was reckoned.
std::string ShownCount(double count);

// "0.38 %".
std::string ShownPercent(double percent);

// "p99 < 40 ms" of "p99<40ms".
std::string ShownExpectation(absl::string_view text);

// What an expectation came to, "38.2 ms (95 %: 37.9 to 38.6 ms)"; empty if there was nothing to measure.
std::string ShownFigure(const proto::Expected& expected);

// How far from its limit that is, "5 % below the limit"; empty if there is no figure, or the limit is 0.
std::string ShownMargin(const proto::Expected& expected);

// The same figures where there is ASCII alone: "39.6ms", ">=2.01s", "p99 <= 40ms".
std::string PlainFigures(absl::string_view text);

}  // namespace tidemark
