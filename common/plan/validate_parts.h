// The parts of ValidatePlan, each in a file of its own. Errors: InvalidArgument "FIELD: what, value; remedy".
#pragma once

#include "absl/status/status.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {

absl::Status CheckRequests(const proto::Plan& plan);
absl::Status CheckTraces(const proto::Plan& plan, bool is_web_socket);
absl::Status CheckSweep(const proto::Sweep& sweep);
absl::Status CheckWebSocket(const proto::Plan& plan, const Target& target);

}  // namespace tidemark
