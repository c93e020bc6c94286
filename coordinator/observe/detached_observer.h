// A view that has a thread of its own, so that a run does not wait for it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "common/mutex.h"
#include "coordinator/observe/run_observer.h"

namespace tidemark {

// Hands on what it is told to a view, in order, from its own thread. A view that is behind misses updates that a later
// one has overtaken, and the oldest of more than kMaxWindows windows; of a begin, an end and a word it misses nothing.
// Threads: that of the run; the view is called from the own one alone.
class DetachedObserver final : public RunObserver {
 public:
  static constexpr std::size_t kMaxWindows = 64;

  // `view` lives longer.
  explicit DetachedObserver(RunObserver* view);
  // Waits until the view has been told all.
  ~DetachedObserver() override;

  void BeginPoint(const PointBegin& point) override;
  void Update(const PointSoFar& so_far) override;
  void AddWindow(const std::shared_ptr<const WindowSum>& window) override;
  void EndPoint(const PointSoFar& so_far) override;
  void Say(const std::string& text) override;

  // Windows that the view has missed.
  std::size_t missed() const;

 private:
  enum class Kind { kUpdate, kWindow, kOther };
  struct Call {
    Kind kind = Kind::kOther;
    std::function<void(RunObserver*)> tell;
  };
  void Push(Call call);
  void Tell();

  RunObserver* const view_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Call> calls_ ABSL_GUARDED_BY(mutex_);
  std::size_t windows_ ABSL_GUARDED_BY(mutex_) = 0;  // among them
  std::size_t missed_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tidemark
