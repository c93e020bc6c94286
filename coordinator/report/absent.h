// What is not measured is absent: the last step of a report.
#pragma once

#include <google/protobuf/message.h>

#include "common/plan/measured.h"
#include "protos/report.pb.h"

namespace tidemark {

// Takes every zero out of a report, or of a part of it, that stands for what the plan does not measure, and of what
// only messages could have brought to light where none came. Another value is never taken out.
void DropUnmeasured(const Measured& measured, google::protobuf::Message* message);

}  // namespace tidemark
