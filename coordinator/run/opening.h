// The begin of a run: every agent is opened for it.
#pragma once

#include <cstddef>
#include <vector>

#include "coordinator/run/losses.h"
#include "coordinator/run/run_state.h"
#include "coordinator/run/waiting.h"

namespace tidemark {

// Threads: one.
class Opening {
 public:
  Opening(RunState* run, Waiting* waiting, Losses* losses) : run_(run), waiting_(waiting), losses_(losses) {}

  // False if the run must end.
  bool Open();

 private:
  bool OpenAll();
  void SendOpen(std::size_t agent);
  void Release(const std::vector<std::size_t>& agents);
  bool HasPorts();

  RunState* const run_;
  Waiting* const waiting_;
  Losses* const losses_;
};

}  // namespace tidemark
