// What became of everything, in the text report: requests, answers, connections, bytes.
#pragma once

#include <string>

#include "protos/plan.pb.h"
#include "protos/report.pb.h"

namespace tidemark {

// The lines of the total's accounts: of requests, where the plan makes any; of statuses, of addresses that served
// nobody, of connections, alerts, WebSockets, bytes, and what else was counted. Unless `is_explained`, of warm-up,
// connections and bytes only what is no success, or was not to be expected.
void AppendAccounts(const proto::Plan& plan, const proto::Point& total, bool is_explained, std::string* out);

}  // namespace tidemark
