// Text from outside, as one line shows it.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace tidemark {

// `text`, safe on a terminal: control characters become '?', and what is longer than `size` bytes is cut.
// REQUIRES: it is UTF-8.
std::string Printable(absl::string_view text, std::size_t size);

// The bytes of the character that begins at `at`: those of UTF-8, or one that is no UTF-8.  REQUIRES: at < text.size().
absl::string_view CharacterAt(absl::string_view text, std::size_t at);

// How a message names that character: "'|'", "a space", "a line feed", "the byte 0x07", "the invisible
// character %E2%80%8B".
std::string NameOfCharacter(absl::string_view character);

// That character as a URL writes it: "%7C".
std::string PercentEncoded(absl::string_view character);

}  // namespace tidemark
