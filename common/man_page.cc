#include "common/man_page.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace tidemark {
namespace {

// Text as roff prints it: a hyphen would become a typographic one, and a line must not begin with a request.
std::string Text(absl::string_view text) {
  std::string out = absl::StrReplaceAll(
      text, {{"\\", "\\e"}, {"-", "\\-"}, {"'", "\\(aq"}, {"`", "\\(ga"}, {"^", "\\(ha"}, {"~", "\\(ti"}});
  return !out.empty() && out[0] == '.' ? absl::StrCat("\\&", out) : out;
}

std::string Bold(absl::string_view text) { return absl::StrCat("\\fB", Text(text), "\\fR"); }
std::string Italic(absl::string_view text) { return absl::StrCat("\\fI", Text(text), "\\fR"); }

// In a value's form small letters are written as they stand.
std::string Value(absl::string_view value) {
  std::string out;
  for (const absl::string_view part : absl::StrSplit(value, '|')) {
    absl::StrAppend(&out, out.empty() ? "" : "|");
    std::size_t at = 0;
    while (at < part.size()) {
      std::size_t end = at;
      const bool is_literal = absl::ascii_islower(static_cast<unsigned char>(part[at]));
      while (end < part.size() && !(is_literal ? absl::ascii_isupper(static_cast<unsigned char>(part[end]))
                                               : absl::ascii_islower(static_cast<unsigned char>(part[end]))))
        ++end;
      absl::StrAppend(&out, is_literal ? Bold(part.substr(at, end - at)) : Italic(part.substr(at, end - at)));
      at = end;
    }
  }
  return out;
}

std::string Synopsis(const CommandRow& row) {
  std::string out = absl::StrCat(Bold(row.Name()), "\n[\\fIOPTION\\fR]...\n");
  for (const FlagRow& flag : row.flags) {
    if (flag.is_required) absl::StrAppend(&out, Bold(flag.names.back()), " ", Value(flag.value), "\n");
  }
  if (!row.commands.empty()) absl::StrAppend(&out, Italic("COMMAND"), " ...\n");
  for (const FlagRow& operand : row.operands) {
    const std::string name = Italic(absl::AsciiStrToUpper(operand.names[0]));
    absl::StrAppend(&out, operand.is_required ? name : absl::StrCat("[", name, "]"), operand.is_list ? "...\n" : "\n");
  }
  return out;
}

void AppendFlag(const FlagRow& flag, std::string* out) {
  std::vector<std::string> names;
  for (const std::string& name : flag.names) names.push_back(Bold(name));
  absl::StrAppend(out, ".TP\n", absl::StrJoin(names, ", "),
                  flag.value.empty() ? "" : absl::StrCat(" ", Value(flag.value)), "\n", Text(flag.help), "\n");
}

}  // namespace

std::string ManPageName(const CommandRow& row) { return absl::StrJoin(row.words, "-"); }

std::string ManPage(const std::vector<CommandRow>& table, std::size_t index, const std::string& version) {
  const CommandRow& row = table[index];
  std::string out =
      absl::StrCat(".TH ", Text(absl::AsciiStrToUpper(ManPageName(row))), " 1 \"\" \"", Text(row.words[0]), " ",
                   Text(version), "\" \"User commands\"\n.SH NAME\n", Text(ManPageName(row)), " \\- ",
                   Text(absl::StripSuffix(row.what, ".")), "\n.SH SYNOPSIS\n", Synopsis(row));
  if (!row.operands.empty()) absl::StrAppend(&out, ".SH OPERANDS\n");
  for (const FlagRow& operand : row.operands)
    absl::StrAppend(&out, ".TP\n", Italic(absl::AsciiStrToUpper(operand.names[0])), "\n", Text(operand.help), "\n");
  if (!row.commands.empty()) absl::StrAppend(&out, ".SH COMMANDS\n");
  for (const CommandRow& other : table) {
    if (other.IsBelow(row)) absl::StrAppend(&out, ".TP\n", Bold(other.words.back()), "\n", Text(other.what), "\n");
  }
  absl::StrAppend(&out, ".SH OPTIONS\n");
  std::string group;
  for (const FlagRow& flag : row.flags) {
    if (flag.group != group) absl::StrAppend(&out, ".SS ", Text(flag.group), "\n");
    group = flag.group;
    AppendFlag(flag, &out);
  }
  if (!row.remarks.empty()) absl::StrAppend(&out, ".SH NOTES\n");
  for (const std::string& remark : row.remarks)
    absl::StrAppend(&out, &remark == &row.remarks[0] ? "" : ".PP\n", Text(remark), "\n");
  if (!row.exit_codes.empty()) absl::StrAppend(&out, ".SH EXIT STATUS\n");
  for (const ExitCodeRow& code : row.exit_codes)
    absl::StrAppend(&out, ".TP\n", Bold(absl::StrCat(code.code)), "\n", Text(code.meaning), "\n");
  if (!row.examples.empty()) absl::StrAppend(&out, ".SH EXAMPLES\n.nf\n");
  for (const std::string& example : row.examples) absl::StrAppend(&out, Text(example), "\n");
  if (!row.examples.empty()) absl::StrAppend(&out, ".fi\n");
  std::vector<std::string> others;
  for (const CommandRow& other : table) {
    if (&other != &row) others.push_back(absl::StrCat("\\fB", Text(ManPageName(other)), "\\fR(1)"));
  }
  if (!others.empty()) absl::StrAppend(&out, ".SH SEE ALSO\n", absl::StrJoin(others, ",\n"), "\n");
  return out;
}

}  // namespace tidemark
