// Tidy tables, for notebooks: a row for each observation, numbers without units.
#pragma once

#include <string>
#include <vector>

#include "coordinator/merge/run_result.h"
#include "coordinator/report/column_row.h"
#include "protos/report.pb.h"

namespace tidemark {

// CSV with a title line; lines end with LF, units are in the names, what was not measured is empty, a lower bound has a
// 1 in the column of its name and `_at_least`.
// A row for each point. Latencies are of the headline: response times of an open loop, service times of a closed one,
// while listening staleness, or without event times the interval between messages.
std::string ToPointsCsv(const proto::Report& report);
std::vector<ColumnRow> PointsColumns();

// A row for each whole second of each point, `agent` being "all"; and one for each row of an agent's columns, which may
// be of several `seconds`, see AgentColumns in report.proto. Exact, other than the report's columns.
std::string ToSeriesCsv(const RunResult& result, const proto::Report& report);
std::vector<ColumnRow> SeriesColumns();

// A row for each request of the sample that trace_sample asks for, as they came; nothing but titles without it.
// Instants are seconds since the point's start, on the clock of the agent; `sent_at` is UTC.
std::string ToTraceCsv(const RunResult& result, const proto::Report& report);
std::vector<ColumnRow> TraceColumns();

}  // namespace tidemark
