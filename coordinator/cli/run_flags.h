// The command line of `tidemark run`: a short form of the plan.
#pragma once

#include "coordinator/cli/command.h"

namespace tidemark {

// Tells `app` of its flags. What is made of them reads the plan file and body files that they name.
Prepare AddRun(CLI::App* app);

}  // namespace tidemark
