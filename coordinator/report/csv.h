// The report as CSV (RFC 4180): a header and one row per point.
#pragma once

#include <string>

#include "protos/report.pb.h"

namespace tidemark {

std::string ToCsv(const proto::Report& report);

}  // namespace tidemark
