// The live view of a run, in the alternate screen of a terminal.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/clock.h"
#include "common/mutex.h"
#include "coordinator/observe/run_observer.h"
#include "coordinator/observe/terminal.h"
#include "coordinator/observe/terminal_frame.h"

namespace tidemark {

// Shows a run four times a second, from a thread of its own: whoever tells it of the run never waits for the terminal.
// A run that is over within the first of these is not shown at all. What was said stands on stderr when it is gone.
// Threads: that which tells, and its own.
class TerminalView final : public RunObserver {
 public:
  struct Options {
    bool has_color = false;
    bool is_utf8 = false;
    // Called once, from the view's thread, when the user wants the run to end after this point.
    std::function<void()> end_after_point = nullptr;
  };

  // `head`: of the report, what is known before the run. `terminal` lives longer.
  TerminalView(proto::Report head, Terminal* terminal, Options options);
  // Leaves the terminal.
  ~TerminalView() override;

  void BeginPoint(const PointBegin& point) override;
  void Update(const PointSoFar& so_far) override;
  void AddWindow(const std::shared_ptr<const WindowSum>& window) override;
  void EndPoint(const PointSoFar& so_far) override;
  void Say(const std::string& text) override;

 private:
  void Paint();
  void ReadKeys();
  void ShowFrame();

  Terminal* const terminal_;
  const Options options_;
  const bool is_listening_;
  Mutex mutex_;
  ShownRun run_ ABSL_GUARDED_BY(mutex_);
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_input_ = true;  // of the own thread, as is_last_
  bool is_last_ = false;
  std::thread painter_;
};

}  // namespace tidemark
