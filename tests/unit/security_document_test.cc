// Each test that docs/security.md names to show a promise is there.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tidemark {
namespace {

std::string Read(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(SecurityDocumentTest, NamesTestsThatThereAre) {
  const std::filesystem::path root(TIDEMARK_SOURCE_DIR);
  std::set<std::string> tests;
  const std::regex defined("TEST(?:_P|_F)?\\((\\w+), (\\w+)\\)");
  for (const auto& file : std::filesystem::recursive_directory_iterator(root / "tests")) {
    if (file.path().extension() != ".cc") continue;
    const std::string text = Read(file.path());
    for (std::sregex_iterator at(text.begin(), text.end(), defined), end; at != end; ++at)
      tests.insert(absl::StrCat((*at)[1].str(), ".", (*at)[2].str()));
  }
  const std::string document = Read(root / "docs/security.md");
  const std::regex named("`(\\w+Test\\.)(\\w*)(\\*?)`");
  int count = 0;
  for (std::sregex_iterator at(document.begin(), document.end(), named), end; at != end; ++at) {
    ++count;
    const std::string name = absl::StrCat((*at)[1].str(), (*at)[2].str());
    const auto found = tests.lower_bound(name);
    const bool is_there =
        (*at)[3].length() > 0 ? found != tests.end() && absl::StartsWith(*found, name) : tests.count(name) == 1;
    EXPECT_TRUE(is_there) << name;
  }
  EXPECT_GT(count, 25);
}

}  // namespace
}  // namespace tidemark
