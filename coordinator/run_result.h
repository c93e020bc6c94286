// What a run leaves behind: the material of its report.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "coordinator/merger.h"

namespace tidemark {

// Exit codes, as README lists them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 1;
inline constexpr int kExitAgents = 2;
inline constexpr int kExitAccounting = 3;
inline constexpr int kExitStrict = 4;
inline constexpr int kExitTarget = 5;
inline constexpr int kExitInternal = 70;
inline constexpr int kExitExpectation = 99;
inline constexpr int kExitInterrupted = 130;

// Of two exit codes the graver: 70, 3, 130, 2, 5, 99, 4, 1, 0.
int GraverExit(int a, int b);

struct PointResult {
  std::int64_t connections = 0;
  std::int64_t rate = 0;                     // of an open loop with rates; else 0
  std::int64_t connections_up = 0;           // at the start
  std::vector<std::int64_t> shares;          // connections per agent
  std::vector<std::int64_t> request_shares;  // planned requests per agent; 0: not known beforehand
  std::unique_ptr<Merger> merger;
  Counters warmup;
  Histogram warmup_connect;
  Histogram warmup_tls;
  std::uint32_t attempt = 0;  // how often it was begun and given up before
  bool is_started = false;    // T0 was set at every agent
  bool is_partial = false;
  bool is_interrupted = false;
  bool is_precise = false;  // it ended when its interval was as narrow as the plan asks
  std::uint64_t unaccounted_max = 0;
  Nanos start_skew_bound = 0;
  Nanos start_offset = 0;  // T0, counted from the start of the run
};

struct AgentFacts {
  std::string address;
  std::string version;
  int workers = 0;
  bool is_insecure = false;
  std::vector<std::string> target_addresses;
  std::vector<std::string> left_out_addresses;
  std::string permission;      // with which the agent's allow-list names the target
  std::string lost;            // why, empty if it was not
  int resumed = 0;             // streams that broke and were taken up again
  double drift_ppm = 0;        // of its clock against ours; 0 until it is known
  Nanos clock_offset = 0;      // its monotonic clock's reading minus ours, at the last point
  Nanos clock_round_trip = 0;  // of the exchange that its clock was read with last: right within half of it
};

struct RunResult {
  std::string run;
  std::string started_at;
  double started_wall_s = 0;
  std::vector<AgentFacts> agents;
  std::vector<PointResult> points;
  std::vector<PointResult> abandoned;  // attempts at points that were made again; in no sum
  std::uint64_t shards = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t rejected = 0;
  int exit_code = 0;
  std::vector<std::string> notes;  // one line each; what went wrong, first to last

  void Note(int code, std::string text);
};

// Closes the windows of a point that has ended, and notes what is missing of it, with `exit_code` if anything is.
void ClosePoint(PointResult* point, int exit_code, RunResult* result);

}  // namespace tidemark
