#include "coordinator/report/hdr.h"

#include <charconv>
#include <cmath>
#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/stats/histogram_codec.h"
#include "common/status_macros.h"
#include "coordinator/report/decimal.h"

namespace tidemark {
namespace {

constexpr double kNanosPerMilli = 1e6;
constexpr int kTicksPerHalf = 5;

// Of a .hlog's lines, behind the tag.
struct HlogColumn {
  const char* name;
  const char* meaning;
};
constexpr HlogColumn kHlogColumns[] = {
    {"StartTimestamp", "s from the run's start to that of the second"},
    {"Interval_Length", "s: 1"},
    {"Interval_Max", "ms, the largest value"},
    {"Interval_Compressed_Histogram", "values in ns, HdrHistogram V2, base64"},
};

double MedianOf(std::uint32_t slot) {
  const Nanos lowest = HistogramLayout::LowestOf(slot);
  const Nanos width = HistogramLayout::HighestOf(slot) - lowest + 1;
  return static_cast<double>(lowest + (width >> 1));
}

// `value` >= 0 with `decimals` digits behind the point, as Java formats it: the shortest decimal that reads back the
// same, rounded half up. printf rounds the exact binary value instead, and ties to even.
std::string FormatHalfUp(double value, int width, std::size_t decimals) {
  char shortest[400];
  const auto end = std::to_chars(shortest, shortest + sizeof shortest, value, std::chars_format::fixed).ptr;
  std::string digits(shortest, end);
  if (digits.find('.') == std::string::npos) digits += '.';
  const std::size_t length = digits.find('.') + 1 + decimals;
  const bool is_up = digits.size() > length && digits[length] >= '5';
  digits.resize(length, '0');
  for (std::size_t i = digits.size(); is_up && i-- > 0;) {
    if (digits[i] == '.') continue;
    digits[i] = digits[i] == '9' ? '0' : static_cast<char>(digits[i] + 1);
    if (digits[i] != '0') break;
    if (i == 0) digits.insert(0, "1");
  }
  return absl::StrFormat("%*s", width, digits);
}

double HighestMillis(std::uint32_t slot) {
  return static_cast<double>(HistogramLayout::HighestOf(slot)) / kNanosPerMilli;
}

}  // namespace

std::vector<std::string> PointTags(const std::vector<PointResult>& points) {
  std::map<std::string, int> seen;
  std::vector<std::string> tags;
  for (const PointResult& point : points) {
    const std::string tag =
        point.rate != 0 ? absl::StrCat("r", Decimal(point.rate)) : absl::StrCat("c", point.connections);
    const int times = ++seen[tag];
    tags.push_back(times == 1 ? tag : absl::StrCat(tag, ".", times));
  }
  return tags;
}

std::vector<ColumnRow> HlogColumns() {
  std::vector<ColumnRow> rows = {
      {"Tag=",
       "the point: c and its connections, or r and its rate per second, as Tag=c100 or Tag=r0.5; .2, .3, ... "
       "follow where one comes again"}};
  for (const HlogColumn& column : kHlogColumns) rows.push_back({column.name, column.meaning});
  return rows;
}

std::string ToHlog(const RunResult& result) {
  const Metric headline = result.points.empty() ? Metric::kService : result.points[0].merger->headline();
  std::string out = absl::StrCat("#[tidemark ", TIDEMARK_VERSION, ", run ", result.run, ": ", Label(headline),
                                 ", ns]\n#[Histogram log format version 1.3]\n");
  absl::StrAppendFormat(&out, "#[StartTime: %.3f (seconds since epoch), %s]\n", result.started_wall_s,
                        result.started_at);
  absl::StrAppend(&out,
                  absl::StrJoin(kHlogColumns, ",",
                                [](std::string* titles, const HlogColumn& column) {
                                  absl::StrAppend(titles, "\"", column.name, "\"");
                                }),
                  "\n");
  const std::vector<std::string> tags = PointTags(result.points);
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const double start = static_cast<double>(result.points[i].start_offset) / 1e9;
    for (const WindowSum& window : result.points[i].merger->windows()) {
      if (window.latency_v2.empty()) continue;
      absl::StrAppendFormat(&out, "Tag=%s,%.3f,%.3f,%.3f,%s\n", tags[i], start + window.second, 1.0,
                            window.max_us / 1e3, absl::Base64Escape(window.latency_v2));
    }
  }
  return out;
}

// Source: the row rule of HdrHistogram's PercentileIterator: a row when the next percentile level is reached, levels
// 1/(ticks * 2^k) apart, k growing each time the distance to 100 % halves; and one last row for 100 %.
std::string ToHgrm(const Histogram& histogram) {
  std::string out = absl::StrFormat("%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
  const auto total = static_cast<double>(histogram.count());
  double level = 0;
  std::uint64_t seen = 0;
  double sum = 0;
  std::uint32_t last_slot = 0;
  histogram.ForEach([&](std::uint32_t slot, std::uint64_t count) {
    seen += count;
    sum += MedianOf(slot) * static_cast<double>(count);
    last_slot = slot;
    const double percentile = 100.0 * static_cast<double>(seen) / total;
    while (percentile >= level) {
      absl::StrAppendFormat(&out, "%s %s %10d %s\n", FormatHalfUp(HighestMillis(slot), 12, 3),
                            FormatHalfUp(level / 100.0, 2, 12), seen, FormatHalfUp(1 / (1.0 - level / 100.0), 14, 2));
      const auto half_distances = static_cast<std::int64_t>(std::log(100.0 / (100.0 - level)) / std::log(2.0)) + 1;
      level += 100.0 / (kTicksPerHalf * std::pow(2, static_cast<double>(half_distances)));
      if (seen == histogram.count()) break;
    }
  });
  if (histogram.count() > 0) {
    double deviation = 0;
    absl::StrAppendFormat(&out, "%s %s %10d\n", FormatHalfUp(HighestMillis(last_slot), 12, 3), FormatHalfUp(1.0, 2, 12),
                          seen);
    const double mean = sum / total;
    histogram.ForEach([&](std::uint32_t slot, std::uint64_t count) {
      deviation += (MedianOf(slot) - mean) * (MedianOf(slot) - mean) * static_cast<double>(count);
    });
    deviation = std::sqrt(deviation / total);
    absl::StrAppendFormat(&out, "#[Mean    = %s, StdDeviation   = %s]\n", FormatHalfUp(mean / kNanosPerMilli, 12, 3),
                          FormatHalfUp(deviation / kNanosPerMilli, 12, 3));
    absl::StrAppendFormat(&out, "#[Max     = %s, Total count    = %12d]\n",
                          FormatHalfUp(HighestMillis(last_slot), 12, 3), histogram.count());
  } else {
    absl::StrAppendFormat(&out, "#[Mean    = %12s, StdDeviation   = %12s]\n", "-", "-");
    absl::StrAppendFormat(&out, "#[Max     = %12s, Total count    = %12d]\n", "-", 0);
  }
  absl::StrAppendFormat(&out, "#[Buckets = %12d, SubBuckets     = %12d]\n", 32, 2 * HistogramLayout::kHalfCount);
  return out;
}

absl::StatusOr<std::vector<HlogInterval>> ParseHlog(absl::string_view text) {
  std::vector<HlogInterval> intervals;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty() || line[0] == '#' || absl::StartsWith(line, "\"StartTimestamp\"")) continue;
    const auto error = [number](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat("hlog line ", number, ": ", what));
    };
    HlogInterval interval;
    std::vector<absl::string_view> columns = absl::StrSplit(line, ',');
    if (absl::StartsWith(columns[0], "Tag=")) {
      interval.tag = std::string(columns[0].substr(4));
      columns.erase(columns.begin());
    }
    if (columns.size() != 4) return error("not start, length, maximum, histogram");
    std::string bytes;
    if (!absl::SimpleAtod(columns[0], &interval.start_s) || !absl::SimpleAtod(columns[1], &interval.length_s))
      return error("bad time");
    if (!absl::Base64Unescape(columns[3], &bytes)) return error("bad base64");
    auto histogram = DecodeHdr(bytes);
    if (!histogram.ok()) return error(histogram.status().message());
    interval.histogram = *std::move(histogram);
    intervals.push_back(std::move(interval));
  }
  return intervals;
}

}  // namespace tidemark
