#include "coordinator/merge/request_merger.h"

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "coordinator/merge/fits.h"
#include "coordinator/merge/occasions.h"

namespace tidemark {

RequestMerger::RequestMerger(std::size_t agents, std::size_t requests) : sums_(requests), agents_(agents) {
  for (AgentPart& agent : agents_) agent.requests.resize(requests);
}

absl::Status RequestMerger::Check(const proto::Shard& shard, const Counters& counters, bool is_open_loop) {
  if (sums_.empty())
    return shard.requests().empty() ? absl::OkStatus()
                                    : absl::DataLossError("it tells of requests of a mix, and there is none");
  const AgentPart& agent = agents_[shard.key().agent()];
  checked_.clear();
  checked_all_ = agent.all;
  // Replies that were compressed are larger than what came.
  const std::uint64_t most_bytes = counters.bytes_received + counters.message_bytes;
  std::size_t next = 0;  // they ascend
  for (const proto::RequestSum& part : shard.requests()) {
    if (part.request() < next || part.request() >= sums_.size())
      return absl::DataLossError("it tells of a request that its mix has not, or twice");
    next = part.request() + 1;
    const RequestTotal& before = agent.requests[part.request()];
    TIDEMARK_RETURN_IF_ERROR(FromProto(part, before, &scratch_, &checked_.emplace_back()));
    const RequestTotal& now = checked_.back();
    const Ends ends = {.sent = now.counts.sent,
                       .success = now.counts.success,
                       .outcomes = now.counts.outcomes,
                       .is_open_loop = is_open_loop};
    for (std::size_t i = 0; i < kRequestMetricCount; ++i) {
      if (const std::string broken = BrokenHistogram(kRequestMetrics[i], now.facts[i], ends); !broken.empty())
        return absl::DataLossError(absl::StrCat("a request of its mix: ", broken));
      if (!AddFits(scratch_.histograms[i].Facts(), sums_[part.request()].histograms[i]))
        return absl::DataLossError("it has more values than any agent can measure");
    }
    bool is_part =
        now.counts.sent <= counters.sent && now.counts.success <= counters.success && now.counts.bytes <= most_bytes;
    for (std::size_t i = 0; i < kOutcomeCount; ++i) is_part = is_part && now.counts.outcomes[i] <= counters.outcomes[i];
    if (!is_part) return absl::DataLossError("a request of its mix has more than all");
    checked_all_.Add(scratch_.counts);
  }
  if (checked_all_.sent != counters.sent || checked_all_.success != counters.success ||
      checked_all_.outcomes != counters.outcomes)
    return absl::DataLossError(absl::StrCat("the requests of its mix do not add up to all: sent ", checked_all_.sent,
                                            " of ", counters.sent, ", succeeded ", checked_all_.success, " of ",
                                            counters.success));
  if (checked_all_.bytes > most_bytes) return absl::DataLossError("the requests of its mix have more bytes than all");
  return absl::OkStatus();
}

void RequestMerger::Add(const proto::Shard& shard) {
  if (sums_.empty()) return;
  AgentPart& agent = agents_[shard.key().agent()];
  std::size_t index = 0;
  for (const proto::RequestSum& part : shard.requests()) {
    RequestTotal now;
    CHECK(FromProto(part, agent.requests[part.request()], &scratch_, &now).ok());
    sums_[part.request()].Add(scratch_);
    agent.requests[part.request()] = checked_[index++];
  }
  agent.all = checked_all_;
}

absl::Status RequestMerger::Finish() const {
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    RequestTotal merged;
    merged.Add(sums_[i]);
    RequestTotal told;
    for (const AgentPart& agent : agents_) {
      told.counts.Add(agent.requests[i].counts);
      for (std::size_t k = 0; k < kRequestMetricCount; ++k) told.facts[k].Add(agent.requests[i].facts[k]);
    }
    if (merged.counts != told.counts || merged.facts != told.facts)
      return absl::DataLossError(
          absl::StrCat("what was merged of request ", i, " of the mix is not the sum of the agents'"));
  }
  return absl::OkStatus();
}

}  // namespace tidemark
