// What the tables of the code say, as pages for the user: `tidemark reference`, and docs/reference.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "coordinator/cli/command.h"

namespace tidemark {

struct ReferencePage {
  absl::string_view name;  // of `tidemark reference NAME`, and docs/reference/NAME.md
  absl::string_view what;
  std::string (*make)();  // Markdown
};
absl::Span<const ReferencePage> ReferencePages();

// `tidemark reference`, which prints a command's manual page too.
Prepare AddReference(CLI::App* app);

}  // namespace tidemark
