// What is in another process's memory, for who may read it.
#pragma once

#include <string>

namespace tidemark {

// Whether the process holds `text` in memory that it can write; *where: the mapping, and the place in it.
bool HasInMemory(int pid, const std::string& text, std::string* where = nullptr);

}  // namespace tidemark
