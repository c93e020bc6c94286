#include "common/control/user_folder.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace tidemark {
namespace {

// A relative path in the variable is to be ignored, says the specification.
std::string Folder(const char* variable, const char* below_home, const std::string& name) {
  if (const char* const base = std::getenv(variable); base != nullptr && base[0] == '/')
    return absl::StrCat(base, "/tidemark/", name);
  const char* const home = std::getenv("HOME");
  return home == nullptr || home[0] == '\0' ? "" : absl::StrCat(home, "/", below_home, "/tidemark/", name);
}

}  // namespace

std::string ConfigFolder(const std::string& name) { return Folder("XDG_CONFIG_HOME", ".config", name); }

std::string StateFolder(const std::string& name) { return Folder("XDG_STATE_HOME", ".local/state", name); }

}  // namespace tidemark
