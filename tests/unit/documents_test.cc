// The pages of the project lead to each other, and README stays short.
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tidemark {
namespace {

using std::filesystem::path;

const path& Root() {
  static const path root(TIDEMARK_SOURCE_DIR);
  return root;
}

// The lines of a page that are text, not code.
std::vector<std::string> TextOf(const path& page) {
  std::vector<std::string> text;
  std::ifstream in(page);
  bool is_code = false;
  for (std::string line; std::getline(in, line);) {
    if (absl::StartsWith(line, "```"))
      is_code = !is_code;
    else if (!is_code)
      text.push_back(line);
  }
  return text;
}

std::vector<path> Pages() {
  std::vector<path> pages = {Root() / "README.md", Root() / "DESIGN.md", Root() / "CONTRIBUTING.md"};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(Root() / "docs")) {
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  }
  return pages;
}

// As a forge makes an anchor of a heading: small letters, digits, '-' and '_'; a blank becomes '-'.
std::string AnchorOf(const std::string& heading) {
  std::string anchor;
  for (const char c : heading) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_')
      anchor += static_cast<char>(std::tolower(byte));
    else if (c == ' ')
      anchor += '-';
  }
  return anchor;
}

std::set<std::string> AnchorsOf(const path& page) {
  std::set<std::string> anchors;
  std::map<std::string, int> seen;
  for (const std::string& line : TextOf(page)) {
    if (line.empty() || line[0] != '#') continue;
    const std::string anchor = AnchorOf(line.substr(line.find_first_not_of("# ")));
    const int before = seen[anchor]++;
    anchors.insert(before == 0 ? anchor : absl::StrCat(anchor, "-", before));
  }
  return anchors;
}

// The targets of a page's links, but for those that lead out of the project.
std::vector<std::string> LinksOf(const path& page) {
  static const std::regex link("\\]\\(([^)]+)\\)");
  std::vector<std::string> links;
  for (const std::string& line : TextOf(page)) {
    for (std::sregex_iterator at(line.begin(), line.end(), link), end; at != end; ++at) {
      if (!absl::StrContains((*at)[1].str(), "://")) links.push_back((*at)[1]);
    }
  }
  return links;
}

path TargetOf(const path& page, const std::string& link) {
  const std::string file = link.substr(0, link.find('#'));
  return file.empty() ? page : (page.parent_path() / file).lexically_normal();
}

TEST(DocumentsTest, EachLinkLeadsToAPageAndAHeading) {
  int links = 0;
  int anchors = 0;
  for (const path& page : Pages()) {
    for (const std::string& link : LinksOf(page)) {
      ++links;
      const path target = TargetOf(page, link);
      EXPECT_TRUE(std::filesystem::exists(target)) << page << " -> " << link;
      const std::size_t at = link.find('#');
      if (at == std::string::npos || target.extension() != ".md") continue;
      ++anchors;
      EXPECT_EQ(AnchorsOf(target).count(link.substr(at + 1)), 1u) << page << " -> " << link;
    }
  }
  EXPECT_GE(links, 100);
  EXPECT_GE(anchors, 20);
}

TEST(DocumentsTest, TheIndexNamesEachPage) {
  std::set<path> named;
  const path index = Root() / "docs/README.md";
  for (const std::string& link : LinksOf(index)) named.insert(TargetOf(index, link));
  for (const char* folder : {"how-to", "explanation", "reference"}) {
    for (const auto& entry : std::filesystem::directory_iterator(Root() / "docs" / folder))
      EXPECT_EQ(named.count(entry.path()), 1u) << entry.path();
  }
}

TEST(DocumentsTest, EachPageBeginsWithWhatOneHasAtItsEnd) {
  for (const char* folder : {"how-to", "explanation"}) {
    for (const auto& entry : std::filesystem::directory_iterator(Root() / "docs" / folder)) {
      const std::vector<std::string> text = TextOf(entry.path());
      ASSERT_GE(text.size(), 3u) << entry.path();
      EXPECT_TRUE(absl::StartsWith(text[0], "# ")) << entry.path();
      EXPECT_TRUE(absl::StartsWith(text[2], "At the end ")) << entry.path();
    }
  }
}

TEST(DocumentsTest, ReadmeFitsOnTwoScreens) {
  std::ifstream readme(Root() / "README.md");
  int lines = 0;
  for (std::string line; std::getline(readme, line); ++lines) EXPECT_LE(line.size(), 120u) << line;
  EXPECT_LE(lines, 80);
  EXPECT_GE(lines, 20);
}

}  // namespace
}  // namespace tidemark
