// The result of a run as one page that needs nothing else: it opens from disk, and without scripts too.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "protos/report.pb.h"

namespace tidemark {

// A whole HTML document. What it says is in it as text; its charts are drawn when it is opened. It asks for nothing,
// and a policy in it forbids all that is not its own.
std::string ToHtml(const proto::Report& report);

// The same document of other `content`, HTML, and of the JSON `data` that charts in it are drawn of. `title` is text.
std::string HtmlDocument(absl::string_view title, absl::string_view content, absl::string_view data);

}  // namespace tidemark
