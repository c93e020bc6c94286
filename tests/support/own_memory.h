// How much memory this process has.
#pragma once

#include <fstream>
#include <string>

namespace tidemark {

#ifdef __has_feature  // clang's; a sanitizer's shadow is memory too
inline constexpr bool kHasShadow = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool kHasShadow = false;
#endif

// "VmRSS:" in MiB, of the process with that id.
inline int ResidentMiB(const std::string& pid = "self") {
  std::ifstream status("/proc/" + pid + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stoi(line.substr(6)) / 1024;
  }
  return 0;
}

}  // namespace tidemark
