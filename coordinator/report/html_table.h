// Text and tables as HTML, in which nothing that others wrote can act.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidemark {

// `text` made inert, cut to kMaxInertLine bytes, and escaped for an element's content or a quoted attribute.
std::string Html(absl::string_view text);

// The same of text of several lines, at any length: line ends stay.
std::string HtmlLines(absl::string_view text);

struct HtmlColumn {
  std::string title;
  bool is_text = false;  // else its cells are figures, which stand to the right
};

struct HtmlCell {
  HtmlCell(std::string what) : text(std::move(what)) {}  // NOLINT: a cell is its text
  HtmlCell(const char* what) : text(what) {}             // NOLINT
  HtmlCell(std::string what, absl::string_view how) : text(std::move(what)), css(how) {}

  std::string text;  // as it reads: it is escaped when it is written
  std::string css;   // a class of report.css
};

// Rows under titles. The first column stays in sight when a narrow screen scrolls the others.
class HtmlTable {
 public:
  explicit HtmlTable(std::vector<HtmlColumn> columns) : columns_(std::move(columns)) {}

  void Row(std::vector<HtmlCell> cells);  // REQUIRES: as many as columns
  bool IsEmpty() const { return rows_.empty(); }
  // `caption` is for who does not see the page. Empty without rows.
  std::string ToHtml(absl::string_view caption) const;

 private:
  std::vector<HtmlColumn> columns_;
  std::vector<std::vector<HtmlCell>> rows_;
};

// A <details> that is closed at first; `content` is HTML.
std::string Folded(absl::string_view summary, absl::string_view content);

}  // namespace tidemark
