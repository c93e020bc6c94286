#include "common/plan/durations.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/plan/checks.h"

namespace tidemark {

Nanos FromProto(const google::protobuf::Duration& duration) {
  const std::int64_t seconds = std::clamp<std::int64_t>(duration.seconds(), -1'000'000'000, 1'000'000'000);
  return seconds * kSecond + duration.nanos();
}

google::protobuf::Duration ToDurationProto(Nanos value) {
  google::protobuf::Duration duration;
  duration.set_seconds(value / kSecond);
  duration.set_nanos(static_cast<std::int32_t>(value % kSecond));
  return duration;
}

absl::StatusOr<Nanos> ParseTimeUnit(absl::string_view field, absl::string_view unit) {
  if (unit == "s") return kSecond;
  if (unit == "ms" || unit.empty()) return kMillisecond;
  if (unit == "us") return kMicrosecond;
  if (unit == "ns") return Nanos{1};
  if (unit == "rfc3339") return kRfc3339;
  return Invalid(field, absl::StrCat("'", unit.substr(0, 16), "'; write s, ms, us, ns or rfc3339"));
}

}  // namespace tidemark
