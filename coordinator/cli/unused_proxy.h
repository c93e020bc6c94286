// A proxy that the environment names, and that nobody uses.
#pragma once

#include <functional>
#include <string>

#include "protos/plan.pb.h"

namespace tidemark {

// A remark if the environment names a proxy for the plan's target, as other programs would use it (HTTP_PROXY,
// HTTPS_PROXY, ALL_PROXY, NO_PROXY, in either case), and the plan names none. Else empty. `environment`: getenv.
// REQUIRES: the plan is valid.
std::string RemarkOnUnusedProxy(const proto::Plan& plan, const std::function<const char*(const char*)>& environment);

}  // namespace tidemark
