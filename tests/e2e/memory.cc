#include "tests/e2e/memory.h"

#include <gtest/gtest.h>

#include <fstream>

namespace tidemark {

bool HasInMemory(int pid, const std::string& text, std::string* where) {
  const std::string proc = "/proc/" + std::to_string(pid);
  std::ifstream maps(proc + "/maps");
  std::ifstream memory(proc + "/mem", std::ios::binary);
  EXPECT_TRUE(maps && memory);
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" rw") == std::string::npos || line.find("[v") != std::string::npos) continue;
    const std::size_t dash = line.find('-');
    const auto begin = std::stoull(line.substr(0, dash), nullptr, 16);
    const auto end = std::stoull(line.substr(dash + 1), nullptr, 16);
    std::string bytes(end - begin, '\0');
    memory.clear();
    memory.seekg(static_cast<std::streamoff>(begin));
    memory.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const std::size_t at = bytes.find(text);
    if (at == std::string::npos) continue;
    if (where != nullptr) *where = line + " at " + std::to_string(at);
    return true;
  }
  return false;
}

}  // namespace tidemark
