// Times of a plan.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"

namespace tidemark {

Nanos FromProto(const google::protobuf::Duration& duration);
google::protobuf::Duration ToDurationProto(Nanos value);
// Whether a field's message type, null of those that are none, is that of times.
inline bool IsDuration(const google::protobuf::Descriptor* type) {
  return type == google::protobuf::Duration::descriptor();
}

// What one unit of a time_unit is: "s", "ms", "us" or "ns", empty: ms; kRfc3339 of "rfc3339".
// Errors: InvalidArgument naming the field.
inline constexpr Nanos kRfc3339 = 0;
absl::StatusOr<Nanos> ParseTimeUnit(absl::string_view field, absl::string_view unit);

}  // namespace tidemark
