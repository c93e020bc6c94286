// A plan without what is nobody's to read.
#pragma once

#include "protos/plan.pb.h"

namespace tidemark {

// `plan` for reports: the values of headers that may hold credentials (Authorization, Cookie, and names with key,
// token, secret, sign, auth or pass in them) are replaced by "***", bodies and subscriptions by their size.
proto::Plan PlanForPrinting(proto::Plan plan);

}  // namespace tidemark
