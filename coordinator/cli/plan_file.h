// Reads a plan file: YAML whose keys are the field names of plan.proto.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/plan/yaml_message.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Parses `text`; errors as ParseYaml. Reads no other file: `body_file` stays a name.
absl::StatusOr<proto::Plan> ParsePlan(absl::string_view text, const std::string& name);

// Reads and parses `path`, and reads each body_file, which is relative to the plan's folder, into its request's body.
// Errors: as ParsePlan, NotFound for files that cannot be read.
absl::StatusOr<proto::Plan> ReadPlanFile(const std::string& path);

}  // namespace tidemark
