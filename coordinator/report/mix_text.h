// The requests of a mix in the text report.
#pragma once

#include <string>

#include "protos/report.pb.h"

namespace tidemark {

// A table with a row for each, or for those that went worst where they are many; nothing without a mix. `is_open`:
// their latencies count from the due time. `who` says whose they are, if there is more than one point; `width`: as of
// TextOptions.
void AppendMix(const proto::Point& point, const std::string& who, bool is_open, int width, std::string* out);

}  // namespace tidemark
