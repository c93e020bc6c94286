// Numbers with units, as people write them: "30s", "5k", "10MiB".
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"

namespace tidemark {

// Parses a duration with a unit: ns, us, ms, s, m, h; decimals allowed ("1.5s"). "0" needs no unit.
// Errors: InvalidArgument naming the value and the units. Range: 0 to 10,000 h.
absl::StatusOr<Nanos> ParseDuration(absl::string_view text);

// Parses a count with an optional SI suffix k, M, G (k = 1000); decimals allowed if the result is whole ("1.5k").
// Errors: InvalidArgument naming the value. Range: 0 to 10^15.
absl::StatusOr<std::int64_t> ParseCount(absl::string_view text);

// Parses a size in bytes with an optional unit B, kB, MB, GB (1000) or KiB, MiB, GiB (1024).
absl::StatusOr<std::int64_t> ParseBytes(absl::string_view text);

// Parses a rate, per second unless it says "/m" or "/h": "5k", "0.5", "30/m", "10/h". Returns it per second.
// Exact to a thousandth per hour, so that FormatRate and schedules have what was written.
// Errors: InvalidArgument naming the value. Range: 0 to 10^12 per second.
absl::StatusOr<double> ParseRate(absl::string_view text);

// Parses a percentage, "0.1%". Errors: InvalidArgument naming the value. Range: 0 to 100.
absl::StatusOr<double> ParsePercent(absl::string_view text);

// "30s", "1.5ms", "250us": the largest unit in which the value is at least 1, exact.
std::string FormatDuration(Nanos value);

// `value` with so many decimals, a half rounded up: what every figure for people is rounded by.
// REQUIRES: 0 <= value < 10^15, finite.
std::string Rounded(double value, int decimals);

// "1.24", "12.5", "124", "1240": three significant digits, and those before the point.  REQUIRES: as Rounded.
std::string ThreeDigits(double value);

// Microseconds for a table cell, three significant digits at least: "87us", "1.24ms", "12.5ms", "2.00s".
std::string FormatLatency(double micros);

// A rate per second as people write it, the shortest that ParseRate reads back: "5000", "0.5", "10/m", "10/h".
std::string WriteRate(double per_s);

// The same for a sentence: "5,000/s", "0.5/s", "10/m".
std::string FormatRate(double per_s);

// A rate that was measured, for a table cell: "5000", "97", "1.25", "0.5".
std::string FormatMeasuredRate(double per_s);

// "1,234,567".
std::string FormatCount(std::uint64_t value);

// Bytes in MiB for a table cell whose title has the unit: "0.15", "12.40", "1203".
std::string FormatMebibytes(double bytes);

// "1.2MiB".
std::string FormatBytes(double value);

}  // namespace tidemark
