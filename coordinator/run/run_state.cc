#include "coordinator/run/run_state.h"

#include <utility>

namespace tidemark {

void RunState::SendTo(std::size_t agent, proto::Command command) {
  AgentState& state = agents[agent];
  if (!state.is_lost && state.stream.IsOpen()) state.stream.Send(std::move(command));
}

void RunState::StopAll() {
  if (point.stopped_at == 0) point.stopped_at = MonotonicNow();
  proto::Command command;
  command.mutable_stop();
  for (std::size_t i = 0; i < agents.size(); ++i) SendTo(i, command);
}

}  // namespace tidemark
