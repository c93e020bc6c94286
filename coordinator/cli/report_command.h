// tidemark report: the result of a run again, from its journal.
#pragma once

#include <string>
#include <vector>

namespace tidemark {

// `arguments` follow the word "report". Returns the exit code.
int ReportCommand(std::vector<std::string> arguments);

}  // namespace tidemark
