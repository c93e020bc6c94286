#include "coordinator/observe/terminal_line.h"

#include <algorithm>

#include "common/inert_text.h"

namespace tidemark {
namespace {

// The sixteen colours alone, whose shades are the user's own.
const char* SgrOf(Paint paint) {
  switch (paint) {
    case Paint::kPlain:
      return "\x1b[0m";
    case Paint::kBold:
      return "\x1b[0;1m";
    case Paint::kFaint:
      return "\x1b[0;2m";
    case Paint::kGood:
      return "\x1b[0;32m";
    case Paint::kWarning:
      return "\x1b[0;33m";
    case Paint::kBad:
      return "\x1b[0;31m";
  }
  return "";
}

}  // namespace

TerminalLine& TerminalLine::Add(absl::string_view text, Paint paint) {
  for (std::size_t at = 0; at < text.size();) {
    const absl::string_view character = CharacterAt(text, at);
    cells_.push_back({std::string(character), paint});
    at += character.size();
  }
  return *this;
}

TerminalLine& TerminalLine::AddForeign(absl::string_view text, Paint paint) {
  for (std::size_t at = 0; at < text.size();) {
    const absl::string_view character = CharacterAt(text, at);
    const bool is_plain = character.size() == 1 && character[0] >= ' ' && character[0] <= '~';
    cells_.push_back({is_plain ? std::string(character) : "?", paint});
    at += character.size();
  }
  return *this;
}

TerminalLine& TerminalLine::AddRight(absl::string_view text, std::size_t columns, Paint paint) {
  const TerminalLine added(text, paint);
  if (added.columns() < columns) FillTo(cells_.size() + columns - added.columns());
  return Append(added);
}

TerminalLine& TerminalLine::Append(const TerminalLine& other) {
  cells_.insert(cells_.end(), other.cells_.begin(), other.cells_.end());
  return *this;
}

TerminalLine& TerminalLine::FillTo(std::size_t column) {
  if (cells_.size() < column) cells_.resize(column, {" ", Paint::kPlain});
  return *this;
}

TerminalLine& TerminalLine::Cut(std::size_t columns) {
  if (cells_.size() > columns) cells_.erase(cells_.begin() + static_cast<std::ptrdiff_t>(columns), cells_.end());
  return *this;
}

std::string TerminalLine::Text() const {
  std::string text;
  for (const Cell& cell : cells_) text += cell.character;
  return text;
}

std::string TerminalLine::Bytes(bool has_color) const {
  std::string bytes;
  Paint paint = Paint::kPlain;
  for (const Cell& cell : cells_) {
    if (has_color && cell.paint != paint) bytes += SgrOf(cell.paint);
    paint = cell.paint;
    bytes += cell.character;
  }
  if (has_color && paint != Paint::kPlain) bytes += SgrOf(Paint::kPlain);
  return bytes;
}

}  // namespace tidemark
