// Changes the counters of a message, as a peer would that lies.
#pragma once

#include "common/stats/outcome.h"

namespace tidemark {

template <typename Edit>
void EditCounters(proto::Counters* message, Edit edit) {
  Counters counters;
  Pending pending;
  FromProto(*message, &counters, &pending);
  edit(&counters);
  ToProto(counters, pending, message);
}

}  // namespace tidemark
