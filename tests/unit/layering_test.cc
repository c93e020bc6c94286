// The rooms' walls: who includes whom, who may know gRPC, Beast and OpenSSL, and that what is named is included.
// See DESIGN.md "The house".
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Include {
  std::string file;  // relative to the source folder
  std::string header;
};

std::vector<Include> IncludesOf(const std::string& room) {
  static const std::regex kInclude("^#include [<\"]([^>\"]+)[>\"]");
  std::vector<Include> includes;
  const fs::path root(TIDEMARK_SOURCE_DIR);
  for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cc" && entry.path().extension() != ".def")
      continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      std::smatch match;
      if (std::regex_search(line, match, kInclude))
        includes.push_back({fs::relative(entry.path(), root).string(), match[1]});
    }
  }
  EXPECT_FALSE(includes.empty()) << room;
  return includes;
}

bool StartsWith(const std::string& text, const std::string& prefix) { return text.rfind(prefix, 0) == 0; }

std::string Stem(const std::string& file) { return file.substr(0, file.rfind('.')); }

TEST(LayeringTest, IncludesPointOneWay) {
  for (const Include& i : IncludesOf("common")) {
    for (const char* room : {"agent/", "coordinator/", "tests/"})
      EXPECT_FALSE(StartsWith(i.header, room)) << i.file << " includes " << i.header;
  }
  for (const Include& i : IncludesOf("agent")) {
    for (const char* room : {"coordinator/", "tests/"})
      EXPECT_FALSE(StartsWith(i.header, room)) << i.file << " includes " << i.header;
  }
  const std::set<std::string> kMayKnowAgent = {"coordinator/run/local_agent", "coordinator/main"};
  for (const Include& i : IncludesOf("coordinator")) {
    EXPECT_FALSE(StartsWith(i.header, "tests/")) << i.file;
    const bool is_allowed = !StartsWith(i.header, "agent/") || kMayKnowAgent.count(Stem(i.file)) != 0;
    EXPECT_TRUE(is_allowed) << i.file << " includes " << i.header;
  }
}

// The folder of a room's file: "engine" of "agent/engine/worker.h"; empty of what lies in the room itself.
std::string FolderOf(const std::string& file, const std::string& room) {
  const std::size_t slash = file.rfind('/');
  return slash <= room.size() ? "" : file.substr(room.size() + 1, slash - room.size() - 1);
}

// Inside a room a folder includes those before it.
TEST(LayeringTest, AFolderIncludesOnlyThoseBeforeIt) {
  const std::map<std::string, std::vector<std::string>> kFolders = {
      {"common", {"", "stats", "plan", "control"}},
      {"agent",
       {"host", "wire", "compose", "pace", "measure", "guard", "net", "audit", "exchange", "engine", "control", ""}},
      {"coordinator",
       {"merge", "store", "analysis", "verdict", "report/model", "report", "observe", "run", "cli", ""}}};
  for (const auto& [room, folders] : kFolders) {
    const auto rank = [&room = room, &folders = folders](const std::string& file) {
      const auto found = std::find(folders.begin(), folders.end(), FolderOf(file, room));
      EXPECT_NE(found, folders.end()) << file << " lies in a folder that has no place in the order";
      return found - folders.begin();
    };
    for (const Include& i : IncludesOf(room)) {
      if (!StartsWith(i.header, room + "/")) continue;
      EXPECT_LE(rank(i.header), rank(i.file)) << i.file << " includes " << i.header;
    }
  }
}

// Checks that headers starting with one of `prefixes` are included by `allowed` files of `room` only.
void ExpectOnly(const std::string& room, const std::vector<std::string>& prefixes,
                const std::set<std::string>& allowed) {
  for (const Include& i : IncludesOf(room)) {
    for (const std::string& prefix : prefixes) {
      const bool is_allowed = !StartsWith(i.header, prefix) || allowed.count(Stem(i.file)) != 0;
      EXPECT_TRUE(is_allowed) << i.file << " includes " << i.header;
    }
  }
}

TEST(LayeringTest, FewFilesKnowTheHeavyLibraries) {
  const std::vector<std::string> kGrpc = {"grpc", "protos/agent.grpc"};
  ExpectOnly("common", kGrpc, {});
  ExpectOnly("agent", kGrpc, {"agent/control/agent_service", "agent/main"});
  ExpectOnly("coordinator", kGrpc, {"coordinator/run/agent_link", "coordinator/run/local_agent", "coordinator/main"});
  const std::vector<std::string> kBeast = {"boost/beast", "openssl/"};
  ExpectOnly("common", kBeast, {"common/plan/plan_memory"});
  ExpectOnly("agent", kBeast,
             {"agent/exchange/response_parser", "agent/compose/request_source", "agent/engine/target_clock",
              "agent/net/transport", "agent/net/tls", "agent/net/stamped_socket", "agent/wire/web_socket",
              "agent/host/wiping_memory"});
  ExpectOnly("coordinator", kBeast, {"coordinator/cli/certs_command", "coordinator/report/html"});
}

// Adds the headers that `file` includes, itself or through files of ours.
void AddReached(const std::map<std::string, std::set<std::string>>& includes, const std::string& file,
                std::set<std::string>* reached) {
  const auto found = includes.find(file);
  if (found == includes.end()) return;
  for (const std::string& header : found->second) {
    if (reached->insert(header).second) AddReached(includes, header, reached);
  }
}

// Whether `text` names std::`name`, outside of comments.
bool Names(const std::string& text, const std::string& name) {
  const std::string whole = "std::" + name;
  for (std::size_t at = text.find(whole); at != std::string::npos; at = text.find(whole, at + 1)) {
    const char next = at + whole.size() < text.size() ? text[at + whole.size()] : ' ';
    if (std::isalnum(static_cast<unsigned char>(next)) != 0 || next == '_') continue;
    const std::size_t line = text.rfind('\n', at) + 1;
    if (text.find("//", line) > at) return true;
  }
  return false;
}

// The library of one release brings headers along that the next one's leaves out: g++ 14 without <cstdint> knows no
// std::uint16_t where g++ 12 did.
// The coordinator has an agent in it: two types of one name would be one to the linker, whatever they hold.
TEST(LayeringTest, ATypesNameIsItsAlone) {
  static const std::regex kType(R"(^(struct|class|enum class) (?:ABSL_\w+(?:\(.*?\))? )?([A-Z][A-Za-z0-9]*)[^;]*\{)");
  const fs::path root(TIDEMARK_SOURCE_DIR);
  std::map<std::string, std::string> files;
  for (const char* room : {"common", "agent", "coordinator"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
      if (entry.path().extension() != ".h") continue;
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) {
        std::smatch match;
        if (!std::regex_search(line, match, kType)) continue;
        const std::string file = fs::relative(entry.path(), root).string();
        const auto [known, is_new] = files.emplace(match[2], file);
        EXPECT_TRUE(is_new) << match[2] << " is a type of " << known->second << " and of " << file;
      }
    }
  }
  EXPECT_GT(files.size(), 250U);
}

TEST(LayeringTest, WhatIsNamedOfTheLibraryIsIncluded) {
  const std::map<std::string, std::vector<std::string>> kNames = {
      {"algorithm",
       {"min", "max", "clamp", "sort", "stable_sort", "find", "find_if", "any_of", "all_of", "none_of", "count_if",
        "max_element", "min_element", "lower_bound", "upper_bound", "nth_element", "reverse", "shuffle", "unique"}},
      {"cmath", {"sqrt", "log", "exp", "pow", "floor", "ceil", "isnan", "isfinite", "llround", "lround", "round"}},
      {"cstdint",
       {"int8_t", "int16_t", "int32_t", "int64_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t", "uintptr_t"}},
      {"cstring", {"memcpy", "memmove", "memset", "memcmp", "memchr", "strlen", "strerror"}},
      {"functional", {"function"}},
      {"limits", {"numeric_limits"}},
      {"numeric", {"accumulate", "iota", "gcd"}},
      {"optional", {"optional", "nullopt"}},
      {"thread", {"thread", "this_thread"}},
  };
  std::map<std::string, std::set<std::string>> includes;
  for (const char* room : {"common", "agent", "coordinator", "tests"}) {
    for (const Include& i : IncludesOf(room)) includes[i.file].insert(i.header);
  }
  for (const auto& [file, headers] : includes) {
    std::set<std::string> reached;
    AddReached(includes, file, &reached);
    std::ifstream in(fs::path(TIDEMARK_SOURCE_DIR) / file);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    for (const auto& [header, names] : kNames) {
      if (reached.count(header) != 0) continue;
      for (const std::string& name : names)
        EXPECT_FALSE(Names(text, name)) << file << " names std::" << name << " and includes no <" << header << ">";
    }
  }
}

}  // namespace
