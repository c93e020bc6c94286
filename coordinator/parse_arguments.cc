#include "coordinator/parse_arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/exit_code.h"
#include "coordinator/fail.h"

namespace tidemark {

std::optional<int> ParseArguments(CLI::App* app, std::vector<std::string> arguments) {
  try {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    app->parse(arguments);
    return std::nullopt;
  } catch (const CLI::Success& success) {
    return app->exit(success);
  } catch (const CLI::ParseError& error) {
    const std::string name = app->get_name();
    return Fail(kExitUsage,
                absl::StrCat(absl::StripPrefix(name, "tidemark "), ": ", error.what(), "; see '", name, " --help'"));
  }
}

}  // namespace tidemark
