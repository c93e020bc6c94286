#include "agent/measure/recorder.h"

#include <algorithm>

namespace tidemark {

void Recorder::AddReceipts(std::uint64_t event, const Receipts& receipts) {
  if (events.size() >= kMaxEvents && !events.contains(event)) {
    counters.untracked_events += receipts.count;
    return;
  }
  events[event].Add(receipts);
}

void Recorder::Add(const Recorder& other) {
  for (std::size_t i = 0; i < kMetricCount; ++i) histograms[i].Add(other.histograms[i]);
  if (requests.size() < other.requests.size()) requests.resize(other.requests.size());
  for (std::size_t i = 0; i < other.requests.size(); ++i) requests[i].Add(other.requests[i]);
  counters.Add(other.counters);
  for (const auto& [event, receipts] : other.events) AddReceipts(event, receipts);
  addresses.Add(other.addresses);
  statuses.Add(other.statuses);
  named.Add(other.named);
  slow.insert(slow.end(), other.slow.begin(), other.slow.end());
  for (const RequestTrace& trace : other.sampled) AddSampled(trace);
  left_out += other.left_out;
  last_end = std::max(last_end, other.last_end);
  stood_still = std::max(stood_still, other.stood_still);
}

void Recorder::Clear() {
  for (Histogram& histogram : histograms) {
    if (!histogram.IsEmpty()) histogram.Clear();
  }
  for (RequestSum& request : requests) {
    if (!request.IsEmpty()) request.Clear();
  }
  counters = Counters();
  events.clear();
  addresses.Clear();
  statuses.Clear();
  named.Clear();
  slow.clear();
  sampled.clear();
  left_out = 0;
  last_end = 0;
  stood_still = 0;
}

}  // namespace tidemark
