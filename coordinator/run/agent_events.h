// What agents say: checked, and taken into the run.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "common/clock.h"
#include "coordinator/run/agent_link.h"
#include "coordinator/run/losses.h"
#include "coordinator/run/run_state.h"
#include "coordinator/run/views.h"
#include "protos/agent.pb.h"
#include "protos/shard.pb.h"

namespace tidemark {

// An agent that says what cannot be is lost.  Threads: one.
class AgentEvents {
 public:
  AgentEvents(RunState* run, Losses* losses, Views* views) : run_(run), losses_(losses), views_(views) {}

  void Handle(RunEvent event);

 private:
  void HandleStreamEnd(std::size_t agent, const std::string& why);
  void HandleEvent(std::size_t index, proto::Event event, Nanos received);
  void HandleOpened(std::size_t index, const proto::Opened& opened);
  void HandleReady(std::size_t index, const proto::Ready& ready);
  void HandleFailure(std::size_t index, const proto::Failure& failure);
  void HandleShard(std::size_t index, proto::Shard shard);
  absl::Status Check(const AgentState& agent, const proto::Event& event) const;
  bool IsEarly(std::size_t index, const proto::Shard& last) const;
  void FinishIfPrecise();

  RunState* const run_;
  Losses* const losses_;
  Views* const views_;
};

}  // namespace tidemark
