#include "common/plan/expectation.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "common/units.h"

namespace tidemark {
namespace {

absl::Status Blame(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("'", text.substr(0, 64), "': ", why));
}

std::string FindingFigures() {
  std::vector<std::string> names;
  for (const EndRow& row : kFindingRows) names.emplace_back(row.json);
  return absl::StrJoin(names, ", ");
}

}  // namespace

std::string Expectation::InReport() const {
  switch (figure) {
    case Figure::kErrorRate:
      return "Point.error_rate_percent";
    case Figure::kAvailability:
      return "Point.availability_percent";
    case Figure::kDeadSeconds:
      return "Point.dead_seconds";
    case Figure::kRequestsPerSecond:
      return "Point.requests_per_s";
    case Figure::kMessagesPerSecond:
      return "Point.messages_per_s";
    case Figure::kFinding:
      return absl::StrCat("streams.", kFindingRows[static_cast<std::size_t>(finding)].json);
    case Figure::kMean:
    case Figure::kQuantile:
      return "";
  }
  return "";
}

absl::StatusOr<std::pair<std::uint64_t, std::uint64_t>> ParsePercentile(absl::string_view text) {
  const std::size_t point = text.find('.');
  const std::size_t decimals = point == absl::string_view::npos ? 0 : text.size() - point - 1;
  std::string digits = absl::StrReplaceAll(text, {{".", ""}});
  std::uint64_t numerator = 0;
  std::uint64_t denominator = 100;
  for (std::size_t i = 0; i < std::min<std::size_t>(decimals, 3); ++i) denominator *= 10;
  const bool is_number = !digits.empty() && digits.size() <= 5 && decimals <= 3 &&
                         std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) &&
                         absl::SimpleAtoi(digits, &numerator);
  if (!is_number || numerator == 0 || numerator >= denominator) {
    return absl::InvalidArgumentError(
        absl::StrCat("'p", text.substr(0, 32), "' is no quantile; write p50, p99, p99.9 or p99.999"));
  }
  return std::pair(numerator, denominator);
}

absl::StatusOr<Expectation> ParseExpectation(absl::string_view text) {
  Expectation out{.text = absl::StrReplaceAll(text.substr(0, 256), {{" ", ""}})};
  const absl::string_view all = out.text;
  const std::size_t sign = all.find_first_of("<>");
  if (sign == absl::string_view::npos || sign == 0)
    return Blame(text, "is no expectation; write 'p99<20ms', 'error_rate<0.1%' or 'requests_per_s>5k'");
  out.is_at_most = all[sign] == '<';
  const absl::string_view figure = all.substr(0, sign);
  absl::string_view value = all.substr(sign + 1);
  const bool has_equals = absl::ConsumePrefix(&value, "=");
  if (figure == "error_rate" || figure == "availability") {
    out.figure = figure == "error_rate" ? Expectation::Figure::kErrorRate : Expectation::Figure::kAvailability;
    const auto percent = ParsePercent(value);
    if (!percent.ok()) return Blame(text, percent.status().message());
    out.limit = *percent;
    if (out.is_at_most && !has_equals && out.limit == 0)
      return Blame(text, absl::StrCat("is never met; none is ", figure, "<=0%"));
    if (!out.is_at_most && !has_equals && out.limit >= 100)
      return Blame(text, absl::StrCat("is never met; all is ", figure, ">=100%"));
    return out;
  }
  const auto finding =
      std::find_if(kFindingRows.begin(), kFindingRows.end(), [&](const EndRow& row) { return row.json == figure; });
  const bool is_finding = finding != kFindingRows.end();
  if (figure == "requests_per_s" || figure == "messages_per_s" || figure == "dead_seconds" || is_finding) {
    out.figure = is_finding                   ? Expectation::Figure::kFinding
                 : figure == "dead_seconds"   ? Expectation::Figure::kDeadSeconds
                 : figure == "messages_per_s" ? Expectation::Figure::kMessagesPerSecond
                                              : Expectation::Figure::kRequestsPerSecond;
    if (is_finding) out.finding = static_cast<Finding>(finding - kFindingRows.begin());
    const bool is_count = is_finding || out.figure == Expectation::Figure::kDeadSeconds;
    if (!is_count) {
      const auto rate = ParseRate(value);
      if (!rate.ok()) return Blame(text, rate.status().message());
      out.limit = *rate;
      return out;
    }
    const auto count = ParseCount(value);
    if (!count.ok()) return Blame(text, count.status().message());
    out.limit = static_cast<double>(*count);
    if (!has_equals) {
      if (out.is_at_most && *count == 0) return Blame(text, absl::StrCat("is never met; none is ", figure, "<1"));
      out.limit += out.is_at_most ? -1 : 1;
    }
    return out;
  }
  if (figure == "mean") {
    out.figure = Expectation::Figure::kMean;
  } else if (figure == "max") {
    out.numerator = 1;
  } else if (figure[0] == 'p') {
    const auto quantile = ParsePercentile(figure.substr(1));
    if (!quantile.ok()) return Blame(text, quantile.status().message());
    std::tie(out.numerator, out.denominator) = *quantile;
  } else {
    return Blame(text, absl::StrCat("knows no figure '", figure,
                                    "'; there are mean, max, p50 to p99.999, error_rate, availability, dead_seconds, "
                                    "requests_per_s, and of streams messages_per_s, ",
                                    FindingFigures()));
  }
  const auto duration = ParseDuration(value);
  if (!duration.ok()) return Blame(text, duration.status().message());
  out.limit = static_cast<double>(*duration);
  if (out.is_at_most && *duration == 0) return Blame(text, "is never met: everything takes time");
  return out;
}

absl::StatusOr<Precision> ParsePrecision(absl::string_view text) {
  constexpr absl::string_view kRemedy = "write a quantile and a width, as p99:5%";
  const std::size_t colon = text.find(':');
  if (colon == absl::string_view::npos || text[0] != 'p') return Blame(text, kRemedy);
  const auto quantile = ParsePercentile(text.substr(1, colon - 1));
  if (!quantile.ok()) return Blame(text, quantile.status().message());
  const auto percent = ParsePercent(text.substr(colon + 1));
  if (!percent.ok()) return Blame(text, percent.status().message());
  if (*percent < 0.1) return Blame(text, "the width must be at least 0.1%");
  return Precision{.numerator = quantile->first, .denominator = quantile->second, .half_width = *percent / 100};
}

}  // namespace tidemark
