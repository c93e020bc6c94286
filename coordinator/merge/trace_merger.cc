#include "coordinator/merge/trace_merger.h"

#include <algorithm>
#include <tuple>

#include "common/status_macros.h"

namespace tidemark {
namespace {

using Traces = google::protobuf::RepeatedPtrField<proto::RequestTrace>;

absl::Status FromProto(const Traces& in, std::size_t most, std::size_t requests, std::vector<RequestTrace>* out) {
  if (static_cast<std::size_t>(in.size()) > most)
    return absl::InvalidArgumentError("it tells of more single requests than an agent may");
  out->resize(static_cast<std::size_t>(in.size()));
  for (int i = 0; i < in.size(); ++i)
    TIDEMARK_RETURN_IF_ERROR(FromProto(in.Get(i), requests, &(*out)[static_cast<std::size_t>(i)]));
  return absl::OkStatus();
}

}  // namespace

absl::Status TraceMerger::Check(const proto::Shard& shard) {
  if (shard.left_out() > std::uint64_t{1} << 53)
    return absl::InvalidArgumentError("it left more requests out than there can be");
  TIDEMARK_RETURN_IF_ERROR(FromProto(shard.slow(), kSlowest, requests_, &checked_slow_));
  return FromProto(shard.sampled(), kMaxSampled, requests_, &checked_sampled_);
}

void TraceMerger::Add(const proto::Shard& shard) {
  const std::uint32_t agent = shard.key().agent();
  left_out_ += shard.left_out();
  for (const RequestTrace& trace : checked_sampled_) {
    if (sampled_.size() < kMaxKept) {
      sampled_.push_back({.agent = agent, .trace = trace});
    } else {
      ++left_out_;
    }
  }
  if (checked_slow_.empty()) return;
  for (const RequestTrace& trace : checked_slow_) slowest_.push_back({.agent = agent, .trace = trace});
  const std::size_t kept = std::min(slowest_.size(), kSlowest);
  const auto key = [this](const AgentTrace& a) {
    return std::tuple(-a.trace.Took(is_open_loop_), a.trace.slot, a.agent);
  };
  std::partial_sort(slowest_.begin(), slowest_.begin() + static_cast<std::ptrdiff_t>(kept), slowest_.end(),
                    [&key](const AgentTrace& a, const AgentTrace& b) { return key(a) < key(b); });
  slowest_.resize(kept);
}

}  // namespace tidemark
