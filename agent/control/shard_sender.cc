#include "agent/control/shard_sender.h"

#include <algorithm>
#include <limits>

#include "common/stats/histogram_codec.h"

namespace tidemark {

ShardSender::ShardSender(proto::ShardKey key, int worker_count, const std::vector<std::string>* address_names,
                         bool is_open_loop)
    : key_(std::move(key)),
      address_names_(address_names),
      is_open_loop_(is_open_loop),
      workers_(static_cast<std::size_t>(worker_count)) {
  key_.set_seq(0);
}

std::vector<proto::Shard> ShardSender::Add(const WorkerReport& report) {
  WorkerState& worker = workers_[static_cast<std::size_t>(report.worker)];
  worker.delivered = report.window;
  worker.is_final = report.is_final;
  start_late_ = std::max(start_late_, report.start_late);
  length_ = std::max(length_, report.length);
  worker.pending[report.window] = report.pending;
  auto& sum = windows_[report.window];
  if (sum == nullptr) sum = std::make_unique<Recorder>();
  sum->Add(*report.recorder);

  std::int64_t complete = std::numeric_limits<std::int64_t>::max();
  bool is_over = true;
  for (const WorkerState& state : workers_) {
    if (!state.is_final) complete = std::min(complete, state.delivered);
    is_over = is_over && state.is_final;
  }
  std::vector<proto::Shard> shards;
  while (!windows_.empty() && windows_.begin()->first <= complete) {
    const auto first = windows_.extract(windows_.begin());
    shards.push_back(Make(first.key(), first.mapped().get(), is_over && windows_.empty()));
  }
  return shards;
}

proto::Shard ShardSender::Make(std::uint32_t window, const Recorder* recorder, bool is_final) {
  proto::Shard shard;
  *shard.mutable_key() = key_;
  key_.set_seq(key_.seq() + 1);
  shard.set_window(window);
  shard.set_is_final(is_final);
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    const Histogram& histogram = recorder->histograms[i];
    if (!histogram.IsEmpty()) {
      ToProto(histogram, static_cast<std::uint32_t>(i), shard.add_deltas());
      cumulative_[i].Add(histogram.Facts());
    }
    if (cumulative_[i] != HistogramFacts())
      ToProto(cumulative_[i], static_cast<std::uint32_t>(i), shard.add_cumulative());
  }
  requests_.resize(std::max(requests_.size(), recorder->requests.size()));
  for (std::size_t i = 0; i < recorder->requests.size(); ++i) {
    if (recorder->requests[i].IsEmpty()) continue;
    requests_[i].Add(recorder->requests[i]);
    ToProto(i, recorder->requests[i], requests_[i], shard.add_requests());
  }
  counters_.Add(recorder->counters);
  for (const auto& [event, receipts] : recorder->events) {
    proto::EventReceipts* const entry = shard.add_events();
    entry->set_id(event);
    entry->set_first_ns(receipts.first);
    entry->set_last_ns(receipts.last);
    entry->set_count(receipts.count);
  }
  recorder->addresses.ToProto(address_names_ == nullptr ? absl::Span<const std::string>() : *address_names_,
                              shard.mutable_addresses());
  recorder->statuses.ToProto(shard.mutable_statuses());
  recorder->named.ToProto(&shard);
  std::vector<RequestTrace> slow = recorder->slow;
  KeepSlowest(is_open_loop_, &slow);
  for (const RequestTrace& trace : slow) ToProto(trace, shard.add_slow());
  for (const RequestTrace& trace : recorder->sampled) ToProto(trace, shard.add_sampled());
  shard.set_left_out(recorder->left_out);
  shard.set_length_ns(length_);
  shard.set_stood_still_ns(recorder->stood_still);
  shard.set_start_late_ns(start_late_);
  // A worker's gauges are those of its last window up to this one.
  Pending pending;
  for (WorkerState& worker : workers_) {
    auto after = worker.pending.upper_bound(window);
    if (after == worker.pending.begin()) continue;
    --after;
    pending.waiting += after->second.waiting;
    pending.in_flight += after->second.in_flight;
    worker.pending.erase(worker.pending.begin(), after);
  }
  ToProto(counters_, pending, shard.mutable_counters());
  return shard;
}

}  // namespace tidemark
