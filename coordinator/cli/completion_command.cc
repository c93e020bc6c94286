#include "coordinator/cli/completion_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/completion.h"
#include "common/exit_code.h"
#include "common/inert_text.h"
#include "coordinator/cli/cli.h"

namespace tidemark {
namespace {

constexpr char kExamples[] = R"(
Examples:
  . <(tidemark completion bash)                               for this shell
  tidemark completion zsh > ~/.zfunc/_tidemark                for each, where fpath has that folder
  tidemark completion fish > ~/.config/fish/completions/tidemark.fish

The Debian package puts them where the shells look.
Exit codes: 0 printed; 1 usage.)";

}  // namespace

Prepare AddCompletion(CLI::App* app) {
  const auto shell = std::make_shared<std::string>();
  app->footer(kExamples);
  app->add_option("shell", *shell, "whose script is printed")
      ->required()
      ->type_name(absl::StrJoin(CompletionShells(), "|"));
  return [shell]() -> absl::StatusOr<Prepared> {
    const auto& shells = CompletionShells();
    if (std::find(shells.begin(), shells.end(), *shell) == shells.end())
      return absl::InvalidArgumentError(
          absl::StrCat("shell: '", InertText(*shell, 64), "' is none of ", absl::StrJoin(shells, ", ")));
    return Prepared{.act = [shell] {
      std::fputs(Completion(*shell, CommandTable()).c_str(), stdout);
      return kExitOk;
    }};
  };
}

}  // namespace tidemark
