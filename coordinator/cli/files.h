// Results on disk.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/report/formats.h"

namespace CLI {
class App;
}

namespace tidemark {

// One `-o FORMAT=PATH`.
struct Output {
  const FormatRow* format = nullptr;  // not null once parsed
  std::string path;                   // "-" for stdout
};

// Adds -o to `app`, for all formats or for JSON alone.
void AddOutputFlag(CLI::App* app, bool is_json_alone, std::vector<std::string>* texts);
// What was written with it.  Errors: InvalidArgument naming the text.
absl::StatusOr<Output> ParseOutput(const std::string& text);
absl::StatusOr<std::vector<Output>> ParseOutputs(const std::vector<std::string>& texts);

// Writes `content` to `path`, "-" being stdout. Errors: NotFound naming the path.
absl::Status WriteFile(const std::string& path, const std::string& content);

// Before the run, so that no result is lost to a typing error: can every output be written?
// Errors: NotFound naming the path.
absl::Status CheckOutputs(const std::vector<Output>& outputs);

}  // namespace tidemark
