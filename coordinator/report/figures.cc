#include "coordinator/report/figures.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/units.h"
#include "coordinator/report/phrases.h"

namespace tidemark {
namespace {

bool IsDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// "39.6ms" with a space before its unit, and the micro sign.
std::string WithSpace(absl::string_view text) {
  const auto unit = std::find_if(text.begin(), text.end(), [](char c) { return !IsDigit(c) && c != '.'; });
  if (unit == text.begin() || unit == text.end()) return std::string(text);
  const auto at = static_cast<std::size_t>(unit - text.begin());
  const absl::string_view name = text.substr(at);
  return absl::StrCat(text.substr(0, at), kNoBreak, name == "us" ? "µs" : name);
}

}  // namespace

std::string ShownLatency(double micros) { return WithSpace(FormatLatency(micros)); }

std::string ShownQuantile(const proto::Latency& latency, absl::string_view name) {
  const std::string text = Quantile(latency, name);
  if (!absl::StartsWith(text, ">=")) return WithSpace(text);
  return absl::StrCat("≥", kNoBreak, WithSpace(absl::string_view(text).substr(2)));
}

std::string ShownInterval(const proto::Latency& latency, absl::string_view name) {
  for (const proto::Interval& interval : latency.intervals()) {
    if (interval.name() != name) continue;
    std::string low = ShownLatency(interval.low_us());
    const std::string high = ShownLatency(interval.high_us());
    const auto unit_of = [](const std::string& text) { return text.substr(text.find(kNoBreak)); };
    if (unit_of(low) == unit_of(high)) low.resize(low.find(kNoBreak));
    return absl::StrCat(low, " to", kNoBreak, high);
  }
  return "";
}

std::string ShownRate(double per_s) {
  const std::string text = FormatMeasuredRate(per_s);
  const bool is_whole = std::all_of(text.begin(), text.end(), IsDigit);
  return is_whole ? FormatCount(static_cast<std::uint64_t>(std::llround(per_s))) : text;
}

std::string ShownCount(double count) { return FormatCount(static_cast<std::uint64_t>(std::llround(count))); }

std::string ShownPercent(double percent) { return absl::StrCat(Percent(percent), kNoBreak, "%"); }

std::string ShownExpectation(absl::string_view text) {
  const std::size_t at = text.find_first_of("<>");
  if (at == absl::string_view::npos) return std::string(text);
  const bool has_equals = at + 1 < text.size() && text[at + 1] == '=';
  const absl::string_view limit = text.substr(at + (has_equals ? 2 : 1));
  const absl::string_view sign = text[at] == '<' ? (has_equals ? "≤" : "<") : (has_equals ? "≥" : ">");
  return absl::StrCat(text.substr(0, at), kNoBreak, sign, kNoBreak, WithSpace(limit));
}

}  // namespace tidemark
