// What the text report says of one point, below the table.
#pragma once

#include <string>

#include "coordinator/report/text.h"
#include "protos/plan.pb.h"
#include "protos/report.pb.h"

namespace tidemark {

// Its verdict and remarks, how it was served, where the time went, its mix, its streams, what was expected of it and
// how sure its quantiles are. `who` says which point it is, if there are several.
void AppendPointLines(const proto::Plan& plan, const proto::Point& point, const std::string& who,
                      const TextOptions& options, std::string* out);

}  // namespace tidemark
