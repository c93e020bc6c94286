// The arguments of a program: what CLI11 takes in silence, or says badly.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tidemark {

// Why there is nothing to run.
struct ArgumentsEnd {
  bool is_error = false;  // else the help or the version was asked for
  std::string text;       // the help; or one line that says what is wrong, with the remedy, without a newline
};

// Reads `arguments`, without the program's name, into what `app` was told of; nothing if they are good. A flag that is
// not known is named with what it may have been meant for, and a value that is empty is refused, since a variable that
// is not set makes one, but for those of the flags `may_be_empty`: "--flag ''" and "--flag=" alike. So are a list with
// an empty element, and a value for a flag that takes none.
std::optional<ArgumentsEnd> ReadArguments(CLI::App* app, std::vector<std::string> arguments,
                                          const std::vector<std::string>& may_be_empty = {});

}  // namespace tidemark
