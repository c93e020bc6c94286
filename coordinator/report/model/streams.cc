#include "coordinator/report/model/streams.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "coordinator/merge/fan_out.h"
#include "coordinator/merge/merger.h"
#include "coordinator/report/model/latency.h"
#include "coordinator/report/model/sums.h"

namespace tidemark {
namespace {

// Of several agents, an instant is right as far as their starts and the drift of their clocks since then are known.
// Nothing of one agent, whose instants are all of one clock.
std::optional<double> FanOutErrorMicros(const RunResult& result, const PointResult& point) {
  constexpr double kUsualDriftPpm = 30;
  int sharing = 0;
  double drift_ppm = 0;
  for (std::size_t i = 0; i < point.shares.size(); ++i) {
    if (point.shares[i] == 0) continue;
    ++sharing;
    const proto::AgentInfo& agent = result.agents[i];
    drift_ppm = std::max(drift_ppm, agent.has_clock_drift_ppm() ? std::abs(agent.clock_drift_ppm()) : kUsualDriftPpm);
  }
  if (sharing < 2) return std::nullopt;
  return Micros(point.start_skew_bound) + 2 * drift_ppm * static_cast<double>(point.merger->length()) / 1e9;
}

// Streams that a report lists; the JSON of a run with more would be hard to read.
constexpr std::size_t kMaxStreamRows = 1'000;

}  // namespace

void FillFanOut(const RunResult& result, const PointResult& point, const proto::Plan& plan, proto::Point* out) {
  const FanOut& fan_out = point.merger->fan_out();
  const std::uint64_t untracked = fan_out.untracked() + point.merger->counters().untracked_events;
  if (plan.web_socket().listen().fan_out().empty()) return;
  const FanOut::Result sum = fan_out.Summarise();
  proto::FanOut* const entry = out->mutable_fan_out();
  entry->set_events(sum.events);
  entry->set_single_events(sum.single_events);
  entry->set_receipts(sum.receipts);
  if (sum.events != 0) {
    entry->set_least_receipts(sum.least);
    entry->set_most_receipts(sum.most);
  }
  entry->set_full_events(sum.full_events);
  *entry->mutable_spread() = SummariseLatency(sum.spread);
  if (const auto error = FanOutErrorMicros(result, point)) entry->set_error_us(*error);
  entry->set_untracked(untracked);
}

void FillStreams(const NamedCounts& named, double duration_s, proto::Point* out) {
  std::vector<std::pair<std::string, StreamSum>> streams(named.streams().begin(), named.streams().end());
  std::sort(streams.begin(), streams.end(), [](const auto& a, const auto& b) {
    return std::tie(b.second.messages, a.first) < std::tie(a.second.messages, b.first);
  });
  for (std::size_t i = 0; i < std::min(streams.size(), kMaxStreamRows); ++i) {
    const auto& [name, sum] = streams[i];
    proto::StreamRow* const row = out->add_streams();
    row->set_name(name);
    row->set_messages(sum.messages);
    row->set_bytes(sum.bytes);
    if (duration_s > 0) {
      row->set_messages_per_s(static_cast<double>(sum.messages) / duration_s);
      row->set_bytes_per_s(static_cast<double>(sum.bytes) / duration_s);
    }
    row->set_gaps(sum.gaps);
    row->set_lost(sum.lost);
    row->set_lost_late(sum.lost_late);
    row->set_silences(sum.silences);
  }
  out->set_streams_left_out(streams.size() - static_cast<std::size_t>(out->streams_size()));
}

void FillCloseReasons(const NamedCounts& named, proto::Point* out) {
  std::vector<std::pair<std::pair<std::uint32_t, std::string>, std::uint64_t>> closes(named.closes().begin(),
                                                                                      named.closes().end());
  std::stable_sort(closes.begin(), closes.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [close, count] : closes) {
    proto::CloseReason* const row = out->add_close_reasons();
    row->set_code(close.first);
    row->set_reason(close.second);
    row->set_count(count);
  }
}

}  // namespace tidemark
