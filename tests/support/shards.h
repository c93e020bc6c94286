// Shards as an agent makes them, for tests of the ledger and the merger.
#pragma once

#include <random>
#include <vector>

#include "agent/control/shard_sender.h"
#include "agent/measure/recorder.h"
#include "tests/support/random.h"

namespace tidemark {

struct MadeShards {
  std::vector<proto::Shard> shards;
  Recorder sum;  // all that was recorded, in one recorder
};

// `window_count` windows of `per_window` successes each, some of them with failures, over two workers; of a mix of so
// many `requests`, if there is one.
inline MadeShards MakeShards(std::mt19937_64& rng, std::uint32_t agent, std::uint64_t incarnation,
                             std::uint32_t window_count, int per_window, std::size_t requests = 0) {
  MadeShards made;
  proto::ShardKey key;
  key.set_run("run");
  key.set_agent(agent);
  key.set_incarnation(incarnation);
  ShardSender sender(key, 2);
  for (std::uint32_t window = 0; window < window_count; ++window) {
    for (int worker = 0; worker < 2; ++worker) {
      WorkerReport report{.kind = WorkerReport::Kind::kWindow,
                          .worker = worker,
                          .window = window,
                          .is_final = window + 1 == window_count};
      report.recorder = std::make_unique<Recorder>();
      Recorder& recorder = *report.recorder;
      recorder.requests.resize(requests);
      for (int i = 0; i < per_window / 2; ++i) {
        ++recorder.counters.planned;
        ++recorder.counters.sent;
        const bool is_failure = rng() % 50 == 0;
        ++recorder.counters[is_failure ? Outcome::kStatus5xx : Outcome::kStatus2xx];
        const std::uint32_t status = is_failure ? 500 + static_cast<std::uint32_t>(rng() % 4) : 200;
        recorder.statuses.Count(status);
        if (is_failure)
          recorder.statuses.Offer({.status = status}, {.source = static_cast<std::uint32_t>(worker),
                                                       .body = std::to_string(rng() % 10),
                                                       .content_type = "text/plain"});
        if (!is_failure) ++recorder.counters.success;
        const Nanos latency = AnyLatency(rng);
        recorder[is_failure ? Metric::kOther : Metric::kService].Record(latency);
        recorder[Metric::kFirstByte].Record(latency);
        if (requests != 0) {
          RequestSum& request = recorder.requests[rng() % requests];
          ++request.counts.sent;
          ++request.counts.outcomes[static_cast<std::size_t>(is_failure ? Outcome::kStatus5xx : Outcome::kStatus2xx)];
          request[Metric::kFirstByte].Record(latency);
          if (!is_failure) ++request.counts.success;
          if (!is_failure) request[Metric::kService].Record(latency);
        }
        recorder.counters.busy_ns += static_cast<std::uint64_t>(latency);
        const std::string stream = std::to_string(rng() % 20);
        recorder.named.Stream(stream).Add(
            {.messages = 1, .bytes = rng() % 1'000, .gaps = rng() % 2, .lost = rng() % 9});
        if (rng() % 30 == 0) recorder.named.CountClose(1'000 + static_cast<std::uint32_t>(rng() % 3), stream);
        const auto heard = static_cast<Nanos>(rng() % (60 * kSecond));
        recorder.AddReceipts(rng() % 500, {.first = heard, .last = heard, .count = 1});
        recorder[Metric::kLateness].Record(static_cast<Nanos>(rng() % 1000) - 1);  // a clock error now and then
      }
      recorder.last_end = static_cast<Nanos>(window) * kSecond + 1;
      made.sum.Add(recorder);
      for (proto::Shard& shard : sender.Add(report)) made.shards.push_back(std::move(shard));
    }
  }
  return made;
}

}  // namespace tidemark
