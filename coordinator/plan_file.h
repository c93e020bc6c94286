// Reads a plan file: YAML whose keys are the field names of plan.proto.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "protos/plan.pb.h"

namespace tidemark {

inline constexpr std::size_t kMaxPlanBytes = 4 << 20;

// Parses `text`; `name` and the line stand in front of each error. Reads no other file: `body_file` stays a name.
// Errors: InvalidArgument "NAME:LINE: FIELD: what, value; remedy" for bad YAML, an unknown field (with the nearest
// known one), a value of the wrong kind or unit, or one that is given twice.
absl::StatusOr<proto::Plan> ParsePlan(absl::string_view text, const std::string& name);

// Reads and parses `path`, and reads each body_file, which is relative to the plan's folder, into its request's body.
// Errors: as ParsePlan, NotFound for files that cannot be read.
absl::StatusOr<proto::Plan> ReadPlanFile(const std::string& path);

// Reads a whole file of at most `limit` bytes. Errors: NotFound, InvalidArgument.
absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t limit);

// The plan as YAML that ParsePlan reads back.
std::string PrintPlan(const proto::Plan& plan);

}  // namespace tidemark
