// What looks at a run while it goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "coordinator/merge/failures.h"
#include "coordinator/merge/merger.h"

namespace tidemark {
namespace proto {
class Point;
}

struct PointBegin {
  std::uint32_t index = 0;  // in the sweep ...
  std::uint32_t count = 0;  // ... of so many points
  std::int64_t connections = 0;
  double rate = 0;             // of an open loop, slots per second; 0: none to show
  Nanos length = 0;            // by the plan; 0: it ends with a count
  std::uint64_t requests = 0;  // that count; 0: it ends with a time
};

// What one agent has come to.
struct AgentSoFar {
  std::int64_t up = 0;
  bool is_lost = false;
  double per_s = -1;        // in its last whole second: complete responses, of streams messages; negative: none yet
  double cpu = -1;          // ... the share of its workers' time in which they computed; negative: none yet
  Nanos p99 = -1;           // ... of the headline latency; negative: no values
  Nanos lateness_p99 = -1;  // ... negative: nothing was sent
};

// What a point has come to.
struct PointSoFar {
  std::int64_t up = 0;
  std::uint64_t done = 0;
  std::uint64_t drained = 0;                // of `done`, what came after the end of the duration
  std::uint64_t left = 0;                   // what is still waited for after it
  std::optional<std::uint64_t> errors = 0;  // none while listening, which requests nothing
  Nanos p99 = 0;
  Nanos running = 0;  // T0 to the last complete response, or the end; 0: not running yet
  Nanos p50 = 0;
  Nanos start = 0;         // T0, an instant of this host's clock; 0: it is not set yet
  Nanos clock_error = 0;   // by so much the starts of two agents may lie apart; 0: there is one agent
  Failures failures = {};  // what `errors` is made of, of those that were sent or given up
  std::shared_ptr<const std::vector<AgentSoFar>> agents = nullptr;
  std::shared_ptr<const proto::Point> judged = nullptr;  // at the point's end, its figures as the report has them

  // Per second, of what came within the duration; none before the first.
  std::optional<double> Rate() const {
    if (running <= 0) return std::nullopt;
    return static_cast<double>(done - drained) * 1e9 / static_cast<double>(running);
  }
};

// A view of a run. It is told of each point: its begin; how far it is, ten times a second at most; each window as it is
// closed, the same that the report's series is made of; its end. A point that is made again begins again. The run calls
// from its own thread and waits for the answer: what may take long stands behind a DetachedObserver, one for each view.
// The journal is none of them: a shard is written down before its agent is told that it was heard, so that for it the
// run waits.
class RunObserver {
 public:
  virtual ~RunObserver() = default;

  virtual void BeginPoint(const PointBegin& point) = 0;
  virtual void Update(const PointSoFar& so_far) = 0;
  virtual void AddWindow(const std::shared_ptr<const WindowSum>& window) = 0;
  virtual void EndPoint(const PointSoFar& so_far) = 0;
  // Something that the user should know at once.
  virtual void Say(const std::string& text) = 0;
};

}  // namespace tidemark
