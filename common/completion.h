// What a shell offers while a command is typed.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/command_table.h"

namespace tidemark {

// The shells that there is one for.
absl::Span<const absl::string_view> CompletionShells();

// A script for `shell`, which is one of them, that completes the commands, flags and values of `table`.
std::string Completion(absl::string_view shell, const std::vector<CommandRow>& table);

}  // namespace tidemark
