// Adds the workers' windows and numbers the result: one shard per agent and window.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/engine/worker.h"
#include "agent/measure/recorder.h"
#include "protos/shard.pb.h"

namespace tidemark {

// The shards of one point. A window is complete when every worker has handed it over, or has finished.
// Threads: one.
class ShardSender {
 public:
  // `key` names run, point, agent and incarnation; its seq is set here.
  // `address_names`, which outlives its use here: those of the target's addresses by index, and there may come more.
  // `is_open_loop`: requests are slow from their due time on.
  ShardSender(proto::ShardKey key, int worker_count, const std::vector<std::string>* address_names = nullptr,
              bool is_open_loop = false);

  // Takes a report of kind kWindow and returns the shards that it completes, oldest first. Its recorder is only read.
  std::vector<proto::Shard> Add(const WorkerReport& report);

 private:
  proto::Shard Make(std::uint32_t window, const Recorder* recorder, bool is_final);

  struct WorkerState {
    std::int64_t delivered = -1;  // last window
    bool is_final = false;
    std::map<std::uint32_t, Pending> pending;  // by window
  };

  proto::ShardKey key_;
  const std::vector<std::string>* const address_names_;
  const bool is_open_loop_;
  std::vector<WorkerState> workers_;
  std::map<std::uint32_t, std::unique_ptr<Recorder>> windows_;  // not yet complete
  std::array<HistogramFacts, kMetricCount> cumulative_{};
  std::vector<RequestTotal> requests_;
  Counters counters_;
  Nanos length_ = 0;
  Nanos start_late_ = 0;
};

}  // namespace tidemark
