// `tidemark completion`: what a shell offers while a command is typed.
#pragma once

#include "coordinator/cli/command.h"

namespace tidemark {

Prepare AddCompletion(CLI::App* app);

}  // namespace tidemark
