// The report as CSV (RFC 4180): a header and one row per point.
#pragma once

#include <string>
#include <vector>

#include "coordinator/report/column_row.h"
#include "protos/report.pb.h"

namespace tidemark {

// A cell is empty if its figure is absent. All columns are numbers but for `status` and `verdict`. New columns come at
// the end.
std::string ToCsv(const proto::Report& report);

// Its columns, in their order.
std::vector<ColumnRow> CsvColumns();

}  // namespace tidemark
