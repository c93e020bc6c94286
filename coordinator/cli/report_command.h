// tidemark report: the result of a run again, from its JSON or its journal.
#pragma once

#include "coordinator/cli/command.h"

namespace tidemark {

Prepare AddReport(CLI::App* app);

}  // namespace tidemark
