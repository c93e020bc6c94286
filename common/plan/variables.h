// The variables of a plan, put in where their names stand.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Sets variables of *plan, of "NAME=VALUE"; one that it has gets another value.
// Errors: InvalidArgument naming what is no NAME=VALUE.
absl::Status SetVariables(const std::vector<std::string>& settings, proto::Plan* plan);

// Puts the value of each of plan->vars() into the target, paths, headers, bodies and messages that name it, and clears
// them. A value may have placeholders in it, but no variables.
// Errors: InvalidArgument naming a variable that cannot have that name, that nothing names, or that there is none of.
absl::Status ApplyVariables(proto::Plan* plan);

}  // namespace tidemark
