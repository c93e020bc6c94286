// A table on a terminal: as many of its columns as there is room for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidemark {

struct TextColumn {
  std::string title;
  int rank = 0;  // where it is narrow those without a figure are left out first, then those of the highest rank; of
                 // rank 0 none ever is
};

class TextTable {
 public:
  // `behind`: the title of what stands to the left behind the columns, if anything does.
  explicit TextTable(std::vector<TextColumn> columns, std::string behind = "")
      : columns_(std::move(columns)), behind_(std::move(behind)) {}

  // A cell for each column, which may be fewer, or one more: what stands behind them. `before` and `after` stand
  // around the row and take no room: colours.
  void Add(std::vector<std::string> cells, absl::string_view before = "", absl::string_view after = "");

  // Lines, each ended, the titles first; a column is as wide as its widest cell, and two blanks. No line is wider than
  // `width` as long as there is a column that may be left out; 0: none is. `title_before`, `title_after`: as above.
  std::string Render(int width, absl::string_view title_before = "", absl::string_view title_after = "") const;

 private:
  struct Row {
    std::vector<std::string> cells;
    std::string before, after;
  };
  std::vector<TextColumn> columns_;
  std::string behind_;
  std::vector<Row> rows_;
};

// Each line of `text` that is wider than `width` broken at blanks, what follows under where its own text begins: behind
// the colon of "  Name     : text". A figure keeps its unit. 0: none is.
std::string Wrapped(absl::string_view text, int width);

// Characters, not bytes; those that only give a colour are none.
int WidthOf(absl::string_view text);

}  // namespace tidemark
