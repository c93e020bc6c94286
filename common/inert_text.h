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

// As long as a name may be, and any other text: of runs and coordinators, of streams; of errors, reasons, remarks.
inline constexpr std::size_t kMaxInertName = 256;
inline constexpr std::size_t kMaxInertLine = 512;
std::string InertName(absl::string_view bytes);
std::string InertLine(absl::string_view bytes);
bool IsInertLine(absl::string_view text);

// The bytes of the character that begins at `at`: those of UTF-8, or one that is no UTF-8.  REQUIRES: at < text.size().
absl::string_view CharacterAt(absl::string_view text, std::size_t at);

// How a message names that character: "'|'", "a space", "a line feed", "the byte 0x07", "the invisible
// character %E2%80%8B".
std::string NameOfCharacter(absl::string_view character);

// That character as a URL writes it: "%7C".
std::string PercentEncoded(absl::string_view character);

}  // namespace tidemark
