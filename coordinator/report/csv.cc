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

struct Column {
  std::string title;
  std::string path;  // where in Point the figure is
  std::string meaning;
};

const Column kColumns[] = {
    {"connections", "connections", "that were asked for, over all agents"},
    {"total_requests", "total_requests", "requests planned"},
    {"successful_requests", "successful_requests", "complete, and of a status that counts as success"},
    {"failed_requests", "failed_requests", "planned, and without success; those that were never sent are among them"},
    {"error_rate_percent", "error_rate_percent", "of requests; of streams: of connection time, 100 - availability"},
    {"duration_s", "duration_s", "how long the point took"},
    {"requests_per_s", "requests_per_s", "complete responses within the duration"},
    {"success_per_s", "success_per_s", "successes within the duration"},
    {"mean_us", "latency.mean_us", "mean service time of successes: from the first byte sent"},
    {"min_us", "latency.min_us", "the least of them"},
    {"p50_us", "latency.p50_us", "half of them are at most that"},
    {"p90_us", "latency.p90_us", "90 % of them are"},
    {"p95_us", "latency.p95_us", "95 % of them are"},
    {"p99_us", "latency.p99_us", "99 % of them are"},
    {"p99_9_us", "latency.p99_9_us", "99.9 % of them are"},
    {"p99_99_us", "latency.p99_99_us", "99.99 % of them are"},
    {"max_us", "latency.max_us", "the largest of them"},
    {"censored", "latency.censored",
     "requests that timed out or were cut off: in the quantiles with the time at which they were given up"},
    {"status_2xx", "accounting.outcomes.status_2xx", "complete responses of status 200 to 299"},
    {"status_3xx", "accounting.outcomes.status_3xx", "complete responses of status 300 to 399"},
    {"status_4xx", "accounting.outcomes.status_4xx", "complete responses of status 400 to 499, without 429"},
    {"status_429", "accounting.outcomes.status_429", "complete responses of status 429"},
    {"status_5xx", "accounting.outcomes.status_5xx", "complete responses of status 500 to 599"},
    {"status_other", "accounting.outcomes.status_other", "complete responses of any other status"},
    {"closed_early", "accounting.outcomes.closed_early",
     "requests whose connection was closed in order before the response was complete"},
    {"reset", "accounting.outcomes.reset", "requests whose connection broke before the response was complete"},
    {"request_timeout", "accounting.outcomes.request_timeout", "requests that timed out"},
    {"malformed", "accounting.outcomes.malformed", "requests that were answered by what is no response"},
    {"over_limit", "accounting.outcomes.over_limit", "requests whose answer was larger than the limit"},
    {"cut_off", "accounting.outcomes.cut_off", "requests in flight when the run was stopped"},
    {"never_sent", "accounting.never_sent", "requests planned and given up"},
    {"bytes_sent", "accounting.bytes_sent", "of requests, on the wire"},
    {"bytes_received", "accounting.bytes_received", "of responses, on the wire"},
    {"generator_cpu_percent", "generator_cpu_percent", "of one core, all workers together"},
    {"status", "status", "COMPLETE, PARTIAL or INTERRUPTED"},
    {"rate_per_s", "rate_per_s", "of an open loop with rates: what was asked for"},
    {"response_mean_us", "response.mean_us", "open loop: mean response time of successes, from the due time"},
    {"response_p50_us", "response.p50_us", "half of them are at most that"},
    {"response_p90_us", "response.p90_us", "90 % of them are"},
    {"response_p99_us", "response.p99_us", "99 % of them are"},
    {"response_p99_9_us", "response.p99_9_us", "99.9 % of them are"},
    {"response_max_us", "response.max_us", "the largest of them"},
    {"response_censored", "response.censored",
     "requests without a response time, in the quantiles with the time at which they were given up"},
    {"verdict", "verdict", "PARTIAL, TARGET_FAILING, GENERATOR_LIMITED, TARGET_LIMITED, NOT_STEADY or VALID"},
    {"connections_up", "connections_up", "established when the point started"},
    {"reply", "accounting.outcomes.reply", "WebSocket: requests whose reply came"},
    {"messages", "accounting.web_socket.messages", "WebSocket: messages received"},
    {"early_messages", "accounting.web_socket.early_messages", "WebSocket: those that came before the start"},
    {"message_bytes", "accounting.web_socket.message_bytes", "WebSocket: of messages received"},
    {"messages_per_s", "messages_per_s", "WebSocket: messages within the duration"},
    {"received_bytes_per_s", "received_bytes_per_s", "received within the duration"},
    {"interval_mean_us", "interval.mean_us", "listening: mean time between two messages of a stream"},
    {"interval_p50_us", "interval.p50_us", "half of them are at most that"},
    {"interval_p90_us", "interval.p90_us", "90 % of them are"},
    {"interval_p99_us", "interval.p99_us", "99 % of them are"},
    {"interval_p99_9_us", "interval.p99_9_us", "99.9 % of them are"},
    {"interval_max_us", "interval.max_us", "the largest of them"},
    {"staleness_mean_us", "staleness.mean_us", "listening: mean time from an event to its receipt"},
    {"staleness_p50_us", "staleness.p50_us", "half of them are at most that"},
    {"staleness_p90_us", "staleness.p90_us", "90 % of them are"},
    {"staleness_p99_us", "staleness.p99_us", "99 % of them are"},
    {"staleness_p99_9_us", "staleness.p99_9_us", "99.9 % of them are"},
    {"staleness_max_us", "staleness.max_us", "the largest of them"},
    {"staleness_negative", "staleness.clock_error",
     "events that came before their own time, by the clocks: in none of these figures"},
    {"staleness_error_us", "staleness_error_us", "event times are read right within that, by the target's own clock"},
    {"availability_percent", "availability_percent",
     "connection time up / asked for; not with a new connection for each request"},
    {"dead_seconds", "dead_seconds", "seconds in which the target served nobody"},
    {"generator_seconds", "generator_seconds", "seconds of which nothing can be said: our own workers stood still"},
    {"drained", "accounting.drained", "complete responses after the end of the duration: in all but the rates"},
};

// What a report has in a row: kColumns, then each finding.
std::vector<Column> Columns() {
  std::vector<Column> columns(std::begin(kColumns), std::end(kColumns));
  for (const EndRow& row : kFindingRows)
    columns.push_back({std::string(row.json), absl::StrCat("accounting.web_socket.streams.", row.json),
                       absl::StrCat("listening: found, ", row.label)});
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

std::vector<ColumnRow> CsvColumns() {
  std::vector<ColumnRow> rows;
  for (const Column& column : Columns()) rows.push_back({column.title, column.meaning});
  return rows;
}

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
