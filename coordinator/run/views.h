// What those who look at a run are told.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/clock.h"
#include "coordinator/observe/run_observer.h"
#include "coordinator/run/run_state.h"

namespace tidemark {

// Threads: one.
class Views {
 public:
  explicit Views(const RunState* run) : run_(run) {}

  void Add(RunObserver* observer) { observers_.push_back(observer); }

  void BeginPoint();
  // Something has changed: they are told of each window that has been closed, and now and then of all.
  void Update();
  // T0 has been set.
  void Start();
  void EndPoint();
  void Say(const std::string& text);

 private:
  PointSoFar SoFar() const;
  std::vector<AgentSoFar> Agents() const;
  void TellWindows();

  const RunState* const run_;
  std::vector<RunObserver*> observers_;
  Nanos last_update_ = 0;
  std::size_t windows_told_ = 0;  // of the point
};

}  // namespace tidemark
