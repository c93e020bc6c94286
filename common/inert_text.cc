#include "common/inert_text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace tidemark {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};
// Of Unicode 15: categories Cc and Cf, line and paragraph separators, and what is shown as nothing
// (Default_Ignorable_Code_Point). In ascending order.
constexpr Range kActive[] = {
    {0x0000, 0x001f},                      // C0
    {0x007f, 0x009f},                      // DEL, C1
    {0x00ad, 0x00ad},                      // soft hyphen
    {0x034f, 0x034f},                      // combining grapheme joiner
    {0x0600, 0x0605},   {0x061c, 0x061c},  // Arabic letter mark
    {0x06dd, 0x06dd},   {0x070f, 0x070f},   {0x0890, 0x0891},   {0x08e2, 0x08e2},   {0x115f, 0x1160},  // Hangul fillers
    {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},  // zero width, marks of direction
    {0x2028, 0x202e},                                          // separators, embeddings and overrides of direction
    {0x2060, 0x206f},                                          // word joiner, isolates of direction
    {0x3164, 0x3164},   {0xfe00, 0xfe0f},                      // variation selectors
    {0xfeff, 0xfeff},                                          // byte order mark
    {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f},
    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},  // tags
};

bool IsActive(std::uint32_t character) {
  const auto* const range = std::lower_bound(std::begin(kActive), std::end(kActive), character,
                                             [](const Range& r, std::uint32_t c) { return r.last < c; });
  return range != std::end(kActive) && range->first <= character;
}

// The length of the well-formed character at the front of `bytes` (Unicode, table 3-7), and which it is; 0 if there is
// none.
std::size_t ReadCharacter(absl::string_view bytes, std::uint32_t* character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    *character = lead;
    return 1;
  }
  const std::size_t length = lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead <= 0xf4 ? 4 : 0;
  if (lead < 0xc2 || length == 0 || bytes.size() < length) return 0;
  std::uint32_t value = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    value = value << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return 0;
  *character = value;
  return length;
}

unsigned char ByteAt(absl::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

}  // namespace

std::string InertText(absl::string_view bytes, std::size_t max_bytes) {
  std::string out;
  while (!bytes.empty()) {
    std::uint32_t character = 0;
    const std::size_t length = ReadCharacter(bytes, &character);
    const bool is_space = length == 1 && (character == '\t' || character == '\n' || character == '\r');
    const absl::string_view shown = is_space ? " " : length == 0 || IsActive(character) ? "?" : bytes.substr(0, length);
    if (out.size() + shown.size() > max_bytes) break;
    out.append(shown.data(), shown.size());
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

bool IsInert(absl::string_view text) { return InertText(text, text.size()) == text; }

std::string InertName(absl::string_view bytes) { return InertText(bytes, kMaxInertName); }
std::string InertLine(absl::string_view bytes) { return InertText(bytes, kMaxInertLine); }

bool IsInertLine(absl::string_view text) {
  if (text.size() > kMaxInertLine) return false;
  // Most are printable ASCII, which needs no second look.
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return is_plain || IsInert(text);
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
