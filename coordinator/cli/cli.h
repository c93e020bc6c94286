// The command line of `tidemark`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/command_table.h"
#include "coordinator/cli/command.h"

namespace tidemark {

// What to do after parsing.
struct CommandLine {
  Prepared prepared = {};  // without `act`: end with `exit_code` after printing `text`
  int exit_code = 0;
  std::string text = {};  // help, version, or what is wrong
};

// Parses argv and reads what it names. Bad input gives exit code 1 and one line.
CommandLine ParseCommandLine(int argc, const char* const* argv);

// All commands and their flags.
std::vector<CommandRow> CommandTable();

}  // namespace tidemark
