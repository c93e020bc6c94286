// `tidemark compare`: whether two sets of results differ.
#pragma once

#include <string>
#include <vector>

namespace tidemark {

// `arguments`: BEFORE.json... -- AFTER.json..., or --help. Prints a table, or one line of what is wrong; returns the
// exit code: 0 nothing regressed, 99 something did, 1 usage or files that cannot be compared.
int CompareCommand(const std::vector<std::string>& arguments);

}  // namespace tidemark
