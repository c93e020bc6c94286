// `tidemark compare`: whether two sets of results differ.
#pragma once

#include "coordinator/cli/command.h"

namespace tidemark {

// BEFORE.json... -- AFTER.json...; what stands behind the dashes is read as --after.
Prepare AddCompare(CLI::App* app);

}  // namespace tidemark
