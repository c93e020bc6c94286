// What a sweep says of the most that the target holds.
#pragma once

#include "coordinator/merge/run_result.h"
#include "protos/report.pb.h"

namespace tidemark {

// Throughput over connections, from the points whose throughput the generator did not hold back. The first and the last
// second of a point are left out if enough remain: in the one all connections start at once, the other is cut short.
void FillCapacity(const RunResult& result, const proto::Report& report, proto::Capacity* out);

}  // namespace tidemark
