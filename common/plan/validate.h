// Whether a plan can be run.
#pragma once

#include "absl/status/status.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Checks a plan with defaults applied. Errors: InvalidArgument "FIELD: what, value; remedy".
absl::Status ValidatePlan(const proto::Plan& plan);

}  // namespace tidemark
