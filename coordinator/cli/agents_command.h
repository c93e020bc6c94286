// tidemark agents: who they are and what they do. tidemark stop: ends a run at them.
#pragma once

#include "coordinator/cli/command.h"

namespace tidemark {

Prepare AddAgents(CLI::App* app);
Prepare AddStop(CLI::App* app);

}  // namespace tidemark
