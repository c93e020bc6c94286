// The report as JSON: keys are the message's field names, numbers are numbers.
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace tidemark {

// One line. Every scalar field is printed, zero or not; messages and lists that are not set are left out; durations
// are written with their unit ("30s"), bytes as text, Counts and NamedLatencies as objects by name.
std::string ToJson(const google::protobuf::Message& message);

}  // namespace tidemark
