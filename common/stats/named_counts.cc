#include "common/stats/named_counts.h"

namespace tidemark {
namespace {

constexpr std::uint64_t kMaxCount = std::uint64_t{1} << 62;

}  // namespace

void StreamSum::Add(const StreamSum& other) {
  messages += other.messages;
  bytes += other.bytes;
  gaps += other.gaps;
  lost += other.lost;
  lost_late += other.lost_late;
  silences += other.silences;
}

StreamSum& NamedCounts::Stream(absl::string_view name) {
  const auto found = streams_.find(name);
  if (found != streams_.end()) return found->second;
  return streams_[std::string(streams_.size() < kMaxStreams ? name : kOtherStreams)];
}

void NamedCounts::CountClose(std::uint32_t code, absl::string_view reason, std::uint64_t count) {
  const std::pair<std::uint32_t, std::string> key(code, reason);
  const auto found = closes_.find(key);
  if (found != closes_.end()) {
    found->second += count;
  } else if (closes_.size() < kMaxCloses) {
    closes_[key] = count;
  } else {
    closes_[{0, std::string(kOtherCloses)}] += count;
  }
}

void NamedCounts::Add(const NamedCounts& other) {
  for (const auto& [name, sum] : other.streams_) {
    if (sum != StreamSum()) Stream(name).Add(sum);
  }
  for (const auto& [close, count] : other.closes_) CountClose(close.first, close.second, count);
}

void NamedCounts::Clear() {
  ClearStreams();
  closes_.clear();
}

void NamedCounts::ClearStreams() {
  for (auto& [name, sum] : streams_) sum = StreamSum();
}

void NamedCounts::ToProto(proto::Shard* shard) const {
  for (const auto& [name, sum] : streams_) {
    if (sum == StreamSum()) continue;
    proto::StreamSum* const out = shard->add_streams();
    out->set_name(name);
    out->set_messages(sum.messages);
    out->set_bytes(sum.bytes);
    out->set_gaps(sum.gaps);
    out->set_lost(sum.lost);
    out->set_lost_late(sum.lost_late);
    out->set_silences(sum.silences);
  }
  for (const auto& [close, count] : closes_) {
    proto::CloseSum* const out = shard->add_closes();
    out->set_code(close.first);
    out->set_reason(close.second);
    out->set_count(count);
  }
}

absl::Status NamedCounts::Check(const proto::Shard& shard) {
  for (const proto::StreamSum& sum : shard.streams()) {
    const bool is_sane = sum.name().size() <= kMaxStreamName && sum.messages() <= kMaxCount &&
                         sum.bytes() <= kMaxCount && sum.gaps() <= kMaxCount && sum.lost() <= kMaxCount &&
                         sum.lost_late() <= kMaxCount && sum.silences() <= kMaxCount;
    if (!is_sane) return absl::DataLossError("what came of a stream makes no sense");
  }
  for (const proto::CloseSum& sum : shard.closes()) {
    if (sum.reason().size() > kMaxReason || sum.code() > 4'999 || sum.count() > kMaxCount)
      return absl::DataLossError("a reason of a close makes no sense");
  }
  return absl::OkStatus();
}

void NamedCounts::Add(const proto::Shard& shard) {
  for (const proto::StreamSum& sum : shard.streams()) {
    Stream(sum.name())
        .Add({.messages = sum.messages(),
              .bytes = sum.bytes(),
              .gaps = sum.gaps(),
              .lost = sum.lost(),
              .lost_late = sum.lost_late(),
              .silences = sum.silences()});
  }
  for (const proto::CloseSum& sum : shard.closes()) CountClose(sum.code(), sum.reason(), sum.count());
}

}  // namespace tidemark
