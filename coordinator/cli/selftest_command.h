// `tidemark selftest`: what this machine can measure, and whether the four promises hold on it.
#pragma once

#include "coordinator/cli/command.h"

namespace tidemark {

// It runs for less than 30 s against a responder in this process.
Prepare AddSelftest(CLI::App* app);

}  // namespace tidemark
