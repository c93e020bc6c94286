#include "coordinator/report/model/over_time.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "common/check.h"
#include "common/stats/histogram_codec.h"
#include "coordinator/report/model/four_digits.h"
#include "coordinator/report/model/sums.h"

namespace tidemark {
namespace {

constexpr std::uint32_t kMaxRows = 3'600;
constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

// The windows of one row, added up.
struct Row {
  std::uint32_t windows = 0;
  std::uint64_t requests = 0;
  std::uint64_t success = 0;
  std::uint64_t messages = 0;
  std::uint64_t cpu_ns = 0;
  Failures failures;
  double p50_us = kAbsent;
  double p90_us = kAbsent;
  double p99_us = kAbsent;
  double p99_9_us = kAbsent;
  double max_us = 0;
  double lateness_p99_us = kAbsent;
  double availability = 0;  // their sum ...
  std::uint32_t asked = 0;  // ... over so many

  void Add(const WindowSum& window);
  // Of several windows, by their histograms added up.
  void SetQuantiles(const Histogram& latency);
};

void Row::Add(const WindowSum& window) {
  ++windows;
  requests += window.requests;
  success += window.success;
  messages += window.messages;
  cpu_ns += window.cpu_ns;
  failures.Add(window.failures);
  max_us = std::max(max_us, window.max_us);
  if (window.lateness_p99_us >= 0) lateness_p99_us = std::fmax(lateness_p99_us, window.lateness_p99_us);
  if (window.availability >= 0) {
    availability += window.availability;
    ++asked;
  }
  if (window.latency_v2.empty()) return;
  p50_us = window.p50_us;
  p90_us = window.p90_us;
  p99_us = window.p99_us;
  p99_9_us = window.p99_9_us;
}

void Row::SetQuantiles(const Histogram& latency) {
  if (latency.count() == 0) return;
  const auto quantile = [this, &latency](std::uint64_t numerator, std::uint64_t denominator) {
    return std::min(max_us, Micros(latency.Quantile(numerator, denominator)));
  };
  p50_us = quantile(50, 100);
  p90_us = quantile(90, 100);
  p99_us = quantile(99, 100);
  p99_9_us = quantile(999, 1'000);
}

// Four to an octave, from 1 us on; what is less is in bucket -1, so that a row is no longer than 130 of them.
std::int32_t BucketOf(std::uint32_t slot) {
  const Nanos highest = HistogramLayout::HighestOf(slot);
  return highest < kMicrosecond ? -1 : static_cast<std::int32_t>(std::floor(4 * std::log2(Micros(highest))));
}

void FillHeatRow(const Histogram& latency, proto::HeatRow* out) {
  latency.ForEach([out](std::uint32_t slot, std::uint64_t count) {
    const std::int32_t bucket = BucketOf(slot);
    if (out->counts().empty()) out->set_first(bucket);
    while (out->first() + out->counts_size() <= bucket) out->add_counts(0);
    out->set_counts(bucket - out->first(), out->counts(bucket - out->first()) + count);
  });
}

// A figure of each of the first `count` rows; of those without a window it is not known.
template <typename Rows, typename Figure>
proto::Numbers ColumnOf(const Rows& rows, std::size_t count, Figure figure) {
  proto::Numbers numbers;
  for (std::size_t i = 0; i < count; ++i)
    numbers.add_list(rows[i].windows == 0 ? kAbsent : FourDigits(static_cast<double>(figure(rows[i]))));
  return numbers;
}

bool IsKnown(const proto::Numbers& numbers) {
  return std::any_of(numbers.list().begin(), numbers.list().end(), [](double number) { return std::isfinite(number); });
}

// Takes out columns that no row has a figure for.
void LeaveOutTheUnknown(google::protobuf::Message* columns) {
  const auto* const reflection = columns->GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(*columns, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const auto& numbers = dynamic_cast<const proto::Numbers&>(reflection->GetMessage(*columns, field));
    if (!IsKnown(numbers)) reflection->ClearField(columns, field);
  }
}

std::uint32_t WholeSeconds(const proto::Plan& plan, const PointResult& point) {
  return static_cast<std::uint32_t>(DurationOf(plan, point) / kSecond);
}

}  // namespace

void FillSeries(const proto::Plan& plan, const PointResult& point, const std::vector<Second>& seconds,
                proto::Point* out) {
  for (const WindowSum& window : point.merger->windows()) {
    if (static_cast<Nanos>(window.second) * kSecond >= DurationOf(plan, point)) break;
    proto::Window* row = out->add_series();
    row->set_second(window.second);
    row->set_requests(window.requests);
    row->set_success(window.success);
    row->set_errors(window.errors);
    row->set_messages(window.messages);
    if (!window.latency_v2.empty()) {  // else nothing succeeded in it
      row->set_mean_us(window.mean_us);
      row->set_p50_us(window.p50_us);
      row->set_p99_us(window.p99_us);
      row->set_max_us(window.max_us);
    }
    if (window.availability >= 0 && !plan.sweep().new_connection())
      row->set_availability_percent(100 * window.availability);
    row->set_is_dead(window.second < seconds.size() && seconds[window.second] == Second::kDead);
  }
}

void FillOverTime(const proto::Plan& plan, const PointResult& point, proto::Point* out) {
  const std::uint32_t seconds = WholeSeconds(plan, point);
  if (seconds == 0 || point.merger->windows().empty()) return;
  const std::uint32_t length_s = (seconds + kMaxRows - 1) / kMaxRows;
  const std::size_t count = seconds / length_s;
  std::vector<Row> rows(count);
  proto::HeatMap* const heat = out->mutable_heat();
  heat->set_row_length_s(length_s);
  for (std::size_t i = 0; i < count; ++i) heat->add_rows();
  Histogram latency;
  std::size_t open = 0;  // the row that `latency` is of
  const auto close = [&] {
    FillHeatRow(latency, heat->mutable_rows(static_cast<int>(open)));
    if (rows[open].windows > 1) rows[open].SetQuantiles(latency);
    latency.Clear();
  };
  for (const WindowSum& window : point.merger->windows()) {
    const std::size_t index = window.second / length_s;
    if (index >= count) break;
    if (index != open) close();
    open = index;
    rows[index].Add(window);
    if (window.latency_v2.empty()) continue;
    const absl::StatusOr<Histogram> decoded = DecodeHdr(window.latency_v2);
    CHECK(decoded.ok());
    latency.Add(*decoded);
  }
  close();

  proto::Columns* const columns = out->mutable_columns();
  columns->set_row_length_s(length_s);
  const auto column = [&](auto figure) { return ColumnOf(rows, count, figure); };
  const auto failures = [&](std::uint64_t Failures::*of) {
    return column([of](const Row& row) { return row.failures.*of; });
  };
  *columns->mutable_requests() = column([](const Row& row) { return row.requests; });
  *columns->mutable_success() = column([](const Row& row) { return row.success; });
  *columns->mutable_failed_4xx() = failures(&Failures::status_4xx);
  *columns->mutable_failed_429() = failures(&Failures::status_429);
  *columns->mutable_failed_5xx() = failures(&Failures::status_5xx);
  *columns->mutable_failed_other_status() = failures(&Failures::other_status);
  *columns->mutable_timed_out() = failures(&Failures::timed_out);
  *columns->mutable_no_answer() = failures(&Failures::no_answer);
  *columns->mutable_never_sent() = failures(&Failures::never_sent);
  *columns->mutable_messages() = column([](const Row& row) { return row.messages; });
  *columns->mutable_p50_us() = column([](const Row& row) { return row.p50_us; });
  *columns->mutable_p90_us() = column([](const Row& row) { return row.p90_us; });
  *columns->mutable_p99_us() = column([](const Row& row) { return row.p99_us; });
  *columns->mutable_p99_9_us() = column([](const Row& row) { return row.p99_9_us; });
  *columns->mutable_lateness_p99_us() = column([](const Row& row) { return row.lateness_p99_us; });
  *columns->mutable_generator_cpu_percent() =
      column([length_s](const Row& row) { return static_cast<double>(row.cpu_ns) / 1e7 / length_s; });
  const bool has_availability = !plan.sweep().new_connection();
  *columns->mutable_availability_percent() = column([has_availability](const Row& row) {
    return row.asked == 0 || !has_availability ? kAbsent : 100 * row.availability / row.asked;
  });
  LeaveOutTheUnknown(columns);
}

void FillAgentColumns(const proto::Plan& plan, const PointResult& point, std::size_t agent, proto::AgentRow* out) {
  const Timeline& timeline = point.merger->agents()[agent].timeline;
  const std::uint32_t length_s = timeline.row_length_s();
  const std::size_t count = std::min<std::size_t>(timeline.rows().size(), WholeSeconds(plan, point) / length_s);
  if (count == 0) return;
  proto::AgentColumns* const columns = out->mutable_columns();
  columns->set_row_length_s(length_s);
  const auto column = [&](auto figure) { return ColumnOf(timeline.rows(), count, figure); };
  *columns->mutable_requests() = column([](const Timeline::Row& row) { return row.requests; });
  *columns->mutable_success() = column([](const Timeline::Row& row) { return row.success; });
  *columns->mutable_messages() = column([](const Timeline::Row& row) { return row.messages; });
  *columns->mutable_p99_us() = column([](const Timeline::Row& row) { return row.p99 < 0 ? kAbsent : Micros(row.p99); });
  *columns->mutable_cpu_percent() =
      column([length_s](const Timeline::Row& row) { return static_cast<double>(row.cpu_ns) / 1e7 / length_s; });
  LeaveOutTheUnknown(columns);
}

}  // namespace tidemark
