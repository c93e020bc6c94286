// `tidemark search`: the highest rate, or number of connections, that meets what is expected.
#pragma once

#include "coordinator/cli/run_options.h"

namespace tidemark {

// Makes trials until the answer is known, prints and writes it; returns the exit code: 0 a level was found, 99 not even
// the lowest met the expectations, 4 the generator was the limit; others as of a run.
int SearchCommand(const RunOptions& options);

}  // namespace tidemark
