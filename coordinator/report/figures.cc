#include "coordinator/report/figures.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/plan/expectation.h"
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

// "38.7 to 39.9 ms": a unit that both have stands once.
std::string Between(std::string low, const std::string& high) {
  const auto unit_of = [](const std::string& text) {
    const std::size_t at = text.find(kNoBreak);
    return at == std::string::npos ? "" : text.substr(at);
  };
  if (!unit_of(low).empty() && unit_of(low) == unit_of(high)) low.resize(low.find(kNoBreak));
  return absl::StrCat(low, " to", kNoBreak, high);
}

// The figure of an expectation with its unit.
std::string OfExpectation(const Expectation& expectation, double value) {
  switch (expectation.figure) {
    case Expectation::Figure::kMean:
    case Expectation::Figure::kQuantile:
      return ShownLatency(value);
    case Expectation::Figure::kErrorRate:
    case Expectation::Figure::kAvailability:
      return ShownPercent(value);
    case Expectation::Figure::kRequestsPerSecond:
    case Expectation::Figure::kMessagesPerSecond:
      return absl::StrCat(ShownRate(value), "/s");
    case Expectation::Figure::kDeadSeconds:
    case Expectation::Figure::kFinding:
      return ShownCount(value);
  }
  return "";
}

bool IsUnit(absl::string_view text) {
  for (const absl::string_view unit : {"ms", "s", "us", "µs"}) {
    if (absl::ConsumePrefix(&text, unit))
      return text.empty() || std::isalnum(static_cast<unsigned char>(text.front())) == 0;
  }
  return false;
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
    if (interval.name() == name) return Between(ShownLatency(interval.low_us()), ShownLatency(interval.high_us()));
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

std::string ShownFigure(const proto::Expected& expected) {
  const auto expectation = ParseExpectation(expected.text());
  if (!expectation.ok() || !expected.has_value()) return "";
  std::string text = absl::StrCat(expected.value_is_at_least() ? absl::StrCat("≥", kNoBreak) : "",
                                  OfExpectation(*expectation, expected.value()));
  if (expected.has_low())
    absl::StrAppend(
        &text, " (95", kNoBreak,
        "%: ", Between(OfExpectation(*expectation, expected.low()), OfExpectation(*expectation, expected.high())), ")");
  return text;
}

std::string ShownMargin(const proto::Expected& expected) {
  const auto expectation = ParseExpectation(expected.text());
  if (!expectation.ok() || !expected.has_value() || expectation->limit == 0 || expected.value_is_at_least()) return "";
  const double limit = expectation->limit / (expectation->IsLatency() ? 1e3 : 1);
  const double percent = 100 * (expected.value() - limit) / limit;
  if (percent == 0) return "at the limit";
  const double times = expected.value() / limit;
  if (times >= 3) return absl::StrCat(Rounded(times, times < 9.95 ? 1 : 0), " times the limit");
  return absl::StrCat(Rounded(std::abs(percent), std::abs(percent) < 9.95 ? 1 : 0), kNoBreak, "% ",
                      percent < 0 ? "below" : "above", " the limit");
}

std::string PlainFigures(absl::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (absl::ConsumePrefix(&text, kNoBreak)) {
      if (out.empty() || !IsDigit(out.back()) || !IsUnit(text)) out.push_back(' ');
    } else if (absl::ConsumePrefix(&text, "≥")) {
      out += ">=";
      (void)absl::ConsumePrefix(&text, kNoBreak);
    } else if (absl::ConsumePrefix(&text, "≤")) {
      out += "<=";
    } else if (absl::ConsumePrefix(&text, "µ")) {
      out += "u";
    } else {
      out.push_back(text.front());
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace tidemark
