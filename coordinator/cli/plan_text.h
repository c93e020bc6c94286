// A plan as it is printed to be run again.
#pragma once

#include <string>

#include "protos/plan.pb.h"

namespace tidemark {

// `plan` as a plan file. What may be a secret is masked, but for references as {env:NAME}. If the file would not be
// this plan again, a comment on its first line says why.  REQUIRES: the plan is resolved and valid.
std::string PlanAsFile(const proto::Plan& plan);

}  // namespace tidemark
