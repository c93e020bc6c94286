// Results on disk.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/cli/cli.h"

namespace tidemark {

// Writes `content` to `path`, "-" being stdout. Errors: NotFound naming the path.
absl::Status WriteFile(const std::string& path, const std::string& content);

// Before the run, so that no result is lost to a typing error: can every output be written?
// Errors: NotFound naming the path.
absl::Status CheckOutputs(const std::vector<Output>& outputs);

}  // namespace tidemark
