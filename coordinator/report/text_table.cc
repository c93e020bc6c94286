#include "coordinator/report/text_table.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace tidemark {
namespace {

constexpr int kGap = 2;
constexpr char kEscape = '\x1b';

// Where the text of "  Name     : text" begins.
std::size_t TextBegin(absl::string_view line) {
  std::size_t colour = 0;
  while (colour < line.size() && line[colour] == kEscape)
    colour = std::min(line.find('m', colour), line.size() - 1) + 1;
  line.remove_prefix(colour);
  const std::size_t first = line.find_first_not_of(' ');
  const std::size_t colon = line.find(": ");
  constexpr std::size_t kLongestName = 12;
  if (first != 2 || colon == absl::string_view::npos || colon > kLongestName)
    return colour + (first == absl::string_view::npos ? 0 : first);
  return colour + colon + 2;
}

// Whether a break between these words would part a figure from its unit, or a flag from its value.
bool BelongTogether(absl::string_view word, absl::string_view next) {
  return absl::StartsWith(next, "%") || (word.size() > 1 && word[0] == '-');
}

void AppendWrapped(absl::string_view line, int width, std::string* out) {
  const std::size_t begin = TextBegin(line);
  const int indent = WidthOf(line.substr(0, begin));
  if (width == 0 || WidthOf(line) <= width || indent + 20 > width) {
    absl::StrAppend(out, line);
    return;
  }
  absl::StrAppend(out, line.substr(0, begin));
  const std::vector<absl::string_view> words = absl::StrSplit(line.substr(begin), ' ');
  int at = indent;
  for (std::size_t i = 0; i < words.size();) {
    std::size_t end = i + 1;
    int length = WidthOf(words[i]);
    for (; end < words.size() && BelongTogether(words[end - 1], words[end]); ++end) length += 1 + WidthOf(words[end]);
    if (at > indent && at + 1 + length > width) {
      absl::StrAppend(out, "\n", std::string(static_cast<std::size_t>(indent), ' '));
      at = indent;
    }
    for (; i < end; ++i) {
      if (at > indent) absl::StrAppend(out, " ");
      absl::StrAppend(out, words[i]);
      at += WidthOf(words[i]) + (at > indent ? 1 : 0);
    }
  }
}

}  // namespace

int WidthOf(absl::string_view text) {
  int width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == kEscape) {
      i = std::min(text.find('m', i), text.size() - 1);
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      ++width;
    }
  }
  return width;
}

void TextTable::Add(std::vector<std::string> cells, absl::string_view before, absl::string_view after) {
  rows_.push_back({std::move(cells), std::string(before), std::string(after)});
}

namespace {

// Which columns are shown, if those of `rank` 0 always are.
std::vector<bool> Fitting(const std::vector<int>& widths, const std::vector<int>& ranks, int room) {
  std::vector<bool> is_shown(widths.size(), true);
  int all = 0;
  for (const int width : widths) all += kGap + width;
  while (all > room) {
    std::size_t last = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (is_shown[i] && ranks[i] > 0 && (last == widths.size() || ranks[i] > ranks[last])) last = i;
    }
    if (last == widths.size()) break;
    is_shown[last] = false;
    all -= kGap + widths[last];
  }
  return is_shown;
}

}  // namespace

std::string TextTable::Render(int width, absl::string_view title_before, absl::string_view title_after) const {
  constexpr int kNoFigure = 1'000;  // a rank above all
  std::vector<int> widths;
  std::vector<int> ranks;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(WidthOf(columns_[i].title));
    bool has_figure = false;
    for (const Row& row : rows_) {
      if (i >= row.cells.size()) continue;
      widths[i] = std::max(widths[i], WidthOf(row.cells[i]));
      has_figure = has_figure || (!row.cells[i].empty() && row.cells[i] != "-");
    }
    ranks.push_back(has_figure || columns_[i].rank == 0 ? columns_[i].rank : kNoFigure);
  }
  int behind = behind_.empty() ? 0 : kGap + WidthOf(behind_);
  for (const Row& row : rows_) {
    if (row.cells.size() > columns_.size()) behind = std::max(behind, kGap + WidthOf(row.cells.back()));
  }
  const std::vector<bool> is_shown =
      Fitting(widths, ranks, width == 0 ? std::numeric_limits<int>::max() : width - behind);
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (!is_shown[i]) continue;
      const absl::string_view cell = i < cells.size() ? absl::string_view(cells[i]) : absl::string_view();
      absl::StrAppend(&text, std::string(static_cast<std::size_t>(kGap + widths[i] - WidthOf(cell)), ' '), cell);
    }
    if (cells.size() > columns_.size()) absl::StrAppend(&text, std::string(kGap, ' '), cells.back());
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  std::vector<std::string> titles;
  for (const TextColumn& column : columns_) titles.push_back(column.title);
  if (!behind_.empty()) titles.push_back(behind_);
  std::string out = absl::StrCat(title_before, line(titles), title_after, "\n");
  for (const Row& row : rows_) absl::StrAppend(&out, row.before, line(row.cells), row.after, "\n");
  return out;
}

std::string Wrapped(absl::string_view text, int width) {
  std::string out;
  const bool is_ended = absl::EndsWith(text, "\n");
  if (is_ended) text.remove_suffix(1);
  bool is_first = true;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!is_first) out.push_back('\n');
    is_first = false;
    AppendWrapped(line, width, &out);
  }
  if (is_ended) out.push_back('\n');
  return out;
}

}  // namespace tidemark
