// One command of the command line.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/cli/run_options.h"

namespace CLI {
class App;
}

namespace tidemark {

// What is to be done after parsing.
struct Prepared {
  std::function<int()> act;                             // returns the exit code
  std::shared_ptr<const RunOptions> options = nullptr;  // of `run` and `search`
};

// Makes it of what was typed.  Errors: InvalidArgument or NotFound, one line: what, which value, remedy.
using Prepare = std::function<absl::StatusOr<Prepared>()>;

struct Command {
  absl::string_view name;
  absl::string_view what;
  Prepare (*add)(CLI::App* app);  // tells `app` of its flags
  // The hidden flag whose values stand behind a "--"; empty: there is none.
  absl::string_view behind_dashes = "";
};

}  // namespace tidemark
