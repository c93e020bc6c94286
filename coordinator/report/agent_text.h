// Who measured, in the text report: the generator as a whole, and its agents.
#pragma once

#include <string>

#include "protos/report.pb.h"

namespace tidemark {

// Its own part in the total, and a line for each agent, or where they are many for some and of all.
void AppendGenerator(const proto::Report& report, std::string* out);

}  // namespace tidemark
