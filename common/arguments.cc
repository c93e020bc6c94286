#include "common/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/inert_text.h"
#include "common/suggestion.h"

namespace tidemark {
namespace {

// `app` and the groups in it, which are apps without a name.
void CollectGroups(const CLI::App* app, std::vector<const CLI::App*>* groups) {
  groups->push_back(app);
  for (const CLI::App* group : app->get_subcommands([](const CLI::App* sub) { return sub->get_name().empty(); }))
    CollectGroups(group, groups);
}

// The app whose flags were being read: the command, if one was given.
const CLI::App* Innermost(const CLI::App* app) {
  for (const CLI::App* command : app->get_subcommands()) {
    if (!command->get_name().empty()) return Innermost(command);
  }
  return app;
}

std::vector<std::string> CommandsOf(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app->get_subcommands([](const CLI::App* sub) { return !sub->get_name().empty(); }))
    names.push_back(command->get_name());
  return names;
}

// "see 'tidemark certs init --help'".
std::string SeeHelp(const CLI::App* app) {
  std::string words = app->get_name();
  for (app = app->get_parent(); app != nullptr; app = app->get_parent())
    words = absl::StrCat(app->get_name(), " ", words);
  return absl::StrCat("see '", words, " --help'");
}

std::vector<const CLI::Option*> OptionsOf(const CLI::App* app) {
  std::vector<const CLI::App*> groups;
  CollectGroups(app, &groups);
  std::vector<const CLI::Option*> options;
  for (const CLI::App* group : groups) {
    for (const CLI::Option* option : group->get_options()) options.push_back(option);
  }
  return options;
}

std::vector<std::string> NamesOf(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : OptionsOf(app)) {
    if (option->get_group().empty()) continue;  // it is in no help
    for (const std::string& name : option->get_lnames()) names.push_back(name);
  }
  return names;
}

std::string Hint(const CLI::App* app, const std::string& name) {
  const std::vector<std::string> known = NamesOf(app);
  if (const PeerWord* const word = FindPeerWord(name); word != nullptr) {
    const bool is_known = std::find(known.begin(), known.end(), absl::StripPrefix(word->flag, "--")) != known.end();
    if (is_known) return absl::StrCat("it is ", word->flag, " here", word->remark.empty() ? "" : ", ", word->remark);
    if (word->flag.empty()) return absl::StrCat("a plan has it as ", word->field);
  }
  const auto nearest = name.size() < 2 ? std::nullopt : Nearest(name, known);
  return nearest ? absl::StrCat("did you mean '--", *nearest, "'?") : "";
}

// "-c/--connections". What is in no help is written as what stands behind "--".
std::string LabelOf(const CLI::Option* option) {
  if (option->get_group().empty()) return "behind '--'";
  return absl::StrReplaceAll(option->get_name(false, true), {{",", "/"}});
}

std::string UnknownFlag(const CLI::App* app, const std::string& flag) {
  const std::string name(absl::StripPrefix(absl::StripPrefix(flag.substr(0, flag.find('=')), "-"), "-"));
  const std::string hint = Hint(app, name);
  return absl::StrCat(InertText(flag.substr(0, flag.find('=')), 64), ": unknown flag; ",
                      hint.empty() ? SeeHelp(app) : hint);
}

std::string UnexpectedWord(const CLI::App* app, const std::string& word) {
  const std::vector<std::string> commands = CommandsOf(app);
  const std::string quoted = absl::StrCat("'", InertText(word, 64), "'");
  if (commands.empty()) return absl::StrCat(quoted, " is one argument too many; ", SeeHelp(app));
  const bool may_run = std::find(commands.begin(), commands.end(), "run") != commands.end();
  if (may_run && (absl::StrContains(word, "://") || absl::EndsWith(word, ".yaml") || absl::EndsWith(word, ".yml")))
    return absl::StrCat("a command is missing; write '", app->get_name(), " run ", InertText(word, 64), "'");
  const auto nearest = Nearest(word, commands);
  return absl::StrCat(quoted, " is no command; ",
                      nearest ? absl::StrCat("did you mean '", *nearest, "'?") : SeeHelp(app));
}

// What CLI11 did not know what to do with; flags first, since a word may only be the value of one. Where a command is
// due a word in the first place is that, whatever follows it.
std::string Unknown(const CLI::App* app) {
  const std::vector<std::string> left = app->remaining(true);
  const CLI::App* const innermost = Innermost(app);
  if (!CommandsOf(innermost).empty() && !left.empty() && !absl::StartsWith(left.front(), "-"))
    return UnexpectedWord(innermost, left.front());
  for (const std::string& argument : left) {
    if (argument.size() > 1 && argument[0] == '-') return UnknownFlag(innermost, argument);
  }
  return left.empty() ? "" : UnexpectedWord(innermost, left.front());
}

// What CLI11 says is wrong, in our words.
std::string Reworded(const CLI::App* app, const std::string& what) {
  if (const std::vector<std::string> commands = CommandsOf(app); !commands.empty())
    return absl::StrCat("a command is missing, one of ", absl::StrJoin(commands, ", "), "; ", SeeHelp(app));
  for (const CLI::Option* option : OptionsOf(app)) {
    if (!option->check_name(what.substr(0, what.find(':')))) continue;
    const std::string too_many = " At Most 1 required but received ";
    if (const std::size_t at = what.find(too_many); at != std::string::npos)
      return absl::StrCat(LabelOf(option), ": is given ", what.substr(at + too_many.size()), " times; give it once");
    if (absl::StrContains(what, " required ") && absl::EndsWith(what, " missing"))
      return absl::StrCat(LabelOf(option), ": needs a value, ", option->get_type_name(), "; ", SeeHelp(app));
  }
  return absl::StrCat(what, "; ", SeeHelp(app));
}

// The option of that name, as "--quiet" or "-q"; null if there is none.
const CLI::Option* FindOption(const CLI::App* app, const std::string& name) {
  for (const CLI::Option* option : OptionsOf(app)) {
    if (option->check_name(name)) return option;
  }
  return nullptr;
}

bool TakesValue(const CLI::Option* option) { return option->get_items_expected_max() > 0; }

// CLI11 takes "--quiet=5" for "--quiet", "-q5" for a flag and a word. Of the first flag that takes no value and is
// given one, that sentence; else "".
std::string ValueOfAFlag(const CLI::App* app, const std::vector<std::string>& arguments) {
  const auto sentence = [](const CLI::Option* option, absl::string_view value) {
    return absl::StrCat(LabelOf(option), ": takes no value; leave out '", InertText(value, 64), "'");
  };
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string& argument = arguments[i];
    if (argument.size() < 2 || argument[0] != '-') {
      for (const CLI::App* command : app->get_subcommands([&](const CLI::App* c) { return c->get_name() == argument; }))
        app = command;
      continue;
    }
    const CLI::Option* option = nullptr;
    bool has_value = true;  // in the argument itself
    if (argument[1] == '-') {
      const std::size_t at = argument.find('=');
      has_value = at != std::string::npos;
      option = FindOption(app, argument.substr(0, at));
      if (option != nullptr && has_value && !TakesValue(option)) return sentence(option, argument.substr(at));
    } else {
      // Letters of flags, up to one that takes what follows.
      std::size_t at = 1;
      const CLI::Option* before = nullptr;
      for (; at < argument.size(); ++at) {
        option = FindOption(app, absl::StrCat("-", argument.substr(at, 1)));
        if (option == nullptr && before != nullptr && !absl::ascii_isalpha(static_cast<unsigned char>(argument[at])))
          return sentence(before, argument.substr(at));
        if (option == nullptr || TakesValue(option)) break;
        before = option;
      }
      has_value = at + 1 < argument.size();
    }
    if (option != nullptr && TakesValue(option) && !has_value)
      i += static_cast<std::size_t>(option->get_items_expected_min());  // whatever they look like
  }
  return "";
}

// "--flag=" would take the next argument for its value.
void SplitEmptyValues(std::vector<std::string>* arguments) {
  for (std::size_t i = 0; i < arguments->size() && (*arguments)[i] != "--"; ++i) {
    std::string& argument = (*arguments)[i];
    if (!absl::StartsWith(argument, "--") || argument.find('=') + 1 != argument.size()) continue;
    argument.pop_back();
    arguments->insert(arguments->begin() + static_cast<std::ptrdiff_t>(i) + 1, "");
  }
}

// CLI11 passes over what is empty in a list: "1,,2" would be 1 and 2. Of the first list with an empty element, its flag
// and which one that is; else "".
std::string EmptyElement(const CLI::App* app, const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string& argument = arguments[i];
    if (argument.size() < 2 || argument[0] != '-') continue;
    const bool is_long = argument[1] == '-';
    const std::string flag = is_long ? argument.substr(0, argument.find('=')) : argument.substr(0, 2);
    for (const CLI::Option* option : OptionsOf(app)) {
      if (option->get_delimiter() == '\0' || !option->check_name(flag)) continue;
      const bool is_apart = argument.size() == flag.size();
      if (is_apart && i + 1 == arguments.size()) continue;
      const std::string list = is_apart ? arguments[i + 1] : argument.substr(flag.size() + (is_long ? 1 : 0));
      const std::vector<std::string> elements = absl::StrSplit(list, option->get_delimiter());
      const auto empty = std::find(elements.begin(), elements.end(), "");
      if (elements.size() < 2 || empty == elements.end()) continue;
      return absl::StrCat(LabelOf(option), ": element ", empty - elements.begin() + 1, " of '", InertText(list, 64),
                          "' is empty; give it, or leave out its comma");
    }
  }
  return "";
}

}  // namespace

std::optional<ArgumentsEnd> ReadArguments(CLI::App* app, std::vector<std::string> arguments,
                                          const std::vector<std::string>& may_be_empty) {
  if (std::string value = ValueOfAFlag(app, arguments); !value.empty())
    return ArgumentsEnd{.is_error = true, .text = std::move(value)};
  SplitEmptyValues(&arguments);
  const std::vector<std::string> written = arguments;
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app->parse(std::move(arguments));
  } catch (const CLI::Success& success) {
    std::ostringstream out;
    app->exit(success, out, out);
    return ArgumentsEnd{.text = out.str()};
  } catch (const CLI::ParseError& error) {
    std::string unknown = Unknown(app);
    return ArgumentsEnd{.is_error = true,
                        .text = unknown.empty() ? Reworded(Innermost(app), error.what()) : std::move(unknown)};
  }
  if (std::string empty = EmptyElement(Innermost(app), written); !empty.empty())
    return ArgumentsEnd{.is_error = true, .text = std::move(empty)};
  for (const CLI::Option* option : OptionsOf(Innermost(app))) {
    const auto& results = option->results();
    const bool is_empty = std::any_of(results.begin(), results.end(), [](const std::string& r) { return r.empty(); });
    const bool is_meant = std::any_of(may_be_empty.begin(), may_be_empty.end(),
                                      [&](const std::string& flag) { return option->check_name(flag); });
    if (is_empty && !is_meant)
      return ArgumentsEnd{.is_error = true,
                          .text = absl::StrCat(LabelOf(option), ": has an empty value; give one, or leave it out")};
  }
  return std::nullopt;
}

}  // namespace tidemark
