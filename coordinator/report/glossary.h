// What the words of a text report mean.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace tidemark {

// A line for each of the words that `text`, a report, has; empty if it has none of them.
std::string Glossary(absl::string_view text);

}  // namespace tidemark
