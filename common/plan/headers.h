// What headers of a request say.
#pragma once

#include "absl/strings/string_view.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Whether the request has a header of that name with `token` in its list of values; both in any case.
bool HasToken(const proto::Request& request, absl::string_view name, absl::string_view token);

// Whether a header of that name may hold a secret.
bool IsSecretHeader(absl::string_view name);

}  // namespace tidemark
