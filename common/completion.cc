#include "common/completion.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/types/span.h"
#include "common/check.h"

namespace tidemark {
namespace {

constexpr absl::string_view kShells[] = {"bash", "zsh", "fish"};

// In single quotes, as all three shells read them.
std::string Quoted(absl::string_view text, absl::string_view quote = "'\\''") {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", quote}}), "'");
}

// "_tidemark_certs_init".
std::string FunctionOf(absl::Span<const std::string> words) {
  return absl::StrReplaceAll(absl::StrCat("_", absl::StrJoin(words, "_")), {{"-", "_"}});
}

// "certs init": the command without the program.
std::string PathOf(const CommandRow& row) { return absl::StrJoin(row.words.begin() + 1, row.words.end(), " "); }

std::string Comment(absl::string_view shell, const std::string& program) {
  return absl::StrCat("# Completes what is typed behind ", program, ", in ", shell, ".\n");
}

// What may stand where `form` is asked for, as assignments to bash's variables.
std::string BashValues(absl::string_view value) {
  const ValueForms forms = FormsOf(value);
  std::string out;
  if (!forms.literals.empty()) absl::StrAppend(&out, " words=", Quoted(absl::StrJoin(forms.literals, " ")));
  if (forms.has_file || forms.has_folder) absl::StrAppend(&out, " files=-", forms.has_file ? "f" : "d");
  return out.empty() ? " :" : out;
}

// bash splits "--flag=value" at the '='.
constexpr absl::string_view kBashBegin = R"(() {
  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD - 1]}" command='' words='' files='' i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$command ${COMP_WORDS[i]}" in
)";
constexpr absl::string_view kBashMiddle = R"(        command="${command:+$command }${COMP_WORDS[i]}" ;;
    esac
  done
  if [[ $word == '=' ]]; then
    word=''
  elif [[ $before == '=' ]]; then
    before="${COMP_WORDS[COMP_CWORD - 2]}"
    [[ $before == -* ]] || files=-f
  fi
  case "$command $before" in
)";
constexpr absl::string_view kBashEnd = R"(      esac
      ;;
  esac
  mapfile -t COMPREPLY < <(
    [[ -z $words ]] || compgen -W "$words" -- "$word"
    [[ -z $files ]] || compgen "$files" -- "$word"
  )
  [[ -z $files ]] || compopt -o filenames 2>/dev/null
  [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}
)";

std::string Bash(const std::vector<CommandRow>& table) {
  const std::string& program = table[0].words[0];
  std::string out = absl::StrCat(Comment("bash", program), FunctionOf({program}), kBashBegin);
  std::vector<std::string> paths;
  for (const CommandRow& row : table) {
    if (row.words.size() == 1) continue;
    paths.push_back(Quoted(absl::StrCat(row.words.size() == 2 ? " " : "", PathOf(row))));
  }
  absl::StrAppend(&out, "      ", paths.empty() ? "''" : absl::StrJoin(paths, " | "), ")\n", kBashMiddle);
  for (const CommandRow& row : table) {
    for (const FlagRow& flag : row.flags) {
      if (flag.value.empty()) continue;
      std::vector<std::string> names;
      for (const std::string& name : flag.names) names.push_back(Quoted(absl::StrCat(PathOf(row), " ", name)));
      absl::StrAppend(&out, "    ", absl::StrJoin(names, " | "), ")", BashValues(flag.value), " ;;\n");
    }
  }
  absl::StrAppend(&out, "    *)\n      case \"$command\" in\n");
  for (const CommandRow& row : table) {
    std::vector<std::string> flags;
    for (const FlagRow& flag : row.flags) flags.insert(flags.end(), flag.names.begin(), flag.names.end());
    std::string operands =
        row.commands.empty() ? "" : absl::StrCat(" words=", Quoted(absl::StrJoin(row.commands, " ")));
    for (const FlagRow& operand : row.operands) absl::StrAppend(&operands, BashValues(operand.value));
    absl::StrAppend(&out, "        ", Quoted(PathOf(row)),
                    ")\n          if [[ $word == -* ]]; then\n            words=", Quoted(absl::StrJoin(flags, " ")),
                    "\n          else\n           ", operands.empty() ? " :" : operands,
                    "\n          fi\n          ;;\n");
  }
  absl::StrAppend(&out, kBashEnd, "complete -F ", FunctionOf({program}), " ", program, "\n");
  return out;
}

// What _arguments is told of a value: ":message:action".
std::string ZshValue(const std::string& name, absl::string_view value) {
  const ValueForms forms = FormsOf(value);
  std::string literals;
  for (const std::string& literal : forms.literals)
    absl::StrAppend(&literals, literals.empty() ? "" : " ", absl::StrReplaceAll(literal, {{":", "\\:"}}));
  const absl::string_view files = forms.has_file ? "_files" : forms.has_folder ? "_files -/" : "";
  std::string action(files);
  const bool has_more = !forms.literals.empty() && absl::EndsWith(forms.literals[0], "=");
  if (has_more) {
    action = absl::StrCat("{compset -P 1 \"*=\" && _files || { compadd -S \"\" -- ", literals, "; _files } }");
  } else if (!literals.empty()) {
    action = forms.has_file || forms.has_folder ? absl::StrCat("{compadd -- ", literals, "; ", files, "}")
                                                : absl::StrCat("(", literals, ")");
  }
  return absl::StrCat(":", absl::StrReplaceAll(name, {{":", "\\:"}}), ":", action.empty() ? " " : action);
}

std::string ZshFlag(const FlagRow& flag) {
  const std::string help = absl::StrReplaceAll(flag.help, {{"[", "\\["}, {"]", "\\]"}});
  const std::string value = flag.value.empty() ? "" : ZshValue(flag.value, flag.value);
  std::string out;
  for (const std::string& name : flag.names) {
    // "=": the value may stand behind it; of a letter it may follow at once.
    const absl::string_view mark = value.empty() ? "" : absl::StartsWith(name, "--") ? "=" : "+";
    const std::string others = flag.is_list ? "*" : absl::StrCat("(", absl::StrJoin(flag.names, " "), ")");
    absl::StrAppend(&out, " \\\n    ", Quoted(absl::StrCat(others, name, mark, "[", help, "]", value)));
  }
  return out;
}

std::string Zsh(const std::vector<CommandRow>& table) {
  const std::string& program = table[0].words[0];
  std::string out = absl::StrCat("#compdef ", program, "\n", Comment("zsh", program));
  for (const CommandRow& row : table) {
    absl::StrAppend(&out, "\n", FunctionOf(row.words), "() {\n");
    if (!row.commands.empty()) absl::StrAppend(&out, "  local curcontext=\"$curcontext\" state\n");
    absl::StrAppend(&out, "  _arguments -s -S", row.commands.empty() ? "" : " -C");
    for (const FlagRow& flag : row.flags) absl::StrAppend(&out, ZshFlag(flag));
    for (const FlagRow& operand : row.operands)
      absl::StrAppend(&out, " \\\n    ", Quoted(absl::StrCat("*", ZshValue(operand.names[0], operand.value))));
    if (row.commands.empty()) {
      absl::StrAppend(&out, "\n}\n");
      continue;
    }
    absl::StrAppend(&out,
                    " \\\n    '1: :->command' \\\n    '*:: :->rest'\n  case $state in\n    command)\n"
                    "      local -a commands=(\n");
    for (const CommandRow& sub : table) {
      if (!sub.IsBelow(row)) continue;
      absl::StrAppend(&out, "        ", Quoted(absl::StrCat(sub.words.back(), ":", sub.what)), "\n");
    }
    absl::StrAppend(
        &out, "      )\n      _describe -t commands command commands\n      ;;\n    rest)\n      (( $+functions[",
        FunctionOf(row.words), "_$words[1]] )) && ", FunctionOf(row.words), "_$words[1]\n      ;;\n  esac\n}\n");
  }
  absl::StrAppend(&out, "\nif [[ $funcstack[1] == ", FunctionOf({program}), " ]]; then\n  ", FunctionOf({program}),
                  " \"$@\"\nelse\n  compdef ", FunctionOf({program}), " ", program, "\nfi\n");
  return out;
}

std::string FishQuoted(absl::string_view text) { return Quoted(absl::StrReplaceAll(text, {{"\\", "\\\\"}}), "\\'"); }

std::string FishValue(absl::string_view value) {
  const ValueForms forms = FormsOf(value);
  std::string candidates = absl::StrJoin(forms.literals, " ");
  if (forms.has_folder) absl::StrAppend(&candidates, candidates.empty() ? "" : " ", "(__fish_complete_directories)");
  if (candidates.empty()) return forms.has_file ? " -r -F" : " -x";
  return absl::StrCat(forms.has_file ? " -r -F" : " -x", " -a ", FishQuoted(candidates));
}

std::string Fish(const std::vector<CommandRow>& table) {
  const std::string& program = table[0].words[0];
  std::string out = absl::StrCat(Comment("fish", program), "complete -c ", program, " -f\n");
  for (const CommandRow& row : table) {
    std::string when;
    for (std::size_t i = 1; i < row.words.size(); ++i)
      absl::StrAppend(&when, when.empty() ? "" : "; and ", "__fish_seen_subcommand_from ", row.words[i]);
    if (!row.commands.empty())
      absl::StrAppend(&when, when.empty() ? "" : "; and ", "not __fish_seen_subcommand_from ",
                      absl::StrJoin(row.commands, " "));
    const std::string begin = when.empty() ? absl::StrCat("complete -c ", program)
                                           : absl::StrCat("complete -c ", program, " -n ", FishQuoted(when));
    for (const CommandRow& sub : table) {
      if (sub.IsBelow(row)) absl::StrAppend(&out, begin, " -a ", sub.words.back(), " -d ", FishQuoted(sub.what), "\n");
    }
    for (const FlagRow& operand : row.operands) {
      const ValueForms forms = FormsOf(operand.value);
      if (forms.has_file) absl::StrAppend(&out, begin, " -F\n");
      if (!forms.literals.empty())
        absl::StrAppend(&out, begin, " -a ", FishQuoted(absl::StrJoin(forms.literals, " ")), "\n");
    }
    for (const FlagRow& flag : row.flags) {
      absl::StrAppend(&out, begin);
      for (const std::string& name : flag.names)
        absl::StrAppend(&out, absl::StartsWith(name, "--") ? " -l " : " -s ", name.substr(name.find_first_not_of('-')));
      if (!flag.value.empty()) absl::StrAppend(&out, FishValue(flag.value));
      absl::StrAppend(&out, " -d ", FishQuoted(flag.help), "\n");
    }
  }
  return out;
}

}  // namespace

absl::Span<const absl::string_view> CompletionShells() { return kShells; }

std::string Completion(absl::string_view shell, const std::vector<CommandRow>& table) {
  if (shell == "bash") return Bash(table);
  if (shell == "zsh") return Zsh(table);
  CHECK(shell == "fish");
  return Fish(table);
}

}  // namespace tidemark
