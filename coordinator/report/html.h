// The result of a run as one page that needs nothing else: it opens from disk, and without scripts too.
#pragma once

#include <string>

#include "protos/report.pb.h"

namespace tidemark {

// A whole HTML document. What it says is in it as text; its charts are drawn when it is opened. It asks for nothing,
// and a policy in it forbids all that is not its own.
std::string ToHtml(const proto::Report& report);

}  // namespace tidemark
