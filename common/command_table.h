// The commands of a program and their flags, as data: completion, man pages and the reference are made of it.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace CLI {
class App;
}

namespace tidemark {

// A flag, or an operand, which has no dashes.
struct FlagRow {
  std::vector<std::string> names = {};  // "-c", "--connections"; of an operand the word that stands for it
  std::string value = {};               // "COUNT"; empty: it takes none
  std::string help = {};
  std::string group = {};  // under which the help lists it
  bool is_list = false;
  bool is_required = false;
};

struct ExitCodeRow {
  int code = 0;
  std::string meaning = {};
};

struct CommandRow {
  std::vector<std::string> words = {};  // "tidemark", "certs", "init"
  std::string what = {};
  std::vector<FlagRow> operands = {}, flags = {};
  std::vector<std::string> commands = {};  // that stand below it
  // What its help ends with: lines below "Examples:", paragraphs, and "Exit codes: 0 done; 1 usage."
  std::vector<std::string> examples = {}, remarks = {};
  std::vector<ExitCodeRow> exit_codes = {};

  std::string Name() const;  // "tidemark certs init"
  // Whether it is one of the commands of `other`.
  bool IsBelow(const CommandRow& other) const;
};

// Of `app` and all commands below it, in the order in which they were added.
std::vector<CommandRow> TableOf(const CLI::App& app);

// What a value may be, by how it is written in the help: forms with '|' between them, in which small letters stand for
// themselves and capitals for something else. "poisson|constant", "json=FILE|csv=FILE", "COUNT".
struct ValueForms {
  std::vector<std::string> literals;  // "poisson"; "json=", behind which something follows
  bool has_file = false;
  bool has_folder = false;
};
ValueForms FormsOf(absl::string_view value);

}  // namespace tidemark
