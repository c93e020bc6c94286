#include "common/stats/request_trace.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/stats/histogram.h"

namespace tidemark {
namespace {

constexpr Nanos kLongest = Nanos{8} * 24 * 3'600 * kSecond;

}  // namespace

void ToProto(const RequestTrace& trace, proto::RequestTrace* out) {
  out->set_slot(trace.slot);
  out->set_due_ns(trace.due);
  out->set_sent_ns(trace.sent);
  out->set_done_ns(trace.done);
  out->set_outcome(static_cast<std::uint32_t>(trace.outcome));
  out->set_request(trace.request);
  out->set_port(trace.port);
}

absl::Status FromProto(const proto::RequestTrace& in, std::size_t requests, RequestTrace* out) {
  const bool is_in_order = in.due_ns() >= -kLongest && in.sent_ns() >= -kLongest && in.done_ns() >= in.due_ns() &&
                           in.done_ns() >= in.sent_ns() && in.done_ns() <= kLongest;
  if (!is_in_order || in.outcome() >= kOutcomeCount || in.port() > 0xFFFF ||
      in.request() >= std::max<std::size_t>(requests, 1))
    return absl::InvalidArgumentError("it tells of a request that cannot have been");
  *out = {.slot = in.slot(),
          .due = in.due_ns(),
          .sent = in.sent_ns(),
          .done = in.done_ns(),
          .outcome = static_cast<Outcome>(in.outcome()),
          .request = in.request(),
          .port = static_cast<std::uint16_t>(in.port())};
  return absl::OkStatus();
}

void KeepSlowest(bool is_open_loop, std::vector<RequestTrace>* traces) {
  const std::size_t kept = std::min(traces->size(), kSlowest);
  std::partial_sort(traces->begin(), traces->begin() + static_cast<std::ptrdiff_t>(kept), traces->end(),
                    [is_open_loop](const RequestTrace& a, const RequestTrace& b) {
                      const Nanos took_a = a.Took(is_open_loop);
                      const Nanos took_b = b.Took(is_open_loop);
                      return took_a != took_b ? took_a > took_b : a.slot < b.slot;
                    });
  traces->resize(kept);
}

// By a hash, since slots are dealt to workers and to a mix's requests by their remainders.
bool IsSampled(std::uint64_t slot, std::uint64_t of) { return Mix64(slot) % of == 0; }

absl::StatusOr<std::uint64_t> ParseSample(absl::string_view text) {
  std::uint64_t of = 0;
  if (!absl::ConsumePrefix(&text, "1/") || !absl::SimpleAtoi(text, &of) || of == 0 || of > 1'000'000'000)
    return absl::InvalidArgumentError(absl::StrCat("'", text.substr(0, 32), "' is no sample; write 1/1000, or 1/1"));
  return of;
}

std::string TraceIdOfRun(absl::string_view run) {
  std::uint64_t hash = 0;
  for (const char c : run) hash = Mix64(hash ^ static_cast<unsigned char>(c));
  return absl::StrFormat("%016x", hash == 0 ? 1 : hash);
}

std::string TraceId(absl::string_view run, std::uint32_t trace_point, std::uint64_t slot) {
  return absl::StrFormat("%s%04x%012d", TraceIdOfRun(run), trace_point & 0xFFFF, slot % 1'000'000'000'000);
}

}  // namespace tidemark
