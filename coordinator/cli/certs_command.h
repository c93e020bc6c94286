// `tidemark certs`: a private authority for the control channel, and what it signs.
#pragma once

#include "coordinator/cli/command.h"

namespace tidemark {

// Its commands write PEM files, never over others.
Prepare AddCerts(CLI::App* app);

}  // namespace tidemark
