// The report as JSON: keys are the message's field names, numbers are numbers.
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace tidemark {

// One line. A field that can be absent is printed if it is set; of the others every number, zero or not, and texts and
// lists that are not empty. Of a plan only what it says is printed, as in a plan file. Durations are written with their
// unit ("30s"), bytes as text, numbers as Decimal does; what is not finite is null. Counts and NamedLatencies are
// objects by name, Numbers and HeatRow arrays.
std::string ToJson(const google::protobuf::Message& message);

}  // namespace tidemark
