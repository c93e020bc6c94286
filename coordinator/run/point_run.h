// One attempt at a point: prepared, started together, ended.
#pragma once

#include <cstdint>

#include "coordinator/run/run_state.h"
#include "coordinator/run/views.h"
#include "coordinator/run/waiting.h"

namespace tidemark {

// Threads: one.
class PointRun {
 public:
  PointRun(RunState* run, Waiting* waiting, Views* views) : run_(run), waiting_(waiting), views_(views) {}

  // Makes point `index` of the sweep, which becomes the current one. False if the run must end with it; where a redo is
  // due it has lost an agent, and is to be made again.
  bool Try(std::uint32_t index, PointResult* point);

 private:
  void Prepare(std::uint32_t index, PointResult* point);
  void SendPrepare(const PointResult& point);
  bool Synchronise(PointResult* point);
  bool Arm(PointResult* point);
  void End(PointResult* point);
  const proto::ConnectError* MostFrequentError() const;
  void SayWhatIsNotUp(const PointResult& point);
  bool TargetAnswers(const PointResult& point);

  RunState* const run_;
  Waiting* const waiting_;
  Views* const views_;
};

}  // namespace tidemark
