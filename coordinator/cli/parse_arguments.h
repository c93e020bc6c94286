// The arguments of a verb that has no plan.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tidemark {

// Parses them into what `app` was told of; `app` is named "tidemark VERB". If they are not good, or ask for help, says
// so and returns the exit code to end with.
std::optional<int> ParseArguments(CLI::App* app, std::vector<std::string> arguments);

}  // namespace tidemark
