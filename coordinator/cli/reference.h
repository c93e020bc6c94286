// What the tables of the code say, as pages for the user: `tidemark reference`, and docs/reference.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace tidemark {

struct ReferencePage {
  absl::string_view name;  // of `tidemark reference NAME`, and docs/reference/NAME.md
  absl::string_view what;
  std::string (*make)();  // Markdown
};
absl::Span<const ReferencePage> ReferencePages();

// `tidemark reference`. Returns the exit code.
int ReferenceCommand(std::vector<std::string> arguments);

}  // namespace tidemark
