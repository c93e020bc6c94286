// Messages as YAML whose keys are the names of their fields.
#pragma once

#include <google/protobuf/message.h>

#include <istream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidemark {

inline constexpr std::size_t kMaxYamlBytes = 4 << 20;

// Parses `text` into *message, which `root` names in errors; `file` and the line stand in front of each. Values of the
// type Duration carry their unit, counts may carry one, as may fields whose name ends in "_bytes"; doubles are rates.
// Errors: InvalidArgument "FILE:LINE: FIELD: what, value; remedy" for bad YAML, an unknown field (with the nearest
// known one), a value of the wrong kind or unit, or one that is given twice.
absl::Status ParseYaml(absl::string_view text, const std::string& file, const std::string& root,
                       google::protobuf::Message* message);

// The message as YAML that ParseYaml reads back.
std::string PrintYaml(const google::protobuf::Message& message);

// Reads `in` to its end, `limit` bytes at most; `name` stands in errors.  Errors: NotFound, InvalidArgument.
absl::StatusOr<std::string> ReadAll(std::istream& in, const std::string& name, std::size_t limit);

// Reads a whole file of at most `limit` bytes. Errors: NotFound, InvalidArgument.
absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t limit);

}  // namespace tidemark
