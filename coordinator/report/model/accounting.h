// How requests, connections and messages ended.
#pragma once

#include <array>
#include <cstdint>

#include "common/plan/measured.h"
#include "common/stats/outcome.h"
#include "coordinator/report/model/sums.h"
#include "protos/report.pb.h"

namespace tidemark {

// In the accounts of the point and of what came before it. What the plan does not measure is filled in as zero, as
// elsewhere here; DropUnmeasured takes it out.
void FillAccounts(const Sums& sums, proto::Point* out);
// By the names of their rows.
void FillOutcomes(const std::array<std::uint64_t, kOutcomeCount>& outcomes, proto::Counts* out);
// Each address, where some of them had no success, or none any more.
void FillAddresses(const Sums& sums, bool is_listening, proto::Point* out);

}  // namespace tidemark
