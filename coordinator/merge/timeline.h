// What one agent had of a point over time, in few rows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/stats/histogram.h"
#include "common/stats/outcome.h"
#include "coordinator/merge/sparse_histogram.h"

namespace tidemark {

// Rows of 1 s; when there would be more than kMaxRows they become rows of 10, 60, 600, then 3,600 s. Only these last
// may be more. Memory: 56 bytes a row, 3.4 kB an agent; while latencies are kept, another 1 to 3 kB a row.  Threads:
// one.
class Timeline {
 public:
  static constexpr std::uint32_t kMaxRows = 60;

  struct Row {
    std::uint64_t windows = 0;  // that were told of
    std::uint64_t requests = 0;
    std::uint64_t success = 0;
    std::uint64_t messages = 0;
    std::uint64_t cpu_ns = 0;
    Nanos max = 0;   // of the latencies that are kept
    Nanos p99 = -1;  // of them, once the point is finished; negative: there were none
  };

  // To be called before the first Add: p99 is wanted.
  void KeepLatencies() { keeps_latencies_ = true; }

  // What was counted in `window`, in seconds since T0; windows ascend. `latency`: null of none. `scratch`: as of
  // SparseHistogram::Add.
  void Add(std::uint32_t window, const Counters& delta, const Histogram* latency, std::vector<std::uint64_t>* scratch);
  // Nothing more will be added.
  void Finish();

  std::uint32_t row_length_s() const { return row_length_s_; }
  const std::vector<Row>& rows() const { return rows_; }

 private:
  void CloseRow();
  void Lengthen(std::uint32_t length_s);
  Histogram LatencyOf(std::size_t row) const;

  std::uint32_t row_length_s_ = 1;
  bool keeps_latencies_ = false;
  std::vector<Row> rows_;
  std::vector<std::string> latencies_;  // of the rows, as HdrHistogram V2; empty: none
  SparseHistogram open_;                // the last row's, which are in no string yet
};

}  // namespace tidemark
