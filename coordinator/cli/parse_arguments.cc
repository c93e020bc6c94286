#include "coordinator/cli/parse_arguments.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/arguments.h"
#include "common/exit_code.h"
#include "coordinator/cli/fail.h"

namespace tidemark {

std::optional<int> ParseArguments(CLI::App* app, std::vector<std::string> arguments) {
  const std::string name = app->get_name();
  const auto end = ReadArguments(app, name, std::move(arguments));
  if (!end) return std::nullopt;
  if (end->is_error) return Fail(kExitUsage, absl::StrCat(absl::StripPrefix(name, "tidemark "), ": ", end->text));
  std::fputs(end->text.c_str(), stdout);
  return kExitOk;
}

}  // namespace tidemark
