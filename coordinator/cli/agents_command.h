// tidemark agents: who they are and what they do. tidemark stop: ends a run at them.
#pragma once

#include <string>
#include <vector>

namespace tidemark {

// `arguments` follow the word "agents" or "stop". Return the exit code.
int AgentsCommand(std::vector<std::string> arguments);
int StopCommand(std::vector<std::string> arguments);

}  // namespace tidemark
