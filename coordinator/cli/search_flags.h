// The command line of `tidemark search`: the plan of a trial, and between which levels.
#pragma once

#include "coordinator/cli/command.h"

namespace tidemark {

// Tells `app` of its flags. What is made of them reads the plan file and body files that they name.
Prepare AddSearch(CLI::App* app);

}  // namespace tidemark
