#include "common/printable.h"

#include "absl/strings/str_cat.h"
#include "common/inert_text.h"

namespace tidemark {
namespace {

unsigned char ByteAt(absl::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

}  // namespace

std::string Printable(absl::string_view text, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char byte = ByteAt(text, i);
    const bool is_character_begin = (byte & 0xc0) != 0x80;
    if (out.size() >= size && is_character_begin) return out + "...";
    // C0, DEL, and C1 as UTF-8 writes it.
    const bool is_c1 = byte == 0xc2 && i + 1 < text.size() && ByteAt(text, i + 1) < 0xa0;
    if (is_c1) ++i;
    out += byte < 0x20 || byte == 0x7f || is_c1 ? '?' : text[i];
  }
  return out;
}

absl::string_view CharacterAt(absl::string_view text, std::size_t at) {
  const unsigned char first = ByteAt(text, at);
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
  if (at + length > text.size()) return text.substr(at, 1);
  for (std::size_t i = 1; i < length; ++i) {
    if ((ByteAt(text, at + i) & 0xc0) != 0x80) return text.substr(at, 1);
  }
  return text.substr(at, length);
}

std::string NameOfCharacter(absl::string_view character) {
  if (character == " ") return "a space";
  if (character == "\t") return "a tab";
  if (character == "\n") return "a line feed";
  if (character == "\r") return "a carriage return";
  const unsigned char byte = ByteAt(character, 0);
  if (character.size() == 1 && (byte < 0x20 || byte >= 0x7f))
    return absl::StrCat("the byte 0x", absl::Hex(byte, absl::kZeroPad2));
  if (!IsInert(character)) return absl::StrCat("the invisible character ", PercentEncoded(character));
  return absl::StrCat("'", character, "'");
}

std::string PercentEncoded(absl::string_view character) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < character.size(); ++i) {
    const unsigned char byte = ByteAt(character, i);
    out += {'%', kDigits[byte >> 4], kDigits[byte & 0xf]};
  }
  return out;
}

}  // namespace tidemark
