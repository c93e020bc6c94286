#include "coordinator/merge/fan_out.h"

#include <algorithm>

#include "common/plan/limits.h"
#include "protos/plan.pb.h"

namespace tidemark {

absl::Status FanOut::Add(const google::protobuf::RepeatedPtrField<proto::EventReceipts>& events) {
  for (const proto::EventReceipts& event : events) {
    const bool is_sane = event.count() > 0 && event.count() <= std::uint64_t{1} << 40 &&
                         event.first_ns() <= event.last_ns() && event.first_ns() > -kSecond &&
                         event.last_ns() < 2 * kMaxDuration;
    if (!is_sane) return absl::InvalidArgumentError("receipts of an event make no sense");
  }
  for (const proto::EventReceipts& event : events) {
    auto found = events_.find(event.id());
    if (found == events_.end()) {
      if (events_.size() >= kMaxEvents) {
        untracked_ += event.count();
        continue;
      }
      events_[event.id()] = {.first = event.first_ns(), .last = event.last_ns(), .count = event.count()};
      continue;
    }
    Receipts& sum = found->second;
    sum.first = std::min(sum.first, event.first_ns());
    sum.last = std::max(sum.last, event.last_ns());
    sum.count += event.count();
  }
  return absl::OkStatus();
}

FanOut::Result FanOut::Summarise() const {
  Result result;
  for (const auto& [id, event] : events_) {
    result.receipts += event.count;
    result.least = result.least == 0 ? event.count : std::min(result.least, event.count);
    if (event.count > result.most) result.full_events = 0;
    result.most = std::max(result.most, event.count);
    result.full_events += event.count == result.most ? 1 : 0;
    if (event.count == 1) {
      ++result.single_events;
    } else {
      ++result.events;
      result.spread.Record(event.last - event.first);
    }
  }
  return result;
}

}  // namespace tidemark
