// Completion and manual pages, which are made of the command line's own tables.
#include "common/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "common/man_page.h"
#include "coordinator/cli/cli.h"
#include "tests/support/process.h"

namespace tidemark {
namespace {

using ::testing::Contains;
using ::testing::UnorderedElementsAreArray;

std::set<std::string> Lines(const std::string& text, char until = '\n') {
  std::set<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.insert(line.substr(0, line.find(until)));
  lines.erase("");
  return lines;
}

bool Has(const char* program) { return Process({"sh", "-c", std::string("command -v ") + program}).Wait() == 0; }

std::set<std::string> FilesLike(const std::string& pattern) {
  Process ls({"sh", "-c", "ls -d " + pattern});
  EXPECT_EQ(ls.Wait(), 0);
  return Lines(ls.Out());
}

// What `shell` offers behind each line of words.
std::vector<std::set<std::string>> Offers(const std::string& shell, const std::vector<std::string>& lines) {
  TempDir dir;
  Spill(dir / "completion", Completion(shell, CommandTable()));
  std::string script = ". " + (dir / "completion") + "\n";
  if (shell == "bash") {
    script +=
        "offer() { COMP_WORDS=(\"$@\"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); _tidemark;\n"
        "printf '%s\\n' \"${COMPREPLY[@]}\" ==; }\n";
    for (const std::string& line : lines) script += "offer " + line + (line.back() == ' ' ? "''" : "") + "\n";
  } else {
    for (const std::string& line : lines) script += "complete -C '" + line + "'\necho ==\n";
  }
  Spill(dir / "script", script);
  Process process(shell == "bash" ? std::vector<std::string>{"bash", "--norc", dir / "script"}
                                  : std::vector<std::string>{"fish", "--no-config", dir / "script"});
  EXPECT_EQ(process.Wait(), 0) << process.Err();
  EXPECT_EQ(process.Err(), "");
  std::vector<std::set<std::string>> offers;
  std::string text = process.Out();
  for (std::size_t end = text.find("==\n"); end != std::string::npos; end = text.find("==\n")) {
    offers.push_back(Lines(text.substr(0, end), '\t'));
    text.erase(0, end + 3);
  }
  EXPECT_EQ(offers.size(), lines.size());
  offers.resize(lines.size());
  return offers;
}

class CompletionTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!Has(GetParam())) GTEST_SKIP() << GetParam() << " is not installed; scripts/setup does";
  }
};

// The flags that the help of `row`'s command lists.
std::set<std::string> FlagsInHelp(const CommandRow& row) {
  std::vector<const char*> words;
  for (const std::string& word : row.words) words.push_back(word.c_str());
  words.push_back("--help");
  const std::string help = ParseCommandLine(static_cast<int>(words.size()), words.data()).text;
  std::set<std::string> flags;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line) && line.find("Examples:") != 0;) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin == 0 || begin == std::string::npos || begin > 6 || line[begin] != '-') continue;
    std::istringstream names(line.substr(begin, line.find(' ', begin) - begin));
    for (std::string name; std::getline(names, name, ',');) flags.insert(name);
  }
  EXPECT_GE(flags.size(), 2u) << help;
  return flags;
}

TEST_P(CompletionTest, EachFlagOfTheHelpIsOfferedAndNoOther) {
  std::vector<std::string> lines;
  for (const CommandRow& row : CommandTable()) {
    lines.push_back(row.Name() + " -");
    lines.push_back(row.Name() + " --");
  }
  const auto offers = Offers(GetParam(), lines);
  std::size_t i = 0;
  for (const CommandRow& row : CommandTable()) {
    std::set<std::string> offered = offers[i++];
    offered.insert(offers[i].begin(), offers[i].end());
    ++i;
    EXPECT_THAT(offered, UnorderedElementsAreArray(FlagsInHelp(row))) << row.Name();
  }
}

TEST_P(CompletionTest, CommandsAndValuesAreOffered) {
  const std::pair<const char*, std::set<std::string>> kCases[] = {
      {"tidemark ce", {"certs"}},
      {"tidemark certs ", {"init", "agent", "coordinator"}},
      {"tidemark run --pace ", {"timer", "spin"}},
      {"tidemark run http://h/ --arrivals p", {"poisson"}},
      {"tidemark run --on-agent-loss ", {"redo", "continue", "fail"}},
      {"tidemark run -c ", {}},
      {"tidemark completion ", {"bash", "zsh", "fish"}},
      {"tidemark run --cacert /etc/host", FilesLike("/etc/host*")},
  };
  std::vector<std::string> lines;
  for (const auto& [line, expected] : kCases) lines.push_back(line);
  lines.push_back("tidemark run -o ");
  const auto offers = Offers(GetParam(), lines);
  for (std::size_t i = 0; i + 2 < lines.size(); ++i) EXPECT_EQ(offers[i], kCases[i].second) << lines[i];
  EXPECT_FALSE(offers[lines.size() - 2].empty());
  for (const char* form : {"json=", "csv=", "hlog=", "hgrm="}) EXPECT_THAT(offers.back(), Contains(form));
}

INSTANTIATE_TEST_SUITE_P(Shells, CompletionTest, ::testing::Values("bash", "fish"));

TEST(CompletionScriptTest, ZshReadsItAndItHasEachFlag) {
  const std::string script = Completion("zsh", CommandTable());
  for (const CommandRow& row : CommandTable()) {
    for (const FlagRow& flag : row.flags) {
      for (const std::string& name : flag.names) {
        const char* const mark = flag.value.empty() ? "[" : name.compare(0, 2, "--") == 0 ? "=[" : "+[";
        EXPECT_THAT(script, ::testing::HasSubstr(name + mark)) << row.Name();
      }
    }
  }
  if (!Has("zsh")) GTEST_SKIP() << "zsh is not installed; scripts/setup does";
  TempDir dir;
  Spill(dir / "_tidemark", script);
  Process process({"zsh", "-f", "-c",
                   "autoload -U compinit && compinit -D -u && . " + (dir / "_tidemark") +
                       " && print -r -- $_comps[tidemark] && which _tidemark_certs_init >/dev/null"});
  EXPECT_EQ(process.Wait(), 0) << process.Err();
  EXPECT_EQ(process.Err(), "");
  EXPECT_EQ(process.Out(), "_tidemark\n");
}

// A value of a fixed set is one that the parser takes, and it takes no other.
TEST(CompletionValuesTest, WhatIsOfferedIsTaken) {
  int values = 0;
  for (const char* flag : {"--pace", "--arrivals", "--on-agent-loss"}) {
    for (const CommandRow& row : CommandTable()) {
      if (row.Name() != "tidemark run") continue;
      const auto found = std::find_if(row.flags.begin(), row.flags.end(), [&](const FlagRow& f) {
        return std::count(f.names.begin(), f.names.end(), flag) > 0;
      });
      ASSERT_NE(found, row.flags.end()) << flag;
      std::vector<std::string> literals = FormsOf(found->value).literals;
      literals.push_back("other");
      for (const std::string& literal : literals) {
        const std::vector<const char*> words = {"tidemark", "run",           "http://h/", "-R", "5",
                                                flag,       literal.c_str(), "--agents",  "a"};
        const CommandLine line = ParseCommandLine(static_cast<int>(words.size()), words.data());
        EXPECT_EQ(line.prepared.act != nullptr, literal != "other") << flag << " " << literal << line.text;
        ++values;
      }
    }
  }
  EXPECT_EQ(values, 10);
}

TEST(ManPageTest, EachCommandHasOneThatGroffReadsAndThatHasEachFlag) {
  const std::vector<CommandRow> table = CommandTable();
  EXPECT_GE(table.size(), 14u);
  TempDir dir;
  for (std::size_t i = 0; i < table.size(); ++i) {
    SCOPED_TRACE(table[i].Name());
    const std::string path = dir / (ManPageName(table[i]) + ".1");
    Spill(path, ManPage(table, i, "1.0"));
    if (!Has("groff")) continue;
    Process groff({"sh", "-c", "groff -man -Tascii -ww -P-cbou -rLL=200n " + path});
    EXPECT_EQ(groff.Wait(), 0);
    EXPECT_EQ(groff.Err(), "");
    const std::string page = groff.Out();
    for (const std::string& flag : FlagsInHelp(table[i])) EXPECT_THAT(page, ::testing::HasSubstr(flag));
    for (const char* part : {"NAME", "SYNOPSIS", "OPTIONS", "SEE ALSO"}) EXPECT_THAT(page, ::testing::HasSubstr(part));
    EXPECT_EQ(table[i].exit_codes.empty(), page.find("EXIT STATUS") == std::string::npos);
  }
  if (!Has("groff")) GTEST_SKIP() << "groff is not installed";
}

TEST(CommandTableTest, SmallLettersOfAValueStandForThemselves) {
  EXPECT_EQ(FormsOf("timer|spin").literals, (std::vector<std::string>{"timer", "spin"}));
  EXPECT_EQ(FormsOf("json=FILE|csv=FILE").literals, (std::vector<std::string>{"json=", "csv="}));
  EXPECT_TRUE(FormsOf("json=FILE").has_file);
  EXPECT_TRUE(FormsOf("FOLDER").has_folder);
  for (const char* text : {"COUNT", "HOST:PORT", "COUNT|DURATION", "NAME=VALUE"})
    EXPECT_TRUE(FormsOf(text).literals.empty()) << text;
}

}  // namespace
}  // namespace tidemark
