// One line of a terminal, as cells.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidemark {

// How a cell is painted; what it says is in its character alone.
enum class Paint : unsigned char { kPlain, kBold, kFaint, kGood, kWarning, kBad };

// Cells from the left, each a character that takes one column. Threads: one.
class TerminalLine {
 public:
  TerminalLine() = default;
  explicit TerminalLine(absl::string_view text, Paint paint = Paint::kPlain) { Add(text, paint); }

  // Text of ours: UTF-8, of characters that take one column each.
  TerminalLine& Add(absl::string_view text, Paint paint = Paint::kPlain);
  // Text that others wrote: what is not printable ASCII becomes '?', since terminals differ in how many columns it
  // takes.
  TerminalLine& AddForeign(absl::string_view text, Paint paint = Paint::kPlain);
  // The text at the right end of `columns` more cells; if it is longer it takes what it needs.
  TerminalLine& AddRight(absl::string_view text, std::size_t columns, Paint paint = Paint::kPlain);
  TerminalLine& Append(const TerminalLine& other);
  // Spaces up to `column`, if it is beyond the end.
  TerminalLine& FillTo(std::size_t column);
  TerminalLine& Cut(std::size_t columns);

  std::size_t columns() const { return cells_.size(); }

  // What the line shows, without paint.
  std::string Text() const;
  // The bytes that show it: with `has_color` each change of paint is an SGR sequence, and the last one is undone.
  std::string Bytes(bool has_color) const;

 private:
  struct Cell {
    std::string character;
    Paint paint;
  };
  std::vector<Cell> cells_;
};

}  // namespace tidemark
