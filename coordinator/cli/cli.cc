#include "coordinator/cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/arguments.h"
#include "common/check.h"
#include "common/exit_code.h"
#include "common/inert_text.h"
#include "coordinator/cli/agents_command.h"
#include "coordinator/cli/certs_command.h"
#include "coordinator/cli/compare_command.h"
#include "coordinator/cli/completion_command.h"
#include "coordinator/cli/reference.h"
#include "coordinator/cli/report_command.h"
#include "coordinator/cli/run_flags.h"
#include "coordinator/cli/search_flags.h"
#include "coordinator/cli/selftest_command.h"

namespace tidemark {
namespace {

constexpr Command kCommands[] = {
    {"run", "run a sweep against a target", AddRun},
    {"search", "find the highest rate, or number of connections, that meets an expectation", AddSearch},
    {"compare", "compare two sets of results of one plan", AddCompare, "--after"},
    {"report", "make the result of a run again, from its JSON or its journal", AddReport, "--after"},
    {"agents", "show who the agents are, and what they are doing", AddAgents},
    {"stop", "end a run at its agents", AddStop},
    {"certs", "make certificates for the control channel between coordinator and agents", AddCerts},
    {"selftest", "show what this machine can measure, and whether the promises hold on it, in 20 s", AddSelftest},
    {"reference", "print what may be written, and what is written", AddReference},
    {"completion", "print a script that completes commands and flags in a shell", AddCompletion},
};

// The program with all its commands.
struct Program {
  CLI::App app{"Tidemark: how many connections, and how many requests a second, does this HTTP API hold?", "tidemark"};
  std::vector<std::pair<const CLI::App*, Prepare>> commands;

  Program() {
    app.set_version_flag("-V,--version", std::string("tidemark ") + TIDEMARK_VERSION);
    app.require_subcommand(1);
    app.footer("Try 'tidemark run --help'.");
    for (const Command& command : kCommands) {
      CLI::App* const sub = app.add_subcommand(std::string(command.name), std::string(command.what));
      commands.emplace_back(sub, command.add(sub));
    }
  }
};

CommandLine Wrong(absl::string_view what) {
  return {.exit_code = kExitUsage, .text = absl::StrCat("tidemark: ", InertText(what, what.size()), "\n")};
}

}  // namespace

CommandLine ParseCommandLine(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  for (const Command& command : kCommands) {
    if (command.behind_dashes.empty() || arguments.empty() || arguments[0] != command.name) continue;
    if (std::count(arguments.begin(), arguments.end(), "--") > 1) return Wrong("'--' is given twice; give it once");
    if (arguments.back() == "--")
      return Wrong(absl::StrCat("nothing stands behind '--'; see 'tidemark ", command.name, " --help'"));
    std::replace(arguments.begin(), arguments.end(), std::string("--"), std::string(command.behind_dashes));
  }
  Program program;
  if (const auto end = ReadArguments(&program.app, std::move(arguments), {"--data"})) {
    if (end->is_error) return Wrong(end->text);
    return {.text = end->text};
  }
  for (const auto& [app, prepare] : program.commands) {
    if (!app->parsed()) continue;
    auto prepared = prepare();
    if (!prepared.ok()) return Wrong(prepared.status().message());
    return {.prepared = *std::move(prepared)};
  }
  CHECK(false);  // ReadArguments lets nothing through without a command
}

std::vector<CommandRow> CommandTable() { return TableOf(Program().app); }

}  // namespace tidemark
