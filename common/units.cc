#include "common/units.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace tidemark {
namespace {

// Units as data: parsing and printing share the tables. Sorted from large to small.
struct Unit {
  absl::string_view name;
  double scale;
};

constexpr Unit kDurationUnits[] = {{"h", 3600e9}, {"m", 60e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
constexpr Unit kCountUnits[] = {{"G", 1e9}, {"M", 1e6}, {"k", 1e3}, {"", 1}};
constexpr Unit kByteUnits[] = {{"GiB", 1073741824.0}, {"MiB", 1048576.0}, {"KiB", 1024.0}, {"GB", 1e9},
                               {"MB", 1e6},           {"kB", 1e3},        {"B", 1},        {"", 1}};

// What a rate may be of, and how many of it an hour has. Any rate that is kept is whole in thousandths of the last.
constexpr Unit kRateUnits[] = {{"/s", 3600}, {"/m", 60}, {"/h", 1}};

constexpr double kMaxRatePerSecond = 1e12;
constexpr double kMaxDuration = 10'000.0 * 3600e9;
constexpr double kMaxCount = 1e15;

absl::string_view NumberPart(absl::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && ((text[end] >= '0' && text[end] <= '9') || text[end] == '.')) ++end;
  return text.substr(0, end);
}

absl::StatusOr<std::int64_t> Parse(absl::string_view text, std::span<const Unit> units, double max,
                                   absl::string_view expected) {
  const absl::string_view number = NumberPart(text);
  const absl::string_view suffix = text.substr(number.size());
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("'", text.substr(0, 64), "' ", what, "; ", expected));
  };
  double value = 0;
  if (number.empty() || number.size() > 20 || !absl::SimpleAtod(number, &value))
    return error("is not a number with a unit");
  for (const Unit& unit : units) {
    if (suffix != unit.name && !(value == 0 && suffix.empty())) continue;
    const double scaled = value * unit.scale;
    if (scaled > max) return error("is too large");
    const double rounded = std::nearbyint(scaled);
    if (std::abs(scaled - rounded) > 1e-6 * std::max(1.0, scaled)) return error("is not a whole number");
    return static_cast<std::int64_t>(rounded);
  }
  return error(suffix.empty() ? "has no unit" : "has an unknown unit");
}

}  // namespace

absl::StatusOr<Nanos> ParseDuration(absl::string_view text) {
  return Parse(text, kDurationUnits, kMaxDuration, "write a duration as 500us, 20ms, 1.5s, 30s, 2m or 1h");
}

absl::StatusOr<std::int64_t> ParseCount(absl::string_view text) {
  return Parse(text, kCountUnits, kMaxCount, "write a count as 500, 5k or 1.5M");
}

absl::StatusOr<double> ParseRate(absl::string_view text) {
  const absl::string_view number = NumberPart(text);
  absl::string_view suffix = text.substr(number.size());
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text.substr(0, 64), "' ", what, "; write a rate as 500, 5k, 0.5, 30/m or 10/h"));
  };
  double value = 0;
  if (number.empty() || number.size() > 20 || !absl::SimpleAtod(number, &value)) return error("is not a number");
  for (const Unit& unit : kCountUnits) {
    if (unit.name.empty() || !absl::ConsumePrefix(&suffix, unit.name)) continue;
    value *= unit.scale;
    break;
  }
  if (suffix.empty()) suffix = kRateUnits[0].name;
  for (const Unit& unit : kRateUnits) {
    if (suffix != unit.name) continue;
    const double per_s = value * unit.scale / kRateUnits[0].scale;
    if (per_s > kMaxRatePerSecond) return error("is too large");
    const double thousandths = value * unit.scale * 1e3;  // per hour
    if (std::abs(thousandths - std::nearbyint(thousandths)) > std::max(1e-6, thousandths * 1e-15))
      return error("is no whole number of thousandths per hour");
    return std::nearbyint(thousandths) / (kRateUnits[0].scale * 1e3);  // one value for all ways to write it
  }
  return error("has an unknown unit");
}

absl::StatusOr<double> ParsePercent(absl::string_view text) {
  double value = 0;
  if (!absl::ConsumeSuffix(&text, "%") || !absl::SimpleAtod(text, &value) || !(value >= 0 && value <= 100))
    return absl::InvalidArgumentError(absl::StrCat("'", text.substr(0, 32), "' is no percentage; write 0.1%"));
  return value;
}

absl::StatusOr<std::int64_t> ParseBytes(absl::string_view text) {
  return Parse(text, kByteUnits, kMaxCount, "write a size as 512, 64KiB, 10MiB or 1GB");
}

std::string FormatDuration(Nanos value) {
  if (value == 0) return "0s";
  for (const Unit& unit : kDurationUnits) {
    if (static_cast<double>(value) < unit.scale) continue;
    const double scaled = static_cast<double>(value) / unit.scale;
    if (scaled == std::nearbyint(scaled) || unit.scale <= 1e9) return absl::StrFormat("%.15g%s", scaled, unit.name);
  }
  return absl::StrCat(value, "ns");
}

std::string Rounded(double value, int decimals) {
  const double scale = std::pow(10, decimals);
  const double scaled = value * scale;
  // printf's rounding takes a tie to the even digit; one that is exact in binary goes up here.
  const bool is_tie = std::fma(value, scale, -scaled) == 0 && scaled - std::floor(scaled) == 0.5;
  return absl::StrFormat("%.*f", decimals, is_tie ? (scaled + 0.5) / scale : value);
}

std::string ThreeDigits(double value) {
  // Judged by what it is rounded to, so that 9.996 is "10.0".
  return Rounded(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

std::string FormatLatency(double micros) {
  if (micros < 999.5) return absl::StrCat(Rounded(micros, micros < 9.95 ? 1 : 0), "us");
  if (micros < 999'500) return absl::StrCat(ThreeDigits(micros / 1e3), "ms");
  return absl::StrCat(ThreeDigits(micros / 1e6), "s");
}

namespace {

// The number, and the unit in which it takes no more than three decimals.
std::pair<double, absl::string_view> SplitRate(double per_s) {
  const double thousandths = std::nearbyint(per_s * kRateUnits[0].scale * 1e3);  // per hour
  for (const Unit& unit : kRateUnits) {
    if (std::fmod(thousandths, unit.scale) == 0) return {thousandths / unit.scale / 1e3, unit.name};
  }
  return {per_s, kRateUnits[0].name};
}

// At most three decimals, none that is not needed.
std::string Thousandths(double value) {
  std::string text = absl::StrFormat("%.3f", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

std::string WriteRate(double per_s) {
  const auto [value, unit] = SplitRate(per_s);
  return absl::StrCat(Thousandths(value), unit == kRateUnits[0].name ? "" : unit);
}

std::string FormatRate(double per_s) {
  const auto [value, unit] = SplitRate(per_s);
  std::string text = Thousandths(value);
  const std::string whole = text.substr(0, text.find('.'));
  return absl::StrCat(FormatCount(static_cast<std::uint64_t>(value)), text.substr(whole.size()), unit);
}

std::string FormatMeasuredRate(double per_s) {
  return per_s < 9.995 ? absl::StrFormat("%.3g", per_s) : absl::StrFormat("%.0f", per_s);
}

std::string FormatCount(std::uint64_t value) {
  const std::string digits = absl::StrCat(value);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out.push_back(',');
    out.push_back(digits[i]);
  }
  return out;
}

std::string FormatMebibytes(double bytes) {
  const double value = bytes / (1 << 20);
  return absl::StrFormat("%.*f", value < 999.5 ? 2 : 0, value);
}

std::string FormatBytes(double value) {
  constexpr absl::string_view kNames[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t i = 0;
  while (value >= 1024 && i + 1 < std::size(kNames)) value /= 1024, ++i;
  return absl::StrFormat("%.*f%s", i == 0 ? 0 : 1, value, kNames[i]);
}

}  // namespace tidemark
