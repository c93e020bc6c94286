// Reads files that a plan names, and tells nothing of others.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidemark {

// `path` without symbolic links; empty if there is no such file.
std::string RealPath(const std::string& path);

// The contents of a regular file of at most `limit` bytes. `is_allowed` is asked about the real path of what is read,
// and of the nearest folder of what is not there; it opens nothing before. Never waits for who would write.
// Errors: PermissionDenied with an empty message, whether or not there is such a file; InvalidArgument naming the path
// and what is wrong with it.
absl::StatusOr<std::string> ReadGuardedFile(const std::string& path, std::size_t limit,
                                            const std::function<bool(const std::string& real)>& is_allowed);

}  // namespace tidemark
