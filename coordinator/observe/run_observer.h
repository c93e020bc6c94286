// What looks at a run while it goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/clock.h"
#include "coordinator/merge/merger.h"

namespace tidemark {

struct PointBegin {
  std::uint32_t index = 0;  // in the sweep ...
  std::uint32_t count = 0;  // ... of so many points
  std::int64_t connections = 0;
  double rate = 0;  // of an open loop, slots per second; 0: none to show
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
