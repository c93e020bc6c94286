// Text that somebody else wrote, made harmless: whoever prints it prints what it shows, and nothing acts.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace tidemark {

// `bytes` as valid UTF-8 of at most `max_bytes` bytes, cut between characters. Tabs and line ends become spaces; other
// control characters (C0, DEL, C1), characters that show nothing or change the direction of writing, and bytes that are
// no UTF-8 become '?'.
std::string InertText(absl::string_view bytes, std::size_t max_bytes);

// Whether InertText would leave `text` as it is.
bool IsInert(absl::string_view text);

}  // namespace tidemark
