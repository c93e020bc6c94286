#include "coordinator/report/csv.h"

#include <google/protobuf/descriptor.h>

#include <cmath>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "common/stats/outcome.h"
#include "coordinator/report/decimal.h"
#include "coordinator/report/phrases.h"

namespace tidemark {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A title, and where in Point the figure is.
struct Column {
  std::string title;
  std::string path;
};

const Column kColumns[] = {
    {"connections", "connections"},
    {"total_requests", "total_requests"},
    {"successful_requests", "successful_requests"},
    {"failed_requests", "failed_requests"},
    {"error_rate_percent", "error_rate_percent"},
    {"duration_s", "duration_s"},
    {"requests_per_s", "requests_per_s"},
    {"success_per_s", "success_per_s"},
    {"mean_us", "latency.mean_us"},
    {"min_us", "latency.min_us"},
    {"p50_us", "latency.p50_us"},
    {"p90_us", "latency.p90_us"},
    {"p95_us", "latency.p95_us"},
    {"p99_us", "latency.p99_us"},
    {"p99_9_us", "latency.p99_9_us"},
    {"p99_99_us", "latency.p99_99_us"},
    {"max_us", "latency.max_us"},
    {"censored", "latency.censored"},
    {"status_2xx", "accounting.outcomes.status_2xx"},
    {"status_3xx", "accounting.outcomes.status_3xx"},
    {"status_4xx", "accounting.outcomes.status_4xx"},
    {"status_429", "accounting.outcomes.status_429"},
    {"status_5xx", "accounting.outcomes.status_5xx"},
    {"status_other", "accounting.outcomes.status_other"},
    {"closed_early", "accounting.outcomes.closed_early"},
    {"reset", "accounting.outcomes.reset"},
    {"request_timeout", "accounting.outcomes.request_timeout"},
    {"malformed", "accounting.outcomes.malformed"},
    {"over_limit", "accounting.outcomes.over_limit"},
    {"cut_off", "accounting.outcomes.cut_off"},
    {"never_sent", "accounting.never_sent"},
    {"bytes_sent", "accounting.bytes_sent"},
    {"bytes_received", "accounting.bytes_received"},
    {"generator_cpu_percent", "generator_cpu_percent"},
    {"status", "status"},
    {"rate_per_s", "rate_per_s"},
    {"response_mean_us", "response.mean_us"},
    {"response_p50_us", "response.p50_us"},
    {"response_p90_us", "response.p90_us"},
    {"response_p99_us", "response.p99_us"},
    {"response_p99_9_us", "response.p99_9_us"},
    {"response_max_us", "response.max_us"},
    {"response_censored", "response.censored"},
    {"verdict", "verdict"},
    {"connections_up", "connections_up"},
    {"reply", "accounting.outcomes.reply"},
    {"messages", "accounting.web_socket.messages"},
    {"early_messages", "accounting.web_socket.early_messages"},
    {"message_bytes", "accounting.web_socket.message_bytes"},
    {"messages_per_s", "messages_per_s"},
    {"received_bytes_per_s", "received_bytes_per_s"},
    {"interval_mean_us", "interval.mean_us"},
    {"interval_p50_us", "interval.p50_us"},
    {"interval_p90_us", "interval.p90_us"},
    {"interval_p99_us", "interval.p99_us"},
    {"interval_p99_9_us", "interval.p99_9_us"},
    {"interval_max_us", "interval.max_us"},
    {"staleness_mean_us", "staleness.mean_us"},
    {"staleness_p50_us", "staleness.p50_us"},
    {"staleness_p90_us", "staleness.p90_us"},
    {"staleness_p99_us", "staleness.p99_us"},
    {"staleness_p99_9_us", "staleness.p99_9_us"},
    {"staleness_max_us", "staleness.max_us"},
    {"staleness_negative", "staleness.clock_error"},
    {"staleness_error_us", "staleness_error_us"},
    {"availability_percent", "availability_percent"},
    {"dead_seconds", "dead_seconds"},
    {"generator_seconds", "generator_seconds"},
    {"drained", "accounting.drained"},
};

// What a report has in a row: kColumns, then each finding.
std::vector<Column> Columns() {
  std::vector<Column> columns(std::begin(kColumns), std::end(kColumns));
  for (const EndRow& row : kFindingRows)
    columns.push_back({std::string(row.json), absl::StrCat("accounting.web_socket.streams.", row.json)});
  return columns;
}

// "" if the figure, or a message on the way to it, is absent.
std::string CellAt(const proto::Point& point, absl::string_view path) {
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  const Message* message = &point;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const auto* const counts = dynamic_cast<const proto::Counts*>(message)) {
      const proto::Count* const count = FindCount(*counts, names[i]);
      return count == nullptr ? "" : absl::StrCat(count->count());
    }
    const FieldDescriptor* const field = message->GetDescriptor()->FindFieldByName(names[i]);
    CHECK(field != nullptr);
    const auto* const reflection = message->GetReflection();
    if (field->has_presence() && !reflection->HasField(*message, field)) return "";
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        message = &reflection->GetMessage(*message, field);
        continue;
      case FieldDescriptor::CPPTYPE_INT64:
        return absl::StrCat(reflection->GetInt64(*message, field));
      case FieldDescriptor::CPPTYPE_UINT64:
        return absl::StrCat(reflection->GetUInt64(*message, field));
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        const double value = reflection->GetDouble(*message, field);
        return std::isfinite(value) ? Decimal(value) : "";
      }
      default:  // words of our own, which need no quotes
        return reflection->GetString(*message, field);
    }
  }
  return "";
}

}  // namespace

std::string ToCsv(const proto::Report& report) {
  const std::vector<Column> columns = Columns();
  const auto title = [](std::string* out, const Column& column) { absl::StrAppend(out, column.title); };
  std::string out = absl::StrCat(absl::StrJoin(columns, ",", title), "\r\n");
  for (const proto::Point& point : report.points()) {
    const auto cell = [&point](std::string* row, const Column& column) {
      absl::StrAppend(row, CellAt(point, column.path));
    };
    absl::StrAppend(&out, absl::StrJoin(columns, ",", cell), "\r\n");
  }
  return out;
}

}  // namespace tidemark
