// What the text report says of one point, below the table.
#pragma once

#include <string>

#include "coordinator/report/text.h"
#include "protos/plan.pb.h"
#include "protos/report.pb.h"

namespace tidemark {

// Its verdict and remarks, how it was served, where the time went, its mix, its streams, what was expected of it and
// how sure its quantiles are: what must be known, and all of it where it is explained. `who` says which point it is, if
// there are several; `is_answer`: the run's answer is about it.
void AppendPointLines(const proto::Plan& plan, const proto::Point& point, const std::string& who, bool is_answer,
                      const TextOptions& options, std::string* out);

}  // namespace tidemark
