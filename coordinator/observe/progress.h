// What a user sees while a run goes on, on stderr.
#pragma once

#include <memory>
#include <string>

#include "common/clock.h"
#include "coordinator/observe/run_observer.h"

namespace tidemark {

// On a terminal one line that rewrites itself, otherwise lines that stay: a point's begin, how far it is every 10 s,
// its end. Threads: one.
class Progress final : public RunObserver {
 public:
  enum class Mode { kQuiet, kPlain, kTerminal };
  explicit Progress(Mode mode) : mode_(mode) {}

  void BeginPoint(const PointBegin& point) override;
  void Update(const PointSoFar& so_far) override;
  void AddWindow(const std::shared_ptr<const WindowSum>&) override {}
  void EndPoint(const PointSoFar& so_far) override;
  // A line that stays, in every mode.
  void Say(const std::string& text) override;

 private:
  bool IsDue() const;
  std::string Name() const;
  std::string Line() const;

  const Mode mode_;
  PointBegin point_;
  PointSoFar so_far_;
  Nanos begin_ = 0;
  Nanos last_shown_ = 0;
};

}  // namespace tidemark
