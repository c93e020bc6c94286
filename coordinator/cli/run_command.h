// `tidemark run`: the sweep of a plan, and its report.
#pragma once

#include "coordinator/cli/run_options.h"

namespace tidemark {

// Runs, prints and writes what the options ask for; returns the exit code, see run.h.
int RunCommand(const RunOptions& options);

}  // namespace tidemark
