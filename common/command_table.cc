#include "common/command_table.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace tidemark {
namespace {

// Apps without a name are groups of flags.
bool IsGroup(const CLI::App* app) { return app->get_name().empty(); }

FlagRow RowOf(const CLI::Option& option, const std::string& group) {
  FlagRow row{.help = option.get_description(),
              .group = group,
              .is_list = option.get_expected_max() > 1,
              .is_required = option.get_required()};
  if (option.get_positional()) {
    row.names = {option.get_name(true)};
  } else {
    for (const std::string& name : option.get_snames()) row.names.push_back(absl::StrCat("-", name));
    for (const std::string& name : option.get_lnames()) row.names.push_back(absl::StrCat("--", name));
  }
  if (option.get_expected_max() > 0) row.value = option.get_type_name();
  return row;
}

void AddFlags(const CLI::App& app, const std::string& group, CommandRow* row) {
  for (const CLI::Option* option : app.get_options()) {
    const bool is_again = IsGroup(&app) && option == app.get_help_ptr();  // each group has the flag for help
    if (is_again || option->get_group().empty()) continue;                // it is in no help
    (option->get_positional() ? row->operands : row->flags).push_back(RowOf(*option, group));
  }
  for (const CLI::App* sub : app.get_subcommands({})) {
    if (IsGroup(sub)) AddFlags(*sub, sub->get_group(), row);
  }
}

// "Exit codes: 0 done; 1 usage, plan; 2 agents."
std::vector<ExitCodeRow> ExitCodesIn(absl::string_view text) {
  std::vector<ExitCodeRow> rows;
  for (absl::string_view part : absl::StrSplit(absl::StripSuffix(text, "."), ';')) {
    part = absl::StripAsciiWhitespace(part);
    const std::size_t blank = part.find(' ');
    ExitCodeRow row;
    if (blank != absl::string_view::npos && absl::SimpleAtoi(part.substr(0, blank), &row.code)) {
      row.meaning = std::string(part.substr(blank + 1));
      rows.push_back(row);
    } else if (!rows.empty()) {  // its meaning had a ';' in it
      absl::StrAppend(&rows.back().meaning, "; ", part);
    }
  }
  return rows;
}

void AddFooter(const std::string& footer, CommandRow* row) {
  std::vector<std::string> paragraph;
  const auto end = [&] {
    if (paragraph.empty()) return;
    const std::string text = absl::StrJoin(paragraph, " ");
    constexpr absl::string_view kCodes = "Exit codes: ";
    if (absl::StartsWith(paragraph[0], "Examples:")) {
      row->examples.assign(paragraph.begin() + 1, paragraph.end());
    } else if (absl::StartsWith(text, kCodes)) {
      row->exit_codes = ExitCodesIn(absl::string_view(text).substr(kCodes.size()));
    } else {
      row->remarks.push_back(text);
    }
    paragraph.clear();
  };
  for (const absl::string_view line : absl::StrSplit(footer, '\n')) {
    if (line.empty() || absl::StartsWith(line, "Exit codes:")) end();
    if (!line.empty()) paragraph.emplace_back(line);
  }
  end();
}

void AddRows(const CLI::App& app, std::vector<std::string> words, std::vector<CommandRow>* table) {
  words.push_back(app.get_name());
  CommandRow row{.words = words, .what = app.get_description()};
  AddFlags(app, "", &row);
  AddFooter(app.get_footer(), &row);
  const auto subs = app.get_subcommands({});
  for (const CLI::App* sub : subs) {
    if (!IsGroup(sub)) row.commands.push_back(sub->get_name());
  }
  table->push_back(std::move(row));
  for (const CLI::App* sub : subs) {
    if (!IsGroup(sub)) AddRows(*sub, words, table);
  }
}

}  // namespace

std::string CommandRow::Name() const { return absl::StrJoin(words, " "); }

bool CommandRow::IsBelow(const CommandRow& other) const {
  return words.size() == other.words.size() + 1 && std::equal(other.words.begin(), other.words.end(), words.begin());
}

std::vector<CommandRow> TableOf(const CLI::App& app) {
  std::vector<CommandRow> table;
  AddRows(app, {}, &table);
  return table;
}

ValueForms FormsOf(absl::string_view value) {
  ValueForms forms;
  for (const absl::string_view part : absl::StrSplit(value, '|')) {
    const auto capital = std::find_if(part.begin(), part.end(), absl::ascii_isupper);
    const auto letters = static_cast<std::size_t>(capital - part.begin());
    const absl::string_view rest = part.substr(letters);
    if (letters > 0 && absl::ascii_islower(static_cast<unsigned char>(part[0])))
      forms.literals.emplace_back(part.substr(0, letters));
    forms.has_file = forms.has_file || absl::StartsWith(rest, "FILE");
    forms.has_folder = forms.has_folder || absl::StartsWith(rest, "FOLDER");
  }
  return forms;
}

}  // namespace tidemark
