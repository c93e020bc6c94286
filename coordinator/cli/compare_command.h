// `tidemark compare`: whether two sets of results differ.
#pragma once

#include <string>
#include <vector>

#include "coordinator/cli/command.h"
#include "coordinator/cli/files.h"

namespace tidemark {

// BEFORE.json... -- AFTER.json...; what stands behind the dashes is read as --after.
Prepare AddCompare(CLI::App* app);

// What is compared, and what is made of it.
struct CompareOptions {
  std::vector<std::string> before, after;  // files; neither is empty
  std::vector<Output> outputs;             // pages
  bool is_quiet = false;
  bool shows_all = false;  // two sides that may not be compared are shown beside each other, and that is no error
};

// Returns the exit code: 1 if a file cannot be read or written, or the sides may not be compared; 99 if something
// regressed, and not with `shows_all`.
int Compare(const CompareOptions& options);

// Errors: InvalidArgument if one of `outputs` cannot be made of several results, or there are too many of them.
absl::Status CheckComparison(const CompareOptions& options);

}  // namespace tidemark
