// What a run leaves behind: the material of its report.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/exit_code.h"
#include "coordinator/merge/merger.h"
#include "protos/agent.pb.h"
#include "protos/plan.pb.h"
#include "protos/report.pb.h"
#include "protos/shard.pb.h"

namespace tidemark {

// Of two exit codes the graver: 70, 3, 130, 2, 5, 99, 4, 1, 0.
int GraverExit(int a, int b);

// Until when an agent that was lost may have sent requests, counted from the start of the run.
struct Departure {
  Nanos likely = 0;  // it was last seen then, or its lease ran out
  Nanos latest = 0;  // by then it had stopped, whatever became of it
};

struct PointResult {
  std::uint32_t index = 0;  // in the sweep
  std::int64_t connections = 0;
  double rate = 0;                           // per second, of an open loop with rates; else 0
  std::int64_t connections_up = 0;           // at the start
  std::vector<std::int64_t> shares;          // connections per agent
  std::set<std::size_t> early;               // agents that ended the point, with an account of it, before its time
  std::vector<std::int64_t> request_shares;  // planned requests per agent; 0: not known beforehand
  std::unique_ptr<Merger> merger;
  Counters warmup;
  StatusCounts warmup_statuses;
  AddressCounts warmup_addresses;
  std::map<Metric, Histogram> warmup_connects;  // of kConnectionMetrics, those that there are
  std::uint32_t attempt = 0;                    // how often it was begun and given up before
  bool is_started = false;                      // T0 was set at every agent
  bool is_partial = false;
  bool is_interrupted = false;
  bool is_precise = false;  // it ended when its interval was as narrow as the plan asks
  // Requests whose fate lost agents took with them, at most; of a closed loop by time it is an estimate, and nothing is
  // known of an agent of which no shard came.
  std::uint64_t unaccounted_max = 0;
  bool unaccounted_is_estimate = false;
  bool unaccounted_is_unknown = false;
  std::map<std::size_t, Departure> departures;    // of agents that were lost in it
  std::map<std::size_t, std::uint64_t> accounts;  // what such an agent said when it was asked again: requests sent
  Nanos start_skew_bound = 0;
  Nanos start_offset = 0;  // T0, counted from the start of the run
};

struct RunResult {
  std::string run;
  std::string started_at;
  double started_wall_s = 0;
  std::vector<proto::AgentInfo> agents;
  std::vector<PointResult> points;
  std::vector<PointResult> abandoned;  // attempts at points that were made again; in no sum
  std::uint64_t shards = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t rejected = 0;
  int exit_code = 0;
  std::vector<std::string> notes;  // one line each; what went wrong, first to last

  void Note(int code, std::string text);
};

// A merger for a point of `plan`. Its headline is the response or service time of requests; of streams that are
// listened to, their staleness, or without event times the interval between messages.
std::unique_ptr<Merger> MakeMerger(const proto::Plan& plan, std::size_t agent_count);

// Adds what came before T0 at `agent`: requests, how they were answered, and the connect and TLS times of the
// connections. Errors: DataLoss if it does not add up or cannot be decoded.
absl::Status AddWarmup(const proto::Counters& warmup,
                       const google::protobuf::RepeatedPtrField<proto::HistogramDelta>& connects,
                       const StatusCounts::Rows& statuses, const AddressRows& addresses, std::uint32_t agent,
                       PointResult* point);

// Whether any request succeeded, or while listening any message came. Without, a run has nothing to tell of the target
// but that.
bool HasSuccess(const RunResult& result, const proto::Plan& plan);
// One line for a run without a success: "target URL: not one of 100 requests succeeded: reset 100".
std::string WhyNoSuccess(const RunResult& result, const proto::Plan& plan);

// Closes the windows of a point of `plan` that has ended, and notes which agents ended it early, with `exit_code` if
// any did.
void ClosePoint(PointResult* point, int exit_code, RunResult* result);
// Takes what agent `index` says that it had sent of its last point: the point whose agent it was when it was lost.
// False if there is no such point, or if that cannot be.
bool TakeAccount(const proto::Plan& plan, std::size_t index, const proto::AccountResponse& account, RunResult* result);
// When all points of `plan` are closed: bounds, or counts, what lost agents took with them, and notes it.
void NoteUnaccounted(const proto::Plan& plan, RunResult* result);

}  // namespace tidemark
