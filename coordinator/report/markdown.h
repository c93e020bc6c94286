// The result as Markdown: for the summary of a CI job, or a comment.
#pragma once

#include <string>

#include "protos/report.pb.h"

namespace tidemark {

// What was run, a table with a row for each point, what was expected, the account and the notes. Figures are worded as
// in text. Of more than 200 points or expectations the rest is counted: services drop what is larger than 1 MiB.
std::string ToMarkdown(const proto::Report& report);

}  // namespace tidemark
