// What the requests of a plan have that differs from one slot to the next.
#pragma once

#include "protos/plan.pb.h"

namespace tidemark {

// Whether what is sent differs, other than by secrets.
bool HasHoles(const proto::Request& request);
// Whether something in the requests, the target's path or the messages is drawn at random.
bool HasRandom(const proto::Plan& plan);

}  // namespace tidemark
