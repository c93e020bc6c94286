// Shares and speeds of what was counted.
#pragma once

#include <cstdint>
#include <optional>

#include "common/plan/measured.h"
#include "coordinator/report/model/sums.h"
#include "protos/report.pb.h"

namespace tidemark {

// Requests, those that did not succeed, and what share of all they are; connections' availability; what is of the
// seconds. Nothing of nothing.
void FillRates(const Measured& measured, const Sums& sums, proto::Point* out);

}  // namespace tidemark
