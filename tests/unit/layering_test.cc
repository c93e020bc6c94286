// The rooms' walls: who includes whom, and who may know gRPC, Beast and OpenSSL. See DESIGN.md "The house".
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
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
  const std::set<std::string> kMayKnowAgent = {"coordinator/local_agent", "coordinator/main"};
  for (const Include& i : IncludesOf("coordinator")) {
    EXPECT_FALSE(StartsWith(i.header, "tests/")) << i.file;
    const bool is_allowed = !StartsWith(i.header, "agent/") || kMayKnowAgent.count(Stem(i.file)) != 0;
    EXPECT_TRUE(is_allowed) << i.file << " includes " << i.header;
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
  ExpectOnly("agent", kGrpc, {"agent/agent_service", "agent/main"});
  ExpectOnly("coordinator", kGrpc, {"coordinator/agent_link", "coordinator/local_agent", "coordinator/main"});
  const std::vector<std::string> kBeast = {"boost/beast", "openssl/"};
  ExpectOnly("common", kBeast, {});
  ExpectOnly("agent", kBeast,
             {"agent/response_parser", "agent/request_source", "agent/target_clock", "agent/transport", "agent/tls",
              "agent/web_socket"});
  ExpectOnly("coordinator", kBeast, {"coordinator/certs_command"});
}

}  // namespace
