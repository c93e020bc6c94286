// Who measured, in the text report: the generator as a whole, and its agents.
#pragma once

#include <string>

#include "protos/report.pb.h"

namespace tidemark {

// Its own part in the total, and a line for each agent, or where they are many for some and of all. One that is alone
// is worth a line where it is explained, or something must be known of it.
void AppendGenerator(const proto::Report& report, bool is_explained, std::string* out);

}  // namespace tidemark
