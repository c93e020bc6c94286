#include "coordinator/report/html_table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "common/inert_text.h"

namespace tidemark {
namespace {

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string ClassOf(const HtmlColumn& column, const std::string& css) {
  const std::string both = absl::StrCat(column.is_text ? "t" : "", column.is_text && !css.empty() ? " " : "", css);
  return both.empty() ? "" : absl::StrCat(" class=\"", both, "\"");
}

}  // namespace

std::string Html(absl::string_view text) {
  const std::string inert = InertLine(text);
  return Escaped(inert.size() + 4 > kMaxInertLine && inert.size() < text.size() ? inert + "…" : inert);
}

std::string HtmlLines(absl::string_view text) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n'))
    lines.push_back(Escaped(InertText(line, line.size() * 3)));
  return absl::StrJoin(lines, "\n");
}

void HtmlTable::Row(std::vector<HtmlCell> cells) {
  CHECK(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::string HtmlTable::ToHtml(absl::string_view caption) const {
  if (rows_.empty()) return "";
  std::string out = absl::StrCat("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", Html(caption),
                                 "\"><table><thead><tr>");
  for (const HtmlColumn& column : columns_)
    absl::StrAppend(&out, "<th scope=\"col\"", ClassOf(column, ""), ">", Html(column.title), "</th>");
  absl::StrAppend(&out, "</tr></thead><tbody>\n");
  for (const std::vector<HtmlCell>& row : rows_) {
    absl::StrAppend(&out, "<tr>");
    for (std::size_t i = 0; i < row.size(); ++i) {
      const char* const tag = i == 0 ? "th" : "td";
      absl::StrAppend(&out, "<", tag, i == 0 ? " scope=\"row\"" : "", ClassOf(columns_[i], row[i].css), ">",
                      Html(row[i].text), "</", tag, ">");
    }
    absl::StrAppend(&out, "</tr>\n");
  }
  return absl::StrCat(out, "</tbody></table></div>\n");
}

std::string Folded(absl::string_view summary, absl::string_view content) {
  return absl::StrCat("<details><summary>", Html(summary), "</summary>", content, "</details>\n");
}

}  // namespace tidemark
