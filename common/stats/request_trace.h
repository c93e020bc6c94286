// Single requests that a report tells of: the slowest of a point, and a sample.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "common/stats/outcome.h"
#include "protos/shard.pb.h"

namespace tidemark {

// How many of the slowest are kept of a point.
inline constexpr std::size_t kSlowest = 100;
// Of a sample so many in a window and agent at most; those beyond are counted.
inline constexpr std::size_t kMaxSampled = 5'000;

// Instants since T0.
struct RequestTrace {
  std::uint64_t slot = 0;
  Nanos due = 0;
  Nanos sent = 0;
  Nanos done = 0;  // the last byte of its answer; or when it ended without
  Outcome outcome = Outcome::kCutOff;
  std::uint32_t request = 0;  // of a mix, its place in the plan
  std::uint16_t port = 0;     // the local one of its connection; 0: it has none, or it is not known

  // As the latency that its point is about.
  Nanos Took(bool is_open_loop) const { return done - (is_open_loop ? due : sent); }
  bool operator==(const RequestTrace&) const = default;
};

void ToProto(const RequestTrace& trace, proto::RequestTrace* out);
// Errors: InvalidArgument if that cannot be a request of a mix of `requests` (0: no mix).
absl::Status FromProto(const proto::RequestTrace& in, std::size_t requests, RequestTrace* out);

// Keeps the kSlowest slowest of `traces`, the slowest first; of equals the one with the lower slot.
void KeepSlowest(bool is_open_loop, std::vector<RequestTrace>* traces);

// Whether the slot is in the sample of one in `of`, which has as many of each request of a mix as of the others.
// REQUIRES: of > 0.
bool IsSampled(std::uint64_t slot, std::uint64_t of);

// "1/1000", one in so many: 1'000.  Errors: InvalidArgument naming the remedy.
absl::StatusOr<std::uint64_t> ParseSample(absl::string_view text);

// The trace id of W3C's Trace Context that a request carries in its header `traceparent`, 32 hexadecimal digits: of the
// run 16, four as TracePoint, and of the slot twelve, decimal, as {slot}.
// Source: https://www.w3.org/TR/trace-context/, section 3.2.
std::string TraceId(absl::string_view run, std::uint32_t trace_point, std::uint64_t slot);
// Of a point of up to 4,096, of its attempt of up to eight, and whether it is the warm-up's.
constexpr std::uint32_t TracePoint(std::uint32_t point, std::uint32_t attempt, bool is_warmup = false) {
  return (is_warmup ? 0x8000U : 0) | (attempt & 7) << 12 | (point & 0xFFF);
}
// The 16 of the run; not all are 0.
std::string TraceIdOfRun(absl::string_view run);

}  // namespace tidemark
