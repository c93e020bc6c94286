// How a command says that something is wrong.
#pragma once

#include <cstdio>

#include "absl/strings/string_view.h"

namespace tidemark {

// One line on stderr; returns `code`.
inline int Fail(int code, absl::string_view message) {
  std::fprintf(stderr, "tidemark: %.*s\n", static_cast<int>(message.size()), message.data());
  return code;
}

}  // namespace tidemark
