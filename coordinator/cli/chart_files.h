// The charts of a page as files of their own.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "coordinator/cli/files.h"

namespace tidemark {

// Before the run, so that no result is lost to a missing program: makes the folder of `output`, whose format is one,
// and looks for what draws. Errors: NotFound naming the folder, or the program and its package.
absl::Status CheckChartFiles(const Output& output);

// Writes FOLDER/CHART.svg, or .png, for each chart of `page`, which ToHtml has made. Starts node, and of PNG
// rsvg-convert, a minute each at most.
// Errors: NotFound as above, or if a file cannot be written; FailedPrecondition if the page has no chart; Internal.
absl::Status WriteChartFiles(const std::string& page, const Output& output);

}  // namespace tidemark
